//! What a file of the corpus may say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use pinion_domain::extension::Grant;
use pinion_sandbox::Limits;
use serde::Deserialize;
use serde_json::Value;

use crate::guest::Guest;
use crate::support::limits;

/// One misbehaviour.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The row of the table in README.md.
    pub case: u8,
    /// What the plugin does.
    pub does: String,
    /// What must come of it.
    pub expect: Outcome,
    /// Why it cannot be run yet.
    #[serde(default)]
    pub pending: Option<String>,
    /// The plugin.
    #[serde(default)]
    pub guest: Option<Guest>,
    /// Words of the refusal, if it must not be installed.
    #[serde(default)]
    pub refused: Option<String>,
    /// What else the sandbox may or may not use.
    #[serde(default)]
    pub limits: Overrides,
    /// What the binding opens; `{{port}}` is the web server's, opened by address.
    #[serde(default)]
    pub grants: Vec<String>,
    /// What names resolve to: one list of addresses for each look-up, the last for ever.
    #[serde(default)]
    pub names: BTreeMap<String, Vec<Vec<IpAddr>>>,
    /// Look-ups of names that may leave the host.
    #[serde(default)]
    pub look_ups: Option<usize>,
    /// Values that others keep: application, plugin, key.
    #[serde(default)]
    pub kept: Vec<(String, String, String)>,
    /// What is called, in order.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// What may be logged.
    #[serde(default)]
    pub log: Option<Logged>,
    /// Requests that the web server may have seen of the plugin at once.
    #[serde(default)]
    pub open_at_most: Option<usize>,
}

/// The outcomes of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Not installed; the old version goes on.
    Reject,
    /// The call fails, the instance is thrown away.
    Trap,
    /// A host call returns an error.
    Deny,
    /// Cut, and the call goes on.
    Clamp,
    /// Nothing happens, which is right.
    Allow,
    /// The version is taken out of service.
    Quarantine,
}

/// Limits that differ from the usual ones.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    memory_mib: Option<usize>,
    cpu_ms: Option<u64>,
    send_wall_ms: Option<u64>,
    transfer_bytes: Option<usize>,
    compile_ms: Option<u64>,
}

impl Overrides {
    /// The limits of this case.
    pub fn limits(&self) -> Limits {
        let mut limits = limits();
        if let Some(mebibytes) = self.memory_mib {
            limits.memory_bytes = mebibytes << 20;
        }
        if let Some(ms) = self.cpu_ms {
            limits.cpu = Duration::from_millis(ms);
        }
        if let Some(ms) = self.send_wall_ms {
            limits.send_wall = Duration::from_millis(ms);
        }
        if let Some(bytes) = self.transfer_bytes {
            limits.transfer_bytes = bytes;
        }
        if let Some(ms) = self.compile_ms {
            limits.compile = Duration::from_millis(ms);
        }
        limits
    }
}

/// A call of the plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which export.
    pub export: Export,
    /// The application that calls; `hostile` if absent.
    #[serde(default)]
    pub app: Option<String>,
    /// How often, one after the other.
    #[serde(default = "one")]
    pub times: usize,
    /// How often at once.
    #[serde(default = "one")]
    pub at_once: usize,
    /// Settings.
    #[serde(default)]
    pub settings: Option<Value>,
    /// Of `send`: the batch.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Of `evaluate` and `personalize`: how many rows without columns.
    #[serde(default = "one_row")]
    pub rows: u32,
    /// Of all but `send`: `ok`, `failed` or `fault`.
    #[serde(default)]
    pub gets: Option<Answer>,
    /// Words of the error, or of the result.
    #[serde(default)]
    pub says: String,
    /// The longest that it may take.
    #[serde(default)]
    pub within_ms: Option<u64>,
}

fn one() -> usize {
    1
}

fn one_row() -> u32 {
    1
}

/// The exports that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Export {
    /// Of a channel.
    Send,
    /// Of a channel.
    Check,
    /// Of a predicate: opening it with settings.
    Inputs,
    /// Of a predicate, begin included; twice, which must give the same.
    Evaluate,
    /// Of a personalizer.
    Personalize,
}

/// What a message must get.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Its delivery id.
    pub id: String,
    /// Steps for the puppet.
    #[serde(default, rename = "do")]
    pub steps: Option<Value>,
    /// Metadata for other guests.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// `accepted`, `refused` or `unreported`.
    pub gets: Answer,
    /// Words of the receipt, the error or the fault.
    #[serde(default)]
    pub says: String,
    /// Words that must not be there.
    #[serde(default)]
    pub never: Option<String>,
    /// Of `unreported`: may it have left?
    #[serde(default)]
    pub left: Option<bool>,
}

/// How a call or a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The call returned.
    Ok,
    /// The plugin returned an error.
    Failed,
    /// The plugin faulted.
    Fault,
    /// The message was accepted.
    Accepted,
    /// The message was refused.
    Refused,
    /// The plugin died before it said.
    Unreported,
}

/// What may be logged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// Lines with this text are counted.
    pub marker: String,
    /// The most of them.
    pub at_most: usize,
    /// The fewest of them.
    #[serde(default)]
    pub at_least: usize,
    /// Texts that must not be in the log.
    #[serde(default)]
    pub never: Vec<String>,
}

impl Case {
    /// The binding's grants: written ones, and the web server by address.
    pub fn grants(&self, port: u16) -> Vec<Grant> {
        self.grants
            .iter()
            .map(|text| match text.as_str() {
                "{{web}}" => Grant::exact("http", "127.0.0.1", port),
                "{{relay}}" => Grant::exact("smtp", "127.0.0.1", port),
                text => text
                    .replace("{{port}}", &port.to_string())
                    .parse()
                    .expect("a grant of the corpus can be read"),
            })
            .collect()
    }
}
