//! What an operator can set: one TOML file, and every key also as an environment variable.
//!
//! `PINION_` + section + `__` + key, upper case: `PINION_HTTP__PUBLIC_URL`,
//! `PINION_BINDINGS__EMAIL__SETTINGS__HOST`. Variables win over the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use pinion_api::rates::Rates;
use pinion_api::sts::{KeySource, Provider};
use pinion_domain::channel::ChannelType;
use pinion_domain::extension::Grant;
use pinion_domain::iam::Network;
use pinion_domain::quotas::Quotas;
use pinion_engine::config::{Delivery, ServerBinding};
use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

/// Begins the name of every variable.
const PREFIX: &str = "PINION_";

/// The settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the data is.
    pub database: Database,
    /// The master key.
    pub store: StoreSection,
    /// Listening and links.
    pub http: Http,
    /// Which plugin serves a channel type, by its name in capitals.
    pub bindings: BTreeMap<String, Binding>,
    /// Plugins of the server.
    pub plugins: PluginSection,
    /// Files to import.
    pub imports: Imports,
    /// Files to export.
    pub exports: Exports,
    /// The development sink.
    pub outbox: OutboxSection,
    /// Sending.
    pub engine: EngineSection,
    /// What requests may do.
    pub access: Access,
    /// Requests a second that an account may make, by operation; `default` is for those that are not named.
    /// Without both, as many as it likes.
    pub rates: BTreeMap<String, u32>,
    /// How much there may be of everything; absent keys keep what Pinpoint's guide says.
    pub quotas: Quotas,
    /// Logs.
    pub log: Log,
}

/// `[database]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…`; absent means SQLite files in the data folder.
    pub url: Option<String>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// 64 hexadecimal characters.
    pub master_key: Option<String>,
    /// A file that holds them.
    pub master_key_file: Option<PathBuf>,
}

/// `[http]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// The base of tracking, unsubscribe and hook links. On loopback it is `http://LISTEN` if absent.
    pub public_url: Option<Url>,
    /// A PEM file with the certificate chain.
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with its private key.
    pub tls_key: Option<PathBuf>,
    /// A second address for metrics and console alone.
    pub admin_listen: Option<String>,
    /// Addresses and networks of proxies that are believed when `X-Forwarded-For` says whom a request is from.
    pub trusted_proxies: Vec<String>,
}

impl Http {
    /// The proxies that are believed.
    pub fn trusted_proxies(&self) -> Result<Vec<Network>> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|error| anyhow!("http.trusted_proxies: {error}"))
        };
        self.trusted_proxies.iter().map(parse).collect()
    }
}

/// `[bindings.TYPE]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The plugin's name.
    pub plugin: String,
    /// What the plugin takes.
    #[serde(default)]
    pub settings: Table,
    /// Messages a second.
    #[serde(default)]
    pub rate: Option<u32>,
    /// `at-least-once` or `at-most-once`; the latter is the default for SMS and voice.
    #[serde(default)]
    pub delivery: Option<String>,
}

/// `[plugins]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSection {
    /// Components that are loaded at start for every account.
    pub folder: Option<PathBuf>,
    /// What those may reach, by plugin: `scheme://host:port`.
    pub grants: BTreeMap<String, Vec<Grant>>,
}

/// `[imports]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Imports {
    /// The folder below which `file://` may read.
    pub folder: Option<PathBuf>,
}

/// `[exports]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exports {
    /// The folder below which `file://` may write.
    pub folder: Option<PathBuf>,
}

/// `[outbox]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxSection {
    /// Address of its SMTP listener; absent means no outbox.
    pub smtp_listen: Option<String>,
}

/// `[engine]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Chunks that are worked on at once.
    pub workers: Option<usize>,
    /// Recipients that are loaded, rendered and committed together.
    pub batch: Option<usize>,
    /// Seconds before the second try of a message.
    pub retry_first_seconds: Option<f64>,
    /// Tries of a message in all.
    pub retry_attempts: Option<u16>,
    /// Seconds for which a request to send is known when its client repeats it.
    pub repeat_window_seconds: Option<u32>,
    /// Megabytes that the columns of all applications may hold, from which segments are answered.
    pub audience_megabytes: Option<usize>,
}

