//! Channels: a plugin with the settings of a binding, behind [`pinion_domain::extension::Channel`].

pub mod batch;
mod convert;
mod functions;
pub mod instance;
pub mod settings;
pub mod state;
mod suspects;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;
use pinion_domain::extension::channel::{
    Channel, OutgoingMessage, Problem, ProviderEvent, Verdict, Webhook, WebhookReply,
};
use pinion_domain::extension::{Binding, Caller, Grant, Kind, PluginError};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::batch::Batch;
use self::convert::{events_out, message_in, problems_out, verdict_out, webhook_in};
use self::instance::{Allowance, ChannelInstance};
use self::settings::Settings;
use self::state::{Bound, Reach, Running};
use self::suspects::Suspects;
use crate::fault::{failed, fault_text};
use crate::plugin::{Code, Installed, Version};
use crate::services::{Services, Shed};

/// A binding that can send.
pub struct SandboxedChannel {
    services: Arc<Services>,
    caller: Caller,
    plugin: String,
    settings: serde_json::Value,
    grants: Arc<Vec<Grant>>,
    /// Calls that may run at once, and some more that only single messages may use: a password
    /// never waits behind a campaign.
    lanes: Semaphore,
    express: Semaphore,
    idle: Mutex<Vec<ChannelInstance>>,
    suspects: Suspects,
    /// What the plugin said of itself when the binding was opened: shown if it is gone.
    opened: (String, usize),
}

impl SandboxedChannel {
    /// Opens a binding; the plugin must be there, and a channel.
    pub fn new(services: Arc<Services>, caller: &Caller, binding: &Binding) -> Result<Self, PluginError> {
        let version = services
            .registry
            .find(&caller.account, &binding.plugin)?
            .version();
        if version.manifest.kind != Kind::Channel {
            return Err(version.wrong_kind(Kind::Channel));
        }
        let max_batch = version.manifest.max_batch.max(1);
        let lanes = (services.limits.messages_in_flight / max_batch).clamp(4, 64);
        Ok(Self {
            services,
            caller: caller.clone(),
            plugin: binding.plugin.clone(),
            settings: binding.settings.clone(),
            grants: Arc::new(binding.grants.clone()),
            lanes: Semaphore::new(lanes),
            express: Semaphore::new(lanes / 4),
            idle: Mutex::default(),
            suspects: Suspects::default(),
            opened: (version.manifest.version.clone(), max_batch),
        })
    }

    fn installed(&self) -> Result<Arc<Installed>, PluginError> {
        self.services.registry.find(&self.caller.account, &self.plugin)
    }

