//! Runs: one firing of a campaign each, and the chunks that workers claim.

use std::time::Duration;

use jiff::Timestamp;
use pinion_domain::id::{CampaignId, RunId};
use pinion_domain::page::{Page, PageRequest};
use roaring::RoaringBitmap;
use serde_json::Value;

use crate::{AppRef, Error, Result, Store};

/// A run to make.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct NewRun {
    pub id: RunId,
    pub campaign: CampaignId,
    pub campaign_version: u32,
    pub scheduled: Timestamp,
    pub parent: Option<RunId>,
    pub pins: Value,
    pub recipients: RoaringBitmap,
    pub treatment_totals: Vec<u64>,
    pub holdout_total: u64,
    pub chunk_size: u32,
    pub deadline: Option<Timestamp>,
}

/// A run.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct Run {
    pub no: i64,
    pub id: RunId,
    pub campaign: CampaignId,
    pub campaign_version: u32,
    pub state: RunState,
    pub scheduled: Timestamp,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    pub total: u64,
    pub treatment_totals: Vec<u64>,
    pub holdout_total: u64,
    pub pins: Value,
    pub deadline: Option<Timestamp>,
    pub detail: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "placeholder")]
pub enum RunState {
    Running,
    Paused,
    Completed,
    Cancelled,
    Failed,
}

/// A chunk that was claimed.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct Chunk {
    pub run_no: i64,
    pub chunk_no: i32,
    pub first_seq: u32,
    pub last_seq: u32,
    pub cursor: Option<u32>,
    pub token: i64,
}

#[expect(missing_docs, reason = "placeholder")]
impl Store {
    pub async fn create_run(&self, _app: &AppRef, _run: NewRun) -> Result<Option<Run>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn run(&self, _no: i64) -> Result<Option<(AppRef, Run)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn run_recipients(&self, _no: i64) -> Result<RoaringBitmap> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn runs(&self, _app: &AppRef, _campaign: &CampaignId, _page: &PageRequest) -> Result<Page<Run>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn set_run_state(&self, _no: i64, _state: RunState, _detail: Option<String>) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn active_runs(&self) -> Result<Vec<(AppRef, Run)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn fail_run(&self, _app: &AppRef, _run: NewRun, _detail: String) -> Result<Option<Run>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn claim_chunk(&self, _lease: Duration) -> Result<Option<(AppRef, Chunk)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn extend_lease(&self, _chunk: &Chunk, _lease: Duration) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn release_chunk(&self, _chunk: &Chunk) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn set_sending_to(&self, _chunk: &Chunk, _seq: u32) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn complete_runs(&self) -> Result<Vec<(AppRef, Run)>> {
        Err(Error::Setup("not built".into()))
    }
}
