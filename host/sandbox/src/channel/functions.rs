//! The functions that a channel imports. Each counts itself first, then looks at what is granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pinion_bindings::channel::pinion::channel::types::{self, Receipt, SendError};
use pinion_bindings::channel::pinion::host::{config, http, kv, log, outcome, smtp};
use wasmtime::Result;
use wasmtime::component::Accessor;

use super::convert::verdict_out;
use super::state::{Bound, ChannelFunctions, ChannelState, Running};
use crate::logging::{Level, clip};
use crate::outbound::http::{FetchError, Outgoing};
use crate::outbound::smtp as native;

/// Longest text that a guest is told about a failure.
const REASON_BYTES: usize = 1 << 10;

impl types::Host for ChannelState {}
impl kv::Host for ChannelState {}
impl http::Host for ChannelState {}
impl smtp::Host for ChannelState {}

impl log::Host for ChannelState {
    fn log(&mut self, level: log::Level, message: String) -> Result<()> {
        self.count_host_call()?;
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl config::Host for ChannelState {
    fn settings(&mut self) -> Result<String> {
        self.count_host_call()?;
        Ok(self.bound.settings.visible.clone())
    }
}

impl outcome::Host for ChannelState {
    fn report(&mut self, delivery: String, outcome: std::result::Result<Receipt, SendError>) -> Result<()> {
        self.count_host_call()?;
        self.running.batch.report(&delivery, verdict_out(outcome));
        Ok(())
    }
}

/// Counts the call, and takes along what it needs while it waits.
fn begin(accessor: &Accessor<ChannelState, ChannelFunctions>) -> Result<(Arc<Bound>, Arc<Running>)> {
    accessor.with(|mut access| {
        let state = access.get();
        state.count_host_call()?;
        Ok((state.bound.clone(), state.running.clone()))
    })
}

impl kv::HostWithStore<ChannelState> for ChannelFunctions {
    async fn get(
        accessor: &Accessor<ChannelState, Self>,
        key: String,
    ) -> Result<std::result::Result<Option<Vec<u8>>, kv::Error>> {
        let (bound, _) = begin(accessor)?;
        if let Err(error) = check_key(&key, bound.services.limits.key_bytes) {
            return Ok(Err(error));
        }
        let value = bound
            .services
            .kv
            .get(&bound.caller, &bound.store_name, &key)
            .await;
        Ok(value.map_err(kv::Error::Unavailable))
    }

    async fn set(
        accessor: &Accessor<ChannelState, Self>,
        key: String,
        value: Vec<u8>,
        ttl_seconds: u32,
    ) -> Result<std::result::Result<(), kv::Error>> {
        let (bound, _) = begin(accessor)?;
        if let Err(error) = check_key(&key, bound.services.limits.key_bytes) {
            return Ok(Err(error));
        }
        if value.len() > bound.services.limits.value_bytes {
            return Ok(Err(kv::Error::Quota));
        }
        let stored = (bound.services.kv)
            .set(&bound.caller, &bound.store_name, &key, &value, ttl_seconds)
            .await;
        Ok(stored.map_err(kv::Error::Unavailable))
    }
}

fn check_key(key: &str, most: usize) -> std::result::Result<(), kv::Error> {
    if key.is_empty() || key.len() > most || key.chars().any(char::is_control) {
        return Err(kv::Error::Unavailable(format!(
            "a key has 1 to {most} printable bytes"
        )));
    }
    Ok(())
}

impl http::HostWithStore<ChannelState> for ChannelFunctions {
    async fn fetch(
        accessor: &Accessor<ChannelState, Self>,
        request: http::Request,
    ) -> Result<std::result::Result<http::Response, http::Error>> {
        let (bound, running) = begin(accessor)?;
        let Some(_open) = running.open_request() else {
            let most = running.most_open_requests;
            return Ok(Err(http::Error::Invalid(format!(
                "more than {most} open requests"
            ))));
        };
        let deliveries = request.deliveries.clone();
        let outgoing = match outgoing(request, &bound) {
            Ok(outgoing) => outgoing,
            Err(problem) => return Ok(Err(http::Error::Invalid(problem))),
        };
        let has_left = AtomicBool::new(false);
        let leaving = || {
            has_left.store(true, Relaxed);
            running.batch.left(&deliveries);
        };
        let reach = |scheme: &str, host: &str, port| running.reach.opening(scheme, host, port);
        let fetched = bound.services.http.fetch(outgoing, reach, leaving).await;
        if fetched.as_ref().is_err_and(FetchError::nothing_left) && has_left.load(Relaxed) {
            running.batch.did_not_leave(&deliveries);
        }
        Ok(match fetched {
            Ok(incoming) => Ok(http::Response {
                status: incoming.status,
                headers: incoming.headers,
                body: incoming.body,
            }),
            Err(error) => Err(fetch_error(error)),
        })
    }
}

/// Puts secrets into a request.
fn outgoing(request: http::Request, bound: &Bound) -> std::result::Result<Outgoing, String> {
    let secret = |name: &str| {
        let value = bound.settings.secret(name);
        value.ok_or_else(|| format!("the settings have no secret named {name:?}"))
    };
    let mut headers = Vec::with_capacity(request.headers.len());
    for (name, value) in request.headers {
        let (value, is_secret) = match value {
            http::HeaderValue::Plain(text) => (text, false),
            http::HeaderValue::Secret(named) => (secret(&named)?.to_owned(), true),
            http::HeaderValue::Bearer(named) => (format!("Bearer {}", secret(&named)?), true),
            http::HeaderValue::Basic((user, named)) => {
                let login = format!("{user}:{}", secret(&named)?);
                (format!("Basic {}", BASE64_STANDARD.encode(login)), true)
            }
        };
        headers.push((name, value, is_secret));
    }
    Ok(Outgoing {
        method: request.method,
        url: request.url,
        headers,
        body: request.body,
        timeout: Duration::from_millis(request.timeout_ms.into()),
    })
}

fn fetch_error(error: FetchError) -> http::Error {
    match error {
        FetchError::Denied(why) => http::Error::Denied(reason(&why)),
        FetchError::Invalid(why) => http::Error::Invalid(reason(&why)),
        FetchError::Connect(why) => http::Error::Connect(reason(&why)),
        FetchError::Tls(why) => http::Error::Tls(reason(&why)),
        FetchError::Timeout => http::Error::Timeout,
        FetchError::TooLarge => http::Error::TooLarge,
        FetchError::Broken(why) => http::Error::Broken(reason(&why)),
    }
}

impl smtp::HostWithStore<ChannelState> for ChannelFunctions {
    async fn submit(
        accessor: &Accessor<ChannelState, Self>,
        relay: smtp::Relay,
        envelope: smtp::Envelope,
        message: Vec<u8>,
        delivery: String,
    ) -> Result<std::result::Result<smtp::Acceptance, smtp::Error>> {
        let (bound, running) = begin(accessor)?;
        let Some(_open) = running.open_request() else {
            let most = running.most_open_requests;
            return Ok(Err(smtp::Error::Denied(format!(
                "more than {most} open requests"
            ))));
        };
        let relay = match relay_in(relay, &bound) {
            Ok(relay) => relay,
            Err(problem) => return Ok(Err(smtp::Error::Denied(problem))),
        };
        // Who gets a message is the host's to say: opt-outs and suppressions were judged for this address.
        if !(envelope.rcpt_to.iter()).all(|mailbox| running.batch.goes_to(&delivery, mailbox)) {
            return Ok(Err(smtp::Error::Denied(
                "a mail goes to the address of its delivery and to nobody else".to_owned(),
            )));
        }
        let grants = running.reach.opening("smtp", &relay.host, relay.port);
        let envelope = native::Envelope {
            mail_from: envelope.mail_from,
            rcpt_to: envelope.rcpt_to,
        };
        let delivery = [delivery];
        let has_left = AtomicBool::new(false);
        let data_left = || {
            if !has_left.swap(true, Relaxed) {
                running.batch.left(&delivery);
            }
        };
        let submitted = (bound.services.smtp)
            .submit(&relay, &grants, &envelope, &message, &data_left)
            .await;
        if submitted.as_ref().is_err_and(was_not_accepted) && has_left.load(Relaxed) {
            running.batch.did_not_leave(&delivery);
        }
        Ok(match submitted {
            Ok(acceptance) => Ok(smtp::Acceptance {
                recipients: acceptance.recipients.into_iter().map(reply_out).collect(),
                message: acceptance.message.map(reply_out),
            }),
            Err(error) => Err(smtp_error(error)),
        })
    }

    async fn probe(
        accessor: &Accessor<ChannelState, Self>,
        relay: smtp::Relay,
    ) -> Result<std::result::Result<(), smtp::Error>> {
        let (bound, running) = begin(accessor)?;
        let relay = match relay_in(relay, &bound) {
            Ok(relay) => relay,
            Err(problem) => return Ok(Err(smtp::Error::Denied(problem))),
        };
        let grants = running.reach.opening("smtp", &relay.host, relay.port);
        let probed = bound.services.smtp.probe(&relay, &grants).await;
        Ok(probed.map_err(smtp_error))
    }
}

fn relay_in(relay: smtp::Relay, bound: &Bound) -> std::result::Result<native::Relay, String> {
    let auth = match relay.auth {
        Some((user, named)) => {
            let password = bound.settings.secret(&named);
            let password = password.ok_or_else(|| format!("the settings have no secret named {named:?}"))?;
            Some((user, password.to_owned()))
        }
        None => None,
    };
    Ok(native::Relay {
        host: relay.host,
        port: relay.port,
        tls: match relay.tls {
            smtp::Tls::None => native::Tls::None,
            smtp::Tls::Starttls => native::Tls::StartTls,
            smtp::Tls::Implicit => native::Tls::Implicit,
        },
        auth,
    })
}

/// Is it certain that the server has not taken the message?
fn was_not_accepted(error: &native::SmtpError) -> bool {
    !matches!(
        error,
        native::SmtpError::Timeout { maybe_accepted: true }
            | native::SmtpError::Broken {
                maybe_accepted: true,
                ..
            }
    )
}

fn smtp_error(error: native::SmtpError) -> smtp::Error {
    match error {
        native::SmtpError::Denied(why) => smtp::Error::Denied(reason(&why)),
        native::SmtpError::Connect(why) => smtp::Error::Connect(reason(&why)),
        native::SmtpError::Tls(why) => smtp::Error::Tls(reason(&why)),
        native::SmtpError::Auth(reply) => smtp::Error::Auth(reply_out(reply)),
        native::SmtpError::Refused(reply) => smtp::Error::Refused(reply_out(reply)),
        native::SmtpError::Timeout { maybe_accepted } => smtp::Error::Timeout(maybe_accepted),
        native::SmtpError::Broken {
            maybe_accepted,
            detail,
        } => smtp::Error::Broken((maybe_accepted, reason(&detail))),
    }
}

fn reply_out(reply: native::Reply) -> smtp::Reply {
    smtp::Reply {
        code: reply.code,
        enhanced: reply.enhanced,
        text: reply.text,
    }
}

fn reason(text: &str) -> String {
    clip(text, REASON_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_printable() {
        assert!(check_key("token/żółw", 20).is_ok());
        for key in ["", "a\nb", "a\0b", &"k".repeat(21)] {
            assert!(check_key(key, 20).is_err(), "{key:?}");
        }
    }

    #[test]
    fn only_certainty_clears_a_message_that_left() {
        let broken = |maybe_accepted| native::SmtpError::Broken {
            maybe_accepted,
            detail: String::new(),
        };
        assert!(was_not_accepted(&broken(false)));
        assert!(!was_not_accepted(&broken(true)));
        assert!(was_not_accepted(&native::SmtpError::Timeout {
            maybe_accepted: false
        }));
        assert!(!was_not_accepted(&native::SmtpError::Timeout {
            maybe_accepted: true
        }));
        assert!(was_not_accepted(&native::SmtpError::Connect(String::new())));
    }
}
