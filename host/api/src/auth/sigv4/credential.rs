//! What a request presents, from the `Authorization` header or the query.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::canonical::RequestView;
use super::{ALGORITHM, AuthError, TERMINATOR, presigned};

/// How `X-Amz-Date` is written.
pub(super) const AMZ_DATE: &str = "%Y%m%dT%H%M%SZ";

/// A credential scope: what a derived key may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    /// Claimed, and proven by the signature.
    pub region: String,
    /// The signing name: `mobiletargeting`.
    pub service: String,
}

impl Scope {
    /// As the string to sign has it.
    pub fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// Everything that a signed request says about its signature; nothing of it is proven yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Who claims to have signed.
    pub access_key_id: String,
    /// For what.
    pub scope: Scope,
    /// When, as written.
    pub amz_date: String,
    /// When.
    pub at: Timestamp,
    /// Sorted names of signed headers.
    pub signed_headers: Vec<String>,
    /// 64 hexadecimal digits.
    pub signature: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    /// Seconds of validity, if presigned.
    pub expires: Option<u32>,
}

impl Presented {
    /// Reads a request. One that is signed in both places is refused: it would be unclear which
    /// signature counts.
    pub fn read(request: RequestView<'_>) -> Result<Self, AuthError> {
        let in_query = presigned::is_presigned(request.query);
        match (request.headers.contains_key(AUTHORIZATION), in_query) {
            (false, false) => Err(AuthError::Missing),
            (true, true) => Err(AuthError::incomplete(
                "Only one auth mechanism allowed; only the X-Amz-Signature query parameter or the \
                 Authorization header should be specified",
            )),
            (false, true) => presigned::read(request.query),
            (true, false) => from_headers(request.headers),
        }
    }
}

fn from_headers(headers: &HeaderMap) -> Result<Presented, AuthError> {
    let authorization = only(headers, AUTHORIZATION.as_str())?.ok_or(AuthError::Missing)?;
    let rest = authorization.strip_prefix(ALGORITHM).ok_or_else(|| {
        AuthError::incomplete(format!("Authorization header requires the algorithm {ALGORITHM}"))
    })?;
    let mut parts = [("Credential", None), ("SignedHeaders", None), ("Signature", None)];
    for item in rest.split(',') {
        let (name, value) = item.trim().split_once('=').ok_or_else(|| {
            AuthError::incomplete("Authorization header must be a list of name=value parts")
        })?;
        let slot = parts
            .iter_mut()
            .find(|(known, value)| *known == name && value.is_none())
            .ok_or_else(|| {
                AuthError::incomplete(format!(
                    "Authorization header has an unknown or repeated part '{}'",
                    name.escape_default()
                ))
            })?;
        slot.1 = Some(value);
    }
    let [credential, signed_headers, signature] = parts.map(|(name, value)| {
        value.ok_or_else(|| {
            AuthError::incomplete(format!("Authorization header requires '{name}' parameter."))
        })
    });
    let amz_date = only(headers, "x-amz-date")?.ok_or_else(|| {
        AuthError::incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
    })?;
    Parts {
        credential: credential?,
        signed_headers: signed_headers?,
        signature: signature?,
        amz_date,
    }
    .check(only(headers, "x-amz-security-token")?.map(str::to_owned), None)
}

/// The header's value if it is there once; repeated ones are refused, for nobody can say which counts.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(AuthError::incomplete(format!(
            "Header '{name}' is given more than once."
        )));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(AuthError::incomplete(format!(
            "Header '{name}' is not readable text."
        ))),
    }
}

/// The texts that both forms carry.
pub(super) struct Parts<'a> {
    pub credential: &'a str,
    pub signed_headers: &'a str,
    pub signature: &'a str,
    pub amz_date: &'a str,
}

