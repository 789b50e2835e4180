//! Pinpoint's JSON over HTTP, as AWS's SDKs and CLI speak it.
//!
//! | module | holds |
//! |---|---|
//! | [`operations`] | the table of all operations: start reading here |
//! | [`router`] | raw path → operation |
//! | [`auth`] | signatures, principals, and the one authorization call |
//! | [`extract`], [`error`] | what handlers are given, and how their answers and errors look |

pub mod auth;
pub mod error;
pub mod extract;
pub mod operations;
pub mod router;

/// What handlers work with.
pub struct Api {}
