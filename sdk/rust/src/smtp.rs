//! SMTP by the host: connections with TLS and login, reused and pipelined.

pub use crate::bindings::channel::pinion::host::smtp::{Acceptance, Envelope, Error, Relay, Reply, Tls};
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
