//! Message templates and their versions. They belong to the account, not to an application.
//!
//! One set of handlers serves all types: what differs is the document and its checks.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::id::Tenant;
use pinion_domain::template::{
    EmailTemplate, InAppTemplate, PushTemplate, SmsTemplate, TemplateDocument, TemplateSummary, TemplateType,
    VoiceTemplate, parse_version,
};
use pinion_engine::render::CheckedTemplate;
use pinion_store::{Document, Versioned, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};
use crate::{Api, tags};

/// A type of templates.
pub(crate) trait Template: TemplateDocument + Document + CheckedTemplate {}

impl<T: TemplateDocument + Document + CheckedTemplate> Template for T {}

/// Calls a function of a type that is known only now.
macro_rules! of_type {
    ($template_type:expr, $function:ident($($argument:expr),*)) => {
        match $template_type {
            TemplateType::Email => $function::<EmailTemplate>($($argument),*).await,
            TemplateType::Sms => $function::<SmsTemplate>($($argument),*).await,
            TemplateType::Push => $function::<PushTemplate>($($argument),*).await,
            TemplateType::Voice => $function::<VoiceTemplate>($($argument),*).await,
            TemplateType::InApp => $function::<InAppTemplate>($($argument),*).await,
        }
    };
}

/// `EmailTemplateResponse`, `SMSTemplateResponse` and so on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Response")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TemplateResponse<T> {
    arn: String,
    creation_date: String,
    last_modified_date: String,
    template_name: String,
    template_type: TemplateType,
    version: String,
    /// Without tags: those of the request are where all tags are.
    #[serde(flatten)]
    template: T,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
}

/// `TemplateResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SummaryResponse {
    arn: String,
    #[serde(flatten)]
    version: VersionResponse,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
}

/// `TemplateVersionResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateVersionResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VersionResponse {
    creation_date: String,
    last_modified_date: String,
    #[serde(flatten)]
    summary: TemplateSummary,
    template_name: String,
    template_type: TemplateType,
    version: String,
}

/// `CreateTemplateMessageBody`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreateTemplateMessageBody")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Created {
    arn: String,
    message: &'static str,
    #[serde(rename = "RequestID")]
    request_id: String,
}

/// `TemplateActiveVersionRequest`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TemplateActiveVersionRequest")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ActiveVersion {
    /// A number, or `latest`.
    version: Option<String>,
}

fn arn(tenant: &Tenant, name: &str, template_type: TemplateType) -> String {
    Arn::new(tenant, format!("templates/{name}/{}", template_type.as_str())).to_string()
}

fn missing(call: &Call) -> Error {
    Error::not_found("template", call.label("template-name"))
}

pub(crate) async fn create<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let mut template: T = call.json()?;
    check_name(name)?;
    template.check(api.store().quotas())?;
    let given = template.take_tags();
    tags::check(api, &given)?;
    api.store()
        .create_document(&call.tenant, name, template, "", None)
        .await
        .map_err(taken)?;
    let arn = arn(&call.tenant, name, T::TYPE);
    api.store().put_tags(&call.tenant, &arn, given).await?;
    Answer::json(&Created {
        arn,
        message: "Created",
        request_id: call.request_id,
    })
}

/// The service model lists no conflict for these operations: a name that is taken is a bad request.
fn taken(error: pinion_store::Error) -> ApiError {
    match error {
        pinion_store::Error::Domain(Error::Conflict(sentence)) => ApiError::bad_request(sentence),
        error => error.into(),
    }
}

pub(crate) async fn get<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let found: Option<Versioned<T>> = api.store().document(&call.tenant, name, version(&call)?).await?;
    let template = found.ok_or_else(|| missing(&call))?;
    let arn = arn(&call.tenant, name, T::TYPE);
    let tags = api.store().tags(&call.tenant, &arn).await?;
    Answer::json(&TemplateResponse {
        arn,
        creation_date: template.creation_date,
        last_modified_date: template.last_modified_date,
        template_name: template.id,
        template_type: T::TYPE,
        version: template.version.to_string(),
        template: template.document,
        tags,
    })
}

