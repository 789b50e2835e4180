//! Who asks, and whether they may.

mod authorize;
pub(crate) mod keys;
pub mod sigv4;

pub use authorize::authorize;
use pinion_domain::id::{AccessKeyId, AccountId};

/// The one behind an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key that signed.
    pub access_key_id: AccessKeyId,
    /// Whose key it is.
    pub account: AccountId,
    /// The principal's name within its account.
    pub name: String,
}
