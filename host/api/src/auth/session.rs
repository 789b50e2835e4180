//! Temporary credentials. Their token carries everything that they say, sealed with a key of the server,
//! and their secret is derived from their id: giving them out writes nothing, and checking them reads
//! nothing but what every request of a user or role needs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use pinion_domain::iam::Json;
use pinion_domain::iam::entity::Holder;
use pinion_domain::id::{AccessKeyId, AccountId};
use pinion_store::{Sealer, Store};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::sigv4::Credentials;

/// How ids of temporary keys begin.
pub(crate) const PREFIX: &str = "ASIA";
/// Longer tokens are not ours.
const LONGEST: usize = 16 * 1024;

/// What temporary credentials say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Whose.
    pub account: AccountId,
    /// `user/ann` or `role/sender`; absent for the account's root.
    pub holder: Option<String>,
    /// The unique id of that user or role: one of the same name that is made later is another.
    pub id: String,
    /// A role session's name.
    pub name: String,
    /// The long-term key that asked for them, if they are to end with it.
    pub parent: Option<AccessKeyId>,
    /// When they were given.
    pub issued: Timestamp,
    /// When they end.
    pub expires: Timestamp,
    /// A policy that only narrows.
    pub policy: Option<Json>,
    /// Managed policies that only narrow, by name.
    pub policies: Vec<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Those tags that go along into the next role.
    pub transitive: Vec<String>,
    /// `aws:SourceIdentity`.
    pub source_identity: Option<String>,
    /// The identity provider that vouched.
    pub provider: Option<String>,
}

impl Session {
    /// The user or role; `None` is the account's root.
    pub fn holder(&self) -> Option<Holder> {
        self.holder.as_deref().and_then(Holder::parse)
    }
}

/// Credentials of an account's root for the operator's own commands, who has the data and its master key
/// anyway. They last five minutes.
pub fn of_operator(store: &Store, account: AccountId) -> Credentials {
    let now = store.clock().now();
    Tokens::new(store).give(&Session {
        id: account.to_string(),
        account,
        holder: None,
        name: String::new(),
        parent: None,
        issued: now,
        expires: now + SignedDuration::from_mins(5),
        policy: None,
        policies: Vec::new(),
        tags: BTreeMap::new(),
        transitive: Vec::new(),
        source_identity: None,
        provider: None,
    })
}

/// Makes and reads temporary credentials.
pub(crate) struct Tokens {
    sealer: Sealer,
    secret: Zeroizing<[u8; 32]>,
}

impl Tokens {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            sealer: store.sealer("session-token"),
            secret: Zeroizing::new(store.derived_key("session-secret")),
        }
    }

    /// Fresh credentials that say this.
    pub(crate) fn give(&self, session: &Session) -> Credentials {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut rng = rand::rng();
        let letters = (0..16).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
        let id: String = PREFIX.chars().chain(letters).collect();
        let plain = serde_json::to_vec(session).expect("strings, lists and maps of them are JSON");
        let token = BASE64_STANDARD.encode(self.sealer.seal(&plain, &id));
        Credentials {
            secret_access_key: self.secret(&id),
            access_key_id: id,
            session_token: Some(token),
        }
    }

    /// What the token of that key says; `None` if we never gave it.
    pub(crate) fn open(&self, id: &str, token: &str) -> Option<Session> {
        if token.len() > LONGEST {
            return None;
        }
        let sealed = BASE64_STANDARD.decode(token).ok()?;
        let plain = self.sealer.open(&sealed, id, "session token").ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Forty characters.
    pub(crate) fn secret(&self, id: &str) -> Zeroizing<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.secret).expect("HMAC takes keys of any length");
        mac.update(id.as_bytes());
        let bytes = Zeroizing::new(mac.finalize().into_bytes().to_vec());
        Zeroizing::new(BASE64_STANDARD.encode(&bytes[..30]))
    }
}
