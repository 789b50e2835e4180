//! Push notifications: the payload as each service takes it, with what the client SDKs of Pinpoint look for
//! inside (`data.pinpoint` at Apple, `pinpoint.…` keys elsewhere).

use std::collections::BTreeMap;

use pinion_domain::channel::ChannelType;
use pinion_domain::message::PushMessage;
use pinion_domain::message::direct::MessageContext;
use pinion_domain::message::push::Action;
use serde_json::{Map, Value as Json, json};

use super::context::{Defaults, Scope};
use super::email::one_line;
use super::escape::Escape;
use super::overrides::{Overrides, given};
use super::template::Template;
use super::{RenderError, RenderInput, TemplateError};

/// Bytes of a payload (user guide, "Quotas": push notification quotas).
const LARGEST: usize = 4 * 1_024;
const LARGEST_VOIP: usize = 5 * 1_024;
const LARGEST_ADM: usize = 6 * 1_024;

/// A compiled push message for one channel.
#[derive(Debug)]
pub struct PushRenderer {
    channel: ChannelType,
    /// What is not a template.
    message: PushMessage,
    title: Option<Template>,
    body: Option<Template>,
    url: Option<Template>,
    media_url: Option<Template>,
    image_url: Option<Template>,
    image_icon_url: Option<Template>,
    small_image_icon_url: Option<Template>,
    data: Vec<(String, Template)>,
    raw: Option<Template>,
    defaults: Defaults,
}

/// What travels with a push besides its words.
#[derive(Clone, Debug, Default)]
pub struct PushFacts {
    /// The client's facts.
    pub context: MessageContext,
    /// The client's name for the request.
    pub trace_id: Option<String>,
    /// `campaign` or `journey` and the ids by which the client SDKs report opens.
    pub source: Option<(&'static str, BTreeMap<&'static str, String>)>,
}

/// A push for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedPush {
    /// One line.
    pub title: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// JSON as the service takes it; of FCM without the token, which the channel adds.
    pub payload: String,
    /// What the service wants beside the payload: `push-type`, `priority` …
    pub metadata: Vec<(String, String)>,
}

/// The words of a push, rendered.
struct Words {
    title: Option<String>,
    body: Option<String>,
    url: Option<String>,
    media_url: Option<String>,
    image_url: Option<String>,
    image_icon_url: Option<String>,
    small_image_icon_url: Option<String>,
    /// `data.pinpoint`
    pinpoint: Map<String, Json>,
}

impl PushRenderer {
    /// Compiles a message for a channel with the defaults of its template.
    pub fn new(
        channel: ChannelType,
        message: &PushMessage,
        defaults: BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let compile = |part: &str, source: &Option<String>| {
            let template = source
                .as_deref()
                .map(|source| Template::compile(source, Escape::None));
            template.transpose().map_err(|error| error.in_part(part))
        };
        let data = message.data.iter().flatten().map(|(name, value)| {
            let value = Template::compile(value, Escape::None)
                .map_err(|error| error.in_part(format!("Data.{name}")))?;
            Ok((name.clone(), value))
        });
        Ok(Self {
            channel,
            title: compile("Title", &message.title)?,
            body: compile("Body", &message.body)?,
            url: compile("Url", &message.url)?,
            media_url: compile("MediaUrl", &message.media_url)?,
            image_url: compile("ImageUrl", &message.image_url)?,
            image_icon_url: compile("ImageIconUrl", &message.image_icon_url)?,
            small_image_icon_url: compile("SmallImageIconUrl", &message.small_image_icon_url)?,
            data: data.collect::<Result<_, _>>()?,
            raw: message.raw_content.as_deref().map(raw).transpose()?,
            message: message.clone(),
            defaults,
        })
    }

    /// Compiles the payload that one recipient gets instead.
    pub fn raw_content(source: &str) -> Result<Template, TemplateError> {
        raw(source)
    }

    /// The push for one recipient. `raw_content` stands in place of everything.
    pub fn render(
        &self,
        input: &RenderInput<'_>,
        facts: &PushFacts,
        overrides: &Overrides,
        raw_content: Option<&Template>,
    ) -> Result<RenderedPush, RenderError> {
        let scope = Scope {
            input,
            defaults: &self.defaults,
            track: None,
        };
        let words = self.words(&scope, facts, overrides)?;
        let payload = match raw_content.or(self.raw.as_ref()) {
            Some(raw) => raw_payload(&raw.render_in(&scope, "RawContent")?)?,
            None => self.payload(&words).to_string(),
        };
        let most = match self.channel {
            ChannelType::Adm => LARGEST_ADM,
            ChannelType::ApnsVoip | ChannelType::ApnsVoipSandbox => LARGEST_VOIP,
            _ => LARGEST,
        };
        if payload.len() > most {
            let size = payload.len();
            return Err(RenderError::TooLarge { size, most });
        }
        Ok(RenderedPush {
            title: words.title,
            body: words.body,
            payload,
            metadata: self.metadata(),
        })
    }

