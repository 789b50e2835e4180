//! What can be wrong with a request, in words that name the field.

/// The errors of the domain. `api` turns them into statuses; nobody else knows HTTP.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request says something that cannot be.
    #[error("{field}: {problem}")]
    Invalid {
        /// Dotted path of the member, as on the wire.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// No such thing in the caller's world.
    #[error("{kind} {id} not found")]
    NotFound {
        /// The noun: `application`, `segment`, …
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// It exists already, or its state forbids the change.
    #[error("{0}")]
    Conflict(String),
    /// A quota of the guide would be passed.
    #[error("{0}")]
    LimitExceeded(String),
    /// This part is not built yet.
    #[error("{0} is not supported yet")]
    Unsupported(String),
}

impl Error {
    /// A member of the request is wrong.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The same mistake as seen from outside: `within` goes before the member's path.
    #[must_use]
    pub fn within(self, within: &str) -> Self {
        match self {
            Self::Invalid { field, problem } if !within.is_empty() => Self::Invalid {
                field: format!("{within}.{field}"),
                problem,
            },
            other => other,
        }
    }

    /// There is no such thing.
    pub fn not_found(kind: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound { kind, id: id.into() }
    }
}

/// Result in the domain's words.
pub type Result<T, E = Error> = std::result::Result<T, E>;
