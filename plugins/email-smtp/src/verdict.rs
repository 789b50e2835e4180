//! What a relay's answer means for a message.

use pinion_sdk::smtp::{Acceptance, Error, Reply};
use pinion_sdk::{Outcome, Problem, Receipt, SendError};

/// Whom a reply speaks of: the same code means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// RCPT TO.
    Recipient,
    /// MAIL FROM, DATA, or the end of the message.
    Message,
}

/// The relay took the conversation to its end.
pub fn of_acceptance(acceptance: Acceptance) -> Outcome {
    match acceptance.recipients.first() {
        Some(reply) if !is_positive(reply) => return Err(refusal(reply, About::Recipient)),
        Some(_) => {}
        None => return Err(SendError::Unknown("no reply to the recipient".to_owned())),
    }
    match acceptance.message {
        Some(reply) if is_positive(&reply) => Ok(Receipt {
            provider_id: queue_id(&reply.text).map(str::to_owned),
            detail: Some(words(&reply)),
            ..Receipt::accepted()
        }),
        Some(reply) => Err(refusal(&reply, About::Message)),
        None => Err(SendError::Unknown("no reply to the message".to_owned())),
    }
}

/// The conversation broke off.
pub fn of_error(error: Error) -> SendError {
    match error {
        Error::Denied(text) => SendError::Misconfigured(text),
        Error::Connect(text) | Error::Tls(text) | Error::Broken((false, text)) => {
            SendError::Unavailable(text)
        }
        Error::Auth(reply) if is_passing(&reply) => SendError::Unavailable(words(&reply)),
        Error::Auth(reply) => SendError::Unauthorized(words(&reply)),
        Error::Refused(reply) => refusal(&reply, About::Message),
        Error::Timeout(false) => SendError::Unavailable("the relay did not answer in time".to_owned()),
        Error::Timeout(true) => SendError::Unknown("no answer after the whole message was sent".to_owned()),
        Error::Broken((true, text)) => SendError::Unknown(text),
    }
}

/// What is wrong with the settings, if this is what a probe gave.
pub fn of_probe(error: &Error) -> Problem {
    match error {
        Error::Denied(text) => Problem::new("host", text),
        Error::Connect(text) => Problem::new("host", format!("the relay cannot be reached: {text}")),
        Error::Tls(text) => Problem::new("tls", text),
        Error::Auth(reply) => Problem::new("username", format!("the login was refused: {}", words(reply))),
        Error::Refused(reply) => Problem::new("host", format!("the relay refuses: {}", words(reply))),
        Error::Timeout(_) => Problem::new("host", "the relay did not answer in time"),
        Error::Broken((_, text)) => Problem::new("host", format!("the connection broke: {text}")),
    }
}

fn is_positive(reply: &Reply) -> bool {
    (200..300).contains(&reply.code)
}

fn is_passing(reply: &Reply) -> bool {
    (400..500).contains(&reply.code)
}

fn refusal(reply: &Reply, about: About) -> SendError {
    let text = words(reply);
    match reply.code {
        400..=499 => SendError::Unavailable(text),
        530 | 534 | 535 | 538 => SendError::Unauthorized(text),
        500..=599 if blames_address(reply, about) => SendError::InvalidAddress(text),
        500..=599 => SendError::Rejected(text),
        // Neither yes nor no: the two sides do not understand each other, so nothing was taken.
        _ => SendError::Unavailable(text),
    }
}

/// The host suppresses an address for this, so a refusal for another reason must not count: servers
/// answer 550 to policy (5.7.x) and to bad senders (5.1.7, 5.1.8) as well.
fn blames_address(reply: &Reply, about: About) -> bool {
    match reply.enhanced.as_deref() {
        Some("5.1.7" | "5.1.8") => false,
        Some(code) => code.starts_with("5.1.") || (code == "5.2.1" && about == About::Recipient),
        None => about == About::Recipient && matches!(reply.code, 550 | 551 | 553),
    }
}

fn words(reply: &Reply) -> String {
    let text = reply.text.trim();
    let enhanced = reply.enhanced.as_deref().filter(|code| !text.starts_with(code));
    let text: String = text.chars().take(300).collect();
    match enhanced {
        Some(enhanced) => format!("{} {enhanced} {text}", reply.code),
        None => format!("{} {text}", reply.code),
    }
}

