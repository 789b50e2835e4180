//! Applications (projects).

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::app::{App, CreateApplication};
use pinion_domain::arn::Arn;
use pinion_domain::id::AppId;
use pinion_domain::page::Page;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, tags};

/// `ApplicationResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ApplicationResponse {
    arn: String,
    id: AppId,
    name: String,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
    creation_date: String,
}

impl ApplicationResponse {
    fn new(app: App, tags: BTreeMap<String, String>) -> Self {
        Self {
            arn: arn(&app),
            id: app.id,
            name: app.name,
            tags,
            creation_date: app.creation_date,
        }
    }
}

fn arn(app: &App) -> String {
    Arn::new(&app.tenant, format!("apps/{}", app.id)).to_string()
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let create: CreateApplication = call.json()?;
    if create.name.trim().is_empty() {
        return Err(Error::invalid("Name", "must not be empty").into());
    }
    tags::check(api, &create.tags)?;
    let given = create.tags.clone();
    let app = api.store().create_app(&call.tenant, create).await?;
    Answer::json(&ApplicationResponse::new(app, given))
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.store().describe_app(&api.app(&call).await?).await?;
    let tags = api.store().tags(&call.tenant, &arn(&app)).await?;
    Answer::json(&ApplicationResponse::new(app, tags))
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let apps = api.store().list_apps(&call.tenant, &call.page()?).await?;
    let arns: Vec<String> = apps.items.iter().map(arn).collect();
    let mut tags = api.store().tags_of(&call.tenant, &arns).await?;
    let page: Page<_> = apps.map(|app| {
        let tags = tags.remove(&arn(&app)).unwrap_or_default();
        ApplicationResponse::new(app, tags)
    });
    Answer::page(&page)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let arn = Arn::new(&call.tenant, format!("apps/{}", app.id)).to_string();
    let tags = tags::take(api, &call.tenant, &arn).await?;
    api.engine.audiences().forget(&app);
    let app = api.store().delete_app(&app).await?;
    Answer::json(&ApplicationResponse::new(app, tags))
}
