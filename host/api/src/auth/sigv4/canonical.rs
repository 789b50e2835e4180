//! The canonical request: the one text that client and server hash, whatever a proxy did to the
//! spelling in between.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

/// What of a request is signed, as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Upper-case.
    pub method: &'a str,
    /// Before any decoding.
    pub path: &'a str,
    /// Before any decoding, without the question mark; empty if there is none.
    pub query: &'a str,
    /// With `host`, which HTTP/2 carries elsewhere.
    pub headers: &'a HeaderMap,
}

/// RFC 3986's unreserved characters stay, everything else is encoded.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &STRICT.remove(b'/');

/// SHA-256 of the body, as it is written in the canonical request.
pub fn payload_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The canonical request, or the name of a signed header that the request does not have.
pub fn canonical_request<'h>(
    request: RequestView<'_>,
    signed_headers: &[&'h str],
    payload_hash: &str,
) -> Result<Vec<u8>, &'h str> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{}\n{}\n{}\n",
        request.method,
        percent_encode(request.path.as_bytes(), PATH),
        canonical_query(request.query)
    );
    let mut bytes = text.into_bytes();
    for name in signed_headers {
        let mut values = request.headers.get_all(*name).iter();
        let first = values.next().ok_or(*name)?;
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(&trim(first.as_bytes()));
        for value in values {
            bytes.push(b',');
            bytes.extend_from_slice(&trim(value.as_bytes()));
        }
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(signed_headers.join(";").as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(payload_hash.as_bytes());
    Ok(bytes)
}

/// Pairs in the order of their encoded names and then values. Sorting joined pairs would put `a-=`
/// before `a=`. A plus is a plus: no SDK writes a space that way.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recode(name), recode(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn recode(part: &str) -> String {
    let decoded: Cow<[u8]> = percent_decode_str(part).into();
    percent_encode(&decoded, STRICT).to_string()
}

/// Without spaces around, and with single spaces inside.
fn trim(value: &[u8]) -> Vec<u8> {
    let mut trimmed = Vec::with_capacity(value.len());
    for word in value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
        if !trimmed.is_empty() {
            trimmed.push(b' ');
        }
        trimmed.extend_from_slice(word);
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_sorted_by_encoded_name_and_then_value() {
        for (query, expected) in [
            ("", ""),
            ("Param-3=3&Param=2", "Param=2&Param-3=3"),
            ("tagKeys=b&tagKeys=a", "tagKeys=a&tagKeys=b"),
            ("a=1+1&b=%20", "a=1%2B1&b=%20"),
            ("a=b=c", "a=b%3Dc"),
            ("flag&X-Amz-Signature=abc", "flag="),
            ("%7e=%e1%88%b4", "~=%E1%88%B4"),
        ] {
            assert_eq!(canonical_query(query), expected, "{query}");
        }
    }

    #[test]
    fn header_values_lose_spaces_that_mean_nothing() {
        for (value, expected) in [("  a   b  ", "a b"), ("a", "a"), ("   ", "")] {
            assert_eq!(trim(value.as_bytes()), expected.as_bytes());
        }
    }
}
