//! AWS Signature Version 4 for a service that is not S3: verifying what clients sent, and signing
//! what we send to such a service ourselves.
//!
//! | module | step |
//! |---|---|
//! | [`credential`] | reads what a request presents: key, scope, time, signed headers, signature |
//! | `presigned` | the same from a query string |
//! | [`canonical`] | the one text that both sides hash |
//! | [`sign`] | keys, signatures, and the client's side |
//! | [`verify`] | the rules, in their order, and the comparison |
//!
//! Everything is pure: time, keys and rules are arguments. The path is taken as it was on the wire
//! and encoded once more, as every service but S3 has it; paths that a normalising client would sign
//! differently are refused before, by [`crate::router::RawPath`].

pub mod canonical;
pub mod credential;
mod presigned;
pub mod sign;
pub mod verify;

pub use canonical::RequestView;
pub use credential::Presented;
pub use sign::{Credentials, Signer};
pub use verify::{Key, Rules, Verified, Verifier};

/// The only algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every credential scope.
const TERMINATOR: &str = "aws4_request";

/// Why a request is not believed. The sentences are AWS's where AWS has one, and never show the
/// canonical request: it would help nobody but a forger.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// Not signed at all.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// Signed in a way that cannot be read; the sentence says what is wrong.
    #[error("{0}")]
    Incomplete(String),
    /// No such key, or a session token that does not belong to it.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session token's time is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Well formed and wrong; the sentence says in what.
    #[error("{0}")]
    Invalid(String),
    /// The client's clock is too far from ours. SDKs set theirs by our `Date` header and try again.
    #[error(
        "The difference between the request time and the current time is too large: request {request}, server {server}"
    )]
    Skewed {
        /// As the client wrote it.
        request: String,
        /// Ours, in the same form.
        server: String,
    },
    /// A signing of the body that this service does not take.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl AuthError {
    /// The signature is not the one that we computed.
    fn mismatch() -> Self {
        Self::Invalid(
            "The request signature we calculated does not match the signature you provided. Check your \
             AWS Secret Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        )
    }

    fn incomplete(problem: impl Into<String>) -> Self {
        Self::Incomplete(problem.into())
    }
}
