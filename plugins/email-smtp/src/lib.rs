//! E-mail through an SMTP relay. The SDK builds the mail and reads the relay's answer; the host has the
//! connections, TLS and the login.

use pinion_sdk::mail::Mail;
use pinion_sdk::smtp::{self, Relay, RelaySettings};
use pinion_sdk::{Channel, Message, Outcome, Problem};

/// The channel.
#[derive(Clone, Debug)]
pub struct EmailSmtp {
    relay: Relay,
}

impl Channel for EmailSmtp {
    type Settings = RelaySettings;

    fn new(settings: RelaySettings) -> Result<Self, String> {
        let relay = settings.relay("password")?;
        Ok(Self { relay })
    }

    async fn send(&self, message: &Message) -> Outcome {
        let mail = Mail::of(message)?;
        let answer = smtp::submit(&self.relay, mail.envelope(), mail.text, &message.delivery_id).await?;
        answer.outcome()
    }

    async fn check(&self) -> Vec<Problem> {
        smtp::check(&self.relay).await
    }
}

pinion_sdk::channel!(EmailSmtp, manifest = "../plugin.json");
