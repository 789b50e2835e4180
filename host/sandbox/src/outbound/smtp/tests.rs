//! The client against servers that are ours: one that plays a script to the letter, and an obliging
//! one that takes everything.

mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use script::{Authority, Obliging, Script};

/// Dials without looking at grants, which the pool did; the guard has tests of its own.
struct Direct;

#[async_trait]
impl Dial for Direct {
    async fn dial(&self, host: &str, port: u16, _: &[Grant]) -> Result<TcpStream, SmtpError> {
        TcpStream::connect((host, port))
            .await
            .map_err(|error| SmtpError::Connect(error.to_string()))
    }
}

fn pool(limits: SmtpLimits) -> SmtpPool {
    SmtpPool::new(Arc::new(Direct), limits)
}

fn limits() -> SmtpLimits {
    SmtpLimits {
        hello: Some("pinion.test".to_owned()),
        ..SmtpLimits::default()
    }
}

fn relay(port: u16, tls: Tls) -> Relay {
    Relay {
        host: "localhost".to_owned(),
        port,
        tls,
        auth: None,
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        mail_from: "news@x.test".to_owned(),
        rcpt_to: recipients.iter().map(|to| (*to).to_owned()).collect(),
    }
}

const MESSAGE: &[u8] = b"Subject: hi\r\n\r\n.dot\r\n";
const GREETING: &str = "S: 220 hi\nC: EHLO pinion.test\nS: 250-relay.test¶250 PIPELINING\n";
const TRANSACTION: &str = "C: MAIL FROM:<news@x.test>\nC: RCPT TO:<a@x.test>\nC: DATA\n\
                           S: 250 2.1.0 ok¶250 2.1.5 ok¶354 go\nBODY\nS: 250 2.0.0 queued as 7\n";

/// Submits one message to a@x.test and tells how often the message was said to leave.
async fn submit(pool: &SmtpPool, relay: &Relay) -> (Result<Acceptance, SmtpError>, usize) {
    submit_to(pool, relay, &["a@x.test"]).await
}

async fn submit_to(pool: &SmtpPool, relay: &Relay, to: &[&str]) -> (Result<Acceptance, SmtpError>, usize) {
    let left = AtomicUsize::new(0);
    let grants = [Grant::exact("smtp", &relay.host, relay.port)];
    let result = pool
        .submit(relay, &grants, &envelope(to), MESSAGE, &|| {
            left.fetch_add(1, Ordering::SeqCst);
        })
        .await;
    (result, left.into_inner())
}

fn accepted(result: Result<Acceptance, SmtpError>) -> String {
    result.unwrap().message.unwrap().to_string()
}

fn codes(acceptance: &Acceptance) -> Vec<u16> {
    acceptance.recipients.iter().map(|reply| reply.code).collect()
}

#[tokio::test]
async fn a_message_is_handed_over_and_the_connection_used_again() {
    let server = Script::play(&[&format!("{GREETING}{TRANSACTION}{TRANSACTION}")]).await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    for _ in 0..2 {
        let (result, left) = submit(&pool, &relay).await;
        assert_eq!(accepted(result), "250 2.0.0 queued as 7");
        assert_eq!(left, 1);
    }
    let bodies = server.finish().await;
    assert_eq!(bodies, ["Subject: hi\r\n\r\n..dot\r\n.\r\n"; 2]);
}

#[tokio::test]
async fn without_pipelining_each_command_waits_for_its_answer() {
    let server = Script::play(&["S: 220 hi\nC: EHLO\nS: 502 what?\nC: HELO pinion.test\nS: 250 hello\n\
         C: MAIL FROM\nSILENT\nS: 250 ok\nC: RCPT TO:<a@x.test>\nSILENT\nS: 250 ok\nC: RCPT TO:<b@x.test>\n\
         SILENT\nS: 550 5.1.1 no\nC: DATA\nSILENT\nS: 354 go\nBODY\nS: 250 done\n\
         C: MAIL FROM\nS: 250 ok\nC: RCPT TO:<a@x.test>\nS: 450 later\nC: RSET\nSILENT\nS: 250 ok\n\
         C: MAIL FROM\nS: 550 5.7.1 not you\nC: MAIL FROM\nS: 250\nC: RCPT TO\nS: 250\nC: DATA\nS: 451 4.3.0 no"])
    .await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    let (result, left) = submit_to(&pool, &relay, &["a@x.test", "b@x.test"]).await;
    assert_eq!((codes(&result.unwrap()), left), (vec![250, 550], 1));
    let (result, left) = submit(&pool, &relay).await;
    let result = result.unwrap();
    assert_eq!((codes(&result), result.message, left), (vec![450], None, 0));
    for expected in ["550 5.7.1 not you", "451 4.3.0 no"] {
        let (result, left) = submit(&pool, &relay).await;
        assert_eq!(result.unwrap_err().to_string(), format!("refused: {expected}"));
        assert_eq!(left, 0);
    }
    server.finish().await;
}

