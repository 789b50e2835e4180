//! Sealing at rest: a master key wraps one data key per application, which seals addresses; other
//! secrets are sealed with keys derived from the master key.
//!
//! XChaCha20-Poly1305: its 192-bit random nonces stay safe at any write rate. What a value belongs to is
//! bound as associated data, so that a sealed value cannot be moved to another row.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngExt;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Error, Result};

const NONCE: usize = 24;
/// Length of a blind index: collisions are out of reach, and an index row stays small.
const INDEX: usize = 16;

/// The key that everything sealed depends on.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Reads 64 hexadecimal characters.
    pub fn parse(text: &str) -> Result<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key)
            .map_err(|_| Error::Setup("the master key must be 64 hexadecimal characters".to_owned()))?;
        Ok(Self(key))
    }

    /// Reads `master.key` of a data folder, if it is there.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("master.key");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Setup(format!("{}: {error}", path.display()))),
        }
    }

    /// Makes `master.key` of a data folder, which only its owner may read.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("master.key");
        let key = Self(rand::rng().random());
        match write_private(&path, &hex::encode(key.0)) {
            Ok(()) => Ok(key),
            // Somebody else was faster: theirs it is.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::read(folder)?.ok_or_else(|| Error::Setup(format!("{} vanished", path.display())))
            }
            Err(error) => Err(Error::Setup(format!("{}: {error}", path.display()))),
        }
    }

    /// A key for one purpose.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        hmac(&self.0, &[label.as_bytes()])
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A keyed hash of parts. Those of varying length must not hold a NUL.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac(key, parts).finalize().into_bytes().into()
}

/// Is this the keyed hash of these parts? Takes as long for a wrong one.
pub(crate) fn is_hmac(key: &[u8], parts: &[&[u8]], hash: &[u8]) -> bool {
    mac(key, parts).verify_slice(hash).is_ok()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
        mac.update(&[0]);
    }
    mac
}

/// Seals and opens values.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

impl Sealer {
    /// With a key of its own.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// Seals `plain`; `bound` names what it belongs to and must be given again to open it.
    pub fn seal(&self, plain: &[u8], bound: &str) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::rng().random();
        let payload = Payload {
            msg: plain,
            aad: bound.as_bytes(),
        };
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), payload)
            .expect("values are far smaller than the cipher's limit");
        let mut out = Vec::with_capacity(NONCE + sealed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`Sealer::seal`] made.
    pub fn open(&self, sealed: &[u8], bound: &str, what: &'static str) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(Error::Sealed(what))?;
        let payload = Payload {
            msg: rest,
            aad: bound.as_bytes(),
        };
        let plain = self
            .0
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Error::Sealed(what))?;
        Ok(Zeroizing::new(plain))
    }

    /// Opens text.
    pub(crate) fn open_text(&self, sealed: &[u8], bound: &str, what: &'static str) -> Result<String> {
        let plain = self.open(sealed, bound, what)?;
        String::from_utf8(plain.to_vec()).map_err(|_| Error::Sealed(what))
    }
}

/// A keyed index of an address: equal addresses of one account have equal indexes, and nobody without
/// the key can tell which address it is.
pub(crate) fn address_index(account_key: &[u8; 32], channel: &str, address: &str) -> Vec<u8> {
    // Mail domains are case-insensitive and local parts are in practice; other addresses are as given.
    let normal = if channel == "EMAIL" {
        address.trim().to_lowercase()
    } else {
        address.trim().to_owned()
    };
    hmac(account_key, &[channel.as_bytes(), normal.as_bytes()])[..INDEX].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("zażółć@example.com".as_bytes(), "app|endpoint");
        assert_eq!(
            sealer.open_text(&sealed, "app|endpoint", "address").unwrap(),
            "zażółć@example.com"
        );
        assert!(sealer.open_text(&sealed, "app|other", "address").is_err());
        assert!(
            Sealer::new(&[8; 32])
                .open_text(&sealed, "app|endpoint", "address")
                .is_err()
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(
                sealer.open_text(&changed, "app|endpoint", "address").is_err(),
                "byte {at}"
            );
        }
        assert!(
            sealer
                .open_text(&sealed[..10], "app|endpoint", "address")
                .is_err()
        );
    }

    #[test]
    fn mail_addresses_are_the_same_in_any_case() {
        let index = |channel, address| address_index(&[1; 32], channel, address);
        assert_eq!(index("EMAIL", "A@B.c"), index("EMAIL", "a@b.C "));
        assert_ne!(index("GCM", "Token"), index("GCM", "token"));
        assert_ne!(index("EMAIL", "a@b.c"), index("SMS", "a@b.c"));
    }
}
