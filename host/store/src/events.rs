//! Events, and what is counted of them.

use jiff::Timestamp;
use pinion_domain::id::MessageId;
use pinion_domain::kpi::Metric;
use roaring::RoaringBitmap;

use crate::{AppRef, Error, Lane, Result, RollupFilter, Store};

/// An event to append.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct NewEvent {
    pub app_no: i64,
    pub seq: Option<u32>,
    pub event_type: String,
    pub at: Timestamp,
    pub key: Option<String>,
    pub run_no: i64,
    pub treatment: u8,
    pub message_id: Option<MessageId>,
    pub document: serde_json::Value,
}

/// Events of a minute.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "placeholder")]
pub struct EventCount {
    pub run_no: i64,
    pub treatment: u8,
    pub minute: i64,
    pub metric: Metric,
    pub count: u64,
}

/// What an endpoint did so far.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "placeholder")]
pub struct EventSummary {
    pub seq: u32,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

#[expect(missing_docs, reason = "placeholder")]
impl Store {
    pub async fn append_events(&self, _lane: Lane, _events: Vec<NewEvent>) -> Result<u64> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn event_rollup(&self, _app: &AppRef, _filter: RollupFilter) -> Result<Vec<EventCount>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn event_uniques(&self, _app: &AppRef, _runs: &[i64], _metric: Metric) -> Result<Vec<(i64, u8, RoaringBitmap)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn event_summaries(&self, _app: &AppRef, _event_type: &str) -> Result<Vec<EventSummary>> {
        Err(Error::Setup("not built".into()))
    }
}
