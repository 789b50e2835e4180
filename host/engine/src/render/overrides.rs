//! Texts that stand in place of a message's own for one recipient: `TitleOverride` and `BodyOverride`. They
//! are templates like those that they replace, and go the same way: rendered, escaped, and cleaned of what
//! could end a header.

use super::context::Value;
use super::escape::Escape;
use super::template::Template;
use super::{RenderInput, TemplateError};

/// What one recipient gets instead. The default replaces nothing.
#[derive(Debug, Default)]
pub struct Overrides {
    pub(super) title: Option<Template>,
    pub(super) body: Option<Template>,
}

impl Overrides {
    /// Compiles texts for a plain message. Errors name `TitleOverride` or `BodyOverride`.
    pub fn plain(title: Option<&str>, body: Option<&str>) -> Result<Self, TemplateError> {
        Self::compile(title, body, |body| Template::compile(body, Escape::None))
    }

    pub(super) fn compile(
        title: Option<&str>,
        body: Option<&str>,
        compile_body: impl Fn(&str) -> Result<Template, TemplateError>,
    ) -> Result<Self, TemplateError> {
        let title = title
            .map(|title| Template::compile(title, Escape::None))
            .transpose();
        let body = body.map(compile_body).transpose();
        Ok(Self {
            title: title.map_err(|error| error.in_part("TitleOverride"))?,
            body: body.map_err(|error| error.in_part("BodyOverride"))?,
        })
    }
}

/// What a personalizer gave as an output of that name; nothing in it is a template.
pub(super) fn given(input: &RenderInput<'_>, output: &str) -> Option<String> {
    let value = input.personalized?.cell(output)?;
    let mut text = String::new();
    Value::write(&value, None, |part| text.push_str(part));
    (!text.is_empty()).then_some(text)
}
