//! What became of a batch so far. It lives outside the store, so that it survives a trap.

use std::collections::HashMap;

use parking_lot::Mutex;
use pinion_domain::extension::channel::{OutgoingMessage, Verdict};

/// The running batch of an instance.
#[derive(Default)]
pub struct Batch(Mutex<Vec<Delivery>>, HashMap<String, usize>);

#[derive(Default)]
struct Delivery {
    verdict: Option<Verdict>,
    /// Requests that carried it and may have reached somebody.
    left: u32,
}

impl Batch {
    /// A batch of which nothing is known.
    pub fn new(messages: &[OutgoingMessage]) -> Self {
        let deliveries = messages.iter().map(|_| Delivery::default()).collect();
        let index = messages
            .iter()
            .enumerate()
            .map(|(position, message)| (message.delivery_id.as_str().to_owned(), position))
            .collect();
        Self(Mutex::new(deliveries), index)
    }

    /// Takes a report. The first one counts; a delivery of another batch is nobody's.
    pub fn report(&self, delivery: &str, verdict: Verdict) {
        if let Some(position) = self.1.get(delivery)
            && let Some(delivery) = self.0.lock().get_mut(*position)
        {
            delivery.verdict.get_or_insert(verdict);
        }
    }

    /// A request that carries these deliveries may be on its way.
    pub fn left(&self, deliveries: &[String]) {
        self.each(deliveries, |delivery| {
            delivery.left = delivery.left.saturating_add(1);
        });
    }

    /// The request is known not to have reached anybody.
    pub fn did_not_leave(&self, deliveries: &[String]) {
        self.each(deliveries, |delivery| {
            delivery.left = delivery.left.saturating_sub(1);
        });
    }

    fn each(&self, ids: &[String], change: impl Fn(&mut Delivery)) {
        let mut deliveries = self.0.lock();
        for position in ids.iter().filter_map(|id| self.1.get(id)) {
            if let Some(delivery) = deliveries.get_mut(*position) {
                change(delivery);
            }
        }
    }

    /// Ends a batch that the plugin answered: what it did not report, it returned.
    pub fn finish(&self, returned: Vec<Verdict>) -> Vec<Verdict> {
        let deliveries = std::mem::take(&mut *self.0.lock());
        let verdicts = deliveries.into_iter().zip(returned);
        verdicts
            .map(|(delivery, returned)| delivery.verdict.unwrap_or(returned))
            .collect()
    }

    /// Ends a batch that the plugin did not answer.
    pub fn abandon(&self, fault: &str) -> Vec<Verdict> {
        let deliveries = std::mem::take(&mut *self.0.lock());
        let unreported = |left: u32| Verdict::Unreported {
            left: left > 0,
            fault: fault.to_owned(),
        };
        deliveries
            .into_iter()
            .map(|delivery| delivery.verdict.unwrap_or_else(|| unreported(delivery.left)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use pinion_domain::channel::ChannelType;
    use pinion_domain::extension::channel::{Receipt, SendError};

    use super::*;

    fn message(id: &str) -> OutgoingMessage {
        OutgoingMessage {
            delivery_id: id.into(),
            attempt: 1,
            channel_type: ChannelType::Email,
            address: "a@example.com".to_owned(),
            from: None,
            reply_to: Vec::new(),
            parts: Vec::new(),
            headers: Vec::new(),
            metadata: Vec::new(),
        }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn unreported(left: bool) -> Verdict {
        Verdict::Unreported {
            left,
            fault: "it died".to_owned(),
        }
    }

    #[test]
    fn a_dead_plugin_leaves_what_it_reported_and_what_it_sent() {
        let batch = Batch::new(&["a", "b", "c", "d"].map(message));
        let accepted = Verdict::Accepted(Receipt::default());
        batch.left(&ids(&["a", "b", "c", "stranger"]));
        batch.report("a", accepted.clone());
        batch.report("a", Verdict::Refused(SendError::Rejected("too late".to_owned())));
        batch.report("stranger", accepted.clone());
        batch.did_not_leave(&ids(&["c"]));
        assert_eq!(
            batch.abandon("it died"),
            [accepted, unreported(true), unreported(false), unreported(false)]
        );
    }

    #[test]
    fn what_was_reported_comes_before_what_was_returned() {
        let batch = Batch::new(&["a", "b"].map(message));
        let refused = Verdict::Refused(SendError::Rejected("no".to_owned()));
        let accepted = Verdict::Accepted(Receipt::default());
        batch.report("a", refused.clone());
        assert_eq!(
            batch.finish(vec![accepted.clone(), accepted.clone()]),
            [refused, accepted]
        );
    }
}
