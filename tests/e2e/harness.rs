//! A server with an outbox and an application, ready for a story.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use pinion_console::outbox::{Outbox, OutboxConfig};
use pinion_domain::app::CreateApplication;
use pinion_domain::campaign::{CampaignDocument, Limits, Schedule};
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::iso;
use pinion_domain::endpoint::EndpointRequest;
use pinion_domain::id::{CampaignId, SegmentId, Tenant, fresh_id};
use pinion_domain::message::{CampaignEmail, MessageConfiguration};
use pinion_domain::page::PageRequest;
use pinion_domain::segment::{SegmentDocument, WriteSegment};
use pinion_server::config::Config;
use pinion_server::serve::{Running, start};
use pinion_server::telemetry;
use pinion_store::{AppRef, Lane, Run, Scope, Store, Upsert};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server in this process.
pub struct Server {
    pub running: Running,
    pub folder: TempDir,
}

/// Mail that arrives somewhere outside the server.
pub async fn sink() -> Arc<Outbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Outbox::start(
        listener,
        OutboxConfig {
            messages: 200_000,
            ..OutboxConfig::default()
        },
    )
    .unwrap()
}

/// Variables that send e-mail to an address.
pub fn smtp_settings(address: SocketAddr) -> Vec<(String, String)> {
    [
        ("PINION_BINDINGS__EMAIL__PLUGIN", "email-smtp".to_owned()),
        ("PINION_BINDINGS__EMAIL__SETTINGS__HOST", address.ip().to_string()),
        (
            "PINION_BINDINGS__EMAIL__SETTINGS__PORT",
            address.port().to_string(),
        ),
        ("PINION_BINDINGS__EMAIL__SETTINGS__TLS", "none".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::init_metrics().unwrap()).clone()
}

impl Server {
    pub async fn start(environment: Vec<(String, String)>) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), environment).await
    }

    pub async fn start_in(folder: TempDir, mut environment: Vec<(String, String)>) -> Self {
        environment.push((
            "PINION_IMPORTS__FOLDER".to_owned(),
            folder.path().display().to_string(),
        ));
        let config = Config::load(None, environment.into_iter()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = start(config, &folder.path().join("data"), listener, metrics())
            .await
            .unwrap();
        Self { running, folder }
    }

    pub fn store(&self) -> &Store {
        self.running.engine().store()
    }

    pub async fn app(&self) -> AppRef {
        app(self.store()).await
    }

    /// Stops in order and gives the data back.
    pub async fn stop(self) -> TempDir {
        self.running.stop().await;
        self.folder
    }
}

/// An application with an e-mail channel.
pub async fn app(store: &Store) -> AppRef {
    let tenant = Tenant {
        account: store.default_account().await.unwrap(),
        region: "eu-west-1".into(),
    };
    let create = CreateApplication {
        name: "story".to_owned(),
        tags: Default::default(),
    };
    let app = store.create_app(&tenant, create).await.unwrap();
    let app = store.app(&tenant, &app.id).await.unwrap().unwrap();
    let channel = json!({ "FromAddress": "Shop <shop@example.com>", "Identity": "none", "Enabled": true });
    store
        .put_channel(&app, ChannelType::Email, channel)
        .await
        .unwrap();
    app
}

/// Endpoints `e0` … with addresses made by `address`.
pub async fn people(store: &Store, app: &AppRef, count: u32, address: impl Fn(u32) -> String) {
    let all: Vec<u32> = (0..count).collect();
    for some in all.chunks(1_000) {
        let upserts = some
            .iter()
            .map(|n| Upsert {
                id: format!("e{n}").into(),
                request: EndpointRequest {
                    address: Some(address(*n)),
                    channel_type: Some(ChannelType::Email),
                    attributes: Some([("number".to_owned(), vec![n.to_string()])].into()),
                    ..EndpointRequest::default()
                },
            })
            .collect();
        for result in store.upsert_endpoints(app, Lane::Bulk, upserts).await.unwrap() {
            result.unwrap();
        }
    }
}

/// A segment from the JSON of a `WriteSegmentRequest`.
pub async fn segment(store: &Store, app: &AppRef, request: serde_json::Value) -> SegmentId {
    let write: WriteSegment = serde_json::from_value(request).unwrap();
    let document = SegmentDocument {
        dimensions: write.dimensions,
        segment_groups: write.segment_groups,
        ..Default::default()
    };
    let id = fresh_id();
    store
        .create_document(Scope::from(app), &id, document, "ACTIVE", None)
        .await
        .unwrap();
    id.into()
}

/// Everybody with an e-mail address.
pub async fn everybody(store: &Store, app: &AppRef) -> SegmentId {
    let channel =
        json!({ "Demographic": { "Channel": { "DimensionType": "INCLUSIVE", "Values": ["EMAIL"] } } });
    segment(store, app, json!({ "Dimensions": channel })).await
}

/// A campaign that says `html` to a segment.
pub fn campaign(segment: SegmentId, html: &str) -> CampaignDocument {
    CampaignDocument {
        name: Some("story".to_owned()),
        limits: Some(Limits::default()),
        schedule: Some(Schedule {
            start_time: "IMMEDIATE".to_owned(),
            ..Schedule::default()
        }),
        segment_id: Some(segment),
        segment_version: Some(1),
        message_configuration: Some(MessageConfiguration {
            email_message: Some(CampaignEmail {
                title: Some("Hello {{Attributes.number}}".to_owned()),
                html_body: Some(html.to_owned()),
                ..CampaignEmail::default()
            }),
            ..MessageConfiguration::default()
        }),
        ..CampaignDocument::default()
    }
}

/// Schedules a campaign for now.
pub async fn schedule(store: &Store, app: &AppRef, document: CampaignDocument) -> CampaignId {
    let id = CampaignId::from(fresh_id());
    let now = store.clock().now();
    assert!(iso(now).ends_with('Z'));
    store
        .create_document(Scope::from(app), id.as_str(), document, "SCHEDULED", Some(now))
        .await
        .unwrap();
    id
}

/// The campaign's newest run once it satisfies a condition.
pub async fn run_when(
    store: &Store,
    app: &AppRef,
    campaign: &CampaignId,
    what: &str,
    condition: impl Fn(&Run) -> bool,
) -> Run {
    until(what, async || {
        let runs = store.runs(app, campaign, &PageRequest::default()).await.unwrap();
        runs.items.into_iter().next().filter(&condition)
    })
    .await
}

/// The campaign's run once it is over.
pub async fn finished(store: &Store, app: &AppRef, campaign: &CampaignId) -> Run {
    run_when(store, app, campaign, "the run to end", |run| {
        run.finished.is_some()
    })
    .await
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many recipients of a run have which outcome, by counting the ledger.
pub async fn outcomes(store: &Store, app: &AppRef, run: &Run) -> Vec<(&'static str, u64)> {
    let mut counts: Vec<(&'static str, u64)> = Vec::new();
    for (_, reason, count) in store.ledger_counts(app, run.no).await.unwrap() {
        match counts.iter_mut().find(|(name, _)| *name == reason.as_str()) {
            Some((_, sum)) => *sum += count,
            None => counts.push((reason.as_str(), count)),
        }
    }
    counts.sort_unstable();
    counts
}

/// A file below the server's import folder.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    format!("file://{}", path.display())
}
