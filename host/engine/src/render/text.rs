//! One plain text: SMS and voice.

use std::collections::BTreeMap;

use pinion_domain::channel::ChannelType;

use super::context::{Defaults, Scope};
use super::escape::Escape;
use super::overrides::{Overrides, given};
use super::template::Template;
use super::{RenderError, RenderInput, TemplateError};

/// Characters of an SMS and of a voice script (user guide, "Quotas").
const LONGEST_SMS: usize = 1_600;
const LONGEST_VOICE: usize = 10_000;

/// A compiled SMS or voice script.
#[derive(Debug)]
pub struct TextRenderer {
    body: Template,
    defaults: Defaults,
}

impl TextRenderer {
    /// Compiles a text with the defaults of its template.
    pub fn new(body: &str, defaults: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let body = Template::compile(body, Escape::None).map_err(|error| error.in_part("Body"))?;
        Ok(Self { body, defaults })
    }

    /// The compiled text, to ask for its variables.
    pub fn template(&self) -> &Template {
        &self.body
    }

    /// The text for one recipient; a body that the recipient or a personalizer brings stands in its place.
    pub fn render(&self, input: &RenderInput<'_>, overrides: &Overrides) -> Result<String, RenderError> {
        let scope = Scope {
            input,
            defaults: &self.defaults,
            track: None,
        };
        let text = match (&overrides.body, given(input, "BodyOverride")) {
            (Some(body), _) => body.render_in(&scope, "BodyOverride")?,
            (None, Some(body)) => body,
            (None, None) => self.body.render_in(&scope, "Body")?,
        };
        Ok(plain(&text))
    }
}

/// Whether a channel takes a rendered text; the error is a sentence.
pub(crate) fn check_text(channel: ChannelType, text: &str) -> Result<(), String> {
    let most = if channel == ChannelType::Voice {
        LONGEST_VOICE
    } else {
        LONGEST_SMS
    };
    let length = text.chars().count();
    if length > most {
        return Err(format!(
            "the text has {length} characters, at most {most} are allowed"
        ));
    }
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    Ok(())
}

/// Lines end in `\n`, and there are no other control characters: some are commands to telephones.
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars()
        .map(|letter| match letter {
            '\r' => '\n',
            '\n' | '\t' => letter,
            control if control.is_control() => ' ',
            letter => letter,
        })
        .collect()
}