impl Parts<'_> {
    /// Checks all that can be checked without knowing the key.
    pub(super) fn check(
        self,
        session_token: Option<String>,
        expires: Option<u32>,
    ) -> Result<Presented, AuthError> {
        let parts: Vec<&str> = self.credential.split('/').collect();
        let [access_key_id, date, region, service, TERMINATOR] = parts[..] else {
            return Err(AuthError::incomplete(
                "Credential must have exactly five slash-separated parts, the last of them aws4_request",
            ));
        };
        if access_key_id.is_empty() || access_key_id.len() > 128 {
            return Err(AuthError::incomplete(
                "Credential must begin with an access key id",
            ));
        }
        let at = parse_amz_date(self.amz_date).ok_or_else(|| {
            AuthError::incomplete("Date must be in ISO-8601 'basic format', as 20150830T123600Z")
        })?;
        if !self.amz_date.starts_with(date) || date.len() != 8 {
            return Err(AuthError::Invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
                    .to_owned(),
            ));
        }
        let signed_headers: Vec<String> = self.signed_headers.split(';').map(str::to_owned).collect();
        let sorted = signed_headers.windows(2).all(|pair| pair[0] < pair[1]);
        let lower = signed_headers
            .iter()
            .all(|name| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
        if !sorted || !lower {
            return Err(AuthError::incomplete(
                "SignedHeaders must be lower-case names in ascending order, without repeats",
            ));
        }
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.signature.len() != 64 || !self.signature.bytes().all(is_digit) {
            return Err(AuthError::incomplete(
                "Signature must be 64 lower-case hexadecimal digits",
            ));
        }
        Ok(Presented {
            access_key_id: access_key_id.to_owned(),
            scope: Scope {
                date: date.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            },
            amz_date: self.amz_date.to_owned(),
            at,
            signed_headers,
            signature: self.signature.to_owned(),
            session_token,
            expires,
        })
    }
}

fn parse_amz_date(text: &str) -> Option<Timestamp> {
    // jiff is lenient about widths; the scope's date is compared with the first eight characters.
    if text.len() != 16 {
        return None;
    }
    let civil = DateTime::strptime(AMZ_DATE, text).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AK/20150830/us-east-1/service/aws4_request, \
                        SignedHeaders=host;x-amz-date, \
                        Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn read(authorization: &[&str], dates: &[&str]) -> Result<Presented, AuthError> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        for date in dates {
            headers.append("x-amz-date", date.parse().unwrap());
        }
        Presented::read(RequestView {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
        })
    }

    #[test]
    fn a_header_is_read_with_or_without_spaces() {
        let presented = read(&[GOOD], &["20150830T123600Z"]).unwrap();
        assert_eq!(presented.access_key_id, "AK");
        assert_eq!(presented.scope.text(), "20150830/us-east-1/service/aws4_request");
        assert_eq!(presented.at.to_string(), "2015-08-30T12:36:00Z");
        assert_eq!(presented.signed_headers, ["host", "x-amz-date"]);
        let dense = GOOD.replace(", ", ",");
        assert_eq!(read(&[&dense], &["20150830T123600Z"]).unwrap(), presented);
    }

    #[test]
    fn what_cannot_be_read_is_incomplete() {
        let date = "20150830T123600Z";
        for (authorization, dates) in [
            (vec!["Bearer abc"], vec![date]),
            (vec![GOOD, GOOD], vec![date]),
            (vec![GOOD], vec![date, date]),
            (vec![GOOD], vec![]),
            (vec![GOOD], vec!["2015-08-30T12:36:00Z"]),
            (vec![GOOD], vec!["20150830T12360 Z"]),
            (vec![&GOOD.replace("aws4_request", "aws4")], vec![date]),
            (vec![&GOOD.replace("AK/", "AK/x/")], vec![date]),
            (vec![&GOOD.replace("AK/", "/")], vec![date]),
            (
                vec![&GOOD.replace("host;x-amz-date", "x-amz-date;host")],
                vec![date],
            ),
            (vec![&GOOD.replace("host;x-amz-date", "host;host")], vec![date]),
            (
                vec![&GOOD.replace("host;x-amz-date", "Host;x-amz-date")],
                vec![date],
            ),
            (vec![&GOOD.replace("5fa0", "5FA0")], vec![date]),
            (vec![&GOOD.replace("5fa0", "5fa")], vec![date]),
            (vec![&GOOD.replace("Signature=", "Sig=")], vec![date]),
            (vec![&format!("{GOOD}, Signature=00")], vec![date]),
        ] {
            let result = read(&authorization, &dates);
            assert!(
                matches!(result, Err(AuthError::Incomplete(_))),
                "{authorization:?} {dates:?}: {result:?}"
            );
        }
        assert_eq!(read(&[], &[date]), Err(AuthError::Missing));
        assert!(matches!(
            read(&[GOOD], &["20150831T123600Z"]),
            Err(AuthError::Invalid(_))
        ));
    }
}
