//! What a relay's answers mean, and which relay settings name.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use pinion_sdk::smtp::{Acceptance, Error, RelaySettings, Reply, Tls};
use pinion_sdk::{Outcome, Problem, Receipt, SendError};
use serde_json::json;

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
        let outcome = Acceptance {
            recipients: vec![reply(code, enhanced)],
            message: None,
        }
        .outcome();
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
        let outcome = Acceptance {
            recipients: vec![reply(250, "2.1.5")],
            message: Some(message.clone()),
        }
        .outcome();
        assert_eq!(name(&outcome), expected, "{code} {enhanced}");
        if code != 250 {
            let refused = Err(SendError::from(Error::Refused(message)));
            assert_eq!(refused, outcome, "{code} {enhanced}");
        }
    }
}

#[test]
fn a_conversation_without_its_end_is_unknown() {
    for recipients in [vec![], vec![reply(250, "")]] {
        let outcome = Acceptance {
            recipients,
            message: None,
        }
        .outcome();
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
        assert_eq!(name(&Err(error.into())), expected, "{shown}");
    }
}

/// The receipt of a message that the relay took with these words.
fn taken(enhanced: &str, text: &str) -> Receipt {
    let message = Reply {
        text: text.to_owned(),
        ..reply(250, enhanced)
    };
    Acceptance {
        recipients: vec![reply(250, "")],
        message: Some(message),
    }
    .outcome()
    .unwrap()
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
        assert_eq!(taken("", text).provider_id.as_deref(), id, "{text}");
    }
}

#[test]
fn the_enhanced_code_is_said_once() {
    for (enhanced, text, detail) in [
        ("", "taken", "250 taken"),
        ("2.0.0", "taken", "250 2.0.0 taken"),
        ("2.0.0", "2.0.0 taken\r\n", "250 2.0.0 taken"),
    ] {
        assert_eq!(taken(enhanced, text).detail.as_deref(), Some(detail));
    }
}

#[test]
fn a_probe_says_which_setting_is_wrong() {
    for (error, key, words) in [
        (Error::Denied("not granted".to_owned()), "host", "not granted"),
        (
            Error::Connect("refused".to_owned()),
            "host",
            "the relay cannot be reached: refused",
        ),
        (Error::Tls("expired".to_owned()), "tls", "expired"),
        (
            Error::Auth(reply(535, "5.7.8")),
            "username",
            "the login was refused: 535 5.7.8 words",
        ),
        (
            Error::Refused(reply(554, "")),
            "host",
            "the relay refuses: 554 words",
        ),
        (Error::Timeout(false), "host", "the relay did not answer in time"),
        (
            Error::Broken((false, "reset".to_owned())),
            "host",
            "the connection broke: reset",
        ),
    ] {
        assert_eq!(Problem::from(error), Problem::new(key, words));
    }
}

#[test]
fn settings_say_which_relay() {
    let relay = |settings| {
        let settings: RelaySettings = serde_json::from_value(settings).unwrap();
        settings.relay("password")
    };
    let full = relay(json!({"host": "mail.test", "port": 465, "tls": "implicit", "username": "shop"}));
    let full = full.unwrap();
    assert_eq!(
        (full.host.as_str(), full.port, full.tls),
        ("mail.test", 465, Tls::Implicit)
    );
    assert_eq!(full.auth, Some(("shop".to_owned(), "password".to_owned())));
    let least = relay(json!({"host": "mail.test", "port": 587, "username": ""})).unwrap();
    assert_eq!((least.tls, least.auth), (Tls::Starttls, None));
    let nowhere = relay(json!({"host": "", "port": 25}));
    assert_eq!(nowhere, Err("settings: host: must not be empty".to_owned()));
}
