//! A whole campaign: import, segment, template, run; all checks on, the ledger durable.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pinion_console::outbox::{Outbox, OutboxConfig};
use pinion_domain::campaign::{CampaignDocument, CampaignHook, Schedule};
use pinion_domain::delivery::{Outcome, Reason};
use pinion_domain::id::{CampaignId, fresh_id};
use pinion_domain::page::PageRequest;
use pinion_domain::template::{EmailTemplate, TemplateConfiguration, TemplateReference};
use pinion_engine::Engine;
use pinion_server::config::Config;
use pinion_server::wiring;
use pinion_store::{RunState, Scope, Store};
use serde_json::{Value, json};

use crate::{import, memory, population};

/// What the personalizer chooses from.
const CONTENT: &str = r#"{"default": "en", "content": {
    "en": {"greeting": "Hello", "offer": "Three books for autumn"},
    "pl": {"greeting": "Cześć", "offer": "Trzy książki na jesień"},
    "ja": {"greeting": "こんにちは", "offer": "秋の三冊"}}}"#;

/// Through the `null` component.
pub async fn null(size: u32, personalizer: bool) -> Result<Value> {
    measure(
        size,
        personalizer,
        &[("PINION_BINDINGS__EMAIL__PLUGIN", "null".to_owned())],
    )
    .await
}

/// Through `email-smtp` to a sink in another process.
pub async fn smtp(size: u32) -> Result<Value> {
    let (mut child, address) = start_sink()?;
    let environment = [
        ("PINION_BINDINGS__EMAIL__PLUGIN", "email-smtp".to_owned()),
        ("PINION_BINDINGS__EMAIL__SETTINGS__HOST", address.ip().to_string()),
        (
            "PINION_BINDINGS__EMAIL__SETTINGS__PORT",
            address.port().to_string(),
        ),
        ("PINION_BINDINGS__EMAIL__SETTINGS__TLS", "none".to_owned()),
    ];
    let measured = measure(size, false, &environment).await;
    drop(child.stdin.take());
    child.wait()?;
    measured
}

/// Takes mail until standard input ends.
pub async fn sink() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let outbox = Outbox::start(
        listener,
        OutboxConfig {
            messages: 100,
            ..OutboxConfig::default()
        },
    )?;
    crate::say(&outbox.smtp_address().to_string())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

fn start_sink() -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("sink")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let out: &mut ChildStdout = child.stdout.as_mut().context("the sink has an output")?;
    let (mut line, mut byte) = (String::new(), [0]);
    while out.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(char::from(byte[0]));
    }
    Ok((
        child,
        line.parse().with_context(|| format!("the sink said {line:?}"))?,
    ))
}

async fn measure(size: u32, personalizer: bool, environment: &[(&str, String)]) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    // In a process of its own, so that what is measured here is the run's.
    let folder_text = folder.path().display().to_string();
    let imported = crate::child(&[
        "import".to_owned(),
        "--folder".to_owned(),
        folder_text,
        "--size".to_owned(),
        size.to_string(),
    ])?;
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let config = Config::load(None, environment)?;
    let (store, engine) = start(&config, &folder.path().join("data")).await?;
    let peak = memory::Peak::begin();
    let measured = run(&engine, &imported, size, personalizer).await;
    let anonymous = peak.end();
    engine.stop().await;
    store.close().await;
    let mut measured = measured?;
    measured["anonymous"] = anonymous?.into();
    measured["memory"] = memory::resident()?.into();
    measured["import"] = imported;
    Ok(measured)
}

/// Imports a generated population into `folder/data`; tells application, segment and rate.
pub async fn import(folder: &Path, size: u32) -> Result<Value> {
    let file = folder.join("people.csv");
    population::write_csv(&file, size)?;
    let imports = ("PINION_IMPORTS__FOLDER".to_owned(), folder.display().to_string());
    let config = Config::load(None, std::iter::once(imports))?;
    let (store, engine) = start(&config, &folder.join("data")).await?;
    let app = population::new_app(&store).await?;
    let peak = memory::Peak::begin();
    let (segment, lines_per_second) = import::csv(&engine, &app, &file).await?;
    let anonymous = peak.end()?;
    engine.stop().await;
    store.close().await;
    Ok(json!({
        "app": app.id,
        "segment": segment,
        "lines_per_second": lines_per_second,
        "anonymous": anonymous,
        "memory": memory::resident()?,
    }))
}

async fn start(config: &Config, data: &Path) -> Result<(Store, Engine)> {
    let options = wiring::options(config, data, true)?;
    let store = Store::open(options, wiring::system_clock()).await?;
    let plugins = wiring::plugins(config, data, &store).await?;
    let engine = wiring::engine(config, &store, plugins, Some("https://mail.example.com".parse()?))?;
    engine.start().await?;
    Ok((store, engine))
}

async fn run(engine: &Engine, imported: &Value, size: u32, personalizer: bool) -> Result<Value> {
    let store = engine.store();
    let tenant = population::tenant(store).await?;
    let named = |key: &str| imported[key].as_str().map(str::to_owned);
    let app_id = named("app").context("the import told no application")?;
    let app = store
        .app(&tenant, &app_id.into())
        .await?
        .context("the application exists")?;
    let segment = named("segment").context("the import told no segment")?;

    let template = EmailTemplate {
        subject: Some("Hello {{User.UserAttributes.FirstName.[0]}}".to_owned()),
        html_part: Some(population::html()),
        ..EmailTemplate::default()
    };
    store
        .create_document(Scope::from(&tenant), "offer", template, "ACTIVE", None)
        .await?;
    let reference = TemplateReference {
        name: Some("offer".to_owned()),
        version: None,
    };
    let hook = personalizer.then(|| CampaignHook {
        lambda_function_name: Some(format!("plugin:best-content-by-locale?{CONTENT}")),
        mode: Some("FILTER".to_owned()),
        web_url: None,
    });
    let document = CampaignDocument {
        hook,
        name: Some("bench".to_owned()),
        schedule: Some(Schedule {
            start_time: "IMMEDIATE".to_owned(),
            ..Schedule::default()
        }),
        segment_id: Some(segment.into()),
        segment_version: Some(1),
        template_configuration: Some(TemplateConfiguration {
            email_template: Some(reference),
            ..TemplateConfiguration::default()
        }),
        ..CampaignDocument::default()
    };
    let id = CampaignId::from(fresh_id());
    let cpu = memory::cpu_seconds()?;
    let started = Instant::now();
    let now = store.clock().now();
    store
        .create_document(Scope::from(&app), id.as_str(), document, "SCHEDULED", Some(now))
        .await?;
    engine.wake();
    let run = loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let runs = store.runs(&app, &id, &PageRequest::default()).await?;
        match runs.items.into_iter().next() {
            Some(run) if run.state == RunState::Completed => break run,
            Some(run) if run.state == RunState::Failed => bail!("the run failed: {:?}", run.detail),
            _ => {}
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let counts = store.ledger_counts(&app, run.no).await?;
    let accepted: u64 = counts
        .iter()
        .filter(|(_, reason, _)| *reason == Reason::Accepted)
        .map(|(_, _, count)| count)
        .sum();
    let others: Vec<_> = counts
        .iter()
        .filter(|(_, reason, _)| reason.outcome() != Outcome::Accepted)
        .collect();
    if accepted != u64::from(size) {
        bail!("{accepted} of {size} were accepted; others: {others:?}");
    }
    Ok(json!({
        "messages_per_second": f64::from(size) / seconds,
        "seconds": seconds,
        "cpu_seconds": memory::cpu_seconds()? - cpu,
    }))
}
