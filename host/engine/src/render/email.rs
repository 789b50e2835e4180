//! Whole e-mails: subject, HTML part, text part and headers.

use pinion_domain::message::CampaignEmail;
use pinion_domain::template::{EmailTemplate, MessageHeader};

use super::context::{Defaults, Scope};
use super::escape::Escape;
use super::inspect;
use super::overrides::{Overrides, given};
use super::template::Template;
use super::{RenderError, RenderInput, TemplateError};
use crate::tracking::TrackingContext;
use crate::tracking::links::mark;

/// Headers that a template may have (API reference, `EmailTemplateRequest`).
const MOST_HEADERS: usize = 15;
/// Characters of a header's name and of its value (API reference, `MessageHeader`).
const LONGEST_HEADER_NAME: usize = 126;
const LONGEST_HEADER: usize = 870;

/// Headers that the channel writes itself.
const RESERVED: [&str; 15] = [
    "bcc",
    "cc",
    "date",
    "dkim-signature",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "resent-to",
    "resent-bcc",
];

/// A compiled e-mail.
#[derive(Debug)]
pub struct EmailRenderer {
    subject: Option<Template>,
    html: Option<Template>,
    text: Option<Template>,
    headers: Vec<(String, Template)>,
    /// The author unsubscribes people in another way.
    unsubscribes_itself: bool,
    defaults: Defaults,
}

/// An e-mail for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedEmail {
    /// One line; empty if the template has none.
    pub subject: String,
    /// The HTML part.
    pub html: Option<String>,
    /// The text part.
    pub text: Option<String>,
    /// Names and values, one line each. No channel's own headers are among them.
    pub headers: Vec<(String, String)>,
}

impl EmailRenderer {
    /// Compiles an e-mail template.
    pub fn new(template: &EmailTemplate) -> Result<Self, TemplateError> {
        let defaults = template
            .defaults()
            .map_err(|error| TemplateError::at(1, error.to_string()).in_part("DefaultSubstitutions"))?;
        Self::compile(&Parts {
            subject: ("Subject", template.subject.as_deref()),
            html: ("HtmlPart", template.html_part.as_deref()),
            text: ("TextPart", template.text_part.as_deref()),
            headers: template.headers.as_deref().unwrap_or_default(),
            defaults,
        })
    }

    /// Compiles the e-mail that a campaign brings itself.
    pub fn of_campaign(email: &CampaignEmail) -> Result<Self, TemplateError> {
        Self::compile(&Parts {
            subject: ("Title", email.title.as_deref()),
            html: ("HtmlBody", email.html_body.as_deref()),
            text: ("Body", email.body.as_deref()),
            headers: email.headers.as_deref().unwrap_or_default(),
            defaults: Defaults::new(),
        })
    }

    fn compile(parts: &Parts<'_>) -> Result<Self, TemplateError> {
        let compile = |(part, source): (&str, Option<&str>), escape| {
            let template = source.map(|source| Template::compile(source, escape));
            template.transpose().map_err(|error| error.in_part(part))
        };
        Ok(Self {
            subject: compile(parts.subject, Escape::None)?,
            html: parts.html()?,
            text: compile(parts.text, Escape::None)?,
            headers: headers(parts.headers)?,
            unsubscribes_itself: parts.headers.iter().any(is_unsubscribe),
            // `Attributes.plan.[0]` and `Attributes.plan` are the same default.
            defaults: parts
                .defaults
                .iter()
                .map(|(name, value)| (default_name(name).to_owned(), value.clone()))
                .collect(),
        })
    }

