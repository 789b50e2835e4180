//! A run made ready: its pinned documents compiled, its channels bound. Done once per run and node.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::campaign::{CampaignDocument, CustomDelivery, PluginReference};
use pinion_domain::channel::{ChannelType, EmailChannelRequest};
use pinion_domain::extension::{Binding, Caller, Channel, Grant, Personalizer};
use pinion_domain::id::{RunId, SegmentId};
use pinion_domain::message::MessageConfiguration;
use pinion_domain::template::{EmailTemplate, TemplateConfiguration};
use pinion_store::{AppRef, Run, Scope, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use url::Url;

use super::snapshot::Snapshot;
use crate::config::{Delivery, ServerBinding};
use crate::render::{DataRenderer, EmailRenderer};
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

/// What one treatment says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PinnedMessage {
    /// The mail, from a template or from the campaign itself.
    pub email: Option<EmailTemplate>,
    /// Its sender.
    pub from: Option<String>,
    /// What a custom channel gets.
    pub data: Option<String>,
    /// Who delivers it.
    pub delivery: Option<CustomDelivery>,
}

/// Freezes what a treatment says. Fails with a sentence for the campaign's owner.
pub(crate) async fn prepare_message(
    store: &Store,
    app: &AppRef,
    message: Option<&MessageConfiguration>,
    templates: Option<&TemplateConfiguration>,
    delivery: Option<&CustomDelivery>,
) -> Result<PinnedMessage> {
    let inline = message.and_then(|message| message.email_message.as_ref());
    let reference = templates.and_then(|templates| templates.email_template.as_ref());
    let mut email = match reference
        .and_then(|reference| reference.name.as_deref().map(|name| (name, reference)))
    {
        None => None,
        Some((name, reference)) => Some(find_template(store, app, name, reference.version.as_deref()).await?),
    };
    if let Some(inline) = inline {
        // What the campaign says itself wins over the template, part by part.
        let email = email.get_or_insert_default();
        email.subject = inline.title.clone().or(email.subject.take());
        email.html_part = inline.html_body.clone().or(email.html_part.take());
        email.text_part = inline.body.clone().or(email.text_part.take());
        email.headers = inline.headers.clone().or(email.headers.take());
    }
    if email.is_none()
        && let Some(default) = message.and_then(|message| message.default_message.as_ref())
        && default.body.is_some()
    {
        email = Some(EmailTemplate {
            subject: default.title.clone(),
            text_part: default.body.clone(),
            ..EmailTemplate::default()
        });
    }
    let mut from = inline.and_then(|inline| inline.from_address.clone());
    if email.is_some() {
        let channel = email_channel(store, app).await?;
        from = from.or(Some(channel.from_address));
    }
    let data = message
        .and_then(|message| message.custom_message.as_ref())
        .and_then(|custom| custom.data.clone());
    Ok(PinnedMessage {
        email,
        from,
        data,
        delivery: delivery.cloned(),
    })
}

/// The application's e-mail channel, if it is enabled.
pub(crate) async fn email_channel(store: &Store, app: &AppRef) -> Result<EmailChannelRequest> {
    let disabled = || Error::CannotRun("the e-mail channel is not enabled for this application".to_owned());
    let row = store
        .channel(app, ChannelType::Email)
        .await?
        .ok_or_else(disabled)?;
    let channel: EmailChannelRequest = serde_json::from_value(row.document)
        .map_err(|error| Error::CannotRun(format!("the e-mail channel cannot be read: {error}")))?;
    if channel.enabled == Some(false) {
        Err(disabled())
    } else {
        Ok(channel)
    }
}

/// A template's version, or the active one.
pub(crate) async fn find_template(
    store: &Store,
    app: &AppRef,
    name: &str,
    version: Option<&str>,
) -> Result<EmailTemplate> {
    let version = match version {
        None | Some("" | "active") => None,
        Some(text) => Some(text.parse::<u32>().map_err(|_| {
            domain::Error::invalid(
                "TemplateConfiguration.EmailTemplate.Version",
                "must be a version's number",
            )
        })?),
    };
    let found = store
        .document::<EmailTemplate>(Scope::from(&app.tenant), name, version)
        .await?;
    Ok(found
        .ok_or_else(|| Error::CannotRun(format!("the e-mail template {name} does not exist")))?
        .document)
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
}

/// What one treatment sends, by channel.
pub(super) struct Treatment {
    pub(super) id: String,
    pub(super) email: Option<Mail>,
    pub(super) custom: Option<Custom>,
}

pub(super) struct Mail {
    pub(super) renderer: EmailRenderer,
    pub(super) from: Option<String>,
    /// Absent: no binding serves e-mail; every recipient is told so.
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
        let rate = pins
            .campaign
            .limits
            .as_ref()
            .and_then(|limits| limits.messages_per_second);
        Ok(PreparedRun {
            app: app.clone(),
            run_no,
            run_id: run.id.clone(),
            scheduled: run.scheduled,
            deadline: run.deadline,
            snapshot: self.snapshot(&run).await?,
            rate: rate.and_then(|rate| u32::try_from(rate).ok()),
            personalizer,
            treatments,
        })
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
                renderer: EmailRenderer::new(template).map_err(|error| {
                    Error::CannotRun(format!("{}, line {}: {}", error.part, error.line, error.message))
                })?,
                from: message.from.clone(),
                route: self.route(app, ChannelType::Email).await?,
            }),
        };
        let custom = match &message.delivery {
            None => None,
            Some(delivery) => Some(Custom {
                renderer: DataRenderer::new(message.data.as_deref().unwrap_or_default()).map_err(
                    |error| {
                        Error::CannotRun(format!(
                            "CustomMessage.Data, line {}: {}",
                            error.line, error.message
                        ))
                    },
                )?,
                types: if delivery.endpoint_types.is_empty() {
                    vec![ChannelType::Custom]
                } else {
                    delivery.endpoint_types.clone()
                },
                route: self.delivery_route(caller, &delivery.delivery_uri).await?,
            }),
        };
        Ok(Treatment { id, email, custom })
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
