//! Import and export jobs, and the members of imported segments.

use pinion_domain as domain;
use pinion_domain::id::{JobId, SegmentId, UserId};
use pinion_domain::job::{Definition, Job};
use pinion_domain::page::{Page, PageRequest};
use roaring::RoaringBitmap;
use sqlx::FromRow;

use crate::backend::{PageKey, read, write};
use crate::{AppRef, Error, Lane, Result, Store};

/// Who is in a version of an imported segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    /// By `seq`.
    pub endpoints: RoaringBitmap,
    /// Users all of whose endpoints belong to it.
    pub users: Vec<UserId>,
}

#[derive(FromRow)]
struct Row {
    app_no: i64,
    job_id: String,
    document: String,
    resume: Option<String>,
    created_at: i64,
}

macro_rules! columns {
    () => {
        "select app_no, job_id, document, resume, created_at from job"
    };
}

struct Input {
    app_no: i64,
    id: JobId,
    kind: &'static str,
    noun: &'static str,
    segment_id: Option<String>,
    finished: bool,
    document: String,
    resume: Option<String>,
}

impl Input {
    fn new<D: Definition>(app: &AppRef, id: &JobId, job: &Job<D>, resume: Option<String>) -> Result<Self> {
        Ok(Self {
            app_no: app.no,
            id: id.clone(),
            kind: D::KIND,
            noun: D::NOUN,
            segment_id: job.definition.segment().map(String::from),
            finished: job.job_status.is_final(),
            document: serde_json::to_string(job).map_err(|error| Error::corrupt("job", error))?,
            resume,
        })
    }
}