/// `[access]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Regions that requests may be signed for; empty means any.
    pub regions: Vec<String>,
    /// OpenID Connect providers whose tokens `AssumeRoleWithWebIdentity` takes.
    pub oidc: Vec<Oidc>,
}

/// `[[access.oidc]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// As tokens name it: `https://login.example.com`.
    pub issuer: String,
    /// For whom tokens must be; one of them is enough.
    pub audiences: Vec<String>,
    /// Where its public keys are.
    #[serde(default)]
    pub jwks_url: Option<Url>,
    /// A file that holds them.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
}

impl Access {
    /// The providers that are believed.
    pub fn providers(&self) -> Result<Vec<Provider>> {
        let mut providers: Vec<Provider> = Vec::new();
        for oidc in &self.oidc {
            let issuer = &oidc.issuer;
            let keys = match (&oidc.jwks_url, &oidc.jwks_file) {
                (Some(url), None) if matches!(url.scheme(), "https" | "http") => KeySource::Url(url.clone()),
                (None, Some(file)) => KeySource::File(file.clone()),
                _ => bail!("access.oidc {issuer}: needs jwks_url, an https URL, or jwks_file"),
            };
            if oidc.audiences.is_empty() {
                bail!("access.oidc {issuer}: audiences must say for whom its tokens are");
            }
            if providers.iter().any(|other| other.issuer == *issuer) {
                bail!("access.oidc {issuer}: is there twice");
            }
            providers.push(Provider {
                issuer: issuer.clone(),
                audiences: oidc.audiences.clone(),
                keys,
            });
        }
        Ok(providers)
    }
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// As in `RUST_LOG`; `info` if absent.
    pub filter: Option<String>,
    /// `text` or `json`.
    pub format: Option<String>,
}

