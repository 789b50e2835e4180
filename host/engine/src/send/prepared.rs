//! A run made ready: its pinned documents compiled, its channels bound. Done once per run and node.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pinion_domain::campaign::{CampaignDocument, Limits, PluginReference, QuietTime};
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::Reason;
use pinion_domain::extension::{Binding, Caller, Channel, Grant, Personalizer};
use pinion_domain::id::{RunId, SegmentId};
use pinion_store::{AppRef, Run};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use url::Url;

use super::pinned::{PinnedMessage, PinnedSms};
use super::snapshot::Snapshot;
use crate::config::{Delivery, ServerBinding};
use crate::render::{DataRenderer, EmailRenderer, PushRenderer, TemplateError, TextRenderer};
use crate::{Engine, Error, Result};

/// What a run uses, frozen when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pins {
    /// The campaign as it was.
    pub campaign: CampaignDocument,
    /// The segment.
    pub segment_id: SegmentId,
    /// Its version.
    pub segment_version: u32,
    /// Message of each treatment; the first is the campaign's own.
    pub messages: Vec<PinnedMessage>,
    /// The personalizer that is asked: its name and settings.
    pub personalizer: Option<(String, String)>,
}

/// A run made ready.
pub(crate) struct PreparedRun {
    pub(super) app: AppRef,
    pub(super) run_no: i64,
    pub(super) run_id: RunId,
    pub(super) scheduled: Timestamp,
    pub(super) deadline: Option<Timestamp>,
    pub(super) snapshot: Snapshot,
    /// Messages a second of the campaign.
    pub(super) rate: Option<u32>,
    pub(super) personalizer: Option<Arc<dyn Personalizer>>,
    pub(super) treatments: Vec<Treatment>,
    /// Who had enough messages of earlier runs, and by which limit.
    pub(super) had_enough: Vec<(Reason, RoaringBitmap)>,
    pub(super) quiet_time: Option<QuietTime>,
}

/// What one treatment sends, by channel.
pub(super) struct Treatment {
    pub(super) id: String,
    pub(super) email: Option<Mail>,
    pub(super) sms: Option<Sms>,
    pub(super) push: BTreeMap<ChannelType, Push>,
    pub(super) custom: Option<Custom>,
    /// Channel types that would have had a message, but are not enabled.
    pub(super) disabled: BTreeSet<ChannelType>,
}

/// Without a route, no binding serves the channel; every recipient is told so.
pub(super) struct Mail {
    pub(super) renderer: EmailRenderer,
    pub(super) from: Option<String>,
    pub(super) route: Option<Route>,
}

/// As [`Mail`].
pub(super) struct Sms {
    pub(super) renderer: TextRenderer,
    pub(super) from: Option<String>,
    pub(super) facts: Vec<(String, String)>,
    pub(super) route: Option<Route>,
}

/// As [`Mail`].
pub(super) struct Push {
    pub(super) renderer: PushRenderer,
    pub(super) route: Option<Route>,
}

pub(super) struct Custom {
    pub(super) renderer: DataRenderer,
    pub(super) types: Vec<ChannelType>,
    pub(super) route: Route,
}

/// The way that messages take.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) channel: Arc<dyn Channel>,
    /// The name of its rate.
    pub(crate) name: String,
    pub(crate) rate: Option<u32>,
    pub(crate) delivery: Delivery,
}

/// Runs made ready on this node.
#[derive(Default)]
pub struct PreparedRuns {
    runs: parking_lot::Mutex<HashMap<i64, Arc<OnceCell<Arc<PreparedRun>>>>>,
}

impl PreparedRuns {
    /// Forgets a run that is over.
    pub(crate) fn forget(&self, run_no: i64) {
        self.runs.lock().remove(&run_no);
    }
}

impl Engine {
    /// The run made ready, once per node. Fails with a sentence for the campaign's owner.
    pub(super) async fn prepared(&self, app: &AppRef, run_no: i64) -> Result<Arc<PreparedRun>> {
        let cell = Arc::clone(self.inner.runs.runs.lock().entry(run_no).or_default());
        let run = cell
            .get_or_try_init(|| async { self.prepare_run(app, run_no).await.map(Arc::new) })
            .await?;
        Ok(Arc::clone(run))
    }

