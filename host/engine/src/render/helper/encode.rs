//! Helpers that encode, digest and name.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use serde_json::Value as Json;
use sha2::{Digest, Sha256, Sha512};

use super::super::context::MESSAGE_ID;
use super::{Call, Entry};

pub(super) const ALL: [Entry; 6] = [
    ("decode64", 1, decode),
    ("encode64", 1, |call| {
        on_text(call, |text| base64::prelude::BASE64_STANDARD.encode(text))
    }),
    ("md5", 1, |call| {
        on_text(call, |text| hex::encode(Md5::digest(text)))
    }),
    ("sha256", 1, |call| {
        on_text(call, |text| hex::encode(Sha256::digest(text)))
    }),
    ("sha512", 1, |call| {
        on_text(call, |text| hex::encode(Sha512::digest(text)))
    }),
    ("uuid", 0, uuid),
];

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Nothing becomes nothing.
fn on_text(call: &Call<'_, '_>, function: impl Fn(String) -> String) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    Ok(function(call.text(0)).into())
}

fn decode(call: &Call<'_, '_>) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    let bytes = BASE64.decode(call.text(0).trim());
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Json::from)
        .ok_or_else(|| "the value is not Base64 of a text".to_owned())
}

/// Looks random (version 4) but is the message's own: a retry has the same. The value it is given is its
/// number within the template.
fn uuid(call: &Call<'_, '_>) -> Result<Json, String> {
    let mut digest = Sha256::new();
    digest.update("uuid of a message");
    digest.update(call.hidden(MESSAGE_ID).as_str().unwrap_or_default());
    digest.update(call.text(0));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let groups = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Ok(groups.join("-").into())
}