    fn words(
        &self,
        scope: &Scope<'_>,
        facts: &PushFacts,
        overrides: &Overrides,
    ) -> Result<Words, RenderError> {
        let text = |template: &Option<Template>, part: &str| {
            let template = template.as_ref();
            template
                .map(|template| template.render_in(scope, part))
                .transpose()
        };
        let replaced = |over: &Option<Template>, output: &str, own: &Option<Template>, part: &str| match (
            over,
            given(scope.input, output),
        ) {
            (Some(over), _) => over.render_in(scope, output).map(Some),
            (None, Some(given)) => Ok(Some(given)),
            (None, None) => text(own, part),
        };
        let title = replaced(&overrides.title, "TitleOverride", &self.title, "Title")?;
        let body = replaced(&overrides.body, "BodyOverride", &self.body, "Body")?;
        let url = text(&self.url, "Url")?;

        let mut pinpoint: Map<String, Json> = facts
            .context
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        if let Some(trace_id) = &facts.trace_id {
            pinpoint.insert("traceId".to_owned(), trace_id.as_str().into());
        }
        if let Some((source, ids)) = &facts.source {
            pinpoint.insert((*source).to_owned(), json!(ids));
        }
        match (self.message.action.unwrap_or_default(), &url) {
            (Action::DeepLink, Some(url)) => pinpoint.insert("deeplink".to_owned(), url.as_str().into()),
            (Action::Url, Some(url)) => pinpoint.insert("url".to_owned(), url.as_str().into()),
            _ => pinpoint.insert("openApp".to_owned(), "true".into()),
        };
        if !self.data.is_empty() {
            let mut data = Map::new();
            for (name, value) in &self.data {
                data.insert(name.clone(), value.render_in(scope, "Data")?.into());
            }
            pinpoint.insert("jsonBody".to_owned(), data.into());
        }
        Ok(Words {
            title: title.map(one_line),
            body,
            url,
            media_url: text(&self.media_url, "MediaUrl")?,
            image_url: text(&self.image_url, "ImageUrl")?,
            image_icon_url: text(&self.image_icon_url, "ImageIconUrl")?,
            small_image_icon_url: text(&self.small_image_icon_url, "SmallImageIconUrl")?,
            pinpoint,
        })
    }

    fn is_silent(&self) -> bool {
        self.message.silent_push == Some(true)
    }

    fn payload(&self, words: &Words) -> Json {
        match self.channel {
            ChannelType::Apns
            | ChannelType::ApnsSandbox
            | ChannelType::ApnsVoip
            | ChannelType::ApnsVoipSandbox => self.apns(words),
            ChannelType::Gcm => self.gcm(words),
            ChannelType::Adm => self.adm(words),
            ChannelType::Baidu => self.baidu(words),
            _ => self.plain(words),
        }
    }

    /// Apple's "Generating a remote notification".
    fn apns(&self, words: &Words) -> Json {
        let message = &self.message;
        let mut aps = Map::new();
        if self.is_silent() {
            aps.insert("content-available".to_owned(), 1.into());
        } else {
            let alert = object([("title", words.title.as_deref()), ("body", words.body.as_deref())]);
            aps.insert("alert".to_owned(), alert.into());
            if let Some(badge) = message.badge {
                aps.insert("badge".to_owned(), badge.into());
            }
            // Lets the app's extension fetch the picture before it is shown.
            if words.media_url.is_some() {
                aps.insert("mutable-content".to_owned(), 1.into());
            }
            aps.extend(object([
                ("sound", message.sound.as_deref()),
                ("category", message.category.as_deref()),
                ("thread-id", message.thread_id.as_deref()),
            ]));
        }
        let mut data = object([("media-url", words.media_url.as_deref())]);
        data.insert("pinpoint".to_owned(), words.pinpoint.clone().into());
        json!({ "aps": aps, "data": data })
    }

    /// A data message of Firebase Cloud Messaging, with the options of its legacy protocol beside it.
    fn gcm(&self, words: &Words) -> Json {
        let message = &self.message;
        let mut document = object([
            ("collapse_key", message.collapse_key.as_deref()),
            (
                "restricted_package_name",
                message.restricted_package_name.as_deref(),
            ),
            ("priority", self.priority("normal", "high")),
        ]);
        if let Some(seconds) = message.time_to_live {
            document.insert("time_to_live".to_owned(), seconds.into());
        }
        document.insert("data".to_owned(), self.android(words).into());
        document.into()
    }

