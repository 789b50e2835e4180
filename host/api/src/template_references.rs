//! Where a document names a message template: it must be there when the document is written, so that
//! mistakes show at once.

use pinion_domain::Error;
use pinion_domain::id::Tenant;
use pinion_domain::template::{EmailTemplate, TemplateType};
use pinion_store::Document;

use crate::Api;
use crate::error::Result;
use crate::templates::parse_version;

/// A template that a document names.
pub(crate) struct Reference<'a> {
    pub(crate) kind: TemplateType,
    pub(crate) name: &'a str,
    /// Absent or empty: the one that is active when it is used.
    pub(crate) version: Option<&'a str>,
    /// The members that name it, for errors.
    pub(crate) name_field: &'a str,
    pub(crate) version_field: &'a str,
}

/// Is there such a template, in that version?
pub(crate) async fn check(api: &Api, tenant: &Tenant, reference: Reference<'_>) -> Result<()> {
    match reference.kind {
        TemplateType::Email => check_kind::<EmailTemplate>(api, tenant, reference).await,
        // Templates of other types cannot be made yet, so none can be named.
        TemplateType::Sms | TemplateType::Push | TemplateType::Voice | TemplateType::InApp => {
            Err(no_template(&reference).into())
        }
    }
}

async fn check_kind<D: Document>(api: &Api, tenant: &Tenant, reference: Reference<'_>) -> Result<()> {
    let version = match reference.version {
        None | Some("") => None,
        Some(version) => Some(parse_version(version, reference.version_field)?),
    };
    let found = api.store().document::<D>(tenant, reference.name, version).await?;
    match (found, version) {
        (Some(_), _) => Ok(()),
        (None, Some(_))
            if api
                .store()
                .document::<D>(tenant, reference.name, None)
                .await?
                .is_none() =>
        {
            Err(no_template(&reference).into())
        }
        (None, None) => Err(no_template(&reference).into()),
        (None, Some(version)) => Err(Error::invalid(
            reference.version_field,
            format!("there is no version {version} of template {}", reference.name),
        )
        .into()),
    }
}

fn no_template(reference: &Reference<'_>) -> Error {
    Error::invalid(
        reference.name_field,
        format!("there is no template {}", reference.name),
    )
}
