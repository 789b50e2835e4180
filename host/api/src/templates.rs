//! Message templates and their versions. They belong to the account, not to an application.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::id::Tenant;
use pinion_domain::template::{EmailTemplate, TemplateType};
use pinion_engine::render::check_template;
use pinion_store::{Versioned, Write};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_with::skip_serializing_none;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, tags};

type Template = Versioned<EmailTemplate>;

/// `EmailTemplateResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EmailTemplateResponse {
    arn: String,
    creation_date: String,
    last_modified_date: String,
    template_name: String,
    template_type: TemplateType,
    version: String,
    /// Without tags: those of the request are where all tags are.
    #[serde(flatten)]
    template: EmailTemplate,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
}

/// `TemplateResponse` and `TemplateVersionResponse`.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TemplateSummary {
    arn: Option<String>,
    creation_date: String,
    default_substitutions: Option<String>,
    last_modified_date: String,
    #[serde(rename = "tags")]
    tags: Option<BTreeMap<String, String>>,
    template_description: Option<String>,
    template_name: String,
    template_type: TemplateType,
    version: String,
}

impl TemplateSummary {
    fn new(template: Template) -> Self {
        Self {
            arn: None,
            creation_date: template.creation_date,
            default_substitutions: template.document.default_substitutions,
            last_modified_date: template.last_modified_date,
            tags: None,
            template_description: template.document.template_description,
            template_name: template.id,
            template_type: TemplateType::Email,
            version: template.version.to_string(),
        }
    }
}

fn arn(tenant: &Tenant, name: &str) -> String {
    let kind = TemplateType::Email.as_str();
    Arn::new(tenant, format!("templates/{name}/{kind}")).to_string()
}

fn missing(call: &Call) -> Error {
    Error::not_found("template", call.label("template-name"))
}

pub(crate) async fn create_email(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let mut template: EmailTemplate = call.json()?;
    check_name(name)?;
    check_template(&template)?;
    tags::check(api, &template.tags)?;
    let given = std::mem::take(&mut template.tags);
    api.store()
        .create_document(&call.tenant, name, template, "", None)
        .await?;
    let arn = arn(&call.tenant, name);
    api.store().put_tags(&call.tenant, &arn, given).await?;
    Answer::json(&json!({ "Arn": arn, "Message": "Created", "RequestID": call.request_id }))
}

pub(crate) async fn get_email(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let version = version(&call)?;
    let found: Option<Template> = api.store().document(&call.tenant, name, version).await?;
    let template = found.ok_or_else(|| missing(&call))?;
    let arn = arn(&call.tenant, name);
    let tags = api.store().tags(&call.tenant, &arn).await?;
    Answer::json(&EmailTemplateResponse {
        arn,
        creation_date: template.creation_date,
        last_modified_date: template.last_modified_date,
        template_name: template.id,
        template_type: TemplateType::Email,
        version: template.version.to_string(),
        template: template.document,
        tags,
    })
}

/// Overwrites the latest version, or adds one without letting it serve.
pub(crate) async fn update_email(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let mut template: EmailTemplate = call.json()?;
    check_template(&template)?;
    // Ignored by updates, as at AWS since 2023-05-22.
    template.tags.clear();
    let version = version(&call)?;
    let as_new = match call.query.get("create-new-version") {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("create-new-version", "must be true or false").into()),
    };
    if as_new && version.is_some() {
        return Err(Error::invalid("version", "cannot be given together with create-new-version").into());
    }
    let how = if as_new {
        Write::NewVersion { activate: false }
    } else {
        Write::OverwriteLatest
    };
    let updated = api
        .store()
        .update_document(&call.tenant, name, how, move |before: Template| {
            if version.is_some_and(|version| version != before.version) {
                return Err(Error::invalid(
                    "version",
                    format!("must be the latest version, which is {}", before.version),
                ));
            }
            Ok((template.clone(), before.state, before.due_at))
        })
        .await?;
    updated.ok_or_else(|| missing(&call))?;
    Answer::accepted(&call)
}

