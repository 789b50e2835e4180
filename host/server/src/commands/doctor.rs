//! `pinion doctor`: is everything there that a server needs? Beside a running server or not; it changes
//! nothing but what opening the data changes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use pinion_api::sts::FetchKeys as _;
use pinion_domain::extension::{Caller, Plugins as _};
use pinion_sandbox::Sandbox;
use pinion_store::Store;
use serde_json::Value;

use super::say;
use crate::cli::Data;
use crate::config::Config;
use crate::http_client::JwksClient;
use crate::{serve, wiring};

/// Free bytes below which a server will not go on for long.
const LITTLE_SPACE: u64 = 512 * 1024 * 1024;
/// How far clocks may be apart. SDKs are let be fifteen minutes off, and we should not use that up.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// A provider that answers later is not there.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was looked at, told as it goes.
#[derive(Default)]
struct Findings {
    problems: usize,
}

impl Findings {
    fn tell(&mut self, what: &str, finding: Result<String>) -> Result<()> {
        match finding {
            Ok(detail) => say(&format!("ok    {what}: {detail}")),
            Err(error) => {
                self.problems += 1;
                say(&format!("FAIL  {what}: {error:#}"))
            }
        }
    }
}

/// Tells what is there and what is not; fails if anything is not.
pub(crate) async fn run(data: &Data) -> Result<()> {
    let mut findings = Findings::default();
    match data.settings() {
        Ok(config) => {
            findings.tell("settings", Ok("can be read".to_owned()))?;
            look(&mut findings, &config, &data.data).await?;
        }
        Err(error) => findings.tell("settings", Err(error))?,
    }
    match findings.problems {
        0 => Ok(()),
        1 => bail!("1 problem"),
        many => bail!("{many} problems"),
    }
}

async fn look(findings: &mut Findings, config: &Config, folder: &Path) -> Result<()> {
    findings.tell("TLS", tls(config))?;
    identity_providers(findings, config).await?;
    if !folder.is_dir() {
        let problem = anyhow!(
            "{} is not there; the first `pinion serve` makes it",
            folder.display()
        );
        return findings.tell("data folder", Err(problem));
    }
    findings.tell("disk space", disk_space(folder))?;
    let opened = match wiring::options(config, folder, false) {
        Ok(options) => Store::open(options, wiring::system_clock())
            .await
            .map_err(Into::into),
        Err(error) => Err(error),
    };
    let store = match opened {
        Ok(store) => store,
        Err(error) => return findings.tell("database and master key", Err(error)),
    };
    let database = if config.database.url.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let detail = format!("{database} answers, and the key is the one that sealed the data");
    findings.tell("database and master key", Ok(detail))?;
    let told = with_store(findings, config, folder, &store).await;
    store.close().await;
    told
}

async fn with_store(findings: &mut Findings, config: &Config, folder: &Path, store: &Store) -> Result<()> {
    findings.tell("clock", clock(store).await)?;
    if store.is_held() {
        let problem = anyhow!(
            "is held, since this data was opened under a new identity; `pinion release` lets it begin"
        );
        findings.tell("sending", Err(problem))?;
    }
    let (sandbox, problems) = match wiring::load_plugins(config, folder, store).await {
        Ok(loaded) => loaded,
        Err(error) => return findings.tell("plugins", Err(error)),
    };
    for problem in &problems {
        findings.tell("plugin", Err(anyhow!("{problem}")))?;
    }
    let account = store.default_account().await?;
    let mut names: Vec<String> = sandbox
        .list(&account)
        .into_iter()
        .map(|plugin| plugin.manifest.name)
        .collect();
    names.sort();
    findings.tell("plugins", Ok(names.join(", ")))?;
    bindings(findings, config, &sandbox, account.as_str()).await
}

fn tls(config: &Config) -> Result<String> {
    Ok(match serve::tls(config)? {
        Some(_) => "certificate and key can be read".to_owned(),
        None => "is not set, which is for loopback or behind a proxy".to_owned(),
    })
}

fn disk_space(folder: &Path) -> Result<String> {
    let space = rustix::fs::statvfs(folder)?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let told = format!("{} MB are free in {}", free / 1_000_000, folder.display());
    if free < LITTLE_SPACE {
        bail!("only {told}");
    }
    Ok(told)
}

/// Compares with the database server's clock, and with the newest thing that was stored.
async fn clock(store: &Store) -> Result<String> {
    let now = store.clock().now();
    if let Some(there) = store.database_clock().await?
        && now.duration_since(there).abs() > SKEW
    {
        bail!("this machine says {now:.0}, and the database server {there:.0}");
    }
    if let Some(newest) = store.newest().await?
        && newest.duration_since(now) > SKEW
    {
        bail!("this machine says {now:.0}, and something was stored at {newest:.0}");
    }
    if now < Timestamp::from_second(BUILT)? {
        bail!("this machine says {now:.0}, which is before this program was made");
    }
    Ok(format!("{now:.0}"))
}

/// 2026-11-01, in seconds since 1970: no right clock is before it.
const BUILT: i64 = 1_793_491_200;

/// Asks each binding's plugin whether its settings are complete and its login works.
async fn bindings(findings: &mut Findings, config: &Config, sandbox: &Sandbox, account: &str) -> Result<()> {
    let caller = Caller {
        account: account.into(),
        app: "doctor".into(),
    };
    for (channel, server) in config.bindings()? {
        let what = format!("binding {}", channel.as_str());
        let asked = async {
            let plugin = sandbox.channel(&caller, &server.binding).await?;
            plugin.check().await
        };
        let finding = match tokio::time::timeout(PATIENCE, asked).await {
            Err(_) => Err(anyhow!("{} does not answer", server.binding.plugin)),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(problems)) if problems.is_empty() => Ok(format!("{} is ready", server.binding.plugin)),
            Ok(Ok(problems)) => {
                let told: Vec<String> = problems
                    .into_iter()
                    .map(|problem| match problem.key.as_str() {
                        "" => problem.text,
                        key => format!("{key}: {}", problem.text),
                    })
                    .collect();
                Err(anyhow!("{}: {}", server.binding.plugin, told.join("; ")))
            }
        };
        findings.tell(&what, finding)?;
    }
    Ok(())
}

/// Are the keys of those who may vouch for others to be had?
async fn identity_providers(findings: &mut Findings, config: &Config) -> Result<()> {
    let client = JwksClient::new();
    for provider in config.access.providers()? {
        let keys = client
            .fetch(&provider.keys)
            .await
            .map_err(|problem| anyhow!(problem));
        let finding = keys.and_then(|document| {
            let set: Value = serde_json::from_slice(&document)?;
            match set["keys"].as_array().map(Vec::len) {
                None | Some(0) => bail!("its document has no keys"),
                Some(count) => Ok(format!("{count} keys")),
            }
        });
        findings.tell(&format!("identity provider {}", provider.issuer), finding)?;
    }
    Ok(())
}
