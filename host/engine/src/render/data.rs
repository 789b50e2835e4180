//! The `Data` of custom channels: any text, usually JSON.

use super::context::{Defaults, Scope};
use super::escape::Escape;
use super::overrides::Overrides;
use super::template::Template;
use super::{RenderError, RenderInput, TemplateError};

/// A compiled `CustomMessage.Data`.
#[derive(Debug)]
pub struct DataRenderer {
    template: Template,
}

impl DataRenderer {
    /// Compiles the data of a custom message. In JSON, values are escaped as the inside of strings, so a
    /// quote in a name cannot break out.
    pub fn new(data: &str) -> Result<Self, TemplateError> {
        let escape = if looks_like_json(data) {
            Escape::Json
        } else {
            Escape::None
        };
        let template =
            Template::compile(data, escape).map_err(|error| error.in_part("CustomMessage.Data"))?;
        Ok(Self { template })
    }

    /// The compiled text, to ask for its variables.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The data for one recipient.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<String, RenderError> {
        self.render_with(input, &Overrides::default())
    }

    /// The same, with what the recipient gets instead.
    pub fn render_with(&self, input: &RenderInput<'_>, overrides: &Overrides) -> Result<String, RenderError> {
        let scope = Scope {
            input,
            defaults: &Defaults::new(),
            track: None,
        };
        match &overrides.body {
            Some(body) => body.render_in(&scope, "BodyOverride"),
            None => self.template.render_in(&scope, "CustomMessage.Data"),
        }
    }
}

/// An object or a list, even if a variable outside quotes makes it no JSON before it is rendered.
fn looks_like_json(data: &str) -> bool {
    let data = data.trim_start();
    data.starts_with(['{', '[']) && !data.starts_with("{{")
}
