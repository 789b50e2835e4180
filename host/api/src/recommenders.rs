//! Configurations of recommender models. They belong to the account, not to an application.

use pinion_domain::Error;
use pinion_domain::extension::Kind;
use pinion_domain::id::fresh_id;
use pinion_domain::recommender::Recommender;
use pinion_store::{Versioned, Write};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, hooks};

/// `RecommenderConfigurationResponse`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RecommenderConfigurationResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RecommenderResponse {
    creation_date: String,
    id: String,
    last_modified_date: String,
    #[serde(flatten)]
    recommender: Recommender,
}

impl RecommenderResponse {
    fn new(found: Versioned<Recommender>) -> Self {
        let items = found.document.items();
        Self {
            creation_date: found.creation_date,
            id: found.id,
            last_modified_date: found.last_modified_date,
            recommender: Recommender {
                recommendations_per_message: Some(items),
                ..found.document
            },
        }
    }
}

fn answer(call: &Call, found: Option<Versioned<Recommender>>) -> Result<Answer> {
    let id = call.labels.find("recommender-id").unwrap_or_default();
    let found = found.ok_or_else(|| Error::not_found("recommender configuration", id))?;
    Answer::json(&RecommenderResponse::new(found))
}

/// Reads and checks a request; plugins that it names must be there.
fn checked(api: &Api, call: &Call) -> Result<Recommender> {
    let recommender: Recommender = call.json()?;
    recommender.check()?;
    for (member, plugin) in recommender.plugins() {
        hooks::check_plugin(
            &**api.plugins(),
            &call.tenant.account,
            plugin.name,
            Kind::Personalizer,
            member,
        )?;
    }
    Ok(recommender)
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let recommender = checked(api, &call)?;
    let created = api
        .store()
        .create_document(&call.tenant, &fresh_id(), recommender, "", None)
        .await?;
    answer(&call, Some(created))
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let id = call.label("recommender-id");
    let found = api.store().document(&call.tenant, id, None).await?;
    answer(&call, found)
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let page = api
        .store()
        .documents::<Recommender>(&call.tenant, None, &call.page()?)
        .await?;
    Answer::page(&page.map(RecommenderResponse::new))
}

/// Replaces the configuration as a whole.
pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let recommender = checked(api, &call)?;
    let id = call.label("recommender-id");
    let updated = api
        .store()
        .update_document(&call.tenant, id, Write::OverwriteLatest, move |before| {
            Ok((recommender.clone(), before.state, before.due_at))
        })
        .await?;
    answer(&call, updated)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let id = call.label("recommender-id");
    let deleted = api.store().delete_document(&call.tenant, id, None).await?;
    answer(&call, deleted)
}
