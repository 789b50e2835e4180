//! Sends messages through a provider's HTTP API.

use pinion_sdk::http::Request;
use pinion_sdk::{Channel, Message, Outcome, Receipt};
use serde::Deserialize;
use serde_json::{Value, json};

/// The settings of a binding. Secrets are not among them: the host puts them in by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where messages are posted.
    url: String,
    /// Whom they come from.
    sender: String,
}

/// The channel.
#[derive(Debug)]
pub struct TYPE {
    settings: Settings,
}

impl Channel for TYPE {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if !settings.url.starts_with("http") {
            return Err("settings: url must begin with https://".to_owned());
        }
        Ok(Self { settings })
    }

    async fn send(&self, message: &Message) -> Outcome {
        let body = json!({
            "from": self.settings.sender,
            "to": message.to.value,
            "text": message.text(),
        });
        let request = Request::post(&self.settings.url)
            .bearer("api_key")
            .header("idempotency-key", &message.delivery_id)
            .json(&body);
        let response = request.carries(message).send().await?;
        response.accepted()?;
        let answer: Value = response.json().unwrap_or_default();
        Ok(Receipt::with_id(answer["id"].as_str().unwrap_or_default()))
    }
}

pinion_sdk::channel!(TYPE, manifest = "../plugin.json");
