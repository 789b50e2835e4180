//! Tags of applications, campaigns, journeys, segments and templates.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::id::Tenant;
use pinion_domain::journey::JourneyDocument;
use pinion_domain::segment::SegmentDocument;
use pinion_domain::template::EmailTemplate;
use pinion_store::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call};

/// `TagsModel`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct TagsModel {
    tags: BTreeMap<String, String>,
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let arn = existing(api, &call).await?;
    let tags = api.store().tags(&call.tenant, &arn).await?;
    Answer::json(&TagsModel { tags })
}

pub(crate) async fn put(api: &Api, call: Call) -> Result<Answer> {
    let TagsModel { tags } = call.json()?;
    check(api, &tags)?;
    let arn = existing(api, &call).await?;
    let mut all = api.store().tags(&call.tenant, &arn).await?;
    all.extend(tags.clone());
    check(api, &all)?;
    api.store().put_tags(&call.tenant, &arn, tags).await?;
    Ok(Answer::empty())
}

pub(crate) async fn remove(api: &Api, call: Call) -> Result<Answer> {
    let keys: Vec<String> = call.query.all("tagKeys").map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Error::invalid("tagKeys", "names no tag").into());
    }
    let arn = existing(api, &call).await?;
    api.store().remove_tags(&call.tenant, &arn, &keys).await?;
    Ok(Answer::empty())
}

/// Checks the tags of a request.
pub(crate) fn check(api: &Api, tags: &BTreeMap<String, String>) -> Result<(), Error> {
    api.store().quotas().check_tags(tags)
}

/// The tags of a resource that is about to go; they go first, so that a new one of the same name does
/// not inherit them.
pub(crate) async fn take(api: &Api, tenant: &Tenant, arn: &str) -> Result<BTreeMap<String, String>> {
    let tags = api.store().tags(tenant, arn).await?;
    if !tags.is_empty() {
        let keys: Vec<String> = tags.keys().cloned().collect();
        api.store().remove_tags(tenant, arn, &keys).await?;
    }
    Ok(tags)
}

/// The ARN of the path, if it names something of the caller's.
async fn existing(api: &Api, call: &Call) -> Result<String> {
    let text = call.label("resource-arn");
    let missing = || ApiError::not_found(format!("resource {text} not found"));
    let arn = Arn::parse(text).ok_or_else(missing)?;
    if arn.account != call.tenant.account || arn.region != call.tenant.region {
        return Err(missing());
    }
    let parts: Vec<&str> = arn.resource.split('/').collect();
    let exists = match parts[..] {
        ["apps", app] => api.store().app(&call.tenant, &app.into()).await?.is_some(),
        ["apps", app, "segments", id] => in_app::<SegmentDocument>(api, call, app, id).await?,
        ["apps", app, "journeys", id] => in_app::<JourneyDocument>(api, call, app, id).await?,
        ["apps", app, "campaigns", id] => in_app::<CampaignDocument>(api, call, app, id).await?,
        ["templates", name, "EMAIL"] => {
            let template = api.store().document::<EmailTemplate>(&call.tenant, name, None);
            template.await?.is_some()
        }
        _ => false,
    };
    if exists {
        Ok(text.to_owned())
    } else {
        Err(missing())
    }
}

async fn in_app<D: Document>(api: &Api, call: &Call, app: &str, id: &str) -> Result<bool> {
    match api.store().app(&call.tenant, &app.into()).await? {
        Some(app) => Ok(api.store().document::<D>(&app, id, None).await?.is_some()),
        None => Ok(false),
    }
}
