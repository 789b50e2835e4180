//! Where a document names a message template: it must be there when the document is written, so that
//! mistakes show at once.

use pinion_domain::Error;
use pinion_domain::id::Tenant;
use pinion_domain::template::{TemplateType, parse_version};

use crate::error::Result;
use crate::{Api, templates};

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
    let Reference { name, name_field, .. } = reference;
    if !templates::exists(api, tenant, reference.kind, name, None).await? {
        return Err(Error::invalid(name_field, format!("there is no template {name}")).into());
    }
    let Some(version) = reference.version.filter(|version| !version.is_empty()) else {
        return Ok(());
    };
    let version = parse_version(version, reference.version_field)?;
    if !templates::exists(api, tenant, reference.kind, name, Some(version)).await? {
        let problem = format!("there is no version {version} of template {name}");
        return Err(Error::invalid(reference.version_field, problem).into());
    }
    Ok(())
}
