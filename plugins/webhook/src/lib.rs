//! Custom channel: posts messages to a URL in the payload that Amazon Pinpoint's custom channels use
//! (developer guide, "Creating custom channels"), up to 50 endpoints a call.

use std::time::Duration;

use pinion_sdk::custom_channel::{self, Answer, Payload};
use pinion_sdk::http::Request;
use pinion_sdk::{Channel, Message, Outcome, Problem, SendError, send_in_calls};
use serde::Deserialize;

/// As long as Pinpoint waits.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The settings of a binding. The secret `authorization` is not among them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    url: String,
    /// How the secret `authorization` is sent along.
    #[serde(default)]
    auth: Auth,
    /// If given, `check` wants the receiver to answer HEAD with this account in
    /// `X-Amz-Pinpoint-AccountId`, as Pinpoint does.
    account_id: Option<String>,
}

/// How to prove to the receiver who calls.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Auth {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Bearer` and the secret.
    Bearer,
    /// `Authorization:` and the secret, whatever it is.
    Header,
}

/// The channel.
#[derive(Debug)]
pub struct Webhook {
    settings: Settings,
}

impl Webhook {
    fn request(&self, method: &str) -> Request {
        let request = Request::new(method, &self.settings.url).timeout(TIMEOUT);
        match self.settings.auth {
            Auth::None => request,
            Auth::Bearer => request.bearer("authorization"),
            Auth::Header => request.secret("authorization", "authorization"),
        }
    }

    /// One call: its messages share their fate, apart from what the answer says of each.
    async fn post(&self, messages: &[&Message]) -> Result<Vec<Outcome>, SendError> {
        let request = self.request("POST").json(&Payload::of(messages)?);
        let response = request.carries_all(messages).send().await?;
        response.accepted()?;
        let answer = Answer::of(&response);
        Ok(messages
            .iter()
            .map(|message| Ok(answer.receipt(message)))
            .collect())
    }
}

impl Channel for Webhook {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let scheme = settings.url.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("https" | "http")) {
            return Err("settings: url must begin with https://".to_owned());
        }
        Ok(Self { settings })
    }

    async fn send(&self, message: &Message) -> Outcome {
        self.post(&[message]).await?.remove(0)
    }

    async fn send_batch(&self, batch: &[Message]) -> Vec<Outcome> {
        send_in_calls(batch, custom_channel::fits, async |call| self.post(call).await).await
    }

    async fn check(&self) -> Vec<Problem> {
        let problem = match self.request("HEAD").send().await {
            Err(error) => format!(
                "the receiver cannot be asked: {}",
                SendError::from(error).reason()
            ),
            Ok(response) => match (&self.settings.account_id, response.accepted()) {
                (Some(account), Ok(())) if response.header("x-amz-pinpoint-accountid") != Some(account) => {
                    "the answer to HEAD does not name this account in X-Amz-Pinpoint-AccountId".to_owned()
                }
                // Only with an account is the receiver bound to know HEAD.
                (Some(_), Err(_)) => format!("the answer to HEAD is {}", response.status),
                _ => return Vec::new(),
            },
        };
        vec![Problem::new("url", problem)]
    }
}

pinion_sdk::channel!(Webhook, manifest = "../plugin.json");
