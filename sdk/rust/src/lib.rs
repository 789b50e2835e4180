//! The guest side of Pinion: what an author of a plugin implements and calls.
//!
//! A plugin is one WebAssembly component of one of three kinds. Implement the trait of its kind
//! ([`Channel`], [`Predicate`] or [`Personalizer`]), name the type and the manifest in the macro of the
//! same name, and build for `wasm32-wasip2`:
//!
//! ```
//! use pinion_sdk::{Channel, Message, Outcome, Receipt};
//!
//! struct Parrot;
//!
//! impl Channel for Parrot {
//!     type Settings = pinion_sdk::NoSettings;
//!
//!     fn new(_: Self::Settings) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     async fn send(&self, message: &Message) -> Outcome {
//!         Ok(Receipt::with_id(&message.delivery_id))
//!     }
//! }
//!
//! pinion_sdk::channel!(Parrot, manifest = "../tests/parrot.json");
//! # fn main() {}
//! ```
//!
//! On any other target the same crate builds as plain Rust, and [`testing`] plays the host.

// The generated export macros name this crate from the outside and from within alike.
extern crate self as pinion_sdk;

pub mod bindings;
pub mod channel;
pub mod columns;
#[doc(hidden)]
pub mod export;
mod host;
pub mod http;
pub mod kv;
pub mod log;
pub mod personalizer;
pub mod predicate;
pub mod smtp;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use channel::{
    Address, Channel, Event, EventKind, Message, Outcome, Part, Problem, Receipt, SendError, Webhook,
    WebhookReply, join_all, report,
};
pub use columns::{ColumnKind, ColumnSpec, Memo, Row, Values};
pub use personalizer::{Output, Personalizer};
pub use predicate::Predicate;

/// Settings of a plugin that has none: an empty JSON object.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads a plugin's settings.
pub(crate) fn parse_settings<S: serde::de::DeserializeOwned>(json: &str) -> Result<S, String> {
    let json = if json.is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|error| format!("settings: {error}"))
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
