//! The console with sample reports and a few messages, to look at while changing it:
//! `cargo run -p pinion-console --example preview [ADDR:PORT]` prints the address to open.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a tool for whoever changes the pages"
)]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::sync::Arc;

use pinion_console::outbox::{Outbox, OutboxConfig};
use pinion_console::session::Sessions;
use pinion_domain::clock::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outbox = Outbox::start(smtp, OutboxConfig::default()).unwrap();
    for n in 0..64 {
        mail(&outbox, n).await;
    }
    let sessions = Arc::new(Sessions::new([0; 32], Arc::new(SystemClock)));
    let token = sessions.issue_link_token();
    let app = pinion_console::router(sessions, Arc::new(sample::Sample), Some(outbox));
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    eprintln!("http://{address}/console/enter?token={token}");
    axum::serve(listener, app).await.unwrap();
}

async fn mail(outbox: &Outbox, n: usize) {
    let names = ["Zoë Åkesson", "王小明", "O'Brien", "Ann", "Jürgen Groß"];
    let name = names[n % names.len()];
    let subject = [
        "Autumn has come to Zürich",
        "A short note",
        "秋の新作が届きました",
    ][n % 3];
    let message = format!(
        "From: Shop <news@shop.test>\r\nTo: <u{n}@example.com>\r\nSubject: {subject}, {name}\r\n\
         Message-ID: <{n:032x}@shop.test>\r\nMIME-Version: 1.0\r\n\
         List-Unsubscribe: <https://shop.test/t/u/{n}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nDear {name},\r\n\r\nour autumn things are here:\r\n\
         https://shop.test/t/c/{n}\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div style=\"font:16px sans-serif;max-width:36em;\
         margin:auto;padding:1em\"><h1 style=\"color:#a0522d\">{subject}</h1><p>Dear {name},</p><p>our autumn \
         things are here. <a href=\"https://shop.test/t/c/{n}\">Have a look</a>, or <a \
         href=\"https://shop.test/t/u/{n}\">unsubscribe</a>.</p><img src=\"https://shop.test/t/o/{n}.gif\" \
         alt=\"\"></div>\r\n--b--"
    );
    let to = if n % 9 == 4 {
        "bounce+1@example.com"
    } else {
        "second@example.com"
    };
    let said = format!(
        "EHLO preview\r\nMAIL FROM:<bounces@shop.test> SMTPUTF8\r\nRCPT TO:<u{n}@example.com>\r\nRCPT TO:<{to}>\r\n\
         DATA\r\n{message}\r\n.\r\nQUIT\r\n"
    );
    let mut stream = TcpStream::connect(outbox.smtp_address()).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert!(heard.contains("250 2.0.0 kept"), "{heard}");
}
