//! Tags: names and values on resources, by ARN.

use std::collections::{BTreeMap, HashMap};

use pinion_domain as domain;
use pinion_domain::id::Tenant;
use sqlx::AssertSqlSafe;

use crate::backend::{read, write};
use crate::writer::Tx;
use crate::{Lane, Result, Store};

struct Input<T> {
    tenant: Tenant,
    arn: String,
    what: T,
}

impl Store {
    /// The tags of a resource.
    pub async fn tags(&self, tenant: &Tenant, arn: &str) -> Result<BTreeMap<String, String>> {
        let rows: Vec<(String, String)> = read!(self.inner.main.pools, |db| sqlx::query_as(
            "select tag_key, tag_value from tag where account_id = $1 and region = $2 and arn = $3"
        )
        .bind(tenant.account.as_str())
        .bind(tenant.region.as_str())
        .bind(arn)
        .fetch_all(db)
        .await)?;
        Ok(rows.into_iter().collect())
    }

    /// The tags of many resources; those without tags are absent.
    pub async fn tags_of(
        &self,
        tenant: &Tenant,
        arns: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, String>>> {
        let mut tags: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for arns in arns.chunks(200) {
            let places: Vec<String> = (3..3 + arns.len()).map(|n| format!("${n}")).collect();
            let sql = format!(
                "select arn, tag_key, tag_value from tag where account_id = $1 and region = $2 and arn in ({})",
                places.join(", ")
            );
            let rows: Vec<(String, String, String)> = read!(self.inner.main.pools, |db| {
                let mut query = sqlx::query_as(AssertSqlSafe(sql))
                    .bind(tenant.account.as_str())
                    .bind(tenant.region.as_str());
                for arn in arns {
                    query = query.bind(arn);
                }
                query.fetch_all(db).await
            })?;
            for (arn, key, value) in rows {
                tags.entry(arn).or_default().insert(key, value);
            }
        }
        Ok(tags)
    }

    /// Adds tags to a resource; a tag that is there gets the new value. Refuses more than the quota allows.
    pub async fn put_tags(&self, tenant: &Tenant, arn: &str, tags: BTreeMap<String, String>) -> Result<()> {
        let input = Input {
            tenant: tenant.clone(),
            arn: arn.to_owned(),
            what: (tags, self.quotas.tags),
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                let (tags, most) = &input.what;
                Box::pin(insert_tags(tx, &input.tenant, &input.arn, tags, *most))
            })
            .await
    }

    /// Takes tags off a resource; names that it does not have are passed over.
    pub async fn remove_tags(&self, tenant: &Tenant, arn: &str, keys: &[String]) -> Result<()> {
        let input = Input {
            tenant: tenant.clone(),
            arn: arn.to_owned(),
            what: keys.to_vec(),
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    for key in &input.what {
                        write!(tx, |db| sqlx::query(
                            "delete from tag where account_id = $1 and region = $2 and arn = $3 and tag_key = $4"
                        )
                        .bind(input.tenant.account.as_str())
                        .bind(input.tenant.region.as_str())
                        .bind(&input.arn)
                        .bind(key)
                        .execute(&mut *db)
                        .await
                        .map(drop))?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Adds tags inside somebody's transaction.
pub(crate) async fn insert_tags(
    tx: &mut Tx,
    tenant: &Tenant,
    arn: &str,
    tags: &BTreeMap<String, String>,
    most: u32,
) -> Result<()> {
    for (key, value) in tags {
        write!(tx, |db| sqlx::query(
            "insert into tag (account_id, region, arn, tag_key, tag_value) values ($1, $2, $3, $4, $5)
             on conflict (account_id, region, arn, tag_key) do update set tag_value = excluded.tag_value"
        )
        .bind(tenant.account.as_str())
        .bind(tenant.region.as_str())
        .bind(arn)
        .bind(key)
        .bind(value)
        .execute(&mut *db)
        .await
        .map(drop))?;
    }
    let count: i64 = write!(tx, |db| sqlx::query_scalar(
        "select count(*) from tag where account_id = $1 and region = $2 and arn = $3"
    )
    .bind(tenant.account.as_str())
    .bind(tenant.region.as_str())
    .bind(arn)
    .fetch_one(&mut *db)
    .await)?;
    if count > i64::from(most) {
        let problem = format!("a resource can have {most} tags at the most");
        return Err(domain::Error::invalid("tags", problem).into());
    }
    Ok(())
}

/// Removes the tags of a resource and of everything below it, inside somebody's transaction.
pub(crate) async fn remove_tags_below(tx: &mut Tx, tenant: &Tenant, arn: &str) -> Result<()> {
    let below = format!("{arn}/");
    write!(tx, |db| sqlx::query(
        "delete from tag where account_id = $1 and region = $2 and (arn = $3 or substr(arn, 1, $5) = $4)"
    )
    .bind(tenant.account.as_str())
    .bind(tenant.region.as_str())
    .bind(arn)
    .bind(&below)
    .bind(i32::try_from(below.chars().count()).unwrap_or(i32::MAX))
    .execute(&mut *db)
    .await
    .map(drop))?;
    Ok(())
}
