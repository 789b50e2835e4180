//! What can go wrong in the store.

use pinion_domain as domain;

/// Result in the store's words.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The store's errors. Only [`Error::Domain`] is the caller's doing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be: a quota, a conflict, a missing thing.
    #[error(transparent)]
    Domain(#[from] domain::Error),
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed, or the database is newer than this server.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what was written.
    #[error("stored {what} cannot be read: {detail}")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A sealed value does not open: wrong master key, or a changed row.
    #[error("sealed {0} does not open: wrong master key, or the row was changed")]
    Sealed(&'static str),
    /// Somebody else holds the chunk by now: stop working on it.
    #[error("the chunk's lease was taken over")]
    Fenced,
    /// The writer has stopped: the server is shutting down.
    #[error("the store is closed")]
    Closed,
    /// The data folder or the master key cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The database could not be reached. Only a lost connection leaves open whether a change was made.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A change is wrong in itself; it was not made.
    #[error("a change panicked")]
    Panicked,
}

impl Error {
    /// A stored value cannot be read.
    #[expect(clippy::needless_pass_by_value, reason = "`map_err` hands errors over")]
    pub(crate) fn corrupt(what: impl Into<String>, detail: impl ToString) -> Self {
        Self::Corrupt {
            what: what.into(),
            detail: detail.to_string(),
        }
    }
}
