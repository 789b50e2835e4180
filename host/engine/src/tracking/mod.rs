//! Links that tell us what became of a message: open pixel, tracked links, unsubscribe link.
//!
//! Everything that a link means is inside its signed token, so following one needs no look-up, and
//! nobody can make our server redirect to an address that we did not sign. Serving the links, and
//! what an open, a click or an unsubscribe causes, is not done here.

pub mod links;
mod token;

use std::fmt;

use url::Url;

pub use token::{Kind, LONGEST_TARGET, Stamp, Token, target};

use token::Signer;

/// A key that signs tokens. Its id travels in the token, so old links stay valid while the key is
/// still listed.
#[derive(Clone)]
pub struct TrackingKey {
    /// Never given to another key.
    pub id: u8,
    /// Random bytes.
    pub key: [u8; 32],
}

impl fmt::Debug for TrackingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackingKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why no [`Tracker`] can be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrackerError {
    /// Tokens could not be signed.
    #[error("no key to sign tracking links with")]
    NoKey,
    /// A token would not say which key signed it.
    #[error("two tracking keys have the id {0}")]
    DuplicateKey(u8),
    /// Links could not be followed.
    #[error("the public URL must be http or https, without query and fragment")]
    PublicUrl,
}

/// Makes and verifies tracking links.
pub struct Tracker {
    /// Newest first; the first one signs.
    signers: Vec<Signer>,
    /// The public URL without a slash at its end.
    base: String,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// What a message's links are made from.
#[derive(Clone, Copy, Debug)]
pub struct TrackingContext<'a> {
    /// Signs.
    pub tracker: &'a Tracker,
    /// Which message to which recipient.
    pub stamp: Stamp,
}

impl Tracker {
    /// A tracker that signs with the first key and accepts all of them; links begin with
    /// `public_url`.
    pub fn new(keys: &[TrackingKey], public_url: &Url) -> Result<Self, TrackerError> {
        if keys.is_empty() {
            return Err(TrackerError::NoKey);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.id == key.id) {
                return Err(TrackerError::DuplicateKey(key.id));
            }
        }
        let usable = matches!(public_url.scheme(), "http" | "https")
            && public_url.query().is_none()
            && public_url.fragment().is_none();
        if !usable {
            return Err(TrackerError::PublicUrl);
        }
        Ok(Self {
            signers: keys.iter().map(Signer::new).collect(),
            base: public_url.as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// The address of the pixel that counts an open.
    pub fn open_url(&self, stamp: &Stamp) -> String {
        self.url(Kind::Open, stamp, "")
    }

    /// The address that counts a click and leads on to `target`; `None` if [`target`] says that it
    /// is not a web address.
    pub fn click_url(&self, stamp: &Stamp, to: &str) -> Option<String> {
        target(to).map(|_| self.url(Kind::Click, stamp, to))
    }

    /// The address that unsubscribes: a page for GET, one click for POST (RFC 8058).
    pub fn unsubscribe_url(&self, stamp: &Stamp) -> String {
        self.url(Kind::Unsubscribe, stamp, "")
    }

    /// What a token says, if one of our keys signed it as a token of that kind.
    pub fn verify(&self, kind: Kind, token: &str) -> Option<Token> {
        token::verify(&self.signers, kind, token)
    }

    /// Is this one of our own links? Those are never tracked again.
    pub fn is_own(&self, url: &str) -> bool {
        url.strip_prefix(&self.base)
            .is_some_and(|rest| rest.starts_with("/t/"))
    }

    /// Appends the click address of a target that is already known to be good.
    pub(crate) fn write_click(&self, stamp: &Stamp, to: &str, out: &mut String) {
        self.write(Kind::Click, stamp, to, out);
    }

    fn url(&self, kind: Kind, stamp: &Stamp, to: &str) -> String {
        let mut url = String::with_capacity(self.base.len() + 64 + to.len() * 4 / 3);
        self.write(kind, stamp, to, &mut url);
        url
    }

    fn write(&self, kind: Kind, stamp: &Stamp, to: &str, out: &mut String) {
        out.push_str(&self.base);
        out.push_str(kind.path());
        self.signers[0].write(kind, stamp, to, out);
    }
}

#[cfg(test)]
mod tests;
