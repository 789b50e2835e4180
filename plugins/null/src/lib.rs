//! A channel that accepts every message at once and sends nothing. With it, a benchmark measures
//! everything else.

use pinion_sdk::{Channel, Message, NoSettings, Outcome, Receipt};

/// Accepts everything.
#[derive(Debug)]
pub struct Null;

impl Channel for Null {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Self)
    }

    async fn send(&self, _: &Message) -> Outcome {
        Ok(Receipt::accepted())
    }

    /// Nothing leaves, so nothing needs reporting before the batch is done.
    async fn send_batch(&self, batch: &[Message]) -> Vec<Outcome> {
        batch.iter().map(|_| Ok(Receipt::accepted())).collect()
    }
}

pinion_sdk::channel!(Null, manifest = "../plugin.json");

#[cfg(test)]
mod tests {
    use pinion_sdk::testing::{Host, message};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_message_is_accepted() {
        let outcomes = Host::new().send::<Null>(&json!({}), vec![message("a"), message("b")]);
        assert_eq!(outcomes, vec![Ok(Receipt::accepted()), Ok(Receipt::accepted())]);
    }
}
