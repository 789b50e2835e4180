//! Whether templates can be stored: every text compiles and is not too long, the defaults are JSON.
//! Errors name the member and the line.

use pinion_domain::channel::ChannelType;
use pinion_domain::quotas::{Quotas, check_length};
use pinion_domain::template::{
    EmailTemplate, InAppTemplate, PushTemplate, SmsTemplate, VoiceTemplate, defaults,
};
use pinion_domain::{Error, Result};

use super::{EmailRenderer, PushRenderer, TemplateError, TextRenderer};

/// Pages of an in-app message (API reference, `InAppTemplateRequest`: "up to 5 modals").
const MOST_PAGES: usize = 5;

/// A template that is to be stored.
pub trait CheckedTemplate {
    /// Checks it as it was written.
    fn check(&self, quotas: &Quotas) -> Result<()>;
}

impl CheckedTemplate for EmailTemplate {
    fn check(&self, quotas: &Quotas) -> Result<()> {
        self.defaults()?;
        for (member, part) in [
            ("Subject", &self.subject),
            ("HtmlPart", &self.html_part),
            ("TextPart", &self.text_part),
        ] {
            let part = part.as_deref().unwrap_or_default();
            check_length(member, part, quotas.email_template_characters)?;
        }
        EmailRenderer::new(self)
            .map(drop)
            .map_err(|error| wrong("", &error))
    }
}

impl CheckedTemplate for SmsTemplate {
    fn check(&self, quotas: &Quotas) -> Result<()> {
        let defaults = self.default_substitutions.as_deref();
        check_body(self.body.as_deref(), defaults, quotas.sms_template_characters)
    }
}

impl CheckedTemplate for VoiceTemplate {
    fn check(&self, quotas: &Quotas) -> Result<()> {
        let defaults = self.default_substitutions.as_deref();
        check_body(self.body.as_deref(), defaults, quotas.voice_template_characters)
    }
}

impl CheckedTemplate for PushTemplate {
    fn check(&self, _: &Quotas) -> Result<()> {
        let defaults = defaults(self.default_substitutions.as_deref())?;
        for (member, part) in self.parts() {
            part.check(member)?;
            // All services compile the same texts.
            PushRenderer::new(ChannelType::Gcm, part, defaults.clone())
                .map_err(|error| wrong(&format!("{member}."), &error))?;
        }
        Ok(())
    }
}

impl CheckedTemplate for InAppTemplate {
    fn check(&self, _: &Quotas) -> Result<()> {
        let pages = self.content.as_ref().map_or(0, Vec::len);
        if pages > MOST_PAGES {
            let problem = format!("has {pages} items, at most {MOST_PAGES} are allowed");
            return Err(Error::invalid("Content", problem));
        }
        Ok(())
    }
}

fn check_body(body: Option<&str>, default_substitutions: Option<&str>, most: u32) -> Result<()> {
    let defaults = defaults(default_substitutions)?;
    let body = body.unwrap_or_default();
    check_length("Body", body, most)?;
    TextRenderer::new(body, defaults)
        .map(drop)
        .map_err(|error| wrong("", &error))
}

fn wrong(member: &str, error: &TemplateError) -> Error {
    let field = format!("{member}{}", error.part);
    Error::invalid(field, format!("line {}: {}", error.line, error.message))
}