/// Deletes one version, or all of them.
pub(crate) async fn delete_email(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let version = version(&call)?;
    let deleted = api
        .store()
        .delete_document::<EmailTemplate>(&call.tenant, name, version)
        .await?;
    deleted.ok_or_else(|| missing(&call))?;
    if api
        .store()
        .document::<EmailTemplate>(&call.tenant, name, None)
        .await?
        .is_none()
    {
        tags::take(api, &call.tenant, &arn(&call.tenant, name)).await?;
    }
    Answer::accepted(&call)
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let page = call.page()?;
    if let Some(kind) = call.query.get("template-type")
        && template_type(kind)? != TemplateType::Email
    {
        // There can be none yet.
        return Answer::json(&json!({ "Item": [] }));
    }
    let prefix = call.query.get("prefix");
    let templates = api
        .store()
        .documents::<EmailTemplate>(&call.tenant, prefix, &page)
        .await?;
    let arns: Vec<String> = templates
        .items
        .iter()
        .map(|template| arn(&call.tenant, &template.id))
        .collect();
    let mut tags = api.store().tags_of(&call.tenant, &arns).await?;
    Answer::page(&templates.map(|template| {
        let arn = arn(&call.tenant, &template.id);
        TemplateSummary {
            tags: Some(tags.remove(&arn).unwrap_or_default()),
            arn: Some(arn),
            ..TemplateSummary::new(template)
        }
    }))
}

pub(crate) async fn list_versions(api: &Api, call: Call) -> Result<Answer> {
    email_in_path(&call)?;
    let name = call.label("template-name");
    let versions = api
        .store()
        .document_versions::<EmailTemplate>(&call.tenant, name, &call.page()?)
        .await?;
    if versions.items.is_empty() {
        let template = api.store().document::<EmailTemplate>(&call.tenant, name, None);
        template.await?.ok_or_else(|| missing(&call))?;
    }
    Answer::page(&versions.map(TemplateSummary::new))
}

pub(crate) async fn set_active_version(api: &Api, call: Call) -> Result<Answer> {
    /// `TemplateActiveVersionRequest`.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct ActiveVersion {
        version: Option<String>,
    }
    email_in_path(&call)?;
    let name = call.label("template-name");
    let ActiveVersion { version } = call.json()?;
    let template: Option<Template> = api.store().document(&call.tenant, name, None).await?;
    let template = template.ok_or_else(|| missing(&call))?;
    let version = match version.as_deref() {
        None | Some("latest") => template.latest_version,
        Some(number) => parse_version(number, "Version")?,
    };
    if !api
        .store()
        .set_active_version::<EmailTemplate>(&call.tenant, name, version)
        .await?
    {
        return Err(Error::invalid("Version", format!("template {name} has no version {version}")).into());
    }
    Answer::accepted(&call)
}

/// The `version` of the query.
fn version(call: &Call) -> Result<Option<u32>, Error> {
    let version = call.query.get("version").filter(|version| !version.is_empty());
    version
        .map(|version| parse_version(version, "version"))
        .transpose()
}

pub(crate) fn parse_version(version: &str, field: &str) -> Result<u32, Error> {
    version
        .parse()
        .map_err(|_| Error::invalid(field, "must be the number of a version"))
}

fn template_type(name: &str) -> Result<TemplateType, Error> {
    use TemplateType::{Email, InApp, Push, Sms, Voice};
    [Email, Sms, Push, Voice, InApp]
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| Error::invalid("template-type", "must be EMAIL, SMS, PUSH, VOICE or INAPP"))
}

fn email_in_path(call: &Call) -> Result<(), Error> {
    match template_type(call.label("template-type"))? {
        TemplateType::Email => Ok(()),
        _ => Err(missing(call)),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let first_fine = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first_fine && name.len() <= 128 && name.bytes().all(fine) {
        return Ok(());
    }
    Err(Error::invalid(
        "template-name",
        "must begin with a letter or digit and have at most 128 letters, digits, underscores and hyphens",
    ))
}
