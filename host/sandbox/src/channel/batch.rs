//! What became of a batch so far. It lives outside the store, so that it survives a trap.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pinion_domain::extension::channel::{OutgoingMessage, Verdict};

/// The running batch of an instance.
#[derive(Default)]
pub struct Batch {
    deliveries: Mutex<Vec<Delivery>>,
    places: HashMap<String, usize>,
    /// In the order of the messages.
    addresses: Arc<[String]>,
}

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
        Self {
            deliveries: Mutex::new(deliveries),
            places: index,
            addresses: messages.iter().map(|message| message.address.clone()).collect(),
        }
    }

    /// The deliveries that nobody reported and that no request carried.
    pub fn untouched(&self) -> Vec<String> {
        let deliveries = self.deliveries.lock();
        let is_untouched = |place: &usize| {
            let delivery = deliveries.get(*place);
            delivery.is_some_and(|delivery| delivery.verdict.is_none() && delivery.left == 0)
        };
        let untouched = self.places.iter().filter(|(_, place)| is_untouched(place));
        untouched.map(|(id, _)| id.clone()).collect()
    }

    /// Where the messages go.
    pub fn addresses(&self) -> Arc<[String]> {
        self.addresses.clone()
    }

    /// Does this delivery go to that mailbox? Domains are compared in their `xn--` form.
    pub fn goes_to(&self, delivery: &str, mailbox: &str) -> bool {
        let address = self
            .places
            .get(delivery)
            .and_then(|place| self.addresses.get(*place));
        address.is_some_and(|address| canonical(bare(address)) == canonical(mailbox))
    }

    /// Takes a report. The first one counts; a delivery of another batch is nobody's.
    pub fn report(&self, delivery: &str, verdict: Verdict) {
        if let Some(position) = self.places.get(delivery)
            && let Some(delivery) = self.deliveries.lock().get_mut(*position)
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
        let mut deliveries = self.deliveries.lock();
        for position in ids.iter().filter_map(|id| self.places.get(id)) {
            if let Some(delivery) = deliveries.get_mut(*position) {
                change(delivery);
            }
        }
    }

    /// Ends a batch that the plugin answered: what it did not report, it returned.
    pub fn finish(&self, returned: Vec<Verdict>) -> Vec<Verdict> {
        let deliveries = std::mem::take(&mut *self.deliveries.lock());
        let verdicts = deliveries.into_iter().zip(returned);
        verdicts
            .map(|(delivery, returned)| delivery.verdict.unwrap_or(returned))
            .collect()
    }

    /// Ends a batch that the plugin did not answer.
    pub fn abandon(&self, fault: &str) -> Vec<Verdict> {
        let deliveries = std::mem::take(&mut *self.deliveries.lock());
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

/// The address in `Name <address>`.
fn bare(address: &str) -> &str {
    let address = address.trim();
    match address.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, address)) => address.trim(),
        None => address,
    }
}

fn canonical(mailbox: &str) -> String {
    match mailbox.rsplit_once('@') {
        Some((local, domain)) => match url::Host::parse(domain) {
            Ok(domain) => format!("{local}@{domain}"),
            Err(_) => mailbox.to_owned(),
        },
        None => mailbox.to_owned(),
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
    fn a_delivery_goes_to_its_own_address_alone() {
        let mut messages = ["a", "b", "c"].map(message);
        messages[1].address = "Nina <nina@Example.com>".to_owned();
        messages[2].address = "żółw@żółw.pl".to_owned();
        let batch = Batch::new(&messages);
        for (delivery, mailbox, goes) in [
            ("a", "a@example.com", true),
            ("a", "a@EXAMPLE.com", true),
            ("a", "A@example.com", false),
            ("a", "nina@example.com", false),
            ("a", "a@example.com.evil.test", false),
            ("b", "nina@example.com", true),
            ("c", "żółw@xn--w-uga1v8h.pl", true),
            ("d", "a@example.com", false),
        ] {
            assert_eq!(batch.goes_to(delivery, mailbox), goes, "{delivery} {mailbox}");
        }
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
