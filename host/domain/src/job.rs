//! Import jobs.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// `ImportJobRequest` and `ImportJobResource`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportJobRequest {
    /// Make a segment of what was imported; absent counts as `SegmentName` or `SegmentId` present.
    pub define_segment: Option<bool>,
    /// Kept for clients.
    pub external_id: Option<String>,
    /// `CSV` or `JSON`.
    pub format: String,
    /// Store the endpoints; absent counts as true.
    pub register_endpoints: Option<bool>,
    /// Kept for clients; credentials come from the server's environment.
    pub role_arn: String,
    /// `s3://BUCKET/KEY-OR-PREFIX`, or `file://` below the folder that the config names.
    pub s3_url: String,
    /// A segment to replace.
    pub segment_id: Option<String>,
    /// The name of a new segment.
    pub segment_name: Option<String>,
}

/// `JobStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum JobStatus {
    Created,
    PreparingForInitialization,
    Initializing,
    Processing,
    PendingJob,
    Completing,
    Completed,
    Failing,
    Failed,
}

impl JobStatus {
    /// Will nothing more happen?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// What is stored of an import job: `ImportJobResponse` without what names it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportJob {
    /// Files read to the end.
    #[serde(default)]
    pub completed_pieces: u64,
    /// ISO instant.
    pub completion_date: Option<String>,
    /// ISO instant.
    pub creation_date: String,
    /// What was asked, with the segment's id once it exists.
    pub definition: ImportJobRequest,
    /// Files that could not be read.
    #[serde(default)]
    pub failed_pieces: u64,
    /// The first hundred: `FILE line N: REASON`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Where it stands.
    pub job_status: JobStatus,
    /// Lines that were refused.
    #[serde(default)]
    pub total_failures: u64,
    /// Files found.
    #[serde(default)]
    pub total_pieces: u64,
    /// Lines read, refused ones included.
    #[serde(default)]
    pub total_processed: u64,
}

impl ImportJob {
    /// A job that has just been asked for.
    pub fn new(definition: ImportJobRequest, now: jiff::Timestamp) -> Self {
        Self {
            completed_pieces: 0,
            completion_date: None,
            creation_date: crate::clock::iso(now),
            definition,
            failed_pieces: 0,
            failures: Vec::new(),
            job_status: JobStatus::Created,
            total_failures: 0,
            total_pieces: 0,
            total_processed: 0,
        }
    }
}
