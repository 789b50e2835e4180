//! What can go wrong as time passes.

use pinion_domain as domain;
use pinion_domain::extension::PluginError;

/// Result in the engine's words.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The engine's errors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's doing.
    #[error(transparent)]
    Domain(#[from] domain::Error),
    /// The store refused.
    #[error(transparent)]
    Store(pinion_store::Error),
    /// A plugin refused or faulted.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A run cannot start; the sentence is for the campaign's owner.
    #[error("{0}")]
    CannotRun(String),
    /// Our own fault; the sentence is for the log.
    #[error("{0}")]
    Internal(String),
    /// Not now; the same request may be answered later.
    #[error("{0}")]
    Busy(String),
    /// Who should be reached could not be told.
    #[error(transparent)]
    Audience(#[from] crate::audience::AudienceError),
}

impl From<pinion_store::Error> for Error {
    fn from(error: pinion_store::Error) -> Self {
        match error {
            pinion_store::Error::Domain(error) => Self::Domain(error),
            error => Self::Store(error),
        }
    }
}
