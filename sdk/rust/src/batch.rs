//! Many messages at once: all side by side, or several in each call to the provider.

use std::future::Future;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::channel::{Channel, Message, Outcome, SendError, report};

/// Runs futures at the same time; results in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: FuturesUnordered<_> = futures
        .into_iter()
        .enumerate()
        .map(|(index, future)| async move { (index, future.await) })
        .collect();
    let mut results: Vec<Option<F::Output>> = Vec::new();
    results.resize_with(running.len(), || None);
    while let Some((index, result)) = running.next().await {
        results[index] = Some(result);
    }
    results
        .into_iter()
        .map(|result| result.expect("the stream ends when every future has ended"))
        .collect()
}

/// Sends every message by itself, all at the same time, each reported as it ends.
pub(crate) async fn send_each<C: Channel>(channel: &C, batch: &[Message]) -> Vec<Outcome> {
    join_all(batch.iter().map(|message| async move {
        let outcome = channel.send(message).await;
        report(message, &outcome);
        outcome
    }))
    .await
}

/// Sends a batch in calls of several messages: what [`Channel::send_batch`] does for a provider that takes
/// many at once.
///
/// `fits` says whether a message may join a call that has some already; otherwise it joins a later call or begins
/// one. All calls run at the same time. `send` makes one call and gives an outcome for each of its messages, in
/// order, or one error for all of them; they are reported as the call ends. Panics if the outcomes are not as
/// many as the messages, a mistake in the plugin. The result is in the order of the batch.
///
/// ```
/// use pinion_sdk::http::Request;
/// use pinion_sdk::{Channel, Message, NoSettings, Outcome, Receipt, SendError, send_in_calls};
///
/// struct Bulk;
///
/// impl Bulk {
///     async fn call(&self, messages: &[&Message]) -> Result<Vec<Outcome>, SendError> {
///         let texts: Vec<_> = messages.iter().map(|message| (&message.to.value, message.text())).collect();
///         let request = Request::post("https://api.example.com/bulk").json(&texts);
///         request.carries_all(messages).send().await?.accepted()?;
///         Ok(vec![Ok(Receipt::accepted()); messages.len()])
///     }
/// }
///
/// impl Channel for Bulk {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self, String> {
///         Ok(Self)
///     }
///
///     async fn send(&self, message: &Message) -> Outcome {
///         self.call(&[message]).await?.remove(0)
///     }
///
///     async fn send_batch(&self, batch: &[Message]) -> Vec<Outcome> {
///         send_in_calls(batch, |call, _| call.len() < 500, async |call| self.call(call).await).await
///     }
/// }
/// ```
pub async fn send_in_calls<'a>(
    batch: &'a [Message],
    fits: impl Fn(&[&'a Message], &'a Message) -> bool,
    send: impl AsyncFn(&[&'a Message]) -> Result<Vec<Outcome>, SendError>,
) -> Vec<Outcome> {
    let calls = calls(batch, fits);
    let answers = join_all(calls.iter().map(async |call| {
        let outcomes = match send(&call.messages).await {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(error); call.messages.len()],
        };
        assert_eq!(
            outcomes.len(),
            call.messages.len(),
            "a call has one outcome for each of its messages"
        );
        for (message, outcome) in call.messages.iter().zip(&outcomes) {
            report(message, outcome);
        }
        outcomes
    }))
    .await;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
    for (call, answers) in calls.iter().zip(answers) {
        for (place, outcome) in call.places.iter().zip(answers) {
            outcomes[*place] = Some(outcome);
        }
    }
    let outcomes = outcomes.into_iter();
    outcomes
        .map(|outcome| outcome.expect("each message is in one call"))
        .collect()
}

/// Messages that go together, with their places in the batch.
struct Call<'a> {
    places: Vec<usize>,
    messages: Vec<&'a Message>,
}

/// Each message joins the first call that it fits into.
fn calls<'a>(batch: &'a [Message], fits: impl Fn(&[&'a Message], &'a Message) -> bool) -> Vec<Call<'a>> {
    let mut calls: Vec<Call<'a>> = Vec::new();
    for (place, message) in batch.iter().enumerate() {
        match calls.iter_mut().find(|call| fits(&call.messages, message)) {
            Some(call) => {
                call.places.push(place);
                call.messages.push(message);
            }
            None => calls.push(Call {
                places: vec![place],
                messages: vec![message],
            }),
        }
    }
    calls
}
