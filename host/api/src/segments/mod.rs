//! Segments and their versions.

mod estimate;
mod references;

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::id::{AppId, fresh_id};
use pinion_domain::segment::{SegmentDocument, WriteSegment, check};
use pinion_store::{AppRef, Versioned, Write};
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

pub(crate) use estimate::{
    AudienceResponse, EstimateResponse, ExplainResponse, SegmentQuestion, audience, estimate, explain,
};
pub(crate) use references::{check_dynamic, check_exists, check_plugins};

use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, campaigns, tags};

/// `SegmentResponse`.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SegmentResponse {
    application_id: AppId,
    arn: String,
    creation_date: String,
    id: String,
    last_modified_date: String,
    segment_type: &'static str,
    #[serde(flatten)]
    document: SegmentDocument,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
    version: u32,
}

type Segment = Versioned<SegmentDocument>;

impl SegmentResponse {
    fn new(app: &AppRef, segment: Segment, tags: BTreeMap<String, String>) -> Self {
        Self {
            application_id: app.id.clone(),
            arn: arn(app, &segment.id),
            creation_date: segment.creation_date,
            last_modified_date: segment.last_modified_date,
            segment_type: segment.document.segment_type(),
            document: segment.document,
            tags,
            version: segment.version,
            id: segment.id,
        }
    }
}

fn arn(app: &AppRef, id: &str) -> String {
    Arn::new(&app.tenant, format!("apps/{}/segments/{id}", app.id)).to_string()
}

async fn answer(api: &Api, app: &AppRef, segment: Option<Segment>, id: &str) -> Result<Answer> {
    let segment = segment.ok_or_else(|| Error::not_found("segment", id))?;
    let tags = api.store().tags(&app.tenant, &arn(app, id)).await?;
    Answer::json(&SegmentResponse::new(app, segment, tags))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let write: WriteSegment = call.json()?;
    check(&write)?;
    tags::check(api, &write.tags)?;
    let id = fresh_id();
    references::check(api, &app, None, &write).await?;
    let document = SegmentDocument {
        name: write.name,
        dimensions: write.dimensions,
        segment_groups: write.segment_groups,
        import_definition: None,
    };
    let segment = api.store().create_document(&app, &id, document, "", None).await?;
    api.store()
        .put_tags(&app.tenant, &arn(&app, &id), write.tags)
        .await?;
    answer(api, &app, Some(segment), &id).await
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("segment-id");
    let segment = api.store().document(&app, id, None).await?;
    answer(api, &app, segment, id).await
}

pub(crate) async fn get_version(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("segment-id");
    let segment = api.store().document(&app, id, Some(call.version()?)).await?;
    answer(api, &app, segment, id).await
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let page = api
        .store()
        .documents::<SegmentDocument>(&app, None, &call.page()?)
        .await?;
    let arns: Vec<String> = page.items.iter().map(|segment| arn(&app, &segment.id)).collect();
    let mut tags = api.store().tags_of(&app.tenant, &arns).await?;
    Answer::page(&page.map(|segment| {
        let tags = tags.remove(&arn(&app, &segment.id)).unwrap_or_default();
        SegmentResponse::new(&app, segment, tags)
    }))
}

pub(crate) async fn list_versions(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("segment-id");
    let page = api
        .store()
        .document_versions::<SegmentDocument>(&app, id, &call.page()?)
        .await?;
    if page.items.is_empty()
        && api
            .store()
            .document::<SegmentDocument>(&app, id, None)
            .await?
            .is_none()
    {
        return Err(Error::not_found("segment", id).into());
    }
    let tags = api.store().tags(&app.tenant, &arn(&app, id)).await?;
    Answer::page(&page.map(|segment| SegmentResponse::new(&app, segment, tags.clone())))
}

/// Makes a new version. Without conditions in the request the old ones stay, so that a name alone can
/// be changed; an imported segment can change nothing else.
pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("segment-id");
    let write: WriteSegment = call.json()?;
    let has_conditions = write.dimensions.is_some() || write.segment_groups.is_some();
    if has_conditions {
        check(&write)?;
        references::check(api, &app, Some(id), &write).await?;
    }
    let current = api.store().document::<SegmentDocument>(&app, id, None).await?;
    let imported = current.is_some_and(|segment| segment.document.import_definition.is_some());
    // Members of an imported segment belong to its version, so a new name makes no new one.
    let how = if imported {
        Write::OverwriteLatest
    } else {
        Write::NewVersion { activate: true }
    };
    let segment = api
        .store()
        .update_document(&app, id, how, move |segment: Segment| {
            let mut document = segment.document;
            if has_conditions {
                if document.import_definition.is_some() {
                    return Err(Error::invalid(
                        "Dimensions",
                        "an imported segment is what its file says; import again to change it",
                    ));
                }
                document.dimensions = write.dimensions.clone();
                document.segment_groups = write.segment_groups.clone();
            }
            document.name = write.name.clone().or(document.name);
            Ok((document, segment.state, segment.due_at))
        })
        .await?;
    answer(api, &app, segment, id).await
}

/// Its campaigns fail first: whoever deletes again after a crash in between ends what was begun.
pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let id = call.label("segment-id");
    campaigns::fail_with_segment(api, &app, id).await?;
    let tags = tags::take(api, &app.tenant, &arn(&app, id)).await?;
    let segment = api
        .store()
        .delete_document::<SegmentDocument>(&app, id, None)
        .await?;
    let segment = segment.ok_or_else(|| Error::not_found("segment", id))?;
    Answer::json(&SegmentResponse::new(&app, segment, tags))
}
