//! Import jobs: files become endpoints, and the endpoints of a file a segment.
//!
//! Files are streamed: lines are parsed on a thread of their own and written a thousand at a time, so
//! memory does not grow with the file. The same file twice changes nothing, so a job may begin again.

mod csv;
mod json;
mod lines;
mod source;

use std::collections::BTreeMap;
use std::time::Instant;

use pinion_domain::endpoint::EndpointBatchItem;
use pinion_domain::id::{JobId, SegmentId, UserId, fresh_id};
use pinion_domain::job::{ImportJob, ImportJobRequest};
use pinion_domain::segment::{SegmentDocument, SegmentImport};
use pinion_store::{AppRef, Lane, Members, Scope, Upsert, Write};
use roaring::RoaringBitmap;
use tokio::sync::mpsc;
use tracing::info;

use crate::jobs::{PROGRESS, Work};
use crate::{Engine, Error, Result};

pub use source::check_url;

/// Endpoints written together.
const BATCH: usize = 1_000;

/// What the parsing thread says.
enum Parsed {
    /// Endpoints with the number of their line.
    Batch(Vec<(u64, EndpointBatchItem)>),
    /// A line that cannot be taken.
    Failure { line: u64, reason: String },
    /// The file cannot be read any further.
    Broken(String),
}

/// What an import has gathered.
#[derive(Default)]
struct Gathered {
    endpoints: RoaringBitmap,
    users: Vec<UserId>,
    channels: BTreeMap<String, u64>,
}

impl Work for ImportJobRequest {
    async fn run(engine: &Engine, app: &AppRef, id: &JobId, job: ImportJob) -> Result<()> {
        engine.import(app, id, job).await
    }
}

impl Engine {
    async fn import(&self, app: &AppRef, id: &JobId, mut job: ImportJob) -> Result<()> {
        info!(url = %job.definition.s3_url, "the import begins");
        job = job.begun();
        let mut gathered = Gathered::default();
        let pieces = match source::pieces(&job.definition, self.config().import_folder.as_deref()).await {
            Ok(pieces) => pieces,
            Err(sentence) => return self.end_job(app, id, job, Some(sentence)).await,
        };
        job.total_pieces = u64::try_from(pieces.len()).unwrap_or(u64::MAX);
        self.store().update_job(app, id, &job, None).await?;
        for piece in pieces {
            if self.is_stopping() {
                return Ok(());
            }
            let complete = self.import_piece(app, id, &mut job, piece, &mut gathered).await?;
            if self.is_stopping() && !complete {
                return Ok(());
            }
            if complete {
                job.completed_pieces += 1;
            } else {
                job.failed_pieces += 1;
            }
            self.store().update_job(app, id, &job, None).await?;
        }
        let wants_segment = job
            .definition
            .define_segment
            .unwrap_or(job.definition.segment_id.is_some() || job.definition.segment_name.is_some());
        if wants_segment && (job.failed_pieces == 0 || !gathered.endpoints.is_empty()) {
            match self.define_segment(app, &job, gathered).await {
                Ok(segment) => job.definition.segment_id = Some(segment.into()),
                Err(Error::Domain(error)) => {
                    return self.end_job(app, id, job, Some(error.to_string())).await;
                }
                Err(error) => return Err(error),
            }
        }
        let failed = (job.failed_pieces > 0).then(|| "a file could not be read to its end".to_owned());
        self.end_job(app, id, job, failed).await
    }

    /// Reads one file; `false` if it could not be read to its end.
    async fn import_piece(
        &self,
        app: &AppRef,
        id: &JobId,
        job: &mut ImportJob,
        piece: source::Piece,
        gathered: &mut Gathered,
    ) -> Result<bool> {
        let name = piece.name.clone();
        let (sender, mut parsed) = mpsc::channel(4);
        let is_csv = job.definition.format == "CSV";
        let parser = tokio::task::spawn_blocking(move || {
            let failed = match piece.open() {
                Ok(reader) if is_csv => csv::parse(reader, &sender),
                Ok(reader) => json::parse(reader, &sender),
                Err(sentence) => Err(sentence),
            };
            if let Err(sentence) = failed {
                // The receiver is only gone when the engine stops.
                let _ = sender.blocking_send(Parsed::Broken(sentence));
            }
        });
        let mut complete = true;
        let mut told = Instant::now();
        while let Some(part) = parsed.recv().await {
            match part {
                Parsed::Batch(items) => {
                    job.total_processed += u64::try_from(items.len()).unwrap_or(u64::MAX);
                    self.write_batch(app, job, &name, items, gathered).await?;
                    if told.elapsed() > PROGRESS {
                        self.store().update_job(app, id, job, None).await?;
                        told = Instant::now();
                    }
                }
                Parsed::Failure { line, reason } => {
                    job.total_processed += 1;
                    fail(job, &name, line, &reason);
                }
                Parsed::Broken(sentence) => {
                    job.note(format!("{name}: {sentence}"));
                    complete = false;
                }
            }
            if self.is_stopping() {
                complete = false;
                break;
            }
        }
        drop(parsed);
        if let Err(panic) = parser.await {
            job.note(format!("{name}: reading ended: {panic}"));
            complete = false;
        }
        Ok(complete)
    }

