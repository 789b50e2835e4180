//! What of a signed request's cost is whose: the verifier, reading the JSON, the store. Each is done alone, many
//! times, and its processor time counted; the rest of a request is HTTP, access control, and what the operation
//! itself does.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, bail};
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use pinion_api::auth::sigv4::{Credentials, Key, RequestView, Rules, Signer, Verifier};
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::parse_iso;
use pinion_domain::delivery::Reason;
use pinion_domain::endpoint::EndpointRequest;
use pinion_domain::event::EventsRequest;
use pinion_domain::id::fresh_id;
use pinion_domain::message::MessageRequest;
use pinion_server::wiring::system_clock;
use pinion_store::{
    AppRef, DirectOutcome, Finished, HandOver, Intent, Lane, NewEvent, Options, Store, Upsert,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::memory::cpu_seconds;
use crate::population::{self, REGION};
use crate::requests::{CALLERS, Kind};

/// Times that the verifier and the JSON reader work.
const TIMES: u32 = 20_000;
/// Requests that the store writes.
const WRITES: usize = 20_000;

/// Microseconds of CPU for each request of a kind.
pub async fn measure(kind: Kind) -> Result<Value> {
    let (method, path, body) = kind.request("0123456789abcdef0123456789abcdef", 7);
    let body = body.to_string().into_bytes();
    Ok(json!({
        "verifier": verifier(method, &path, &body)?,
        "json": match kind {
            Kind::Send => json_reader::<MessageRequest>(&body)?,
            Kind::Update => json_reader::<EndpointRequest>(&body)?,
            Kind::Events => json_reader::<EventsRequest>(&body)?,
        },
        "store": store(kind).await?,
    }))
}

/// Microseconds of CPU for one of so many.
fn each(before: f64, times: usize) -> Result<f64> {
    Ok((cpu_seconds()? - before) * 1e6 / times as f64)
}

fn verifier(method: &str, path: &str, body: &[u8]) -> Result<f64> {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret");
    let signer = Signer {
        credentials: &credentials,
        region: REGION,
        service: "mobiletargeting",
    };
    let now = system_clock().now();
    let mut headers = http::HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let uri = format!("http://127.0.0.1:8080{path}").parse()?;
    let signed = signer.sign_headers(method, &uri, &headers, body, now);
    headers.extend(signed);
    headers
        .entry(HOST)
        .or_insert(HeaderValue::from_static("127.0.0.1:8080"));
    let verifier = Verifier::new(Rules::default());
    let view = RequestView {
        method,
        path,
        query: "",
        headers: &headers,
    };
    let before = cpu_seconds()?;
    for _ in 0..TIMES {
        let key = |_: &str| {
            Some(Key {
                secret: "secret".to_owned().into(),
                session_token: None,
                expires: None,
            })
        };
        if let Err(error) = verifier.verify(black_box(view), black_box(body), key, now) {
            bail!("the signature was refused: {error}");
        }
    }
    each(before, TIMES as usize)
}

fn json_reader<T: DeserializeOwned>(body: &[u8]) -> Result<f64> {
    let before = cpu_seconds()?;
    for _ in 0..TIMES {
        black_box(serde_json::from_slice::<T>(black_box(body))?);
    }
    each(before, TIMES as usize)
}

async fn store(kind: Kind) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let options = Options {
        folder: folder.path().to_owned(),
        database_url: None,
        master_key: None,
        serve: true,
    };
    let store = Arc::new(Store::open(options, system_clock()).await?);
    let app = population::new_app(&store).await?;
    let writes = WRITES / usize::try_from(kind.each())?;
    let before = cpu_seconds()?;
    let callers = (0..CALLERS).map(|caller| {
        let (store, app) = (Arc::clone(&store), app.clone());
        tokio::spawn(async move {
            for number in (caller..writes).step_by(CALLERS) {
                write(&store, &app, kind, number as u64).await?;
            }
            anyhow::Ok(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let cost = each(before, writes)?;
    store.close().await;
    Ok(cost)
}

async fn write(store: &Store, app: &AppRef, kind: Kind, number: u64) -> Result<()> {
    let (_, _, body) = kind.request("", number);
    match kind {
        Kind::Send => {
            let message_id = pinion_domain::id::MessageId::from(fresh_id());
            let intent = Intent {
                message_id: message_id.clone(),
                request_id: fresh_id(),
                channel: ChannelType::Email,
                seq: None,
                address: format!("person{number}@example.com"),
                context: None,
            };
            let hand_over = HandOver {
                intents: vec![intent],
                ..HandOver::default()
            };
            store.begin_direct(app, hand_over).await?;
            let outcome = DirectOutcome {
                message_id,
                reason: Reason::Accepted,
                provider_id: None,
                detail: None,
                suppress: None,
            };
            let finished = Finished {
                outcomes: vec![outcome],
                answered: None,
            };
            store.finish_direct(app, finished).await?;
        }
        Kind::Update => {
            let upsert = Upsert {
                id: format!("e{number}").into(),
                request: serde_json::from_value(body)?,
            };
            for stored in store
                .upsert_endpoints(app, Lane::Interactive, vec![upsert])
                .await?
            {
                stored?;
            }
        }
        Kind::Events => {
            let events = (0..kind.each()).map(|n| NewEvent {
                app_no: app.no,
                seq: None,
                event_type: "book.bought".to_owned(),
                at: parse_iso("2026-11-23T10:00:00Z").expect("an instant"),
                key: Some(format!("{number}-{n}")),
                run_no: 0,
                treatment: 0,
                message_id: None,
                document: json!({ "Attributes": { "genre": "poetry" }, "Metrics": { "price": 12.5 } }),
            });
            store.append_events(Lane::Interactive, events.collect()).await?;
        }
    }
    Ok(())
}
