//! The token inside a tracking link: a few packed bytes, a truncated HMAC-SHA256, base64url.
//!
//! `version, key id, kind, app_no, run_no, treatment, seq, [message id if run_no is 0], [target of a
//! click], 12 bytes of MAC`; numbers are LEB128. The target is the rest, so it needs no length.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use pinion_domain::id::MessageId;
use sha2::Sha256;
use url::Url;

use super::TrackingKey;

const VERSION: u8 = 1;
/// 96 bits: far beyond guessing over a network, and four characters shorter than 128.
const MAC_BYTES: usize = 12;

/// The longest target of a click, in bytes; longer links are left as they are.
pub const LONGEST_TARGET: usize = 8_000;

/// What following a link means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The pixel was fetched.
    Open = 1,
    /// A link was followed.
    Click = 2,
    /// The recipient wants no more.
    Unsubscribe = 3,
}

impl Kind {
    /// Between the public URL and the token.
    pub fn path(self) -> &'static str {
        match self {
            Self::Open => "/t/o/",
            Self::Click => "/t/c/",
            Self::Unsubscribe => "/t/u/",
        }
    }
}

/// Which message to which recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The store's number of the application.
    pub app_no: i64,
    /// The store's number of the run; 0 for a direct message.
    pub run_no: i64,
    /// 0 is the campaign's own message.
    pub treatment: u8,
    /// The endpoint's number; 0 for a direct message to an address.
    pub seq: u32,
    /// Of a direct message; of a run it is derived from run and endpoint, and zero here.
    direct: [u8; 16],
}

impl Stamp {
    /// Of a campaign's message. `run_no` begins at 1.
    pub fn of_run(app_no: i64, run_no: i64, treatment: u8, seq: u32) -> Self {
        Self {
            app_no,
            run_no,
            treatment,
            seq,
            direct: [0; 16],
        }
    }

    /// Of a direct message; `None` if the id is not 32 hexadecimal characters.
    pub fn of_direct(app_no: i64, seq: u32, message: &MessageId) -> Option<Self> {
        let mut direct = [0; 16];
        hex::decode_to_slice(message.as_str(), &mut direct).ok()?;
        Some(Self {
            app_no,
            run_no: 0,
            treatment: 0,
            seq,
            direct,
        })
    }

    /// The id of a direct message.
    pub fn direct_message(&self) -> Option<MessageId> {
        (self.run_no == 0).then(|| hex::encode(self.direct).into())
    }
}

/// What a genuine token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which message to which recipient.
    pub stamp: Stamp,
    /// Where a click leads: http or https. `None` for the other kinds.
    pub target: Option<Url>,
}

/// The web address that a link leads to, or `None` if it is none: only http and https with a host,
/// no longer than [`LONGEST_TARGET`], without control characters and spaces.
pub fn target(link: &str) -> Option<Url> {
    if link.len() > LONGEST_TARGET || link.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return None;
    }
    let url = Url::parse(link).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// One key with its pads already hashed, so a token costs one block less each way.
pub(super) struct Signer {
    id: u8,
    mac: Hmac<Sha256>,
}

impl Signer {
    pub(super) fn new(key: &TrackingKey) -> Self {
        Self {
            id: key.id,
            mac: Hmac::new_from_slice(&key.key).expect("HMAC takes keys of any length"),
        }
    }

    /// Appends a token.
    pub(super) fn write(&self, kind: Kind, stamp: &Stamp, to: &str, out: &mut String) {
        let mut bytes = Vec::with_capacity(64 + to.len());
        bytes.extend([VERSION, self.id, kind as u8]);
        push_number(&mut bytes, stamp.app_no as u64);
        push_number(&mut bytes, stamp.run_no as u64);
        bytes.push(stamp.treatment);
        push_number(&mut bytes, u64::from(stamp.seq));
        if stamp.run_no == 0 {
            bytes.extend(stamp.direct);
        }
        bytes.extend(to.as_bytes());
        let mac = self.mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode_string(&bytes, out);
    }
}

/// What a token says, if one of the keys signed it as a token of that kind.
pub(super) fn verify(signers: &[Signer], kind: Kind, token: &str) -> Option<Token> {
    if token.len() > 2 * LONGEST_TARGET {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (content, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    let [VERSION, key, of_kind, rest @ ..] = content else {
        return None;
    };
    let signer = signers.iter().find(|signer| signer.id == *key)?;
    // Compares in constant time. Only after this is the content looked at.
    let expected = signer.mac.clone().chain_update(content);
    expected.verify_truncated_left(mac).ok()?;
    if *of_kind != kind as u8 {
        return None;
    }
    let mut rest = rest;
    let app_no = take_number(&mut rest)?.cast_signed();
    let run_no = take_number(&mut rest)?.cast_signed();
    let treatment = *rest.split_off_first()?;
    let seq = u32::try_from(take_number(&mut rest)?).ok()?;
    let mut stamp = Stamp::of_run(app_no, run_no, treatment, seq);
    if run_no == 0 {
        stamp.direct = rest.split_off(..16)?.try_into().ok()?;
    }
    let target = match kind {
        Kind::Click => Some(target(std::str::from_utf8(rest).ok()?)?),
        Kind::Open | Kind::Unsubscribe if rest.is_empty() => None,
        Kind::Open | Kind::Unsubscribe => return None,
    };
    Some(Token { stamp, target })
}

/// LEB128.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
