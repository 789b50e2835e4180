//! Whom earlier runs of a campaign reached often enough.

use jiff::Timestamp;
use pinion_domain::delivery::Reason;
use pinion_domain::id::CampaignId;
use roaring::RoaringBitmap;

use crate::backend::read;
use crate::endpoints::seq_of;
use crate::{AppRef, Result, Store};

impl Store {
    /// Endpoints that runs of a campaign before the run `run_no` reached at least `times` times, since an
    /// instant or ever. A message that may have left counts as one that did.
    ///
    /// Reads the ledger of each of those runs.
    pub async fn reached(
        &self,
        app: &AppRef,
        campaign: &CampaignId,
        run_no: i64,
        times: u32,
        since: Option<Timestamp>,
    ) -> Result<RoaringBitmap> {
        let rows: Vec<i64> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select l.seq from run r join ledger l on l.run_no = r.run_no
             where r.app_no = $1 and r.campaign_id = $2 and r.run_no < $3
               and (r.finished_at is null or r.finished_at >= $4)
               and l.at >= $4 and (l.reason = $5 or l.reason = $6)
             group by l.seq having count(*) >= $7"
        )
        .bind(app.no)
        .bind(campaign.as_str())
        .bind(run_no)
        .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
        .bind(Reason::Accepted.code())
        .bind(Reason::Unknown.code())
        .bind(i64::from(times))
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(seq_of).collect()
    }
}