impl Store {
    /// Records a new job.
    pub async fn create_job<D: Definition>(&self, app: &AppRef, id: &JobId, job: &Job<D>) -> Result<()> {
        let input = Input::new(app, id, job, None)?;
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let made = write!(tx, |db| {
                        sqlx::query(
                        "insert into job (app_no, job_id, kind, segment_id, finished, document, created_at)
                         values ($1, $2, $3, $4, $5, $6, $7) on conflict (app_no, job_id) do nothing"
                    )
                    .bind(input.app_no)
                    .bind(input.id.as_str())
                    .bind(input.kind)
                    .bind(&input.segment_id)
                    .bind(i16::from(input.finished))
                    .bind(&input.document)
                    .bind(now)
                    .execute(&mut *db)
                    .await?
                    .rows_affected()
                    });
                    if made == 0 {
                        return Err(domain::Error::Conflict(format!(
                            "{} {} exists already",
                            input.noun, input.id
                        ))
                        .into());
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Keeps how far a job has come. `cursor` is where a restarted server goes on.
    pub async fn update_job<D: Definition>(
        &self,
        app: &AppRef,
        id: &JobId,
        job: &Job<D>,
        cursor: Option<String>,
    ) -> Result<()> {
        let input = Input::new(app, id, job, cursor)?;
        self.inner
            .main
            .write(Lane::Bulk, input, |tx, input| {
                Box::pin(async move {
                    let changed = write!(tx, |db| sqlx::query(
                        "update job set segment_id = $4, finished = $5, document = $6, resume = $7
                         where app_no = $1 and job_id = $2 and kind = $3"
                    )
                    .bind(input.app_no)
                    .bind(input.id.as_str())
                    .bind(input.kind)
                    .bind(&input.segment_id)
                    .bind(i16::from(input.finished))
                    .bind(&input.document)
                    .bind(&input.resume)
                    .execute(&mut *db)
                    .await?
                    .rows_affected());
                    if changed == 0 {
                        return Err(domain::Error::not_found(input.noun, input.id.as_str()).into());
                    }
                    Ok(())
                })
            })
            .await
    }

    /// A job.
    pub async fn job<D: Definition>(&self, app: &AppRef, id: &JobId) -> Result<Option<Job<D>>> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where app_no = $1 and job_id = $2 and kind = $3"
        ))
        .bind(app.no)
        .bind(id.as_str())
        .bind(D::KIND)
        .fetch_optional(db)
        .await)?;
        row.map(|row| document(&row)).transpose()
    }

    /// Jobs of a kind of an application, or of one of its segments, newest first.
    pub async fn jobs<D: Definition>(
        &self,
        app: &AppRef,
        segment: Option<&SegmentId>,
        page: &PageRequest,
    ) -> Result<Page<(JobId, Job<D>)>> {
        let after = PageKey::newest_first(page)?;
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where app_no = $1 and (created_at < $2 or (created_at = $2 and job_id < $3))
                and ($4 = '' or segment_id = $4) and kind = $5
              order by created_at desc, job_id desc limit $6"
        ))
        .bind(app.no)
        .bind(after.at)
        .bind(&after.id)
        .bind(segment.map_or("", SegmentId::as_str))
        .bind(D::KIND)
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        let page = Page::of(rows, page.size, |row| PageKey::write(row.created_at, &row.job_id));
        let items = page
            .items
            .iter()
            .map(|row| Ok((JobId::from(row.job_id.as_str()), document(row)?)))
            .collect::<Result<_>>()?;
        Ok(Page {
            items,
            next_token: page.next_token,
        })
    }

    /// Jobs of a kind that a restarted server goes on with, oldest first, each with its cursor.
    pub async fn unfinished_jobs<D: Definition>(
        &self,
    ) -> Result<Vec<(AppRef, JobId, Job<D>, Option<String>)>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where finished = 0 and kind = $1 order by created_at, job_id"
        ))
        .bind(D::KIND)
        .fetch_all(db)
        .await)?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(app) = self.app_by_no(row.app_no).await? {
                let job = document(&row)?;
                jobs.push((app, row.job_id.into(), job, row.resume));
            }
        }
        Ok(jobs)
    }

    /// Keeps who is in a version of an imported segment.
    pub async fn put_members(
        &self,
        app: &AppRef,
        segment: &SegmentId,
        version: u32,
        members: &Members,
    ) -> Result<()> {
        let mut endpoints = Vec::with_capacity(members.endpoints.serialized_size());
        members
            .endpoints
            .serialize_into(&mut endpoints)
            .expect("a Vec takes all bytes");
        let users =
            serde_json::to_string(&members.users).map_err(|error| Error::corrupt("members", error))?;
        self.inner
            .main
            .write(
                Lane::Bulk,
                (app.no, segment.clone(), version, endpoints, users),
                |tx, (app_no, segment, version, endpoints, users)| {
                    Box::pin(async move {
                        write!(tx, |db| sqlx::query(
                            "insert into segment_members (app_no, segment_id, version, endpoints, users)
                             values ($1, $2, $3, $4, $5)
                             on conflict (app_no, segment_id, version) do update set
                                 endpoints = excluded.endpoints, users = excluded.users"
                        )
                        .bind(*app_no)
                        .bind(segment.as_str())
                        .bind(i64::from(*version))
                        .bind(endpoints)
                        .bind(users)
                        .execute(&mut *db)
                        .await
                        .map(drop))?;
                        Ok(())
                    })
                },
            )
            .await
    }

    /// Who is in a version of an imported segment.
    pub async fn members(&self, app: &AppRef, segment: &SegmentId, version: u32) -> Result<Option<Members>> {
        let row: Option<(Vec<u8>, String)> = read!(self.inner.main.pools, |db| {
            sqlx::query_as(
            "select endpoints, users from segment_members where app_no = $1 and segment_id = $2 and version = $3"
        )
        .bind(app.no)
        .bind(segment.as_str())
        .bind(i64::from(version))
        .fetch_optional(db)
        .await
        })?;
        row.map(|(endpoints, users)| {
            Ok(Members {
                endpoints: RoaringBitmap::deserialize_from(endpoints.as_slice())
                    .map_err(|error| Error::corrupt("members", error))?,
                users: serde_json::from_str(&users).map_err(|error| Error::corrupt("members", error))?,
            })
        })
        .transpose()
    }
}

fn document<D: Definition>(row: &Row) -> Result<Job<D>> {
    serde_json::from_str(&row.document).map_err(|error| Error::corrupt(format!("job {}", row.job_id), error))
}
