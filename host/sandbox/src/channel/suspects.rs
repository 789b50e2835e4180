//! Messages of a batch in whose middle a plugin died. One of them may be what it dies of: when they come
//! again, each goes alone, so that only the culprit fails.

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;
use pinion_domain::extension::channel::OutgoingMessage;

/// How many are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 10_000;

/// Delivery ids under suspicion.
#[derive(Default)]
pub struct Suspects(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Suspects {
    /// Suspects these deliveries.
    pub fn add(&self, ids: impl IntoIterator<Item = String>) {
        let mut inner = self.0.lock();
        for id in ids {
            if inner.ids.insert(id.clone()) {
                inner.order.push_back(id);
            }
        }
        while inner.order.len() > REMEMBERED {
            if let Some(oldest) = inner.order.pop_front() {
                inner.ids.remove(&oldest);
            }
        }
    }

    /// Parts messages into batches of at most `most`, each with the places of its messages. Suspects are
    /// alone.
    pub fn part(
        &self,
        messages: Vec<OutgoingMessage>,
        most: usize,
    ) -> Vec<(Vec<usize>, Vec<OutgoingMessage>)> {
        let inner = self.0.lock();
        let mut alone = Vec::new();
        let mut together: Vec<(Vec<usize>, Vec<OutgoingMessage>)> = Vec::new();
        for (place, message) in messages.into_iter().enumerate() {
            if inner.ids.contains(message.delivery_id.as_str()) {
                alone.push((vec![place], vec![message]));
                continue;
            }
            match together.last_mut().filter(|(places, _)| places.len() < most) {
                Some((places, batch)) => {
                    places.push(place);
                    batch.push(message);
                }
                None => together.push((vec![place], vec![message])),
            }
        }
        together.extend(alone);
        together
    }
}

#[cfg(test)]
mod tests {
    use pinion_domain::channel::ChannelType;

    use super::*;

    fn message(id: usize) -> OutgoingMessage {
        OutgoingMessage {
            delivery_id: id.to_string().as_str().into(),
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

    fn places(suspects: &Suspects, messages: usize) -> Vec<Vec<usize>> {
        let parts = suspects.part((0..messages).map(message).collect(), 3);
        for (places, batch) in &parts {
            let ids: Vec<_> = batch
                .iter()
                .map(|message| message.delivery_id.to_string())
                .collect();
            assert_eq!(ids, places.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
        parts.into_iter().map(|(places, _)| places).collect()
    }

    #[test]
    fn suspects_go_alone_and_the_others_in_full_batches() {
        let suspects = Suspects::default();
        assert_eq!(places(&suspects, 4), [vec![0, 1, 2], vec![3]]);
        suspects.add(["1".to_owned(), "1".to_owned(), "4".to_owned()]);
        assert_eq!(places(&suspects, 6), [vec![0, 2, 3], vec![5], vec![1], vec![4]]);
    }

    #[test]
    fn memory_is_bounded() {
        let suspects = Suspects::default();
        suspects.add((0..REMEMBERED + 2).map(|id| id.to_string()));
        assert_eq!(places(&suspects, 4), [vec![0, 1], vec![2], vec![3]]);
    }
}