    /// The compiled parts, to ask for their variables.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let headers = self.headers.iter().map(|(_, value)| value);
        [&self.subject, &self.html, &self.text]
            .into_iter()
            .flatten()
            .chain(headers)
    }

    /// The template's default substitutions.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// The e-mail for one recipient. With `track`, links and opens are counted, and a campaign's mail gets
    /// the headers of one-click unsubscription (RFC 8058) unless the template has its own.
    ///
    /// A personalizer's `TitleOverride` and `BodyOverride` replace subject and body as they are: nothing in
    /// them is a template, and their links are not tracked.
    pub fn render(
        &self,
        input: &RenderInput<'_>,
        track: Option<&TrackingContext<'_>>,
    ) -> Result<RenderedEmail, RenderError> {
        self.render_with(input, track, &Overrides::default())
    }

    /// Compiles what one recipient gets instead of subject and body. The body is HTML if the mail has HTML,
    /// and then its links count as the mail's own do.
    pub fn overrides(&self, title: Option<&str>, body: Option<&str>) -> Result<Overrides, TemplateError> {
        Overrides::compile(title, body, |body| match self.html {
            Some(_) => html(body),
            None => Template::compile(body, Escape::None),
        })
    }

    /// As [`EmailRenderer::render`], with what the recipient gets instead. A body stands for the whole mail: a
    /// text part beside it would say something else.
    pub fn render_with(
        &self,
        input: &RenderInput<'_>,
        track: Option<&TrackingContext<'_>>,
        overrides: &Overrides,
    ) -> Result<RenderedEmail, RenderError> {
        let scope = Scope {
            input,
            defaults: &self.defaults,
            track,
        };
        let part = |template: &Option<Template>, part| {
            let template = template.as_ref();
            template
                .map(|template| template.render_in(&scope, part))
                .transpose()
        };
        let subject = match (&overrides.title, given(input, "TitleOverride")) {
            (Some(title), _) => title.render_in(&scope, "TitleOverride")?,
            (None, Some(title)) => title,
            (None, None) => part(&self.subject, "Subject")?.unwrap_or_default(),
        };
        let has_html = self.html.is_some();
        let own = overrides.body.as_ref();
        let own = own
            .map(|body| body.render_in(&scope, "BodyOverride"))
            .transpose()?;
        let (html, text) = match (own, given(input, "BodyOverride")) {
            (Some(body), _) if has_html => (Some(body), None),
            (Some(body), _) => (None, Some(body)),
            (None, Some(body)) if has_html => (Some(body), part(&self.text, "TextPart")?),
            (None, Some(body)) => (None, Some(body)),
            (None, None) => (part(&self.html, "HtmlPart")?, part(&self.text, "TextPart")?),
        };
        let mut headers = Vec::with_capacity(self.headers.len() + 2);
        for (name, value) in &self.headers {
            let value = one_line(value.render_in(&scope, name)?);
            if value.chars().count() > LONGEST_HEADER {
                return Err(RenderError::TooLong { part: name.clone() });
            }
            headers.push((name.clone(), value));
        }
        if let Some(track) = track
            && track.stamp.run_no != 0
            && !self.unsubscribes_itself
        {
            let url = track.tracker.unsubscribe_url(&track.stamp);
            headers.push(("List-Unsubscribe".to_owned(), format!("<{url}>")));
            let one_click = "List-Unsubscribe=One-Click";
            headers.push(("List-Unsubscribe-Post".to_owned(), one_click.to_owned()));
        }
        Ok(RenderedEmail {
            subject: one_line(subject),
            html,
            text,
            headers,
        })
    }
}

/// The sources of an e-mail, each with the name of its member.
struct Parts<'a> {
    subject: (&'static str, Option<&'a str>),
    html: (&'static str, Option<&'a str>),
    text: (&'static str, Option<&'a str>),
    headers: &'a [MessageHeader],
    defaults: Defaults,
}

impl Parts<'_> {
    /// The HTML with its links marked. It is compiled as it is first, so that errors tell the author's
    /// own lines and marking only meets what is sound.
    fn html(&self) -> Result<Option<Template>, TemplateError> {
        let (part, Some(source)) = self.html else {
            return Ok(None);
        };
        html(source).map(Some).map_err(|error| error.in_part(part))
    }
}

fn html(source: &str) -> Result<Template, TemplateError> {
    inspect::check_source(source)?;
    Template::compile(source, Escape::Html)?;
    Template::compile(&mark(source), Escape::Html)
}

fn headers(headers: &[MessageHeader]) -> Result<Vec<(String, Template)>, TemplateError> {
    if headers.len() > MOST_HEADERS {
        let problem = format!("{} headers, {MOST_HEADERS} are allowed", headers.len());
        return Err(TemplateError::at(1, problem).in_part("Headers"));
    }
    let mut compiled = Vec::with_capacity(headers.len());
    for (place, header) in headers.iter().enumerate() {
        let member = |member: &str| format!("Headers[{place}].{member}");
        let name = header.name.as_deref().unwrap_or_default();
        if let Some(problem) = name_problem(name) {
            return Err(TemplateError::at(1, problem).in_part(member("Name")));
        }
        let value = header.value.as_deref().unwrap_or_default();
        if value.chars().count() > LONGEST_HEADER {
            let problem = format!("longer than {LONGEST_HEADER} characters");
            return Err(TemplateError::at(1, problem).in_part(member("Value")));
        }
        let value = Template::compile(value, Escape::None).map_err(|error| error.in_part(member("Value")))?;
        compiled.push((name.to_owned(), value));
    }
    Ok(compiled)
}

fn name_problem(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > LONGEST_HEADER_NAME || !name.bytes().all(is_token) {
        return Some("must be 1 to 126 letters, digits, hyphens or underscores");
    }
    let is_reserved = RESERVED.contains(&lower.as_str()) || lower.starts_with("content-");
    is_reserved.then_some("this header is written by the channel")
}

fn is_unsubscribe(header: &MessageHeader) -> bool {
    let name = header.name.as_deref().unwrap_or_default();
    name.to_ascii_lowercase().starts_with("list-unsubscribe")
}

/// The name of a default without the index of its first item.
fn default_name(name: &str) -> &str {
    name.strip_suffix(".[0]")
        .or(name.strip_suffix(".0"))
        .unwrap_or(name)
}

/// Line breaks and other control characters become a space: a value can never begin a new header.
pub(super) fn one_line(text: String) -> String {
    if !text.contains(|character: char| character.is_control()) {
        return text;
    }
    let words = text.split(|character: char| character.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").trim().to_owned()
}
