//! One plain text: SMS and voice.

use std::collections::BTreeMap;

use super::context::{Defaults, Scope};
use super::escape::Escape;
use super::overrides::{Overrides, given};
use super::template::Template;
use super::{RenderError, RenderInput, TemplateError};

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