    async fn prepare_run(&self, app: &AppRef, run_no: i64) -> Result<PreparedRun> {
        let store = &self.inner.store;
        let Some((_, run)) = store.run(run_no).await? else {
            return Err(Error::CannotRun("the run does not exist any more".to_owned()));
        };
        let pins = read_pins(&run)?;
        let caller = caller(app);
        let personalizer = match &pins.personalizer {
            Some((name, settings)) => Some(self.inner.plugins.personalizer(&caller, name, settings).await?),
            None => None,
        };
        let additional = pins
            .campaign
            .additional_treatments
            .iter()
            .map(|treatment| treatment.id.to_string());
        let mut treatments = Vec::with_capacity(pins.messages.len());
        for (message, id) in pins
            .messages
            .iter()
            .zip(std::iter::once("0".to_owned()).chain(additional))
        {
            treatments.push(self.prepare_treatment(app, &caller, message, id).await?);
        }
        let limits = pins.campaign.limits.clone().unwrap_or_default();
        let schedule = pins.campaign.schedule.as_ref();
        Ok(PreparedRun {
            app: app.clone(),
            run_no,
            run_id: run.id.clone(),
            scheduled: run.scheduled,
            deadline: run.deadline,
            snapshot: self.snapshot(&run).await?,
            rate: limits
                .messages_per_second
                .and_then(|rate| u32::try_from(rate).ok()),
            personalizer,
            treatments,
            had_enough: self.had_enough(app, &run, &limits).await?,
            quiet_time: schedule.and_then(|schedule| schedule.quiet_time.clone()),
        })
    }

    /// Who had as many messages of the campaign's earlier runs as its limits allow. Runs of a campaign do not
    /// overlap, so nobody can be added while this one lasts.
    async fn had_enough(
        &self,
        app: &AppRef,
        run: &Run,
        limits: &Limits,
    ) -> Result<Vec<(Reason, RoaringBitmap)>> {
        let day_ago = run.started - SignedDuration::from_hours(24);
        let mut had_enough = Vec::new();
        for (reason, limit, since) in [
            (Reason::TotalLimit, limits.total, None),
            (Reason::DailyLimit, limits.daily, Some(day_ago)),
        ] {
            // 0 is no limit, as in the console's empty field.
            let Some(times) = limit
                .and_then(|limit| u32::try_from(limit).ok())
                .filter(|times| *times > 0)
            else {
                continue;
            };
            let store = &self.inner.store;
            let reached = store.reached(app, &run.campaign, run.no, times, since).await?;
            had_enough.push((reason, reached));
        }
        Ok(had_enough)
    }

    async fn prepare_treatment(
        &self,
        app: &AppRef,
        caller: &Caller,
        message: &PinnedMessage,
        id: String,
    ) -> Result<Treatment> {
        let email = match &message.email {
            None => None,
            Some(template) => Some(Mail {
                renderer: EmailRenderer::new(template).map_err(|error| wrong("", &error))?,
                from: message.from.clone(),
                route: self.route(app, ChannelType::Email).await?,
            }),
        };
        let sms = match &message.sms {
            None => None,
            Some(PinnedSms {
                body,
                defaults,
                from,
                facts,
            }) => Some(Sms {
                renderer: TextRenderer::new(body, defaults.clone())
                    .map_err(|error| wrong("SMSMessage.", &error))?,
                from: from.clone(),
                facts: facts.clone(),
                route: self.route(app, ChannelType::Sms).await?,
            }),
        };
        let mut push = BTreeMap::new();
        for (channel_type, said) in &message.push {
            let renderer = PushRenderer::new(*channel_type, said, message.push_defaults.clone())
                .map_err(|error| wrong(&format!("{channel_type}: "), &error))?;
            let route = self.route(app, *channel_type).await?;
            push.insert(*channel_type, Push { renderer, route });
        }
        let custom = match (&message.delivery, &message.data) {
            (Some(delivery), data) => Some(Custom {
                renderer: data_renderer(data.as_deref().unwrap_or_default())?,
                types: if delivery.endpoint_types.is_empty() {
                    vec![ChannelType::Custom]
                } else {
                    delivery.endpoint_types.clone()
                },
                route: self.delivery_route(caller, &delivery.delivery_uri).await?,
            }),
            // The server's own binding delivers.
            (None, Some(data)) => match self.route(app, ChannelType::Custom).await? {
                None => None,
                Some(route) => Some(Custom {
                    renderer: data_renderer(data)?,
                    types: vec![ChannelType::Custom],
                    route,
                }),
            },
            (None, None) => None,
        };
        Ok(Treatment {
            id,
            email,
            sms,
            push,
            custom,
            disabled: message.disabled.clone(),
        })
    }

