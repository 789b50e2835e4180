//! Whole lives of Pinpoint's resources, told by the AWS SDK for Rust: what it cannot read, it refuses.
//!
//! `pinion-rust-client GROUP` against the server of `AWS_ENDPOINT_URL`, with the key of `AWS_ACCESS_KEY_ID`
//! and `AWS_SECRET_ACCESS_KEY`. `IMPORTS` is a folder that the server may read and write. Ends with 1 and a
//! sentence on standard error if anything is not as it should be; without a group it names them.

mod audience;
mod campaigns;
mod channels;
mod messages;
mod resources;
mod templates;

use anyhow::{Context as _, Result, bail};
use aws_sdk_pinpoint::Client;
use aws_sdk_pinpoint::config::{Credentials, Region};
use aws_sdk_pinpoint::types::CreateApplicationRequest;

/// A call that must succeed: the answer's payload.
#[macro_export]
macro_rules! payload {
    ($call:expr, $payload:ident) => {{
        let answer = $call.send().await;
        let answer = answer.with_context(|| stringify!($call).to_owned())?;
        answer.$payload.context(concat!("no ", stringify!($payload)))?
    }};
}

/// A call that must fail with the named exception of the service model.
#[macro_export]
macro_rules! refused {
    ($call:expr, $is:ident) => {{
        let error = match $call.send().await {
            Ok(answer) => anyhow::bail!("{} answered {answer:?}", stringify!($call)),
            Err(error) => error.into_service_error(),
        };
        anyhow::ensure!(error.$is(), "{}: {error:?}", stringify!($call));
        anyhow::ensure!(error.meta().message().is_some(), "{error:?} has no message");
        let id = aws_sdk_pinpoint::operation::RequestId::request_id(&error);
        anyhow::ensure!(id.is_some(), "{error:?} has no request id");
    }};
}

/// All pages of a list whose token is given back as `token`.
#[macro_export]
macro_rules! all_pages {
    ($call:expr, $payload:ident, $token:ident) => {{
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = match token.take() {
                Some(token) => $call.page_size("2").$token(token),
                None => $call.page_size("2"),
            };
            let page = $crate::payload!(call, $payload);
            anyhow::ensure!(page.item().len() <= 2, "a page has {} items", page.item().len());
            items.extend(page.item().to_vec());
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break items;
            }
        }
    }};
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| name.to_owned());
    let config = aws_sdk_pinpoint::Config::builder()
        .behavior_version_latest()
        .endpoint_url(variable("AWS_ENDPOINT_URL")?)
        .region(Region::new(variable("AWS_DEFAULT_REGION")?))
        .credentials_provider(Credentials::new(
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            None,
            None,
            "environment",
        ))
        .build();
    let client = &Client::from_conf(config);
    match std::env::args().nth(1).as_deref() {
        Some("apps") => resources::apps(client).await,
        Some("jobs") => resources::jobs(client, &variable("IMPORTS")?).await,
        Some("recommenders") => resources::recommenders(client).await,
        Some("event-streams") => resources::event_streams(client).await,
        Some("kpis") => resources::kpis(client).await,
        Some("channels") => channels::channels(client).await,
        Some("endpoints") => audience::endpoints(client).await,
        Some("events") => audience::events(client).await,
        Some("segments") => audience::segments(client).await,
        Some("templates") => templates::templates(client).await,
        Some("campaigns") => campaigns::campaigns(client).await,
        Some("in-app") => campaigns::in_app(client).await,
        Some("journeys") => campaigns::journeys(client).await,
        Some("messages") => messages::messages(client).await,
        Some("one-time-passwords") => messages::one_time_passwords(client).await,
        _ => bail!(
            "usage: pinion-rust-client apps|jobs|recommenders|event-streams|kpis|channels|endpoints|events|segments|\
             templates|campaigns|in-app|journeys|messages|one-time-passwords"
        ),
    }
}

/// A fresh application's id.
async fn new_app(client: &Client) -> Result<String> {
    let request = CreateApplicationRequest::builder().name("rust").build();
    let app = payload!(
        client.create_app().create_application_request(request),
        application_response
    );
    Ok(app.id().context("an application has an id")?.to_owned())
}