    async fn lane(&self, messages: usize) -> SemaphorePermit<'_> {
        let permit = if messages == 1 {
            tokio::select! {
                biased;
                lane = self.lanes.acquire() => lane,
                lane = self.express.acquire() => lane,
            }
        } else {
            self.lanes.acquire().await
        };
        permit.expect("these semaphores are never closed")
    }

    /// An instance of a version: an idle one, or a fresh one.
    async fn take(&self, version: &Arc<Version>) -> Result<ChannelInstance, PluginError> {
        let (kept, outdated): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.idle.lock())
            .into_iter()
            .partition(|instance| Arc::ptr_eq(instance.version(), version));
        drop(outdated);
        let found = {
            let mut idle = self.idle.lock();
            idle.extend(kept);
            idle.pop()
        };
        if let Some(instance) = found {
            return Ok(instance);
        }
        let Code::Channel(component) = &version.code else {
            return Err(version.wrong_kind(Kind::Channel));
        };
        let bound = Bound {
            services: self.services.clone(),
            caller: self.caller.clone(),
            store_name: version.store_name(),
            settings: Settings::part(&self.settings, &version.manifest.secrets),
        };
        ChannelInstance::new(version, component, Arc::new(bound)).await
    }

    fn put_back(&self, instance: ChannelInstance) {
        let limits = &self.services.limits;
        let mut idle = self.idle.lock();
        if instance.uses() < limits.uses && idle.len() < limits.idle_instances {
            idle.push(instance);
        }
    }

    fn running(
        &self,
        installed: &Installed,
        version: &Version,
        batch: Batch,
        messages: usize,
    ) -> Arc<Running> {
        let reach = Reach {
            asked: version.manifest.hosts.clone(),
            granted: installed.grants(),
            binding: self.grants.clone(),
        };
        let open = self.services.limits.open_requests.saturating_add(count(messages));
        Arc::new(Running::new(batch, reach, open))
    }

    fn allowance(&self, messages: usize) -> Allowance {
        let limits = &self.services.limits;
        let messages = count(messages);
        Allowance {
            cpu: limits.cpu + limits.cpu_per_message.saturating_mul(messages),
            wall: if messages > 0 {
                limits.send_wall
            } else {
                limits.call_wall
            },
            host_calls: limits
                .host_calls
                .saturating_add(limits.host_calls_per_message.saturating_mul(messages)),
        }
    }

    /// Sends what fits into one call.
    async fn send_batch(&self, messages: Vec<OutgoingMessage>) -> Vec<Verdict> {
        let count = messages.len();
        let batch = Batch::new(&messages);
        let _lane = self.lane(count).await;
        let taken = match self.installed() {
            Ok(installed) => {
                let version = installed.version();
                self.take(&version)
                    .await
                    .map(|instance| (installed, version, instance))
            }
            Err(error) => Err(error),
        };
        let (installed, version, mut instance) = match taken {
            Ok(taken) => taken,
            Err(error) => return batch.abandon(&error.to_string()),
        };
        let running = self.running(&installed, &version, batch, count);
        let messages: Vec<_> = messages.into_iter().map(message_in).collect();
        let sent = instance
            .call(
                "send",
                self.allowance(count),
                running.clone(),
                |guest, accessor| Box::pin(guest.call_send(accessor, messages)),
            )
            .await;
        match sent {
            Ok(results) if results.len() == count => {
                self.put_back(instance);
                running
                    .batch
                    .finish(results.into_iter().map(verdict_out).collect())
            }
            Ok(results) => {
                let problem = format!("answered {} results for {count} messages", results.len());
                running
                    .batch
                    .abandon(&fault_text(&version.manifest, &problem).to_string())
            }
            Err(error) => {
                if count > 1 {
                    self.suspects.add(running.batch.untouched());
                }
                running.batch.abandon(&error.to_string())
            }
        }
    }
}

fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

impl Shed for SandboxedChannel {
    fn shed(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

#[async_trait]
impl Channel for SandboxedChannel {
    fn name(&self) -> (String, String) {
        let version = match self.installed() {
            Ok(installed) => installed.version().manifest.version.clone(),
            Err(_) => self.opened.0.clone(),
        };
        (self.plugin.clone(), version)
    }

    fn max_batch(&self) -> usize {
        match self.installed() {
            Ok(installed) => installed.version().manifest.max_batch,
            Err(_) => self.opened.1,
        }
    }

    async fn check(&self) -> Result<Vec<Problem>, PluginError> {
        let _lane = self.lane(1).await;
        let installed = self.installed()?;
        let version = installed.version();
        let mut instance = self.take(&version).await?;
        let running = self.running(&installed, &version, Batch::default(), 0);
        let problems = instance
            .call("check", self.allowance(0), running, |guest, accessor| {
                Box::pin(guest.call_check(accessor))
            })
            .await?;
        self.put_back(instance);
        Ok(problems_out(problems))
    }

    async fn send(&self, batch: Vec<OutgoingMessage>) -> Vec<Verdict> {
        let parts = self.suspects.part(batch, self.max_batch().max(1));
        let sent = join_all(parts.into_iter().map(async |(places, batch)| {
            let verdicts = self.send_batch(batch).await;
            places.into_iter().zip(verdicts)
        }));
        let mut verdicts: Vec<_> = sent.await.into_iter().flatten().collect();
        verdicts.sort_by_key(|(place, _)| *place);
        verdicts.into_iter().map(|(_, verdict)| verdict).collect()
    }

    async fn events(&self, request: Webhook) -> Result<(Vec<ProviderEvent>, WebhookReply), PluginError> {
        let _lane = self.lane(1).await;
        let installed = self.installed()?;
        let version = installed.version();
        let mut instance = self.take(&version).await?;
        let running = self.running(&installed, &version, Batch::default(), 0);
        let request = webhook_in(request);
        let answer = instance
            .call("events", self.allowance(0), running, |guest, accessor| {
                Box::pin(guest.call_events(accessor, request))
            })
            .await?;
        self.put_back(instance);
        let (events, reply) = answer.map_err(|message| failed(&version.manifest, &message))?;
        events_out(events, reply).map_err(|problem| fault_text(&version.manifest, &problem))
    }
}
