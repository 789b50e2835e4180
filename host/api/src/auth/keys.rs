//! Access keys as the front door needs them: looked up in the store, and remembered for a second, so
//! that a busy client costs one read a second and a disabled key stops working within one.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use pinion_domain::id::{AccessKeyId, AccountId};
use pinion_store::Store;

use super::sigv4::Key;
use crate::error::Result;

/// How long a key is believed to be as it was.
const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// Forgotten altogether when there are that many.
const LARGEST: usize = 4_096;

/// A key that may sign.
#[derive(Clone)]
pub(crate) struct KnownKey {
    pub key: Key,
    pub account: AccountId,
    pub principal: String,
}

/// Access keys of the store.
pub(crate) struct Keys {
    store: Store,
    recent: Mutex<HashMap<AccessKeyId, (Timestamp, KnownKey)>>,
}

impl Keys {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            recent: Mutex::default(),
        }
    }

    /// The key, unless there is none or it is disabled. Unknown keys are not remembered: they may be
    /// made the next moment.
    pub(crate) async fn find(&self, id: &AccessKeyId) -> Result<Option<KnownKey>> {
        let now = self.store.clock().now();
        if let Some((read, known)) = self.recent.lock().get(id)
            && now.duration_since(*read).abs() < FRESH
        {
            return Ok(Some(known.clone()));
        }
        let Some(stored) = self.store.access_key(id).await?.filter(|stored| stored.enabled) else {
            self.recent.lock().remove(id);
            return Ok(None);
        };
        let known = KnownKey {
            key: Key {
                secret: stored.secret,
                session_token: None,
                expires: None,
            },
            account: stored.account,
            principal: stored.principal,
        };
        let mut recent = self.recent.lock();
        if recent.len() >= LARGEST {
            recent.clear();
        }
        recent.insert(id.clone(), (now, known.clone()));
        Ok(Some(known))
    }
}
