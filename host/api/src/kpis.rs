//! Key performance indicators over a range of dates.

use jiff::{SignedDuration, Timestamp};
use pinion_domain::Error;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::clock::{Instant, parse_iso};
use pinion_domain::id::{AppId, CampaignId};
use pinion_domain::journey::JourneyDocument;
use pinion_domain::page::{Page, PageRequest};
use pinion_engine::kpi::{self, Row};
use pinion_store::Scope;
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Without a range: the last 31 days.
const DEFAULT_DAYS: i64 = 31;
/// How far back a range may begin (API reference, `GetApplicationDateRangeKpi`). The guide also keeps ranges
/// to 31 days; a longer one harms nobody here.
const MOST_DAYS: i64 = 90;

/// `ApplicationDateRangeKpiResponse` and those of campaigns and journeys, which name what they are about.
#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{S}DateRangeKpiResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KpiResponse<S> {
    application_id: AppId,
    end_time: Instant,
    kpi_name: String,
    kpi_result: KpiResult,
    next_token: Option<String>,
    start_time: Instant,
    #[serde(flatten)]
    subject: S,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Application")]
pub(crate) struct OfApplication {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Campaign")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfCampaign {
    campaign_id: CampaignId,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Journey")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfJourney {
    journey_id: String,
}

/// `BaseKpiResult`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BaseKpiResult")]
#[serde(rename_all = "PascalCase")]
struct KpiResult {
    rows: Vec<ResultRow>,
}

/// `ResultRow`. The model calls `GroupedBys` required, so it is there even when nothing is grouped.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ResultRow {
    grouped_bys: Vec<ResultRowValue>,
    values: Vec<ResultRowValue>,
}

/// `ResultRowValue`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ResultRowValue {
    key: String,
    /// Of `Value`: `String` or `Double`.
    #[serde(rename = "Type")]
    value_type: &'static str,
    value: String,
}

pub(crate) async fn application(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let range = Range::of(&call, api.clock().now())?;
    let rows = kpi::application(api.store(), &app, call.label("kpi-name"), range.from, range.to).await?;
    answer(&call, &range, rows, OfApplication {})
}

pub(crate) async fn campaign(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let range = Range::of(&call, api.clock().now())?;
    let id = CampaignId::from(call.label("campaign-id"));
    let found = api
        .store()
        .document::<CampaignDocument>(Scope::from(&app), id.as_str(), None)
        .await?;
    if found.is_none() {
        return Err(Error::not_found("campaign", id.as_str()).into());
    }
    let rows = kpi::campaign(
        api.store(),
        &app,
        &id,
        call.label("kpi-name"),
        range.from,
        range.to,
    )
    .await?;
    answer(&call, &range, rows, OfCampaign { campaign_id: id })
}

pub(crate) async fn journey(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let range = Range::of(&call, api.clock().now())?;
    let id = call.label("journey-id");
    let found = api.store().document::<JourneyDocument>(&app, id, None).await?;
    if found.is_none() {
        return Err(Error::not_found("journey", id).into());
    }
    let rows = kpi::journey(call.label("kpi-name"))?;
    answer(
        &call,
        &range,
        rows,
        OfJourney {
            journey_id: id.to_owned(),
        },
    )
}

struct Range {
    from: Timestamp,
    to: Timestamp,
}

impl Range {
    fn of(call: &Call, now: Timestamp) -> Result<Self> {
        let read = |name: &str| -> Result<Option<Timestamp>> {
            match call.query.get(name) {
                None | Some("") => Ok(None),
                Some(text) => match parse_iso(text) {
                    Some(at) => Ok(Some(at)),
                    None => Err(Error::invalid(name, "must be an ISO 8601 instant").into()),
                },
            }
        };
        let to = read("end-time")?.unwrap_or(now);
        let from = read("start-time")?.unwrap_or(to - SignedDuration::from_hours(24 * DEFAULT_DAYS));
        if from > to {
            return Err(Error::invalid("start-time", "must not be after end-time").into());
        }
        if from <= now - SignedDuration::from_hours(24 * MOST_DAYS) {
            return Err(
                Error::invalid("start-time", format!("must be fewer than {MOST_DAYS} days ago")).into(),
            );
        }
        Ok(Self { from, to })
    }
}

/// All rows, as at AWS; with `page-size` or `next-token` a page of them.
fn answer<S: Serialize + 'static>(call: &Call, range: &Range, rows: Vec<Row>, subject: S) -> Result<Answer> {
    let (rows, next_token) =
        if call.query.get("page-size").is_some() || call.query.get("next-token").is_some() {
            let page = page(rows, &call.page()?);
            (page.items, page.next_token)
        } else {
            (rows, None)
        };
    Answer::json(&KpiResponse {
        application_id: call.app_id(),
        kpi_name: call.label("kpi-name").to_owned(),
        start_time: Instant(range.from),
        end_time: Instant(range.to),
        kpi_result: KpiResult {
            rows: rows.into_iter().map(row).collect(),
        },
        subject,
        next_token,
    })
}

/// Rows are in the order of what they are grouped by, so that is where a page goes on.
fn page(rows: Vec<Row>, asked: &PageRequest) -> Page<Row> {
    let group = |row: &Row| {
        row.grouped_by
            .as_ref()
            .map_or_else(String::new, |(_, group)| group.clone())
    };
    let behind = |row: &Row| asked.after.as_ref().is_none_or(|after| group(row) > *after);
    let size = usize::try_from(asked.size).unwrap_or(usize::MAX);
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(behind)
        .take(size.saturating_add(1))
        .collect();
    Page::of(rows, asked.size, group)
}

fn row(row: Row) -> ResultRow {
    let grouped = row.grouped_by.into_iter().map(|(key, value)| ResultRowValue {
        key: key.to_owned(),
        value_type: "String",
        value,
    });
    ResultRow {
        grouped_bys: grouped.collect(),
        values: vec![ResultRowValue {
            key: row.key,
            value_type: "Double",
            // "1368.0", as the guide writes doubles.
            value: format!("{:?}", row.value),
        }],
    }
}
