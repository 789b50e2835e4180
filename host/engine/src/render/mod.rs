//! Messages from templates: Pinpoint's Handlebars over an endpoint, its user, substitutions and what a
//! personalizer gave.
//!
//! A template is compiled once per run and then rendered per recipient. One that only prints
//! variables becomes a list of pieces; one with blocks and helpers runs in the `handlebars` crate, on a
//! context of just the variables that it names. Both give the same text; a test holds them together.
//!
//! Rendering is a pure function of its [`RenderInput`]: `now` and `uuid` depend on the time and the
//! message id given, so a retry renders the same message. Templates reach no file, environment or
//! network. Their work is bounded when they are compiled, their output when they are rendered.
//!
//! Where Pinpoint's guide is silent or lets a choice:
//! - an attribute is a list; printed as a whole (`{{Attributes.plan}}`) its values are joined by `, `;
//! - `each` takes the first fifteen items, later ones are left out;
//! - a helper whose value is missing gives nothing; one whose value it cannot use (`{{add "x" 1}}`) fails
//!   the message, which is then counted as `RENDERING_FAILURE`;
//! - a default substitution may be named by a path: `{"User.UserAttributes.FirstName": "friend"}`.

mod check;
mod context;
mod data;
mod email;
mod escape;
mod helper;
mod inspect;
mod overrides;
mod push;
mod raw_mail;
mod template;
mod text;

use jiff::Timestamp;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::columns::ColumnSpec;
use pinion_domain::extension::personalizer::Personalized;
use pinion_domain::id::MessageId;
use pinion_domain::message::Substitutions;

pub use check::CheckedTemplate;
pub use context::ROOTS;
pub use data::DataRenderer;
pub use email::{EmailRenderer, RenderedEmail};
pub use escape::Escape;
pub use overrides::Overrides;
pub use push::{PushFacts, PushRenderer, RenderedPush};
pub use raw_mail::{RawMail, RawMailError};
pub use template::{Template, unknown_roots, variables};
pub use text::TextRenderer;
pub(crate) use text::check_text;

/// The longest text that a template may become, in bytes.
pub const LONGEST_OUTPUT: usize = 10 * 1024 * 1024;

/// What a message is made from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    /// The recipient.
    pub endpoint: &'a Endpoint,
    /// What a personalizer gave; wins over the endpoint.
    pub personalized: Option<PersonalizedRow<'a>>,
    /// Of a direct message: the recipient's own first, then the message's. They win over everything.
    pub substitutions: &'a [&'a Substitutions],
    /// What `now` says.
    pub now: Timestamp,
    /// What `uuid` is derived from.
    pub message_id: &'a MessageId,
}

/// A recipient's row of a personalizer's answer.
#[derive(Clone, Copy, Debug)]
pub struct PersonalizedRow<'a> {
    /// The answer for the whole batch.
    pub answer: &'a Personalized,
    /// What its columns are.
    pub outputs: &'a [ColumnSpec],
    /// The recipient's place in the batch.
    pub row: usize,
}

/// Why a template does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateError {
    /// The member of the request, such as `HtmlPart`; empty for a template on its own.
    pub part: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl TemplateError {
    fn at(line: usize, message: impl Into<String>) -> Self {
        Self {
            part: String::new(),
            line,
            message: message.into(),
        }
    }

    fn in_part(self, part: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            ..self
        }
    }
}

/// Why a message could not be made from a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A helper met a value that it cannot use, or a partial is missing.
    #[error("{part}, line {line}: {message}")]
    Failed {
        /// Which text of the message.
        part: String,
        /// Counted from 1; 0 if unknown.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The text would be longer than [`LONGEST_OUTPUT`].
    #[error("{part}: longer than 10 MB")]
    TooLong {
        /// Which text of the message.
        part: String,
    },
    /// The service takes no payload of that size.
    #[error("the payload has {size} bytes, the service takes at most {most}")]
    TooLarge {
        /// Bytes.
        size: usize,
        /// Bytes.
        most: usize,
    },
}

#[cfg(test)]
mod tests;