/// Overwrites the latest version, or adds one without letting it serve.
pub(crate) async fn update<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let mut template: T = call.json()?;
    template.check(api.store().quotas())?;
    // Ignored by updates, as at AWS since 2023-05-22.
    template.take_tags();
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
        .update_document(&call.tenant, name, how, move |before: Versioned<T>| {
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
pub(crate) async fn delete<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let version = version(&call)?;
    let deleted = api
        .store()
        .delete_document::<T>(&call.tenant, name, version)
        .await?;
    deleted.ok_or_else(|| missing(&call))?;
    if api
        .store()
        .document::<T>(&call.tenant, name, None)
        .await?
        .is_none()
    {
        tags::take(api, &call.tenant, &arn(&call.tenant, name, T::TYPE)).await?;
    }
    Answer::accepted(&call)
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let page = call.page()?;
    let kind = call.query.get("template-type").filter(|kind| !kind.is_empty());
    let kind = kind.map(template_type).transpose()?;
    let prefix = call.query.get("prefix");
    let templates = api.store().templates(&call.tenant, kind, prefix, &page).await?;
    let arns: Vec<String> = templates
        .items
        .iter()
        .map(|(kind, template)| arn(&call.tenant, &template.id, *kind))
        .collect();
    let mut tags = api.store().tags_of(&call.tenant, &arns).await?;
    Answer::page(&templates.map(|(kind, template)| {
        let arn = arn(&call.tenant, &template.id, kind);
        SummaryResponse {
            tags: tags.remove(&arn).unwrap_or_default(),
            arn,
            version: VersionResponse::new(kind, template),
        }
    }))
}

impl VersionResponse {
    fn new(template_type: TemplateType, template: Versioned<TemplateSummary>) -> Self {
        Self {
            creation_date: template.creation_date,
            last_modified_date: template.last_modified_date,
            summary: template.document,
            template_name: template.id,
            template_type,
            version: template.version.to_string(),
        }
    }
}

pub(crate) async fn list_versions(api: &Api, call: Call) -> Result<Answer> {
    of_type!(
        template_type(call.label("template-type"))?,
        list_versions_of(api, call)
    )
}

async fn list_versions_of<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let versions = api
        .store()
        .document_summaries::<T, TemplateSummary>(&call.tenant, name, &call.page()?)
        .await?;
    if versions.items.is_empty() && !exists_as::<T>(api, &call.tenant, name, None).await? {
        return Err(missing(&call).into());
    }
    Answer::page(&versions.map(|version| VersionResponse::new(T::TYPE, version)))
}

pub(crate) async fn set_active_version(api: &Api, call: Call) -> Result<Answer> {
    of_type!(
        template_type(call.label("template-type"))?,
        set_active_version_of(api, call)
    )
}

async fn set_active_version_of<T: Template>(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("template-name");
    let ActiveVersion { version } = call.json()?;
    let template: Option<Versioned<T>> = api.store().document(&call.tenant, name, None).await?;
    let template = template.ok_or_else(|| missing(&call))?;
    let version = match version.as_deref() {
        None | Some("latest") => template.latest_version,
        Some(number) => parse_version(number, "Version")?,
    };
    if !api
        .store()
        .set_active_version::<T>(&call.tenant, name, version)
        .await?
    {
        return Err(Error::invalid("Version", format!("template {name} has no version {version}")).into());
    }
    Answer::accepted(&call)
}

/// Is there a template of that type and name, in that version or in any?
pub(crate) async fn exists(
    api: &Api,
    tenant: &Tenant,
    template_type: TemplateType,
    name: &str,
    version: Option<u32>,
) -> Result<bool> {
    of_type!(template_type, exists_as(api, tenant, name, version))
}

async fn exists_as<T: Template>(
    api: &Api,
    tenant: &Tenant,
    name: &str,
    version: Option<u32>,
) -> Result<bool> {
    Ok(api.store().document::<T>(tenant, name, version).await?.is_some())
}

/// The `version` of the query.
fn version(call: &Call) -> Result<Option<u32>, Error> {
    let version = call.query.get("version").filter(|version| !version.is_empty());
    version
        .map(|version| parse_version(version, "version"))
        .transpose()
}

/// As in ARNs, capitals and all: policies compare them letter by letter.
fn template_type(name: &str) -> Result<TemplateType, Error> {
    TemplateType::parse(name)
        .ok_or_else(|| Error::invalid("template-type", "must be EMAIL, SMS, PUSH, VOICE or INAPP"))
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
