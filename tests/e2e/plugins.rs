//! Components inside a run: swapped while it sends, and faulty ones that harm only their part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pinion_domain::campaign::{CampaignHook, CustomDelivery, Limits};
use pinion_domain::channel::ChannelType;
use pinion_domain::extension::Owner;
use pinion_domain::message::{CustomMessage, MessageConfiguration};
use pinion_store::{AppRef, RunState};
use serde_json::json;

use crate::harness::{
    Server, campaign, everybody, finished, outcomes, people, run_when, schedule, segment, until,
};

/// A component that `cargo xtask build-plugins` built.
fn component(name: &str) -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    let path = target.join("plugins/bad").join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build-plugins`", path.display()))
}

async fn install(server: &Server, app: &AppRef, name: &str, file: &str) {
    let owner = Owner::Account(app.tenant.account.clone());
    let plugins = server.running.engine().plugins();
    plugins
        .install(owner, name, component(file).into(), Vec::new())
        .await
        .unwrap();
}

fn null() -> Vec<(String, String)> {
    vec![("PINION_BINDINGS__EMAIL__PLUGIN".to_owned(), "null".to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_during_a_run_loses_nothing() {
    let server = Server::start(null()).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 2_000, |n| format!("p{n}@example.com")).await;
    install(&server, &app, "swap", "swap-a.wasm").await;
    let mut document = campaign(everybody(store, &app).await, "");
    document.limits = Some(Limits {
        messages_per_second: Some(1_500),
        ..Limits::default()
    });
    document.message_configuration = Some(MessageConfiguration {
        custom_message: Some(CustomMessage {
            data: Some("{\"n\": \"{{Attributes.number}}\"}".to_owned()),
        }),
        ..MessageConfiguration::default()
    });
    document.custom_delivery_configuration = Some(CustomDelivery {
        delivery_uri: "plugin:swap".to_owned(),
        endpoint_types: vec![ChannelType::Email],
    });
    let id = schedule(store, &app, document).await;
    let run = run_when(store, &app, &id, "the run to begin", |run| {
        run.state == RunState::Running
    })
    .await;
    until("some messages", async || {
        let sent = store.ledger(&app, run.no, None, 2_000).await.unwrap().len();
        (sent > 300).then_some(())
    })
    .await;
    install(&server, &app, "swap", "swap-b.wasm").await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 2_000)]);
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for row in store.ledger(&app, run.no, None, 3_000).await.unwrap() {
        *versions.entry(row.provider_id.unwrap()).or_default() += 1;
    }
    assert_eq!(
        versions.keys().collect::<Vec<_>>(),
        ["swap 1", "swap 2"],
        "{versions:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predicate_that_faults_starts_no_run() {
    let server = Server::start(null()).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 100, |n| format!("p{n}@example.com")).await;
    install(&server, &app, "liar", "liar.wasm").await;
    let liar = json!({ "Dimensions": { "Attributes": {
        "plugin:liar": { "AttributeType": "EXCLUSIVE", "Values": ["{\"bitmap\": \"short\"}"] } } } });
    let liar = segment(store, &app, liar).await;
    let id = schedule(store, &app, campaign(liar, "<p>x</p>")).await;
    let run = finished(store, &app, &id).await;
    // Unknown under EXCLUSIVE must not mean "everyone".
    assert_eq!((run.state, run.total), (RunState::Failed, 0));
    let detail = run.detail.unwrap();
    assert!(detail.contains("100 recipients could not be decided"), "{detail}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personalizer_that_faults_is_counted_and_the_server_goes_on() {
    let server = Server::start(null()).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 10, |n| format!("p{n}@example.com")).await;
    install(&server, &app, "forger", "forger.wasm").await;
    let everybody = everybody(store, &app).await;
    let mut document = campaign(everybody.clone(), "<p>x</p>");
    document.hook = Some(CampaignHook {
        lambda_function_name: Some("plugin:forger?{\"fault\": \"columns\"}".to_owned()),
        mode: Some("FILTER".to_owned()),
        web_url: None,
    });
    let id = schedule(store, &app, document).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("PERSONALIZER_FAULT", 10)]);
    let id = schedule(store, &app, campaign(everybody, "<p>x</p>")).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 10)]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_channel_posts_to_the_receiver_that_the_config_names() {
    let outbox = crate::harness::sink().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/outbox/sink/hook", listener.local_addr().unwrap());
    let receiver = pinion_console::outbox::sink_router(outbox.clone());
    tokio::spawn(async move { axum::serve(listener, receiver).await });
    let environment = [
        ("PINION_BINDINGS__CUSTOM__PLUGIN", "webhook".to_owned()),
        ("PINION_BINDINGS__CUSTOM__SETTINGS__URL", url),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let server = Server::start(environment).await;
    let (store, app) = (server.store(), server.app().await);
    people(store, &app, 120, |n| format!("p{n}@example.com")).await;
    let mut document = campaign(everybody(store, &app).await, "");
    document.message_configuration = Some(MessageConfiguration {
        custom_message: Some(CustomMessage {
            data: Some("{\"offer\": 7}".to_owned()),
        }),
        ..MessageConfiguration::default()
    });
    document.custom_delivery_configuration = Some(CustomDelivery {
        delivery_uri: "plugin:webhook".to_owned(),
        endpoint_types: vec![ChannelType::Email],
    });
    let id = schedule(store, &app, document).await;
    let run = finished(store, &app, &id).await;
    assert_eq!(outcomes(store, &app, &run).await, [("ACCEPTED", 120)]);
    let posts = outbox.messages(0, 100).messages;
    assert!(
        posts
            .iter()
            .all(|post| post.kind == "post" && post.path.ends_with("hook")),
        "{posts:?}"
    );
    let reached: usize = posts
        .iter()
        .map(|post| {
            let body: serde_json::Value = serde_json::from_str(&post.raw).unwrap();
            assert_eq!(body["ApplicationId"], app.id.as_str());
            assert_eq!(body["CampaignId"], id.as_str());
            body["Endpoints"].as_object().unwrap().len()
        })
        .sum();
    assert_eq!(reached, 120);
    assert!(posts.len() < 120, "as many as fit go in one call");
    server.stop().await;
}
