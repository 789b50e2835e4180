//! Export jobs: endpoints become gzipped files of one JSON object a line, which an import takes back.
//!
//! Who is exported is decided once, when the job begins, as a bitmap of numbers; each endpoint is then
//! written as it is when its turn comes, a thousand at a time, so memory does not grow with the export.
//! The files' names come from the job, so one that begins again writes over what it had written.

mod target;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::time::Instant;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use pinion_domain::id::{AppId, JobId};
use pinion_domain::job::{ExportJob, ExportJobRequest};
use pinion_store::AppRef;
use roaring::RoaringBitmap;
use tracing::info;

use crate::jobs::{PROGRESS, Work};
use crate::{Engine, Error, Result};

pub use target::check_url;
use target::{Piece, Target};

/// Endpoints that are read and packed together.
const BATCH: usize = 1_000;

/// What a piece ended with.
enum Ended {
    Complete,
    /// The engine stops.
    Stopped,
    /// The place where files go refused; the sentence is for the job's owner.
    Failed(String),
}

impl Work for ExportJobRequest {
    async fn run(engine: &Engine, app: &AppRef, id: &JobId, job: ExportJob) -> Result<()> {
        engine.export(app, id, job).await
    }
}

impl Engine {
    async fn export(&self, app: &AppRef, id: &JobId, job: ExportJob) -> Result<()> {
        info!(url = %job.definition.s3_url_prefix, "the export begins");
        let earlier = job.total_pieces;
        let mut job = job.begun();
        let folder = self.config().export_folder.as_deref();
        let target = match Target::open(&job.definition.s3_url_prefix, folder).await {
            Ok(target) => target,
            Err(sentence) => return self.end_job(app, id, job, Some(sentence)).await,
        };
        let members = match self.members_to_export(app, &job.definition).await {
            Ok(members) => members,
            Err(error) if is_owners(&error) => {
                return self.end_job(app, id, job, Some(error.to_string())).await;
            }
            Err(error) => return Err(error),
        };
        let most = u64::from(self.config().export_piece.max(1));
        job.total_pieces = members.len().div_ceil(most);
        // Pieces of about the same size, rather than a small one at the end.
        let size = members.len().div_ceil(job.total_pieces.max(1));
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        // What an earlier attempt wrote beyond what this one will: whoever lists the folder must not find it.
        for no in job.total_pieces..earlier {
            if let Err(sentence) = target.remove(&name(id, no)).await {
                return self.end_job(app, id, job, Some(sentence)).await;
            }
        }
        self.store().update_job(app, id, &job, None).await?;
        let writing = Writing {
            engine: self,
            app,
            id,
            target,
        };
        let mut members = members.iter();
        for no in 0..job.total_pieces {
            let piece: Vec<u32> = members.by_ref().take(size).collect();
            match writing.piece(&mut job, no, &piece).await? {
                Ended::Complete => job.completed_pieces += 1,
                Ended::Stopped => return Ok(()),
                Ended::Failed(sentence) => {
                    job.failed_pieces += 1;
                    return self.end_job(app, id, job, Some(sentence)).await;
                }
            }
            self.store().update_job(app, id, &job, None).await?;
        }
        self.end_job(app, id, job, None).await
    }

    /// Whom the job is about, by number.
    async fn members_to_export(&self, app: &AppRef, asked: &ExportJobRequest) -> Result<RoaringBitmap> {
        let Some(segment) = &asked.segment_id else {
            return Ok(self.store().live_endpoints(app).await?);
        };
        let resolved = self
            .audiences()
            .resolve(app, segment, asked.segment_version)
            .await?;
        let evaluated = self
            .audiences()
            .evaluate(app, &resolved, self.clock().now())
            .await?;
        match evaluated.unknown {
            0 => Ok(evaluated.selected),
            unknown => Err(Error::CannotRun(format!(
                "{unknown} endpoints could not be decided, since a predicate failed: {}",
                evaluated.faults.first().map_or("no reason given", String::as_str)
            ))),
        }
    }
}

/// A job whose files are being written.
struct Writing<'a> {
    engine: &'a Engine,
    app: &'a AppRef,
    id: &'a JobId,
    target: Target,
}

impl Writing<'_> {
    /// Writes one file.
    async fn piece(&self, job: &mut ExportJob, no: u64, members: &[u32]) -> Result<Ended> {
        let Self {
            engine,
            app,
            id,
            target,
        } = self;
        let name = name(id, no);
        let mut piece = match target.create(&name).await {
            Ok(piece) => piece,
            Err(sentence) => return Ok(Ended::Failed(sentence)),
        };
        let mut packer = Packer::new(app.id.clone());
        let mut told = Instant::now();
        for seqs in members.chunks(BATCH) {
            if engine.is_stopping() {
                piece.abandon().await;
                return Ok(Ended::Stopped);
            }
            let endpoints = engine.store().endpoints_by_seq(app, seqs).await?;
            job.total_processed += u64::try_from(endpoints.len()).unwrap_or(u64::MAX);
            let packed;
            (packer, packed) = packer.pack(endpoints).await?;
            if let Err(sentence) = piece.write(packed).await {
                piece.abandon().await;
                return Ok(Ended::Failed(format!("{name}: {sentence}")));
            }
            if told.elapsed() > PROGRESS {
                engine.store().update_job(app, id, job, None).await?;
                told = Instant::now();
            }
        }
        Ok(match finish(piece, packer).await {
            Ok(()) => Ended::Complete,
            Err(sentence) => Ended::Failed(format!("{name}: {sentence}")),
        })
    }
}

async fn finish(mut piece: Piece, packer: Packer) -> Result<(), String> {
    let rest = packer.finish().map_err(|error| error.to_string())?;
    if let Err(sentence) = piece.write(rest).await {
        piece.abandon().await;
        return Err(sentence);
    }
    piece.complete().await
}

/// Can the job's owner do something about it? Otherwise it is tried again.
fn is_owners(error: &Error) -> bool {
    use crate::audience::AudienceError;
    matches!(
        error,
        Error::Domain(_) | Error::CannotRun(_) | Error::Audience(AudienceError::Segment(_))
    )
}

/// `JOB-00000.json.gz`: clients look for `.gz`, imports for `.json.gz`.
fn name(id: &JobId, no: u64) -> String {
    format!("{id}-{no:05}.json.gz")
}

/// Endpoints as packed lines.
struct Packer {
    app: AppId,
    gzip: GzEncoder<Vec<u8>>,
}

impl Packer {
    fn new(app: AppId) -> Self {
        Self {
            app,
            gzip: GzEncoder::new(Vec::new(), Compression::default()),
        }
    }

    /// Packs more endpoints and gives what is ready, on a thread that may be busy for a while.
    async fn pack(mut self, endpoints: Vec<pinion_domain::endpoint::Endpoint>) -> Result<(Self, Bytes)> {
        let packed = tokio::task::spawn_blocking(move || -> std::io::Result<(Self, Bytes)> {
            for endpoint in endpoints {
                serde_json::to_writer(&mut self.gzip, &endpoint.response(&self.app))?;
                self.gzip.write_all(b"\n")?;
            }
            let ready = std::mem::take(self.gzip.get_mut());
            Ok((self, ready.into()))
        });
        match packed.await {
            Ok(Ok(packed)) => Ok(packed),
            Ok(Err(error)) => Err(Error::CannotRun(error.to_string())),
            Err(panic) => Err(Error::CannotRun(panic.to_string())),
        }
    }

    fn finish(self) -> std::io::Result<Bytes> {
        self.gzip.finish().map(Bytes::from)
    }
}
