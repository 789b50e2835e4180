//! Mail through `smtp.submit`: the `email-smtp` plugin and a relay that speaks a script.

use pinion_domain::channel::ChannelType;
use pinion_domain::extension::Grant;
use pinion_domain::extension::channel::{OutgoingMessage, Part, SendError, Verdict};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{message, open_with, sandbox};

/// Takes every message but those to `nobody@…`, and hands on what it took.
async fn relay() -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mails, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, mails.clone()));
        }
    });
    (port, received)
}

async fn converse(stream: tokio::net::TcpStream, mails: mpsc::UnboundedSender<String>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 relay.test ESMTP\r\n").await.unwrap();
    let mut data: Option<String> = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let reply = match (&mut data, line.as_str()) {
            (Some(mail), ".") => {
                mails.send(mail.clone()).unwrap();
                data = None;
                "250 2.0.0 taken\r\n"
            }
            (Some(mail), line) => {
                mail.push_str(line);
                mail.push('\n');
                continue;
            }
            (None, line) if line.starts_with("EHLO") => "250-relay.test\r\n250 8BITMIME\r\n",
            (None, line) if line.contains("<nobody@") => "550 5.1.1 unknown\r\n",
            (None, "DATA") => {
                data = Some(String::new());
                "354 go on\r\n"
            }
            (None, "QUIT") => "221 bye\r\n",
            (None, _) => "250 2.1.0 fine\r\n",
        };
        if writer.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn mail(id: &str, to: &str) -> OutgoingMessage {
    OutgoingMessage {
        channel_type: ChannelType::Email,
        address: to.to_owned(),
        from: Some("Shop <shop@example.com>".to_owned()),
        parts: vec![
            Part::Subject("Zażółć".to_owned()),
            Part::Text("hello\n.dot".to_owned()),
        ],
        ..message(id, &[])
    }
}

#[tokio::test]
async fn mail_goes_to_the_relay_that_the_binding_names() {
    let (port, mut received) = relay().await;
    let sandbox = sandbox(&["email-smtp"]).await;
    let settings = json!({"host": "127.0.0.1", "port": port, "tls": "none"});
    let grants = vec![Grant::exact("smtp", "127.0.0.1", port)];
    let channel = open_with(&sandbox, "email-smtp", settings.clone(), grants).await;
    assert_eq!(channel.check().await, Ok(Vec::new()));
    let verdicts = channel
        .send(vec![
            mail("a", "ann@example.com"),
            mail("b", "nobody@example.com"),
        ])
        .await;
    assert!(matches!(verdicts[0], Verdict::Accepted(_)), "{verdicts:?}");
    assert!(
        matches!(verdicts[1], Verdict::Refused(SendError::InvalidAddress(_))),
        "{verdicts:?}"
    );
    let taken = received.recv().await.unwrap();
    assert!(
        taken.contains("ann@example.com") && taken.contains("hello"),
        "{taken}"
    );

    // The same settings without the grant.
    let closed = open_with(&sandbox, "email-smtp", settings, Vec::new()).await;
    assert!(!closed.check().await.unwrap().is_empty());
    let verdicts = closed.send(vec![mail("c", "ann@example.com")]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)), "{verdicts:?}");
    assert!(received.try_recv().is_err());
}
