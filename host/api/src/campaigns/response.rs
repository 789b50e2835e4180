//! A campaign as clients see it.

use std::collections::BTreeMap;

use pinion_domain::arn::Arn;
use pinion_domain::campaign::{CampaignDocument, Treatment};
use pinion_domain::id::AppId;
use pinion_store::AppRef;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;
use serde_with::skip_serializing_none;

use super::Campaign;

/// `CampaignResponse`.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[schemars(transform = has_segment)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CampaignResponse {
    application_id: AppId,
    arn: String,
    creation_date: String,
    id: String,
    last_modified_date: String,
    state: CampaignState,
    /// Of the campaign's own message, if there are others to tell it from.
    default_state: Option<CampaignState>,
    additional_treatments: Option<Vec<TreatmentResource>>,
    /// Without its treatments.
    #[serde(flatten)]
    document: CampaignDocument,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
    version: u32,
}

/// Without a segment, no campaign is stored.
fn has_segment(schema: &mut Schema) {
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.extend(["SegmentId".into(), "SegmentVersion".into()]);
    }
}

/// `TreatmentResource`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct TreatmentResource {
    #[serde(flatten)]
    treatment: Treatment,
    state: CampaignState,
}

/// `CampaignState`.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct CampaignState {
    campaign_status: String,
}

pub(super) fn arn(app: &AppRef, id: &str) -> String {
    Arn::new(&app.tenant, format!("apps/{}/campaigns/{id}", app.id)).to_string()
}

impl CampaignResponse {
    pub(super) fn new(app: &AppRef, mut campaign: Campaign, tags: BTreeMap<String, String>) -> Self {
        let state = CampaignState {
            campaign_status: campaign.state,
        };
        let treatments: Vec<_> = std::mem::take(&mut campaign.document.additional_treatments)
            .into_iter()
            .map(|treatment| TreatmentResource {
                treatment,
                state: state.clone(),
            })
            .collect();
        Self {
            application_id: app.id.clone(),
            arn: arn(app, &campaign.id),
            creation_date: campaign.creation_date,
            id: campaign.id,
            last_modified_date: campaign.last_modified_date,
            default_state: (!treatments.is_empty()).then(|| state.clone()),
            additional_treatments: (!treatments.is_empty()).then_some(treatments),
            state,
            document: campaign.document,
            tags,
            version: campaign.version,
        }
    }
}