/// The relay's own id of the message: `queued as X` (Postfix), `id=X` (Exim), `Ok X` (Amazon SES).
fn queue_id(text: &str) -> Option<&str> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = after("queued as ").or_else(|| after("id=")).or_else(|| {
        let rest = text.strip_prefix("Ok ").or_else(|| text.strip_prefix("OK "))?;
        (!rest.trim().contains(' ')).then_some(rest)
    })?;
    let id = rest
        .split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | ',' | '<' | '>'))
        .next()?;
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, enhanced: &str) -> Reply {
        Reply {
            code,
            enhanced: (!enhanced.is_empty()).then(|| enhanced.to_owned()),
            text: "words".to_owned(),
        }
    }

    fn name(outcome: &Outcome) -> &'static str {
        match outcome {
            Ok(_) => "accepted",
            Err(SendError::InvalidAddress(_)) => "invalid-address",
            Err(SendError::Rejected(_)) => "rejected",
            Err(SendError::Unauthorized(_)) => "unauthorized",
            Err(SendError::RateLimited(_)) => "rate-limited",
            Err(SendError::Unavailable(_)) => "unavailable",
            Err(SendError::Misconfigured(_)) => "misconfigured",
            Err(SendError::Unknown(_)) => "unknown",
        }
    }

    #[test]
    fn replies_to_the_recipient() {
        for (code, enhanced, expected) in [
            (550, "", "invalid-address"),
            (551, "", "invalid-address"),
            (553, "", "invalid-address"),
            (550, "5.1.1", "invalid-address"),
            (554, "5.1.10", "invalid-address"),
            (550, "5.2.1", "invalid-address"),
            (550, "5.7.1", "rejected"),
            (550, "5.1.8", "rejected"),
            (552, "", "rejected"),
            (554, "", "rejected"),
            (530, "5.7.0", "unauthorized"),
            (421, "", "unavailable"),
            (450, "4.1.1", "unavailable"),
            (451, "", "unavailable"),
            (452, "4.2.2", "unavailable"),
            (334, "", "unavailable"),
        ] {
            let outcome = of_acceptance(Acceptance {
                recipients: vec![reply(code, enhanced)],
                message: None,
            });
            assert_eq!(name(&outcome), expected, "{code} {enhanced}");
        }
    }

    #[test]
    fn replies_to_the_message() {
        for (code, enhanced, expected) in [
            (250, "2.0.0", "accepted"),
            (550, "", "rejected"),
            (553, "", "rejected"),
            (550, "5.1.1", "invalid-address"),
            (552, "5.3.4", "rejected"),
            (554, "5.7.1", "rejected"),
            (451, "4.3.0", "unavailable"),
        ] {
            let message = reply(code, enhanced);
            let outcome = of_acceptance(Acceptance {
                recipients: vec![reply(250, "2.1.5")],
                message: Some(message.clone()),
            });
            assert_eq!(name(&outcome), expected, "{code} {enhanced}");
            if code != 250 {
                let refused = Err(of_error(Error::Refused(message)));
                assert_eq!(refused, outcome, "{code} {enhanced}");
            }
        }
    }

    #[test]
    fn a_conversation_without_its_end_is_unknown() {
        for recipients in [vec![], vec![reply(250, "")]] {
            let outcome = of_acceptance(Acceptance {
                recipients,
                message: None,
            });
            assert_eq!(name(&outcome), "unknown");
        }
    }

    #[test]
    fn broken_conversations() {
        let text = || "words".to_owned();
        for (error, expected) in [
            (Error::Denied(text()), "misconfigured"),
            (Error::Connect(text()), "unavailable"),
            (Error::Tls(text()), "unavailable"),
            (Error::Auth(reply(535, "5.7.8")), "unauthorized"),
            (Error::Auth(reply(454, "4.7.0")), "unavailable"),
            (Error::Timeout(false), "unavailable"),
            (Error::Timeout(true), "unknown"),
            (Error::Broken((false, text())), "unavailable"),
            (Error::Broken((true, text())), "unknown"),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(name(&Err(of_error(error))), expected, "{shown}");
        }
    }

    #[test]
    fn queue_ids_of_common_servers() {
        for (text, id) in [
            ("2.0.0 Ok: queued as 4ZkQ1", Some("4ZkQ1")),
            ("OK id=1tAbCd-0001Ef-2G", Some("1tAbCd-0001Ef-2G")),
            ("Ok 0102018f-aaaa", Some("0102018f-aaaa")),
            ("2.0.0 OK  1700000000 gsmtp", None),
            ("Message accepted for delivery", None),
            ("queued as ", None),
        ] {
            assert_eq!(queue_id(text), id, "{text}");
        }
    }

    #[test]
    fn the_enhanced_code_is_said_once() {
        let mut reply = reply(550, "5.1.1");
        assert_eq!(words(&reply), "550 5.1.1 words");
        reply.text = "5.1.1 No such user\r\n".to_owned();
        assert_eq!(words(&reply), "550 5.1.1 No such user");
    }
}
