//! Changes of documents, inside a transaction of the writer.

use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::clock::iso;
use pinion_domain::quotas::check_count;
use sqlx::AssertSqlSafe;

use super::{
    Change, Document, Key, Most, Row, Versioned, Write, bind_key, column, decode, is_key, number, versions,
};
use crate::backend::write;
use crate::writer::Tx;
use crate::{Error, Result};

pub(super) async fn create<D: Document>(
    tx: &mut Tx,
    key: &Key,
    document: &D,
    state: &str,
    due_at: Option<Timestamp>,
    most: Option<Most>,
) -> Result<Versioned<D>> {
    let now = tx.now;
    // An id that is taken is told first.
    let count = match most {
        None => 0,
        Some(most) => count(tx, key, most.kinds).await?,
    };
    let made = write!(tx, |db| {
        bind_key!(
        sqlx::query(
            "insert into resource (account_id, region, app_no, kind, resource_id, latest_version, active_version,
                                   versions_made, state, due_at, created_at, modified_at)
             values ($1, $2, $3, $4, $5, 1, 1, 1, $6, $7, $8, $8)
             on conflict (account_id, region, app_no, kind, resource_id) do nothing"
        ),
        key
    )
    .bind(state)
    .bind(due_at.map(Timestamp::as_millisecond))
    .bind(now.as_millisecond())
    .execute(&mut *db)
    .await?
    .rows_affected()
    });
    if made == 0 {
        return Err(domain::Error::Conflict(format!("{} {} exists already", D::NOUN, key.id)).into());
    }
    if let Some(most) = most {
        check_count(count, most.count, most.nouns)?;
    }
    insert_version(tx, key, 1, document).await?;
    Ok(Versioned {
        id: key.id.clone(),
        version: 1,
        active_version: 1,
        latest_version: 1,
        document: document.clone(),
        state: state.to_owned(),
        due_at,
        creation_date: iso(now),
        version_date: iso(now),
        last_modified_date: iso(now),
    })
}

pub(super) async fn put<D: Document>(
    tx: &mut Tx,
    key: &Key,
    document: &D,
    most: Option<Most>,
) -> Result<Versioned<D>> {
    let given = document.clone();
    let change: Change<D> = Box::new(move |before| Ok((given.clone(), before.state, before.due_at)));
    match update(tx, key, Write::OverwriteLatest, &change, None).await? {
        Some(overwritten) => Ok(overwritten),
        None => create(tx, key, document, "", None, most).await,
    }
}

pub(super) async fn update<D: Document>(
    tx: &mut Tx,
    key: &Key,
    write: Write,
    change: &Change<D>,
    most_versions: Option<u32>,
) -> Result<Option<Versioned<D>>> {
    let Some((_, versions_made)) = lock(tx, key).await? else {
        return Ok(None);
    };
    let before: Versioned<D> = read_version(tx, key, None)
        .await?
        .ok_or_else(|| Error::corrupt(format!("{} {}", D::NOUN, key.id), "its newest version is missing"))?;
    let now = tx.now;
    let mut after = before.clone();
    (after.document, after.state, after.due_at) = change(before)?;
    after.last_modified_date = iso(now);
    let mut numbers = versions_made;
    match write {
        Write::NewVersion { activate } => {
            if let Some(most) = most_versions {
                let count: i64 = write!(tx, |db| bind_key!(
                    sqlx::query_scalar(concat!("select count(*) from resource_version where", is_key!())),
                    key
                )
                .fetch_one(&mut *db)
                .await)?;
                check_count(count.unsigned_abs(), most, "versions")?;
            }
            numbers += 1;
            after.version = number(numbers)?;
            after.latest_version = after.version;
            after.version_date = iso(now);
            if activate {
                after.active_version = after.version;
            }
            insert_version(tx, key, numbers, &after.document).await?;
        }
        Write::OverwriteLatest => {
            write!(tx, |db| bind_key!(
                sqlx::query(concat!(
                    "update resource_version set document = $7, modified_at = $8 where",
                    is_key!(),
                    "and version = $6"
                )),
                key
            )
            .bind(column(after.version))
            .bind(encode(&after.document)?)
            .bind(now.as_millisecond())
            .execute(&mut *db)
            .await
            .map(drop))?;
        }
    }
    write!(tx, |db| bind_key!(
        sqlx::query(concat!(
            "update resource set latest_version = $6, active_version = $7, versions_made = $8, state = $9,
                                 due_at = $10, modified_at = $11
             where",
            is_key!()
        )),
        key
    )
    .bind(column(after.latest_version))
    .bind(column(after.active_version))
    .bind(numbers)
    .bind(&after.state)
    .bind(after.due_at.map(Timestamp::as_millisecond))
    .bind(now.as_millisecond())
    .execute(&mut *db)
    .await
    .map(drop))?;
    Ok(Some(after))
}

