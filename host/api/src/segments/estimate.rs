//! Whom a segment means, before it is saved or sent to; and why it means one endpoint or does not. Our own
//! operations, in the manner of AWS's.

use pinion_domain::Error;
use pinion_domain::id::{AppId, EndpointId, SegmentId};
use pinion_domain::segment::{
    SegmentDimensions, SegmentDocument, SegmentGroupList, Truth, WriteSegment, check,
};
use pinion_engine::audience::{Estimate, Explanation, ResolvedSegment};
use pinion_store::AppRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use super::references;
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Members in a sample, unless the request says how many, and at the most.
const SAMPLE: u32 = 10;
const LARGEST_SAMPLE: u32 = 100;

/// A segment that is stored, or the conditions of one that is not, and what is asked about it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SegmentQuestion {
    segment_id: Option<SegmentId>,
    segment_version: Option<u32>,
    dimensions: Option<SegmentDimensions>,
    segment_groups: Option<SegmentGroupList>,
    /// How many members to name in an estimate.
    sample_size: Option<u32>,
    /// Whom to explain.
    endpoint_id: Option<EndpointId>,
}

impl SegmentQuestion {
    async fn resolve(self, api: &Api, app: &AppRef) -> Result<ResolvedSegment> {
        let audiences = api.engine.audiences();
        let has_conditions = self.dimensions.is_some() || self.segment_groups.is_some();
        if let Some(id) = &self.segment_id {
            if has_conditions {
                let problem = "excludes Dimensions and SegmentGroups: name a segment or give its conditions";
                return Err(Error::invalid("SegmentId", problem).into());
            }
            return Ok(audiences
                .resolve(app, id, self.segment_version)
                .await
                .map_err(pinion_engine::Error::from)?);
        }
        if self.segment_version.is_some() {
            return Err(Error::invalid("SegmentVersion", "needs SegmentId").into());
        }
        let write = WriteSegment {
            dimensions: self.dimensions,
            segment_groups: self.segment_groups,
            ..WriteSegment::default()
        };
        check(&write)?;
        references::check(api, app, None, &write).await?;
        let document = SegmentDocument {
            dimensions: write.dimensions,
            segment_groups: write.segment_groups,
            ..SegmentDocument::default()
        };
        let resolved = audiences.resolve_document(app, None, &document).await;
        Ok(resolved.map_err(pinion_engine::Error::from)?)
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EstimateResponse {
    application_id: AppId,
    /// Endpoints of the application.
    endpoints: u64,
    /// Members: exactly those that a run would begin with.
    count: u64,
    /// Endpoints about whom a predicate component could not tell. They are no members, and a run would not start.
    unknown: u64,
    /// Why it could not.
    faults: Vec<String>,
    /// Ids of some members, spread evenly over all.
    sample: Vec<EndpointId>,
    /// The segment last, and before it those that it builds on.
    segments: Vec<CountedSegment>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct CountedSegment {
    id: Option<SegmentId>,
    version: Option<u32>,
    count: u64,
    conditions: Vec<ConditionCount>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ConditionCount {
    path: String,
    count: u64,
    unknown: u64,
}

pub(crate) async fn estimate(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let asked: SegmentQuestion = call.json()?;
    let sample_size = asked.sample_size.unwrap_or(SAMPLE);
    if sample_size > LARGEST_SAMPLE {
        let problem = format!("must be at most {LARGEST_SAMPLE}");
        return Err(Error::invalid("SampleSize", problem).into());
    }
    let segment = asked.resolve(api, &app).await?;
    let estimate = api.engine.audiences().estimate(&app, &segment, api.clock().now());
    let Estimate {
        evaluated,
        endpoints,
        parts,
    } = estimate.await.map_err(pinion_engine::Error::from)?;
    let sample = api
        .store()
        .endpoints_by_seq(&app, &evaluated.sample(sample_size))
        .await?;
    let parts = parts.into_iter().map(|part| {
        let conditions = part.conditions.into_iter().map(|condition| ConditionCount {
            path: condition.path,
            count: condition.count,
            unknown: condition.unknown,
        });
        let (id, version) = part.segment.unzip();
        CountedSegment {
            id,
            version,
            count: part.count,
            conditions: conditions.collect(),
        }
    });
    Answer::json(&EstimateResponse {
        application_id: app.id.clone(),
        endpoints,
        count: evaluated.selected.len(),
        unknown: evaluated.unknown,
        faults: evaluated.faults,
        sample: sample.into_iter().map(|endpoint| endpoint.id).collect(),
        segments: parts.collect(),
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExplainResponse {
    application_id: AppId,
    endpoint_id: EndpointId,
    /// `TRUE`, `FALSE` or `UNKNOWN`, as below.
    result: &'static str,
    faults: Vec<String>,
    /// The segment last, and before it those that it builds on.
    segments: Vec<ExplainedSegment>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ExplainedSegment {
    id: Option<SegmentId>,
    version: Option<u32>,
    result: &'static str,
    conditions: Vec<ConditionFound>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ConditionFound {
    path: String,
    result: &'static str,
    /// Did it decide about its segment?
    decisive: bool,
    /// What the endpoint has of what the condition looks at.
    saw: Value,
}

fn name(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "TRUE",
        Truth::False => "FALSE",
        Truth::Unknown => "UNKNOWN",
    }
}

pub(crate) async fn explain(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let mut asked: SegmentQuestion = call.json()?;
    let endpoint_id = asked.endpoint_id.take();
    let endpoint_id = endpoint_id.ok_or_else(|| Error::invalid("EndpointId", "must say whom to explain"))?;
    let segment = asked.resolve(api, &app).await?;
    let endpoint = api.store().endpoint(&app, &endpoint_id).await?;
    let endpoint = endpoint.ok_or_else(|| Error::not_found("endpoint", endpoint_id.as_str()))?;
    let explanation = api
        .engine
        .audiences()
        .explain(&app, &segment, &endpoint, api.clock().now());
    let Explanation { truth, parts, faults } = explanation.await.map_err(pinion_engine::Error::from)?;
    let parts = parts.into_iter().map(|part| {
        let conditions = part.conditions.into_iter().map(|finding| ConditionFound {
            path: finding.path,
            result: name(finding.truth),
            decisive: finding.decisive,
            saw: finding.saw,
        });
        let (id, version) = part.segment.unzip();
        ExplainedSegment {
            id,
            version,
            result: name(part.truth),
            conditions: conditions.collect(),
        }
    });
    Answer::json(&ExplainResponse {
        application_id: app.id.clone(),
        endpoint_id,
        result: name(truth),
        faults,
        segments: parts.collect(),
    })
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AudienceResponse {
    application_id: AppId,
    /// Endpoints of the application.
    endpoints: u64,
    /// What is in memory; absent before the first segment was evaluated, and after it was given up for others.
    columns: Option<ColumnsResponse>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ColumnsResponse {
    endpoints: u64,
    /// Rows of endpoints and users read since the columns were begun: how far building them is.
    rows_read: u64,
    column_bytes: usize,
    event_bytes: usize,
    /// Attributes that are not held, since nearly every endpoint has another value.
    attributes_aside: usize,
}

pub(crate) async fn audience(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let columns = api.engine.audiences().held(&app).map(|held| ColumnsResponse {
        endpoints: held.endpoints,
        rows_read: held.rows_read,
        column_bytes: held.column_bytes,
        event_bytes: held.event_bytes,
        attributes_aside: held.attributes_aside,
    });
    Answer::json(&AudienceResponse {
        application_id: app.id.clone(),
        endpoints: api.store().endpoint_count(&app).await?,
        columns,
    })
}
