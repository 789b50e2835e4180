//! The ledger: exactly one row per recipient of a run.

use std::time::Duration;

use jiff::Timestamp;
use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::{Reason, SuppressionReason};

use crate::{AppRef, Chunk, Error, Result, Store};

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "placeholder")]
pub struct LedgerRow {
    pub seq: u32,
    pub treatment: u8,
    pub reason: Reason,
    pub at: Timestamp,
    pub provider_id: Option<String>,
    pub detail: Option<String>,
    pub attempts: u16,
}

/// A message that waits for another try.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "placeholder")]
pub struct Retry {
    pub seq: u32,
    pub treatment: u8,
    pub attempt: u16,
    pub due_at: Timestamp,
    pub detail: String,
}

/// What a worker commits.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "placeholder")]
pub struct BatchCommit {
    pub cursor: u32,
    pub done: bool,
    pub rows: Vec<LedgerRow>,
    pub retries: Vec<Retry>,
    pub suppress: Vec<(ChannelType, String, SuppressionReason)>,
    pub accepted_sketch: Option<Vec<u8>>,
}

/// Rows of a minute.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "placeholder")]
pub struct Count {
    pub run_no: i64,
    pub treatment: u8,
    pub minute: i64,
    pub reason: Reason,
    pub count: u64,
}

/// Which counts.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "placeholder")]
pub struct RollupFilter {
    pub runs: Option<Vec<i64>>,
    pub from: Timestamp,
    pub to: Timestamp,
}

#[expect(missing_docs, reason = "placeholder")]
impl Store {
    pub async fn commit_batch(&self, _app: &AppRef, _chunk: &Chunk, _commit: BatchCommit) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn claim_retries(&self, _limit: usize, _lease: Duration) -> Result<Vec<(AppRef, i64, Vec<Retry>)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn commit_retries(&self, _app: &AppRef, _run_no: i64, _commit: BatchCommit) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn ledger(&self, _app: &AppRef, _run_no: i64, _after: Option<u32>, _limit: usize) -> Result<Vec<LedgerRow>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn ledger_counts(&self, _app: &AppRef, _run_no: i64) -> Result<Vec<(u8, Reason, u64)>> {
        Err(Error::Setup("not built".into()))
    }
    pub async fn ledger_rollup(&self, _app: &AppRef, _filter: RollupFilter) -> Result<Vec<Count>> {
        Err(Error::Setup("not built".into()))
    }
}
