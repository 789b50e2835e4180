//! Plugins without WebAssembly, for tests of `engine`, `api` and `console`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::channel::{OutgoingMessage, Problem, ProviderEvent, Receipt, Verdict, Webhook, WebhookReply};
use super::{
    Binding, Caller, Channel, Grant, Kind, Manifest, Owner, Personalizer, PluginError, PluginInfo, Plugins,
    Predicate,
};
use crate::id::AccountId;

/// What a [`FakeChannel`] answers.
pub type Answer = Box<dyn Fn(&OutgoingMessage) -> Verdict + Send + Sync>;

/// A channel that keeps what it was given.
#[derive(Default)]
pub struct FakeChannel {
    sent: Mutex<Vec<OutgoingMessage>>,
    answer: Mutex<Option<Answer>>,
}

impl FakeChannel {
    /// Everything that was handed over, in order.
    pub fn sent(&self) -> Vec<OutgoingMessage> {
        self.sent.lock().clone()
    }

    /// Answers so from now on; before, everything is accepted.
    pub fn answer(&self, answer: impl Fn(&OutgoingMessage) -> Verdict + Send + Sync + 'static) {
        *self.answer.lock() = Some(Box::new(answer));
    }
}

#[async_trait]
impl Channel for FakeChannel {
    fn name(&self) -> (String, String) {
        ("fake".to_owned(), "1".to_owned())
    }

    fn max_batch(&self) -> usize {
        100
    }

    async fn check(&self) -> Result<Vec<Problem>, PluginError> {
        Ok(Vec::new())
    }

    async fn send(&self, batch: Vec<OutgoingMessage>) -> Vec<Verdict> {
        let answer = self.answer.lock();
        let verdicts = batch
            .iter()
            .map(|message| match answer.as_ref() {
                Some(answer) => answer(message),
                None => Verdict::Accepted(Receipt::default()),
            })
            .collect();
        self.sent.lock().extend(batch);
        verdicts
    }

    async fn events(&self, _: Webhook) -> Result<(Vec<ProviderEvent>, WebhookReply), PluginError> {
        Ok((
            Vec::new(),
            WebhookReply {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            },
        ))
    }
}

/// Plugins by name, put in by the test.
#[derive(Default)]
pub struct FakePlugins {
    channels: Mutex<HashMap<String, Arc<dyn Channel>>>,
    predicates: Mutex<HashMap<String, Arc<dyn Predicate>>>,
    personalizers: Mutex<HashMap<String, Arc<dyn Personalizer>>>,
}

impl FakePlugins {
    /// Puts in a channel.
    pub fn with_channel(self, name: &str, channel: Arc<dyn Channel>) -> Self {
        self.channels.lock().insert(name.to_owned(), channel);
        self
    }

    /// Puts in a predicate.
    pub fn with_predicate(self, name: &str, predicate: Arc<dyn Predicate>) -> Self {
        self.predicates.lock().insert(name.to_owned(), predicate);
        self
    }

    /// Puts in a personalizer.
    pub fn with_personalizer(self, name: &str, personalizer: Arc<dyn Personalizer>) -> Self {
        self.personalizers.lock().insert(name.to_owned(), personalizer);
        self
    }
}

fn find<T: ?Sized>(map: &Mutex<HashMap<String, Arc<T>>>, name: &str) -> Result<Arc<T>, PluginError> {
    map.lock()
        .get(name)
        .cloned()
        .ok_or_else(|| PluginError::NotFound(name.to_owned()))
}

#[async_trait]
impl Plugins for FakePlugins {
    async fn channel(&self, _: &Caller, binding: &Binding) -> Result<Arc<dyn Channel>, PluginError> {
        find(&self.channels, &binding.plugin)
    }

    async fn predicate(&self, _: &Caller, name: &str, _: &str) -> Result<Arc<dyn Predicate>, PluginError> {
        find(&self.predicates, name)
    }

    async fn personalizer(
        &self,
        _: &Caller,
        name: &str,
        _: &str,
    ) -> Result<Arc<dyn Personalizer>, PluginError> {
        find(&self.personalizers, name)
    }

    async fn install(
        &self,
        _: Owner,
        name: &str,
        _: Bytes,
        _: Vec<Grant>,
    ) -> Result<PluginInfo, PluginError> {
        Err(PluginError::Refused(format!("the fake cannot install {name}")))
    }

    async fn remove(&self, _: &Owner, name: &str) -> bool {
        self.channels.lock().remove(name).is_some()
    }

    async fn grant(&self, _: &Owner, name: &str, _: Vec<Grant>) -> Result<PluginInfo, PluginError> {
        Err(PluginError::NotFound(name.to_owned()))
    }

    fn list(&self, _: &AccountId) -> Vec<PluginInfo> {
        let info = |name: &String, kind| PluginInfo {
            owner: Owner::Server,
            manifest: Manifest {
                name: name.clone(),
                version: "1".to_owned(),
                kind,
                description: String::new(),
                max_batch: 100,
                hosts: Vec::new(),
                secrets: Vec::new(),
            },
            digest: "0".repeat(64),
            size: 0,
            grants: Vec::new(),
        };
        let mut all: Vec<PluginInfo> = Vec::new();
        all.extend(self.channels.lock().keys().map(|name| info(name, Kind::Channel)));
        all.extend(
            self.predicates
                .lock()
                .keys()
                .map(|name| info(name, Kind::Predicate)),
        );
        all.extend(
            self.personalizers
                .lock()
                .keys()
                .map(|name| info(name, Kind::Personalizer)),
        );
        all
    }
}