    /// The server-wide binding of a channel type, ready to send; `None` without a binding.
    pub(crate) async fn route(&self, app: &AppRef, channel_type: ChannelType) -> Result<Option<Route>> {
        let Some(ServerBinding {
            binding,
            rate,
            delivery,
        }) = self.inner.config.bindings.get(&channel_type)
        else {
            return Ok(None);
        };
        let channel = self.inner.plugins.channel(&caller(app), binding).await?;
        let name = format!("binding:{channel_type}");
        Ok(Some(Route {
            channel,
            name,
            rate: *rate,
            delivery: *delivery,
        }))
    }

    /// The way behind a `DeliveryUri`: `plugin:NAME`, or an https URL that the webhook plugin serves.
    async fn delivery_route(&self, caller: &Caller, uri: &str) -> Result<Route> {
        let server = self.inner.config.bindings.get(&ChannelType::Custom);
        let binding = match PluginReference::parse(uri) {
            Some(PluginReference { name, settings }) => {
                match server.filter(|server| server.binding.plugin == name) {
                    // The config's settings and grants belong to the plugin that it names.
                    Some(server) => server.binding.clone(),
                    None => Binding {
                        plugin: name.to_owned(),
                        settings: serde_json::from_str(settings).map_err(|error| {
                            Error::CannotRun(format!(
                                "DeliveryUri: the settings of {name} are not JSON: {error}"
                            ))
                        })?,
                        grants: Vec::new(),
                    },
                }
            }
            None => webhook_binding(uri)?,
        };
        let channel = self.inner.plugins.channel(caller, &binding).await?;
        let (rate, delivery) = server.map_or((None, Delivery::default()), |server| {
            (server.rate, server.delivery)
        });
        Ok(Route {
            channel,
            name: format!("delivery:{}:{uri}", caller.app),
            rate,
            delivery,
        })
    }
}

/// A campaign's URL opens its own public host, never a private one: the guard sees to that.
fn webhook_binding(uri: &str) -> Result<Binding> {
    let wrong = || Error::CannotRun(format!("DeliveryUri {uri:?} must be plugin:NAME or an https URL"));
    let url = Url::parse(uri).map_err(|_| wrong())?;
    let (Some(host), Some(port), "https") = (url.host_str(), url.port_or_known_default(), url.scheme())
    else {
        return Err(wrong());
    };
    let grant: Grant = format!("https://{host}:{port}").parse().map_err(|_| wrong())?;
    Ok(Binding {
        plugin: "webhook".to_owned(),
        settings: serde_json::json!({ "url": uri }),
        grants: vec![grant],
    })
}

fn data_renderer(data: &str) -> Result<DataRenderer> {
    DataRenderer::new(data).map_err(|error| wrong("", &error))
}

/// A text of the campaign that does not compile; `member` leads to its part.
fn wrong(member: &str, error: &TemplateError) -> Error {
    Error::CannotRun(format!(
        "{member}{}, line {}: {}",
        error.part, error.line, error.message
    ))
}

/// Who calls plugins for this application.
pub(crate) fn caller(app: &AppRef) -> Caller {
    Caller {
        account: app.tenant.account.clone(),
        app: app.id.clone(),
    }
}

pub(crate) fn read_pins(run: &Run) -> Result<Pins> {
    serde_json::from_value(run.pins.clone())
        .map_err(|error| Error::CannotRun(format!("the run's pinned documents cannot be read: {error}")))
}
