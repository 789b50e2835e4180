//! E-mail through an SMTP relay. [`mime`] builds the message, [`verdict`] reads the relay's answer; the host
//! has the connections.

pub mod mime;
pub mod verdict;

use pinion_sdk::smtp::{self, Envelope, Relay, Tls};
use pinion_sdk::{Channel, Message, Outcome, Problem};
use serde::Deserialize;

/// The settings of a binding. The password is not among them: it is the secret `password`, and the host
/// puts it in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    host: String,
    port: Port,
    #[serde(default)]
    tls: Security,
    username: Option<String>,
}

/// A port, also as text: settings from the environment are text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Security {
    None,
    #[default]
    Starttls,
    Implicit,
}

/// The channel.
#[derive(Clone, Debug)]
pub struct EmailSmtp {
    relay: Relay,
}

impl Channel for EmailSmtp {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.host.is_empty() {
            return Err("settings: host is empty".to_owned());
        }
        let port = match settings.port {
            Port::Number(port) => Some(port),
            Port::Text(text) => text.parse().ok(),
        };
        let relay = Relay {
            host: settings.host,
            port: port
                .filter(|port| *port != 0)
                .ok_or("settings: port must be between 1 and 65535")?,
            tls: match settings.tls {
                Security::None => Tls::None,
                Security::Starttls => Tls::Starttls,
                Security::Implicit => Tls::Implicit,
            },
            auth: settings
                .username
                .filter(|name| !name.is_empty())
                .map(|name| (name, "password".to_owned())),
        };
        Ok(Self { relay })
    }

    async fn send(&self, message: &Message) -> Outcome {
        let mail = mime::build(message)?;
        let envelope = Envelope {
            mail_from: mail.sender,
            rcpt_to: vec![mail.recipient],
        };
        match smtp::submit(&self.relay, envelope, mail.text, &message.delivery_id).await {
            Ok(acceptance) => verdict::of_acceptance(acceptance),
            Err(error) => Err(verdict::of_error(error)),
        }
    }

    async fn check(&self) -> Vec<Problem> {
        match smtp::probe(&self.relay).await {
            Ok(()) => Vec::new(),
            Err(error) => vec![verdict::of_probe(&error)],
        }
    }
}

pinion_sdk::channel!(EmailSmtp, manifest = "../plugin.json");

#[cfg(test)]
mod tests {
    use pinion_sdk::smtp::{Acceptance, Reply};
    use pinion_sdk::testing::{Host, message};
    use pinion_sdk::{Receipt, SendError};
    use serde_json::json;

    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply {
            code,
            enhanced: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_message_goes_to_the_relay_of_the_settings() {
        let host = Host::new();
        host.on_submit(|_| {
            Ok(Acceptance {
                recipients: vec![reply(250, "ok")],
                message: Some(reply(250, "Ok: queued as 4ABC")),
            })
        });
        let settings = json!({"host": "mail.test", "port": 587, "username": "shop"});
        let outcomes = host.send::<EmailSmtp>(&settings, vec![message("d1")]);

        let expected = Receipt {
            detail: Some("250 Ok: queued as 4ABC".to_owned()),
            ..Receipt::with_id("4ABC")
        };
        assert_eq!(outcomes, vec![Ok(expected)]);
        assert_eq!(host.reports(), vec![("d1".to_owned(), outcomes[0].clone())]);
        let [submission] = &host.submissions()[..] else {
            panic!("one message, one submission")
        };
        assert_eq!(
            submission.relay,
            Relay {
                host: "mail.test".to_owned(),
                port: 587,
                tls: Tls::Starttls,
                auth: Some(("shop".to_owned(), "password".to_owned())),
            }
        );
        assert_eq!(submission.envelope.mail_from, "shop@example.com");
        assert_eq!(submission.envelope.rcpt_to, ["nina@example.com"]);
        assert_eq!(submission.delivery, "d1");
    }

    #[test]
    fn settings_from_the_environment_are_text() {
        let settings = json!({"host": "mail.test", "port": "2525", "tls": "none", "username": ""});
        let channel = EmailSmtp::new(serde_json::from_value(settings).unwrap()).unwrap();
        assert_eq!(channel.relay.port, 2525);
        assert_eq!(channel.relay.auth, None);
    }

    #[test]
    fn wrong_settings_are_the_operators_matter() {
        for (settings, words) in [
            (json!({"port": 25}), "missing field `host`"),
            (json!({"host": "", "port": 25}), "host is empty"),
            (json!({"host": "h", "port": "smtp"}), "port must be"),
            (json!({"host": "h", "port": 0}), "port must be"),
            (
                json!({"host": "h", "port": 25, "tls": "maybe"}),
                "unknown variant `maybe`",
            ),
            (
                json!({"host": "h", "port": 25, "pasword": "x"}),
                "unknown field `pasword`",
            ),
        ] {
            let host = Host::new();
            let outcomes = host.send::<EmailSmtp>(&settings, vec![message("d1")]);
            let [Err(SendError::Misconfigured(text))] = &outcomes[..] else {
                panic!("{settings} gives {outcomes:?}")
            };
            assert!(text.contains(words), "{settings} gives {text:?}");
            assert_eq!(host.check::<EmailSmtp>(&settings)[0].text, *text);
        }
    }

    #[test]
    fn check_asks_the_relay() {
        let host = Host::new();
        let settings = json!({"host": "mail.test", "port": 587});
        host.on_probe(|_| Ok(()));
        assert_eq!(host.check::<EmailSmtp>(&settings), vec![]);
        host.on_probe(|_| Err(smtp::Error::Auth(reply(535, "no"))));
        assert_eq!(
            host.check::<EmailSmtp>(&settings),
            vec![Problem::new("username", "the login was refused: 535 no")]
        );
    }
}