impl Config {
    /// Reads the file, if there is one, and the environment.
    ///
    /// Mistakes in the file are told by line and column.
    pub fn load(path: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut table = match path {
            None => Table::new(),
            Some(path) => {
                let text =
                    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                // Read once as a whole: only the text still knows its lines.
                toml::from_str::<Self>(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
                text.parse()
                    .map_err(|error| anyhow!("{}: {error}", path.display()))?
            }
        };
        for (name, text) in environment {
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            // Variables without a section are not settings: PINION_CONFIG, PINION_LOG …
            if key.contains("__") {
                set(&mut table, key, &text).with_context(|| format!("environment variable {name}"))?;
            }
        }
        let config: Self = table.try_into().map_err(|error| anyhow!("settings: {error}"))?;
        config.bindings()?;
        config.http.trusted_proxies()?;
        config.access.providers()?;
        config.rates()?;
        Ok(config)
    }

    /// How often accounts may ask.
    pub fn rates(&self) -> Result<Rates> {
        Rates::new(&self.rates).map_err(|problem| anyhow!("rates.{problem}"))
    }

    /// The server-wide bindings.
    pub fn bindings(&self) -> Result<BTreeMap<ChannelType, ServerBinding>> {
        self.bindings
            .iter()
            .map(|(name, binding)| {
                let channel: ChannelType = name
                    .parse()
                    .map_err(|()| anyhow!("bindings.{name}: is not a channel type"))?;
                let settings = serde_json::to_value(&binding.settings)
                    .with_context(|| format!("bindings.{name}.settings"))?;
                let delivery = match (binding.delivery.as_deref(), channel) {
                    (Some("at-least-once"), _) => Delivery::AtLeastOnce,
                    (Some("at-most-once"), _) | (None, ChannelType::Sms | ChannelType::Voice) => {
                        Delivery::AtMostOnce
                    }
                    (None, _) => Delivery::AtLeastOnce,
                    (Some(other), _) => {
                        bail!("bindings.{name}.delivery: {other:?} is neither at-least-once nor at-most-once")
                    }
                };
                let server = ServerBinding::of_settings(binding.plugin.clone(), settings);
                Ok((
                    channel,
                    ServerBinding {
                        rate: binding.rate,
                        delivery,
                        ..server
                    },
                ))
            })
            .collect()
    }
}

/// Sets `SECTION__KEY` from the environment's text. What looks like a number, a boolean, an array or a
/// table of TOML is one.
fn set(table: &mut Table, key: &str, text: &str) -> Result<()> {
    let mut parts: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
    if parts.iter().any(String::is_empty) {
        bail!("has an empty part");
    }
    // Channel types keep their capitals.
    if parts.len() > 1 && parts[0] == "bindings" {
        parts[1] = parts[1].to_ascii_uppercase();
    }
    let last = parts.pop().context("names no key")?;
    let mut table = table;
    for part in parts {
        let entry = table
            .entry(part.clone())
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry
            .as_table_mut()
            .with_context(|| format!("{part} is not a section"))?;
    }
    table.insert(last, value(text));
    Ok(())
}

fn value(text: &str) -> Value {
    let parsed = format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"));
    match parsed {
        // Text that happens to be a date stays text.
        Some(Value::Datetime(_)) | None => Value::String(text.to_owned()),
        Some(value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pinion.toml");
        fs::write(&path, file).unwrap();
        Config::load(
            Some(&path),
            environment
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn variables_win_over_the_file() {
        let config = load(
            "[bindings.EMAIL]\nplugin = \"email-smtp\"\nsettings = { host = \"a\", port = 25, tls = \"none\" }\n",
            &[
                ("PINION_BINDINGS__EMAIL__SETTINGS__HOST", "127.0.0.1"),
                ("PINION_BINDINGS__EMAIL__SETTINGS__PORT", "2525"),
                ("PINION_BINDINGS__EMAIL__RATE", "100"),
                ("PINION_DATABASE__URL", "postgres://u@h/d"),
                ("PINION_CONFIG", "ignored"),
                ("HOME", "/"),
            ],
        )
        .unwrap();
        let bindings = config.bindings().unwrap();
        let email = &bindings[&ChannelType::Email];
        assert_eq!(email.rate, Some(100));
        assert!(email.binding.grants[0].allows("smtp", "127.0.0.1", 2525));
        assert_eq!(email.binding.settings["tls"], "none");
        assert_eq!(config.database.url.as_deref(), Some("postgres://u@h/d"));
    }

    #[test]
    fn quotas_that_are_not_set_are_the_guides() {
        let config = load("[quotas]\napps = 3\n", &[("PINION_QUOTAS__TAGS", "7")]).unwrap();
        let expected = Quotas {
            apps: 3,
            tags: 7,
            ..Quotas::default()
        };
        assert_eq!(config.quotas, expected);
        let error = load("[quotas]\n\nappz = 3\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("appz"), "{error}");
    }

    #[test]
    fn mistakes_are_told_by_line() {
        let error = load("[http]\npublic_url = 7\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        let error = load("[htpt]\n", &[]).unwrap_err().to_string();
        assert!(error.contains("htpt"), "{error}");
        assert!(load("", &[("PINION_BINDINGS__PIGEON__PLUGIN", "x")]).is_err());
        assert!(load("", &[("PINION_BINDINGS__SMS__PLUGIN", "x")]).is_ok());
    }

    #[test]
    fn proxies_and_providers_are_checked() {
        let provider = |keys: &str| {
            format!("[[access.oidc]]\nissuer = \"https://a.test\"\naudiences = [\"x\"]\n{keys}\n")
        };
        let good = provider("jwks_file = \"keys.json\"");
        let config = load(&good, &[("PINION_HTTP__TRUSTED_PROXIES", r#"["10.0.0.0/8"]"#)]).unwrap();
        assert_eq!(
            config.access.providers().unwrap()[0].keys,
            KeySource::File("keys.json".into())
        );
        assert_eq!(config.http.trusted_proxies().unwrap().len(), 1);
        for (file, expected) in [
            (provider(""), "needs jwks_url"),
            (provider("jwks_url = \"ftp://a.test\""), "needs jwks_url"),
            (
                provider("jwks_url = \"https://a.test\"\njwks_file = \"x\""),
                "needs jwks_url",
            ),
            (format!("{good}{good}"), "is there twice"),
            (
                "[http]\ntrusted_proxies = [\"10.0.0.0/99\"]\n".to_owned(),
                "http.trusted_proxies",
            ),
            (
                "[rates]\nGetEverything = 1\n".to_owned(),
                "rates.GetEverything: is no operation",
            ),
        ] {
            let error = load(&file, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
