//! SMTP by the host: connections with TLS and login, reused and pipelined.
//!
//! A channel's part is to say which relay, to hand over a mail, and to take the answer:
//!
//! ```
//! use pinion_sdk::mail::Mail;
//! use pinion_sdk::smtp::{self, Relay};
//! use pinion_sdk::{Message, Outcome};
//!
//! async fn send(relay: &Relay, message: &Message) -> Outcome {
//!     let mail = Mail::of(message)?;
//!     smtp::submit(relay, mail.envelope(), mail.text, &message.delivery_id).await?.outcome()
//! }
//! ```

mod reply;
mod settings;

pub use self::settings::RelaySettings;
pub use crate::bindings::channel::pinion::host::smtp::{Acceptance, Envelope, Error, Relay, Reply, Tls};
use crate::channel::Problem;
use crate::host;

/// Hands a message to a relay. `message` is RFC 5322 text; the host does the dot-stuffing. `delivery` is
/// the delivery id, so that the host knows what may have left.
pub async fn submit(
    relay: &Relay,
    envelope: Envelope,
    message: Vec<u8>,
    delivery: &str,
) -> Result<Acceptance, Error> {
    host::submit(relay.clone(), envelope, message, delivery.to_owned()).await
}

/// Connects, greets and logs in, then hangs up.
pub async fn probe(relay: &Relay) -> Result<(), Error> {
    host::probe(relay.clone()).await
}

/// What is wrong with a relay's settings, found out by a [`probe`]; nothing if it works.
pub async fn check(relay: &Relay) -> Vec<Problem> {
    probe(relay).await.err().into_iter().map(Problem::from).collect()
}