    async fn write_batch(
        &self,
        app: &AppRef,
        job: &mut ImportJob,
        name: &str,
        items: Vec<(u64, EndpointBatchItem)>,
        gathered: &mut Gathered,
    ) -> Result<()> {
        let mut upserts = Vec::with_capacity(items.len());
        let mut lines = Vec::with_capacity(items.len());
        for (line, item) in items {
            let request = item.endpoint;
            if let (None, None, Some(user)) = (
                &item.id,
                &request.address,
                request.user.as_ref().and_then(|user| user.user_id.clone()),
            ) {
                // A line of a user alone stands for all of the user's endpoints.
                gathered.users.push(user);
                continue;
            }
            if item.id.is_none() && (request.address.is_none() || request.channel_type.is_none()) {
                fail(
                    job,
                    name,
                    line,
                    "Address and ChannelType are required without an Id",
                );
                continue;
            }
            if let Some(channel) = request.channel_type {
                *gathered.channels.entry(channel.to_string()).or_default() += 1;
            }
            let id = item.id.unwrap_or_else(|| derived_id(&request));
            lines.push(line);
            upserts.push(Upsert {
                id: id.into(),
                request,
            });
        }
        if upserts.is_empty() {
            return Ok(());
        }
        if job.definition.register_endpoints == Some(false) {
            let ids: Vec<_> = upserts.into_iter().map(|upsert| upsert.id).collect();
            let known = self.store().endpoints_by_id(app, &ids).await?;
            gathered
                .endpoints
                .extend(known.into_iter().map(|endpoint| endpoint.seq));
            return Ok(());
        }
        let results = self.store().upsert_endpoints(app, Lane::Bulk, upserts).await?;
        for (line, result) in lines.into_iter().zip(results) {
            match result {
                Ok(endpoint) => {
                    gathered.endpoints.insert(endpoint.seq);
                }
                Err(error) => fail(job, name, line, &error.to_string()),
            }
        }
        Ok(())
    }

    async fn define_segment(&self, app: &AppRef, job: &ImportJob, gathered: Gathered) -> Result<SegmentId> {
        let definition = &job.definition;
        let size = gathered.endpoints.len() + u64::try_from(gathered.users.len()).unwrap_or(u64::MAX);
        let import = SegmentImport {
            channel_counts: gathered.channels,
            external_id: definition.external_id.clone().unwrap_or_default(),
            format: definition.format.clone(),
            role_arn: definition.role_arn.clone(),
            s3_url: definition.s3_url.clone(),
            size,
        };
        let name = definition.segment_name.clone();
        let scope = Scope::from(app);
        let document = SegmentDocument {
            name,
            import_definition: Some(import),
            ..SegmentDocument::default()
        };
        let written = match &definition.segment_id {
            Some(id) => {
                let change = document.clone();
                self.store()
                    .update_document::<SegmentDocument>(
                        scope,
                        id,
                        Write::NewVersion { activate: true },
                        move |old| {
                            let name = change.name.clone().or(old.document.name);
                            Ok((
                                SegmentDocument {
                                    name,
                                    ..change.clone()
                                },
                                "ACTIVE".to_owned(),
                                None,
                            ))
                        },
                    )
                    .await?
                    .ok_or_else(|| pinion_domain::Error::not_found("segment", id.as_str()))?
            }
            None => {
                self.store()
                    .create_document(scope, &fresh_id(), document, "ACTIVE", None)
                    .await?
            }
        };
        let id = SegmentId::from(written.id);
        let members = Members {
            endpoints: gathered.endpoints,
            users: gathered.users,
        };
        self.store()
            .put_members(app, &id, written.version, &members)
            .await?;
        Ok(id)
    }
}

fn fail(job: &mut ImportJob, name: &str, line: u64, reason: &str) {
    job.total_failures += 1;
    job.note(format!("{name} line {line}: {reason}"));
}

/// The id of an endpoint that the file does not name: the same line twice is the same endpoint.
fn derived_id(request: &pinion_domain::endpoint::EndpointRequest) -> String {
    use sha2::{Digest, Sha256};
    let channel = request.channel_type.map_or("", |channel| channel.as_str());
    let address = request.address.as_deref().unwrap_or_default();
    let digest = Sha256::digest(format!("{channel}\n{address}").as_bytes());
    hex::encode(&digest[..16])
}