#[tokio::test]
async fn recipients_are_answered_one_by_one_and_bad_ones_never_said() {
    let server = Script::play(&[&format!(
        "{GREETING}C: MAIL\nC: RCPT TO:<a@x.test>\nC: RCPT TO:<b@x.test>\nC: DATA\n\
         S: 250 ok¶550 5.1.1 unknown¶250 ok¶354 go\nBODY\nS: 250 ok"
    )])
    .await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    let to = ["a@x.test", "x>\r\nRCPT TO:<evil@x.test", "b@x.test"];
    let (result, _) = submit_to(&pool, &relay, &to).await;
    assert_eq!(codes(&result.unwrap()), [550, 553, 250]);
    server.finish().await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_message_to_nobody_gets_an_empty_one() {
    for refusal in ["S: 354 go\nC: .\nS: 554 no recipients", "S: 503 no recipients"] {
        let server = Script::play(&[&format!(
            "{GREETING}C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 5.1.1 unknown\n{refusal}\n\
             C: RSET\nS: 250 ok\n{TRANSACTION}"
        )])
        .await;
        let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
        let (result, left) = submit(&pool, &relay).await;
        let result = result.unwrap();
        assert_eq!((codes(&result), result.message, left), (vec![550], None, 0));
        assert!(submit(&pool, &relay).await.0.is_ok());
        server.finish().await;
    }
}

#[tokio::test]
async fn refusals_before_and_after_data_keep_the_connection() {
    let server = Script::play(&[&format!(
        "{GREETING}C: MAIL\nC: RCPT\nC: DATA\nS: 451 4.7.1 greylisted¶503 no¶503 no\n\
         C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok¶250 ok¶354 go\nBODY\nS: 554 5.7.1 spam\n{TRANSACTION}"
    )])
    .await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    for (expected, times) in [
        ("refused: 451 4.7.1 greylisted", 0),
        ("refused: 554 5.7.1 spam", 1),
    ] {
        let (result, left) = submit(&pool, &relay).await;
        assert_eq!(
            (result.unwrap_err().to_string().as_str(), left),
            (expected, times)
        );
    }
    assert!(submit(&pool, &relay).await.0.is_ok());
    server.finish().await;
}

#[tokio::test]
async fn a_stale_connection_is_replaced_once_and_only_before_mail_was_answered() {
    for farewell in ["CLOSE", "S: 421 4.4.2 idle too long\nCLOSE", "C: MAIL\nCLOSE"] {
        let first = format!("{GREETING}{TRANSACTION}{farewell}");
        let server = Script::play(&[&first, &format!("{GREETING}{TRANSACTION}")]).await;
        let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
        for _ in 0..2 {
            let (result, left) = submit(&pool, &relay).await;
            assert_eq!(accepted(result), "250 2.0.0 queued as 7", "{farewell}");
            assert_eq!(left, 1);
        }
        assert_eq!(server.finish().await.len(), 2);
    }
    // A fresh connection is not tried twice, nor one whose MAIL was answered.
    let after_mail = format!("{GREETING}{TRANSACTION}C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nCLOSE");
    for (scripts, good) in [(format!("{GREETING}CLOSE"), 0), (after_mail, 1)] {
        let server = Script::play(&[&scripts]).await;
        let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
        for _ in 0..good {
            assert!(submit(&pool, &relay).await.0.is_ok());
        }
        let (result, left) = submit(&pool, &relay).await;
        let Err(SmtpError::Broken { maybe_accepted, .. }) = result else {
            panic!("{result:?}");
        };
        assert!(!maybe_accepted);
        assert_eq!(left, 0);
        server.finish().await;
    }
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_not_taken_for_the_next() {
    let talkative = TRANSACTION.replace("queued as 7", "queued as 7¶250 bonus");
    let server = Script::play(&[
        &format!("{GREETING}{talkative}CLOSED"),
        &format!("{GREETING}{TRANSACTION}"),
    ])
    .await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    for _ in 0..2 {
        assert_eq!(accepted(submit(&pool, &relay).await.0), "250 2.0.0 queued as 7");
    }
    server.finish().await;
}

#[tokio::test]
async fn nothing_is_sent_again_after_the_final_dot() {
    let mut impatient = limits();
    impatient.timeouts.data_end = Duration::from_millis(50);
    for (ending, expected) in [
        ("CLOSE", "connection broke"),
        ("S: nonsense\nCLOSE", "not a reply"),
        ("S: 354 what\nCLOSE", "answered by 354"),
        ("HANG", "no answer in time"),
    ] {
        // A second connection would find nobody listening to the script, so a repeat would show.
        let server = Script::play(&[&format!(
            "{GREETING}{TRANSACTION}C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok¶250 ok¶354 go\nBODY\n{ending}"
        )])
        .await;
        let (pool, relay) = (pool(impatient.clone()), relay(server.port, Tls::None));
        assert!(submit(&pool, &relay).await.0.is_ok());
        let (result, left) = submit(&pool, &relay).await;
        let error = result.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let maybe = matches!(
            error,
            SmtpError::Timeout { maybe_accepted: true }
                | SmtpError::Broken {
                    maybe_accepted: true,
                    ..
                }
        );
        assert!(maybe, "{error:?}");
        assert_eq!(left, 1);
        assert_eq!(server.finish().await.len(), 2);
    }
}

#[tokio::test]
async fn silence_nonsense_and_floods_end_the_conversation() {
    let mut impatient = limits();
    impatient.timeouts.greeting = Duration::from_millis(50);
    let flood = format!("S: {}220 hi\nCLOSE", "220-hi¶".repeat(5000));
    for (text, expected) in [
        ("HANG", "no answer in time"),
        ("S: SSH-2.0-OpenSSH\nCLOSE", "not a reply"),
        (
            "S: 554 5.7.1 go away\nCLOSE",
            "cannot connect: greeted with 554 5.7.1 go away",
        ),
        (
            "S: 220 hi\nC: EHLO\nS: 550 no\nCLOSE",
            "cannot connect: EHLO was answered by 550 no",
        ),
        (flood.as_str(), "a reply of more than 16384 bytes"),
    ] {
        let server = Script::play(&[text]).await;
        let (pool, relay) = (pool(impatient.clone()), relay(server.port, Tls::None));
        let (result, left) = submit(&pool, &relay).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(left, 0);
        server.finish().await;
    }
}

#[tokio::test]
async fn tls_is_implicit_or_by_starttls_and_login_comes_after_it() {
    let authority = Authority::new();
    let mut limits = limits();
    limits.trust_pem(authority.pem().as_bytes()).unwrap();
    // "\0me\0secret" in Base64.
    let login = "C: EHLO pinion.test\nS: 250-relay¶250-PIPELINING¶250 AUTH PLAIN LOGIN\n\
                 C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 2.7.0 welcome\n";
    let starttls = "S: 220 hi\nC: EHLO\nS: 250-relay¶250-AUTH PLAIN¶250 STARTTLS\nC: STARTTLS\nS: 220 go\n";
    for (tls, script) in [
        (
            Tls::StartTls,
            format!("{starttls}TLS\n{login}{TRANSACTION}{TRANSACTION}"),
        ),
        (
            Tls::Implicit,
            format!("TLS\nS: 220 hi\n{login}{TRANSACTION}{TRANSACTION}"),
        ),
    ] {
        let server = Script::play_tls(&[&script], &authority).await;
        let pool = pool(limits.clone());
        let relay = Relay {
            auth: Some(("me".to_owned(), "secret".to_owned())),
            ..relay(server.port, tls)
        };
        for _ in 0..2 {
            assert_eq!(accepted(submit(&pool, &relay).await.0), "250 2.0.0 queued as 7");
        }
        assert_eq!(server.finish().await.len(), 2);
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_protected_carries_nothing() {
    let authority = Authority::new();
    let mut trusting = limits();
    trusting.trust_pem(authority.pem().as_bytes()).unwrap();
    let start = "S: 220 hi\nC: EHLO\nS: 250-relay¶250 STARTTLS\nC: STARTTLS\n";
    for (limits, tls, script, expected) in [
        (
            &trusting,
            Tls::StartTls,
            "S: 220 hi\nC: EHLO\nS: 250 relay\nCLOSED",
            "does not offer STARTTLS",
        ),
        (
            &trusting,
            Tls::StartTls,
            &*format!("{start}S: 454 no TLS today\nCLOSED"),
            "454 no TLS today",
        ),
        (
            &trusting,
            Tls::StartTls,
            &*format!("{start}S: 220 go¶250 injected\nCLOSED"),
            "spoke in the clear",
        ),
        // Nobody knows this authority.
        (
            &SmtpLimits::default(),
            Tls::Implicit,
            "TLS FAILS",
            "invalid peer certificate",
        ),
    ] {
        let server = Script::play_tls(&[script], &authority).await;
        let relay = Relay {
            auth: Some(("me".to_owned(), "secret".to_owned())),
            ..relay(server.port, tls)
        };
        let (result, left) = submit(&pool(limits.clone()), &relay).await;
        let error = result.unwrap_err();
        assert!(matches!(error, SmtpError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(left, 0);
        server.finish().await;
    }
}

#[tokio::test]
async fn login_takes_what_is_offered_and_tells_refusals() {
    for (offer, conversation, expected) in [
        // "me" and "secret" in Base64.
        (
            "AUTH LOGIN",
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bWU=\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 ok\nC: QUIT",
            None,
        ),
        (
            "AUTH PLAIN",
            "C: AUTH PLAIN\nS: 535 5.7.8 wrong password\nCLOSED",
            Some("login refused: 535 5.7.8 wrong password"),
        ),
        (
            "AUTH LOGIN",
            "C: AUTH LOGIN\nS: 454 4.7.0 later\nCLOSED",
            Some("login refused: 454 4.7.0 later"),
        ),
        (
            "AUTH CRAM-MD5",
            "CLOSED",
            Some("login refused: 504 5.5.4 the relay offers neither AUTH PLAIN nor AUTH LOGIN"),
        ),
    ] {
        let script = format!("S: 220 hi\nC: EHLO\nS: 250-relay¶250 {offer}\n{conversation}");
        let server = Script::play(&[&script]).await;
        let relay = Relay {
            auth: Some(("me".to_owned(), "secret".to_owned())),
            ..relay(server.port, Tls::None)
        };
        let grants = [Grant::exact("smtp", "localhost", server.port)];
        let result = pool(limits()).probe(&relay, &grants).await;
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), expected);
        server.finish().await;
    }
}

#[tokio::test]
async fn every_message_needs_a_grant_pooled_connection_or_not() {
    let server = Obliging::start().await;
    let (pool, relay) = (pool(limits()), relay(server.port, Tls::None));
    assert!(submit(&pool, &relay).await.0.is_ok());
    for grants in [vec![], vec!["smtp://localhost:1".parse().unwrap()]] {
        let result = pool
            .submit(&relay, &grants, &envelope(&["a@x.test"]), MESSAGE, &|| {})
            .await;
        let expected = SmtpError::Denied(format!("smtp://localhost:{}", server.port));
        assert_eq!(result, Err(expected));
    }
    // A grant without private addresses gets a connection of its own, which the guard then judges.
    let public = [format!("smtp://localhost:{}", server.port).parse().unwrap()];
    let result = pool
        .submit(&relay, &public, &envelope(&["a@x.test"]), MESSAGE, &|| {})
        .await;
    assert!(result.is_ok());
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn connections_are_capped_and_who_waits_is_served() {
    let server = Obliging::start().await;
    let pool = pool(SmtpLimits {
        connections_per_relay: 3,
        ..limits()
    });
    let relay = relay(server.port, Tls::None);
    let all = (0..60).map(|_| submit(&pool, &relay));
    for (result, left) in futures_util::future::join_all(all).await {
        assert!(result.is_ok());
        assert_eq!(left, 1);
    }
    let seen = server.seen();
    assert_eq!((seen.messages, seen.connections), (60, 3));
}

#[tokio::test]
async fn connections_end_after_enough_messages_or_rest() {
    let server = Obliging::start().await;
    let pool = pool(SmtpLimits {
        messages_per_connection: 2,
        idle: Duration::from_millis(50),
        ..limits()
    });
    let relay = relay(server.port, Tls::None);
    for _ in 0..5 {
        assert!(submit(&pool, &relay).await.0.is_ok());
    }
    assert_eq!(server.seen().connections, 3);
    server.until(|seen| seen.goodbyes == 3).await;
    // Nothing is kept of a relay that nobody uses.
    script::until(|| pool.lanes.lock().is_empty()).await;
}

#[tokio::test]
async fn a_submission_that_is_given_up_takes_its_connection_with_it() {
    let server = Script::play(&[
        &format!("{GREETING}C: MAIL\nC: RCPT\nC: DATA\nCLOSED"),
        &format!("{GREETING}{TRANSACTION}"),
    ])
    .await;
    let pool = pool(SmtpLimits {
        connections_per_relay: 1,
        ..limits()
    });
    let relay = relay(server.port, Tls::None);
    tokio::select! {
        result = submit(&pool, &relay) => panic!("{result:?}"),
        () = server.reached("DATA") => {}
    }
    assert!(submit(&pool, &relay).await.0.is_ok());
    server.finish().await;
}

#[test]
fn pem_files_without_certificates_are_refused() {
    let mut limits = SmtpLimits::default();
    assert!(limits.trust_pem(b"").is_err());
    let broken = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert!(limits.trust_pem(broken).is_err());
}
