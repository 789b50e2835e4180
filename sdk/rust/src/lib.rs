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

mod batch;
pub mod bindings;
pub mod channel;
pub mod columns;
pub mod custom_channel;
#[doc(hidden)]
pub mod export;
mod host;
pub mod http;
pub mod kv;
pub mod log;
pub mod mail;
pub mod personalizer;
pub mod predicate;
pub mod score;
mod settings;
pub mod smtp;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use batch::{join_all, send_in_calls};
pub use channel::{
    Address, Channel, Event, EventKind, Message, Outcome, Part, Problem, Receipt, SendError, Webhook,
    WebhookReply, report,
};
pub use columns::{Batch, ColumnKind, ColumnSpec, Memo, Row, Values};
pub use personalizer::{Output, Personalizer};
pub use predicate::Predicate;

/// Settings of a plugin that has none: an empty JSON object.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
