//! The channel before a scripted relay.

use email_smtp::EmailSmtp;
use pinion_sdk::smtp::{Acceptance, Error, Relay, Reply, Tls};
use pinion_sdk::testing::{Host, message};
use pinion_sdk::{Problem, Receipt, SendError};
use serde_json::json;

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
    let host = Host::new();
    let settings = json!({"host": "mail.test", "port": "2525", "tls": "none", "username": ""});
    host.send::<EmailSmtp>(&settings, vec![message("d1")]);
    let relay = Relay {
        host: "mail.test".to_owned(),
        port: 2525,
        tls: Tls::None,
        auth: None,
    };
    assert_eq!(host.submissions()[0].relay, relay);
}

#[test]
fn wrong_settings_are_the_operators_matter() {
    for (settings, words) in [
        (json!({"port": 25}), "missing field `host`"),
        (json!({"host": "", "port": 25}), "host: must not be empty"),
        (json!({"host": "h", "port": "smtp"}), "port: invalid type"),
        (json!({"host": "h", "port": 0}), "port: invalid value"),
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
    host.on_probe(|_| Err(Error::Auth(reply(535, "no"))));
    assert_eq!(
        host.check::<EmailSmtp>(&settings),
        vec![Problem::new("username", "the login was refused: 535 no")]
    );
}