    /// Amazon's "Sending a message via ADM".
    fn adm(&self, words: &Words) -> Json {
        let message = &self.message;
        let mut document = object([
            ("consolidationKey", message.consolidation_key.as_deref()),
            ("md5", message.md5.as_deref()),
        ]);
        if let Some(seconds) = message
            .expires_after
            .as_deref()
            .and_then(|seconds| seconds.parse::<i64>().ok())
        {
            document.insert("expiresAfter".to_owned(), seconds.into());
        }
        document.insert("data".to_owned(), self.android(words).into());
        document.into()
    }

    fn baidu(&self, words: &Words) -> Json {
        let mut document = object([
            ("title", words.title.as_deref()),
            ("description", words.body.as_deref()),
        ]);
        if self.message.action == Some(Action::Url) {
            document.insert("open_type".to_owned(), 1.into());
            document.extend(object([("url", words.url.as_deref())]));
        }
        document.insert("custom_content".to_owned(), self.android(words).into());
        document.into()
    }

    /// For services that Pinpoint does not know.
    fn plain(&self, words: &Words) -> Json {
        let mut document = object([
            ("title", words.title.as_deref()),
            ("body", words.body.as_deref()),
            ("url", words.url.as_deref()),
            ("image", words.image_url.as_deref()),
        ]);
        document.insert("data".to_owned(), json!({ "pinpoint": words.pinpoint }));
        document.into()
    }

    /// The keys that Pinpoint's SDK for Android reads; all values are text.
    fn android(&self, words: &Words) -> Map<String, Json> {
        let message = &self.message;
        let mut data = Map::new();
        flatten("pinpoint", &words.pinpoint, &mut data);
        let notification = [
            ("title", words.title.as_deref()),
            ("body", words.body.as_deref()),
            ("imageUrl", words.image_url.as_deref()),
            ("imageIconUrl", words.image_icon_url.as_deref()),
            ("imageSmallIconUrl", words.small_image_icon_url.as_deref()),
            ("icon", message.icon_reference.as_deref()),
            ("sound", message.sound.as_deref()),
            ("silentPush", self.is_silent().then_some("1")),
        ];
        for (name, value) in notification {
            if let Some(value) = value {
                data.insert(format!("pinpoint.notification.{name}"), value.into());
            }
        }
        data
    }

    /// Apple says 5 and 10 for what Google calls normal and high; clients may say either.
    fn priority(&self, low: &'static str, high: &'static str) -> Option<&'static str> {
        match self.message.priority.as_deref()? {
            "5" | "normal" => Some(low),
            _ => Some(high),
        }
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let message = &self.message;
        let mut metadata = Vec::new();
        let mut add = |name: &str, value: Option<&str>| {
            metadata.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        };
        let is_apple = matches!(
            self.channel,
            ChannelType::Apns
                | ChannelType::ApnsSandbox
                | ChannelType::ApnsVoip
                | ChannelType::ApnsVoipSandbox
        );
        if is_apple {
            let usual = match self.channel {
                ChannelType::ApnsVoip | ChannelType::ApnsVoipSandbox => "voip",
                _ if self.is_silent() => "background",
                _ => "alert",
            };
            add(
                "push-type",
                Some(message.apns_push_type.as_deref().unwrap_or(usual)),
            );
            // Apple refuses background notifications of high priority.
            let priority = if self.is_silent() {
                Some("5")
            } else {
                self.priority("5", "10")
            };
            add("priority", priority);
            add("collapse-id", message.collapse_id.as_deref());
        } else {
            add("priority", self.priority("normal", "high"));
        }
        let seconds = message.time_to_live.map(|seconds| seconds.to_string());
        add(
            "time-to-live",
            seconds.as_deref().or(message.expires_after.as_deref()),
        );
        add(
            "authentication-method",
            message.preferred_authentication_method.as_deref(),
        );
        metadata
    }
}

fn raw(source: &str) -> Result<Template, TemplateError> {
    Template::compile(source, Escape::Json).map_err(|error| error.in_part("RawContent"))
}

/// The services refuse what is no object; the client is told why before one is asked.
fn raw_payload(rendered: &str) -> Result<String, RenderError> {
    match serde_json::from_str::<Map<String, Json>>(rendered) {
        Ok(payload) => Ok(Json::Object(payload).to_string()),
        Err(error) => Err(RenderError::Failed {
            part: "RawContent".to_owned(),
            line: error.line(),
            message: format!("is not a JSON object: {error}"),
        }),
    }
}

fn object<const N: usize>(members: [(&str, Option<&str>); N]) -> Map<String, Json> {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect()
}

/// Nested objects as dotted keys, except `jsonBody`, which is one text.
fn flatten(prefix: &str, object: &Map<String, Json>, into: &mut Map<String, Json>) {
    for (name, value) in object {
        let key = format!("{prefix}.{name}");
        match value {
            Json::Object(inner) if name != "jsonBody" => flatten(&key, inner, into),
            Json::String(_) => {
                into.insert(key, value.clone());
            }
            value => {
                into.insert(key, value.to_string().into());
            }
        }
    }
}
