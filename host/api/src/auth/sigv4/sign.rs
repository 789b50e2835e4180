//! Keys and signatures, and the client's side of them.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::canonical::{RequestView, canonical_request, payload_hash};
use super::credential::{AMZ_DATE, Scope};
use super::{ALGORITHM, TERMINATOR};

type DerivedKey = Zeroizing<[u8; 32]>;

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The key that signs one day's requests to one service in one region.
fn derive(secret: &str, scope: &Scope) -> DerivedKey {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let date = Zeroizing::new(hmac(first.as_bytes(), scope.date.as_bytes()));
    let region = Zeroizing::new(hmac(&*date, scope.region.as_bytes()));
    let service = Zeroizing::new(hmac(&*region, scope.service.as_bytes()));
    Zeroizing::new(hmac(&*service, TERMINATOR.as_bytes()))
}

/// The signature of a canonical request, as bytes.
fn signature(key: &DerivedKey, amz_date: &str, scope: &Scope, canonical: &[u8]) -> [u8; 32] {
    let hash = hex::encode(Sha256::digest(canonical));
    let text = format!("{ALGORITHM}\n{amz_date}\n{}\n{hash}", scope.text());
    hmac(&**key, text.as_bytes())
}

/// Derived keys of the day, so that a request costs one HMAC instead of five. Entries are found by a
/// digest of the secret itself, so a key id that comes to mean another secret never meets an old one.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<HashMap<[u8; 32], DerivedKey>>);

impl KeyCache {
    /// Emptied when it holds that many: yesterday's keys and strangers' guesses go that way.
    const LARGEST: usize = 4_096;

    pub(super) fn signature(
        &self,
        secret: &str,
        amz_date: &str,
        scope: &Scope,
        canonical: &[u8],
    ) -> [u8; 32] {
        let mut name = Sha256::new();
        for part in [secret, &scope.date, &scope.region, &scope.service] {
            name.update((part.len() as u64).to_be_bytes());
            name.update(part);
        }
        let name: [u8; 32] = name.finalize().into();
        let cached = self.0.lock().get(&name).cloned();
        let key = cached.unwrap_or_else(|| {
            let key = derive(secret, scope);
            let mut keys = self.0.lock();
            if keys.len() >= Self::LARGEST {
                keys.clear();
            }
            keys.insert(name, key.clone());
            key
        });
        signature(&key, amz_date, scope, canonical)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

/// What a client signs with.
#[derive(Clone)]
pub struct Credentials {
    /// `AKIA…`
    pub access_key_id: String,
    /// Never shown.
    pub secret_access_key: Zeroizing<String>,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Credentials that do not end.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            session_token: None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// Signs requests to one service in one region.
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    /// As whom.
    pub credentials: &'a Credentials,
    /// Where.
    pub region: &'a str,
    /// The signing name.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers to add to a request: `host` (if missing), `x-amz-date`, `x-amz-security-token` (if
    /// there is one) and `authorization`. Every header given is signed, so give only those that arrive
    /// unchanged.
    pub fn sign_headers(
        &self,
        method: &str,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let amz_date = now.strftime(AMZ_DATE).to_string();
        let scope = Scope {
            date: amz_date[..8].to_owned(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
        };
        let mut added = vec![(HeaderName::from_static("x-amz-date"), value(&amz_date))];
        if !headers.contains_key("host") {
            let host = uri.authority().map_or("", |authority| authority.as_str());
            added.push((HeaderName::from_static("host"), value(host)));
        }
        if let Some(token) = &self.credentials.session_token {
            added.push((HeaderName::from_static("x-amz-security-token"), value(token)));
        }
        let mut all = headers.clone();
        all.extend(
            added
                .iter()
                .map(|(name, value)| (Some(name.clone()), value.clone())),
        );
        let mut names: Vec<&str> = all.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let view = RequestView {
            method,
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: &all,
        };
        let canonical =
            canonical_request(view, &names, &payload_hash(body)).expect("the names are those of the headers");
        let key = derive(&self.credentials.secret_access_key, &scope);
        let signature = hex::encode(signature(&key, &amz_date, &scope, &canonical));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.credentials.access_key_id,
            scope.text(),
            names.join(";"),
        );
        added.push((http::header::AUTHORIZATION, value(&authorization)));
        added
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("dates, hosts, tokens and signatures have no control characters")
}
