//! Import and export jobs.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::id::SegmentId;

/// What a job is asked to do.
pub trait Definition: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `Type` on the wire, and the kind in the database.
    const KIND: &'static str;
    /// The name in messages.
    const NOUN: &'static str;

    /// The segment that it is about, if any.
    fn segment(&self) -> Option<SegmentId>;
}

/// `ImportJobRequest` and `ImportJobResource`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

impl Definition for ImportJobRequest {
    const KIND: &'static str = "IMPORT";
    const NOUN: &'static str = "import job";

    fn segment(&self) -> Option<SegmentId> {
        self.segment_id.clone().map(SegmentId::from)
    }
}

/// `ExportJobRequest` and `ExportJobResource`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ExportJobRequest {
    /// Kept for clients; credentials come from the server's environment.
    pub role_arn: String,
    /// `s3://BUCKET/FOLDER`, or `file://` below the folder that the config names.
    pub s3_url_prefix: String,
    /// Whose members are exported; absent: all endpoints of the application.
    pub segment_id: Option<SegmentId>,
    /// Absent: the latest when the job begins.
    pub segment_version: Option<u32>,
}

impl Definition for ExportJobRequest {
    const KIND: &'static str = "EXPORT";
    const NOUN: &'static str = "export job";

    fn segment(&self) -> Option<SegmentId> {
        self.segment_id.clone()
    }
}

/// `JobStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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

/// What is stored of a job: `ImportJobResponse` or `ExportJobResponse` without what names it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Job<D> {
    /// Files read or written to the end.
    #[serde(default)]
    pub completed_pieces: u64,
    /// ISO instant.
    pub completion_date: Option<String>,
    /// ISO instant.
    pub creation_date: String,
    /// What was asked; of an import, with the segment's id once it exists.
    pub definition: D,
    /// Files that could not be read or written.
    #[serde(default)]
    pub failed_pieces: u64,
    /// The first hundred sentences; of an import `FILE line N: REASON`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Where it stands.
    pub job_status: JobStatus,
    /// Lines or endpoints that were refused.
    #[serde(default)]
    pub total_failures: u64,
    /// Files found, or to be written.
    #[serde(default)]
    pub total_pieces: u64,
    /// Lines read, refused ones included, or endpoints written.
    #[serde(default)]
    pub total_processed: u64,
}

/// An import job.
pub type ImportJob = Job<ImportJobRequest>;
/// An export job.
pub type ExportJob = Job<ExportJobRequest>;

/// Failures that a job shows (API reference, `ImportJobResponse`).
const SHOWN_FAILURES: usize = 100;

impl<D> Job<D> {
    /// A job that has just been asked for.
    pub fn new(definition: D, now: jiff::Timestamp) -> Self {
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

    /// The job as it begins, for the first time or again.
    pub fn begun(self) -> Self {
        Self {
            job_status: JobStatus::Processing,
            completed_pieces: 0,
            failed_pieces: 0,
            failures: Vec::new(),
            total_failures: 0,
            total_pieces: 0,
            total_processed: 0,
            ..self
        }
    }

    /// The job as it is over; with a sentence why if it failed.
    pub fn ended(mut self, failed: Option<String>, now: jiff::Timestamp) -> Self {
        self.job_status = if failed.is_some() {
            JobStatus::Failed
        } else {
            JobStatus::Completed
        };
        self.completion_date = Some(crate::clock::iso(now));
        if let Some(sentence) = failed {
            self.note(sentence);
        }
        self
    }

    /// Keeps a sentence for its owner, if there is room.
    pub fn note(&mut self, sentence: String) {
        if self.failures.len() < SHOWN_FAILURES {
            self.failures.push(sentence);
        }
    }
}
