//! The rules, in their order, and the comparison.

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::AuthError;
use super::canonical::{RequestView, canonical_request, payload_hash};
use super::credential::{AMZ_DATE, Presented};
use super::sign::KeyCache;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The signing name that clients must use.
    pub service: String,
    /// Regions that are served; none named means any.
    pub regions: Option<Vec<String>>,
    /// How far a client's clock may be off.
    pub skew: SignedDuration,
    /// Take `UNSIGNED-PAYLOAD`: only sensible where TLS protects the body.
    pub allow_unsigned_payload: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            service: "mobiletargeting".to_owned(),
            regions: None,
            skew: SignedDuration::from_mins(15),
            allow_unsigned_payload: false,
        }
    }
}

/// What is known of an access key.
#[derive(Clone)]
pub struct Key {
    /// The secret that the client holds too.
    pub secret: Zeroizing<String>,
    /// Of temporary credentials: the token that must come along.
    pub session_token: Option<String>,
    /// Of temporary credentials: when they end.
    pub expires: Option<Timestamp>,
}

/// A request that was signed by the holder of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key.
    pub access_key_id: String,
    /// The region that the request was signed for: the world in which its names are looked up.
    pub region: String,
}

/// Verifies requests under fixed rules. Holds nothing but keys derived today.
#[derive(Debug, Default)]
pub struct Verifier {
    rules: Rules,
    cache: KeyCache,
}

impl Verifier {
    /// A verifier with the operator's rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            cache: KeyCache::default(),
        }
    }

    /// Reads and verifies a request in one step, for callers whose keys are at hand.
    pub fn verify(
        &self,
        request: RequestView<'_>,
        body: &[u8],
        keys: impl FnOnce(&str) -> Option<Key>,
        now: Timestamp,
    ) -> Result<Verified, AuthError> {
        let presented = Presented::read(request)?;
        let key = keys(&presented.access_key_id);
        self.verify_presented(request, body, presented, key.as_ref(), now)
    }

    /// Verifies what [`Presented::read`] read. Without a key the same work is done before the refusal,
    /// so that nobody learns from the time it takes which keys exist.
    pub fn verify_presented(
        &self,
        request: RequestView<'_>,
        body: &[u8],
        presented: Presented,
        key: Option<&Key>,
        now: Timestamp,
    ) -> Result<Verified, AuthError> {
        self.check_scope(&presented)?;
        self.check_time(&presented, now)?;
        check_signed_headers(request, &presented)?;
        let payload = self.payload(request, body)?;
        let names: Vec<&str> = presented.signed_headers.iter().map(String::as_str).collect();
        let canonical = canonical_request(request, &names, &payload).map_err(|missing| {
            AuthError::Invalid(format!(
                "The signed header '{missing}' is missing in the request."
            ))
        })?;

        let stand_in;
        let secret = match key {
            Some(key) => key.secret.as_str(),
            None => {
                stand_in = format!("nobody has this secret: {}", presented.access_key_id);
                &stand_in
            }
        };
        let expected = self
            .cache
            .signature(secret, &presented.amz_date, &presented.scope, &canonical);
        let matches = hex::encode(expected)
            .as_bytes()
            .ct_eq(presented.signature.as_bytes());
        let key = key.ok_or(AuthError::UnknownKey)?;
        if !bool::from(matches) {
            return Err(AuthError::mismatch());
        }
        check_token(key, presented.session_token.as_deref(), now)?;
        Ok(Verified {
            access_key_id: presented.access_key_id,
            region: presented.scope.region,
        })
    }

    /// The scope is the client's word; service and region are ours to decide.
    fn check_scope(&self, presented: &Presented) -> Result<(), AuthError> {
        let scope = &presented.scope;
        if scope.service != self.rules.service {
            return Err(AuthError::Invalid(format!(
                "Credential should be scoped to correct service: '{}'.",
                self.rules.service
            )));
        }
        // The region becomes part of names and rows, so it must look like one.
        let well_formed = (1..=32).contains(&scope.region.len())
            && scope
                .region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let served = self
            .rules
            .regions
            .as_ref()
            .is_none_or(|regions| regions.contains(&scope.region));
        if !well_formed || !served {
            return Err(AuthError::Invalid(
                "Credential should be scoped to a valid region.".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_time(&self, presented: &Presented, now: Timestamp) -> Result<(), AuthError> {
        let skewed = || AuthError::Skewed {
            request: presented.amz_date.clone(),
            server: now.strftime(AMZ_DATE).to_string(),
        };
        let age = now.duration_since(presented.at);
        match presented.expires {
            None if age.abs() > self.rules.skew => Err(skewed()),
            Some(_) if age < -self.rules.skew => Err(skewed()),
            Some(seconds) if age > SignedDuration::from_secs(i64::from(seconds)) => Err(AuthError::Invalid(
                "Signature expired: the request's X-Amz-Expires is over.".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// The payload hash of the canonical request.
    fn payload(&self, request: RequestView<'_>, body: &[u8]) -> Result<String, AuthError> {
        let actual = payload_hash(body);
        let mut declared = request.headers.get_all("x-amz-content-sha256").iter();
        match (declared.next().map(http::HeaderValue::as_bytes), declared.next()) {
            (_, Some(_)) => Err(AuthError::incomplete(
                "Header 'x-amz-content-sha256' is given more than once.",
            )),
            (None, None) => Ok(actual),
            (Some(hash), None) if hash == actual.as_bytes() => Ok(actual),
            (Some(b"UNSIGNED-PAYLOAD"), None) if self.rules.allow_unsigned_payload => {
                Ok("UNSIGNED-PAYLOAD".to_owned())
            }
            (Some(b"UNSIGNED-PAYLOAD"), None) => Err(AuthError::Invalid(
                "The body must be signed: UNSIGNED-PAYLOAD is not accepted.".to_owned(),
            )),
            (Some(kind), None) if kind.starts_with(b"STREAMING-") => Err(AuthError::Unsupported(
                "Signing a body in chunks is not supported; sign it as a whole.",
            )),
            (Some(_), None) => Err(AuthError::Invalid(
                "The provided 'x-amz-content-sha256' header does not match what was computed.".to_owned(),
            )),
        }
    }
}

/// `host` and all of AWS's headers must be signed, or a proxy could change what they say. Of those only
/// the session token may travel unsigned: it is checked against the key.
fn check_signed_headers(request: RequestView<'_>, presented: &Presented) -> Result<(), AuthError> {
    let must_be_signed =
        |name: &str| name == "host" || (name.starts_with("x-amz-") && name != "x-amz-security-token");
    let signed = |name: &str| presented.signed_headers.iter().any(|signed| signed == name);
    if !signed("host") {
        return Err(AuthError::Invalid(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    match request
        .headers
        .keys()
        .find(|name| must_be_signed(name.as_str()) && !signed(name.as_str()))
    {
        Some(name) => Err(AuthError::Invalid(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        ))),
        None => Ok(()),
    }
}

fn check_token(key: &Key, presented: Option<&str>, now: Timestamp) -> Result<(), AuthError> {
    let belongs = match (key.session_token.as_deref(), presented) {
        (None, None) => true,
        (Some(expected), Some(presented)) => bool::from(expected.as_bytes().ct_eq(presented.as_bytes())),
        _ => false,
    };
    if !belongs {
        return Err(AuthError::UnknownKey);
    }
    match key.expires {
        Some(end) if end <= now => Err(AuthError::ExpiredToken),
        _ => Ok(()),
    }
}
