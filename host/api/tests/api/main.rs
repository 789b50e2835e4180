//! The wire: signatures against AWS's own vectors and signer, and the table of operations against the
//! service model.

#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod operations;
mod oracle;
mod vectors;