pub(super) async fn delete<D: Document>(
    tx: &mut Tx,
    key: &Key,
    version: Option<u32>,
) -> Result<Option<Versioned<D>>> {
    if lock(tx, key).await?.is_none() {
        return Ok(None);
    }
    let active = match version {
        Some(version) => Some(version),
        None => read_version::<D>(tx, key, None)
            .await?
            .map(|latest| latest.active_version),
    };
    let Some(gone) = read_version::<D>(tx, key, active).await? else {
        return Ok(None);
    };
    // Version 0 is nobody's: it stands for all.
    let which = version.map_or(0, column);
    write!(tx, |db| bind_key!(
        sqlx::query(concat!(
            "delete from resource_version where",
            is_key!(),
            "and (version = $6 or $6 = 0)"
        )),
        key
    )
    .bind(which)
    .execute(&mut *db)
    .await
    .map(drop))?;
    let left: Option<i32> = write!(tx, |db| bind_key!(
        sqlx::query_scalar(concat!(
            "select max(version) from resource_version where",
            is_key!()
        )),
        key
    )
    .fetch_one(&mut *db)
    .await)?;
    let active = column(gone.active_version);
    match left {
        None => write!(tx, |db| bind_key!(
            sqlx::query(concat!("delete from resource where", is_key!())),
            key
        )
        .execute(&mut *db)
        .await
        .map(drop))?,
        Some(latest) => write!(tx, |db| bind_key!(
            sqlx::query(concat!(
                "update resource set latest_version = $6, active_version = $7 where",
                is_key!()
            )),
            key
        )
        .bind(latest)
        .bind(if which == active { latest } else { active })
        .execute(&mut *db)
        .await
        .map(drop))?,
    }
    Ok(Some(gone))
}

/// Keeps other writers off the resource until the commit; tells its state and how many versions were
/// ever made.
pub(super) async fn lock(tx: &mut Tx, key: &Key) -> Result<Option<(String, i32)>> {
    let lock = tx.connection.lock_suffix();
    let sql = format!(
        "select state, versions_made from resource where{}{lock}",
        is_key!()
    );
    Ok(write!(tx, |db| bind_key!(
        sqlx::query_as(AssertSqlSafe(sql)),
        key
    )
    .fetch_optional(&mut *db)
    .await)?)
}

/// Documents of those kinds in the scope of a key.
async fn count(tx: &mut Tx, key: &Key, kinds: &[&str]) -> Result<u64> {
    let mut all = 0;
    for kind in kinds {
        let count: i64 = write!(tx, |db| {
            sqlx::query_scalar(
            "select count(*) from resource where account_id = $1 and region = $2 and app_no = $3 and kind = $4"
        )
        .bind(&key.account)
        .bind(&key.region)
        .bind(key.app_no)
        .bind(*kind)
        .fetch_one(&mut *db)
        .await
        })?;
        all += count.unsigned_abs();
    }
    Ok(all)
}

/// A version inside a transaction; `None` means the newest.
async fn read_version<D: Document>(
    tx: &mut Tx,
    key: &Key,
    version: Option<u32>,
) -> Result<Option<Versioned<D>>> {
    let row: Option<Row> = write!(tx, |db| bind_key!(
        sqlx::query_as(versions!(
            "r.account_id = $1 and r.region = $2 and r.app_no = $3 and r.kind = $4 and r.resource_id = $5
             and v.version = coalesce($6, r.latest_version)"
        )),
        key
    )
    .bind(version.map(column))
    .fetch_optional(&mut *db)
    .await)?;
    row.map(decode).transpose()
}

async fn insert_version<D: Document>(tx: &mut Tx, key: &Key, version: i32, document: &D) -> Result<()> {
    let now = tx.now.as_millisecond();
    let document = encode(document)?;
    write!(tx, |db| bind_key!(
        sqlx::query(
            "insert into resource_version (account_id, region, app_no, kind, resource_id, version, document,
                                           created_at, modified_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
        ),
        key
    )
    .bind(version)
    .bind(document)
    .bind(now)
    .execute(&mut *db)
    .await
    .map(drop))?;
    Ok(())
}

fn encode<D: Document>(document: &D) -> Result<String> {
    serde_json::to_string(document).map_err(|error| Error::corrupt(D::NOUN, error))
}
