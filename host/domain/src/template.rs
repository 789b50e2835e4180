//! Message templates and references to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Error, Result};

/// The five types of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum TemplateType {
    Email,
    Sms,
    Push,
    Voice,
    InApp,
}

impl TemplateType {
    /// The name on the wire, in ARNs and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Push => "PUSH",
            Self::Voice => "VOICE",
            Self::InApp => "INAPP",
        }
    }
}

/// `EmailTemplateRequest`; also what is stored of a version.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EmailTemplate {
    /// A JSON object of names and defaults, as text.
    pub default_substitutions: Option<String>,
    /// Handlebars; values are HTML-escaped.
    pub html_part: Option<String>,
    /// A recommender; kept for clients.
    pub recommender_id: Option<String>,
    /// Handlebars.
    pub subject: Option<String>,
    /// Added to the mail.
    pub headers: Option<Vec<MessageHeader>>,
    /// Tags to begin with; ignored by updates.
    #[serde(rename = "tags", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// For people.
    pub template_description: Option<String>,
    /// Handlebars.
    pub text_part: Option<String>,
}

/// Characters that an e-mail template may have in one part.
pub const LONGEST_EMAIL_PART: usize = 600_000;

impl EmailTemplate {
    /// The defaults of variables, from their JSON text.
    pub fn defaults(&self) -> Result<BTreeMap<String, String>> {
        match self.default_substitutions.as_deref() {
            None | Some("") => Ok(BTreeMap::new()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::invalid(
                    "DefaultSubstitutions",
                    format!("must be a JSON object of strings: {error}"),
                )
            }),
        }
    }
}

/// `MessageHeader`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MessageHeader {
    pub name: Option<String>,
    pub value: Option<String>,
}

/// `TemplateConfiguration`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct TemplateConfiguration {
    pub email_template: Option<TemplateReference>,
    pub push_template: Option<TemplateReference>,
    #[serde(rename = "SMSTemplate")]
    pub sms_template: Option<TemplateReference>,
    pub voice_template: Option<TemplateReference>,
    pub in_app_template: Option<TemplateReference>,
}

/// `Template`: without a version, the one that is active when the message is sent.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct TemplateReference {
    pub name: Option<String>,
    pub version: Option<String>,
}
