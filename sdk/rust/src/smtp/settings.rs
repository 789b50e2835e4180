//! Which relay, as an operator says it.

use std::num::NonZeroU16;

use serde::Deserialize;

use super::{Relay, Tls};

/// Settings of a channel that speaks to one relay. The password is not among them: it is a secret, and the host
/// puts it in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySettings {
    /// The relay's name or address.
    pub host: String,
    /// Its port.
    pub port: NonZeroU16,
    /// `none`, `starttls` (default) or `implicit`.
    #[serde(default = "starttls", with = "Security")]
    pub tls: Tls,
    /// If given and not empty, the relay wants a login.
    #[serde(default)]
    pub username: Option<String>,
}

fn starttls() -> Tls {
    Tls::Starttls
}

#[derive(Deserialize)]
#[serde(remote = "Tls", rename_all = "lowercase")]
enum Security {
    None,
    Starttls,
    Implicit,
}

impl RelaySettings {
    /// The relay, with `password` as the name of the secret that goes with the user name.
    pub fn relay(self, password: &str) -> Result<Relay, String> {
        if self.host.is_empty() {
            return Err("settings: host: must not be empty".to_owned());
        }
        let username = self.username.filter(|name| !name.is_empty());
        Ok(Relay {
            host: self.host,
            port: self.port.get(),
            tls: self.tls,
            auth: username.map(|name| (name, password.to_owned())),
        })
    }
}
