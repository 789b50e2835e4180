//! Addresses that must not be sent to. They are kept by keyed index alone and belong to the account, so
//! they outlive endpoints and whatever clients write into them.

use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::SuppressionReason;
use pinion_domain::endpoint::EndpointDocument;
use pinion_domain::id::{AccountId, Tenant};
use std::collections::HashMap;

use crate::backend::{Pools, write};
use crate::rows::json_blobs;
use crate::seal::address_index;
use crate::writer::Tx;
use crate::{AppRef, Error, Lane, Result, Store};

/// `app_no` of suppressions that hold in every application of the account.
const EVERY_APP: i64 = 0;

/// A suppression to write.
pub(crate) struct Suppression {
    account: AccountId,
    channel: ChannelType,
    index: Vec<u8>,
    app_no: i64,
    reason: SuppressionReason,
}

impl Suppression {
    /// Of an address that an application sent to. An unsubscription concerns the application; that an
    /// address does not exist, or that its owner cries spam, concerns the whole account.
    pub(crate) fn of(app: &AppRef, channel: ChannelType, address: &str, reason: SuppressionReason) -> Self {
        Self::of_index(
            app,
            channel,
            address_index(&app.keys.index, channel.as_str(), address),
            reason,
        )
    }

    pub(crate) fn of_index(
        app: &AppRef,
        channel: ChannelType,
        index: Vec<u8>,
        reason: SuppressionReason,
    ) -> Self {
        let app_no = match reason {
            SuppressionReason::Unsubscribed => app.no,
            SuppressionReason::Bounce | SuppressionReason::Complaint => EVERY_APP,
        };
        Self {
            account: app.tenant.account.clone(),
            channel,
            index,
            app_no,
            reason,
        }
    }

    /// Writes it; one that is there already keeps its time.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<()> {
        let now = tx.now.as_millisecond();
        write!(tx, |db| sqlx::query(
            "insert into suppression (account_id, channel_type, address_index, app_no, reason, suppressed_at)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing"
        )
        .bind(self.account.as_str())
        .bind(self.channel.as_str())
        .bind(&self.index)
        .bind(self.app_no)
        .bind(self.reason.as_str())
        .bind(now)
        .execute(&mut *db)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Store {
    /// Suppresses an address in one application, or, without `app`, in all of the account.
    pub async fn suppress(
        &self,
        tenant: &Tenant,
        app: Option<&AppRef>,
        channel: ChannelType,
        address: &str,
        reason: SuppressionReason,
    ) -> Result<()> {
        let suppression = Suppression {
            account: tenant.account.clone(),
            channel,
            index: address_index(
                &self.account_index_key(&tenant.account),
                channel.as_str(),
                address,
            ),
            app_no: app.map_or(EVERY_APP, |app| app.no),
            reason,
        };
        self.write_suppression(suppression).await
    }

    /// Suppresses the address that an endpoint has now; `false` if it is deleted or cannot be reached.
    /// Where the suppression holds is decided by its reason: an unsubscription in the application, the
    /// others in the whole account. `channel` stands in for an endpoint without channel type.
    pub async fn suppress_endpoint(
        &self,
        app: &AppRef,
        seq: u32,
        channel: Option<ChannelType>,
        reason: SuppressionReason,
    ) -> Result<bool> {
        let endpoint = self.endpoints_by_seq(app, &[seq]).await?.into_iter().next();
        let Some((address, document)) =
            endpoint.and_then(|endpoint| Some((endpoint.address?, endpoint.document)))
        else {
            return Ok(false);
        };
        let EndpointDocument { channel_type, .. } = document;
        let Some(channel) = channel_type.or(channel) else {
            return Ok(false);
        };
        self.write_suppression(Suppression::of(app, channel, &address, reason))
            .await?;
        Ok(true)
    }

    /// Lifts all suppressions of an address in the account; `false` if there was none.
    pub async fn unsuppress(&self, tenant: &Tenant, channel: ChannelType, address: &str) -> Result<bool> {
        let index = address_index(
            &self.account_index_key(&tenant.account),
            channel.as_str(),
            address,
        );
        self.inner
            .main
            .write(Lane::Interactive, (tenant.account.clone(), channel, index), |tx, (account, channel, index)| {
                Box::pin(async move {
                    let lifted = write!(tx, |db| sqlx::query(
                        "delete from suppression where account_id = $1 and channel_type = $2 and address_index = $3"
                    )
                    .bind(account.as_str())
                    .bind(channel.as_str())
                    .bind(index)
                    .execute(&mut *db)
                    .await
                    .map(|done| done.rows_affected()))?;
                    Ok(lifted > 0)
                })
            })
            .await
    }

    /// Why each address must not be sent to from this application, in the order asked. Of several reasons
    /// the gravest: complaint, bounce, unsubscription.
    pub async fn suppressed(
        &self,
        app: &AppRef,
        channel: ChannelType,
        addresses: &[&str],
    ) -> Result<Vec<Option<SuppressionReason>>> {
        let indexes: Vec<Vec<u8>> = addresses
            .iter()
            .map(|address| address_index(&app.keys.index, channel.as_str(), address))
            .collect();
        let rows: Vec<(Vec<u8>, String)> = match &self.inner.main.pools {
            Pools::Sqlite(db) => {
                sqlx::query_as(
                    "select address_index, reason from suppression
                     where account_id = $1 and channel_type = $2 and app_no in (0, $3)
                       and address_index in (select unhex(value) from json_each($4))",
                )
                .bind(app.tenant.account.as_str())
                .bind(channel.as_str())
                .bind(app.no)
                .bind(json_blobs(&indexes))
                .fetch_all(db)
                .await?
            }
            Pools::Postgres(db) => {
                sqlx::query_as(
                    "select address_index, reason from suppression
                     where account_id = $1 and channel_type = $2 and app_no in (0, $3)
                       and address_index = any($4)",
                )
                .bind(app.tenant.account.as_str())
                .bind(channel.as_str())
                .bind(app.no)
                .bind(&indexes)
                .fetch_all(db)
                .await?
            }
        };
        let mut found: HashMap<Vec<u8>, SuppressionReason> = HashMap::with_capacity(rows.len());
        for (index, name) in rows {
            let reason =
                SuppressionReason::parse(&name).ok_or_else(|| Error::corrupt("suppression", name))?;
            let gravest = found.entry(index).or_insert(reason);
            if gravity(reason) > gravity(*gravest) {
                *gravest = reason;
            }
        }
        Ok(indexes.iter().map(|index| found.get(index).copied()).collect())
    }

    async fn write_suppression(&self, suppression: Suppression) -> Result<()> {
        self.inner
            .main
            .write(Lane::Interactive, suppression, |tx, suppression| {
                Box::pin(suppression.write(tx))
            })
            .await
    }
}

fn gravity(reason: SuppressionReason) -> u8 {
    match reason {
        SuppressionReason::Unsubscribed => 0,
        SuppressionReason::Bounce => 1,
        SuppressionReason::Complaint => 2,
    }
}
