//! The presigned form: everything in the query.

use percent_encoding::percent_decode_str;

use super::credential::{Parts, Presented};
use super::{ALGORITHM, AuthError};

/// The longest that a presigned request may be valid, in seconds: a week.
const LONGEST: u32 = 604_800;

/// Is any of the query's names one of this form?
pub(super) fn is_presigned(query: &str) -> bool {
    pairs(query)
        .any(|(name, _)| ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].contains(&name.as_str()))
}

/// Reads the form; each of its parts must be there exactly once.
pub(super) fn read(query: &str) -> Result<Presented, AuthError> {
    let pairs: Vec<_> = pairs(query).collect();
    let optional = |wanted: &str| {
        let mut found = pairs.iter().filter(|(name, _)| name == wanted);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
            _ => Err(AuthError::incomplete(format!(
                "AWS query-string parameter '{wanted}' is given more than once."
            ))),
        }
    };
    let required = |wanted: &str| {
        optional(wanted)?.ok_or_else(|| {
            AuthError::incomplete(format!("AWS query-string parameters must include '{wanted}'."))
        })
    };
    if required("X-Amz-Algorithm")? != ALGORITHM {
        return Err(AuthError::incomplete(format!(
            "X-Amz-Algorithm must be {ALGORITHM}"
        )));
    }
    let expires = required("X-Amz-Expires")?
        .parse()
        .ok()
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .ok_or_else(|| {
            AuthError::incomplete(format!(
                "X-Amz-Expires must be a number of seconds from 1 to {LONGEST}"
            ))
        })?;
    Parts {
        credential: required("X-Amz-Credential")?,
        signed_headers: required("X-Amz-SignedHeaders")?,
        signature: required("X-Amz-Signature")?,
        amz_date: required("X-Amz-Date")?,
    }
    .check(
        optional("X-Amz-Security-Token")?.map(str::to_owned),
        Some(expires),
    )
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}
