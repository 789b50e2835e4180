//! The statements by which many endpoints and users are read and written at once.

use crate::backend::{Connection, write};
use crate::rows::{MultiRow, json, json_blobs};
use crate::writer::Tx;
use crate::{AppRef, Result};

/// Seq, id, user, sealed address, address index, document of a live endpoint.
pub(super) type EndpointRow = (
    i64,
    String,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    String,
);

/// An endpoint to write.
pub(super) struct EndpointWrite<'a> {
    pub(super) seq: i64,
    pub(super) id: &'a str,
    pub(super) user_id: Option<&'a str>,
    pub(super) active: i16,
    pub(super) effective_at: i64,
    pub(super) sealed: Option<&'a [u8]>,
    pub(super) index: Option<&'a [u8]>,
    pub(super) document: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select seq, endpoint_id, user_id, address_sealed, address_index, document
             from endpoint where app_no = $1 and live = 1 and ",
            $rest
        )
    };
}

/// The endpoints of those ids.
pub(super) async fn by_ids(tx: &mut Tx, app: &AppRef, ids: &[&str]) -> Result<Vec<EndpointRow>> {
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_as(select!("endpoint_id in (select value from json_each($2))"))
                .bind(app.no)
                .bind(json(ids))
                .fetch_all(&mut *db)
                .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_as(select!("endpoint_id = any($2)"))
                .bind(app.no)
                .bind(ids)
                .fetch_all(&mut *db)
                .await?
        }
    })
}

/// The active endpoints that have one of those addresses.
pub(super) async fn by_indexes(tx: &mut Tx, app: &AppRef, indexes: &[&[u8]]) -> Result<Vec<EndpointRow>> {
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_as(select!(
                "active = 1 and address_index in (select unhex(value) from json_each($2))"
            ))
            .bind(app.no)
            .bind(json_blobs(indexes))
            .fetch_all(&mut *db)
            .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_as(select!("active = 1 and address_index = any($2)"))
                .bind(app.no)
                .bind(indexes)
                .fetch_all(&mut *db)
                .await?
        }
    })
}

/// The endpoints of a user.
pub(super) async fn by_user(tx: &mut Tx, app: &AppRef, user: &str) -> Result<Vec<EndpointRow>> {
    Ok(write!(tx, |db| sqlx::query_as(select!("user_id = $2"))
        .bind(app.no)
        .bind(user)
        .fetch_all(&mut *db)
        .await)?)
}

/// Ids and documents of those users, as far as something is known of them.
pub(super) async fn user_documents(
    tx: &mut Tx,
    app: &AppRef,
    users: &[&str],
) -> Result<Vec<(String, String)>> {
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_as(
                "select user_id, document from app_user
                 where app_no = $1 and live = 1 and user_id in (select value from json_each($2))",
            )
            .bind(app.no)
            .bind(json(users))
            .fetch_all(&mut *db)
            .await?
        }
        Connection::Postgres(db) => {
            sqlx::query_as(
                "select user_id, document from app_user where app_no = $1 and live = 1 and user_id = any($2)",
            )
            .bind(app.no)
            .bind(users)
            .fetch_all(&mut *db)
            .await?
        }
    })
}

/// How many endpoints those users have; none: absent. Deleted endpoints have no user.
pub(super) async fn user_counts(tx: &mut Tx, app: &AppRef, users: &[&str]) -> Result<Vec<(String, i64)>> {
    Ok(match &mut tx.connection {
        Connection::Sqlite(db) => {
            sqlx::query_as(
                "select user_id, count(*) from endpoint
                 where app_no = $1 and user_id in (select value from json_each($2)) group by user_id",
            )
            .bind(app.no)
            .bind(json(users))
            .fetch_all(&mut *db)
            .await?
        }
        Connection::Postgres(db) => sqlx::query_as(
            "select user_id, count(*) from endpoint where app_no = $1 and user_id = any($2) group by user_id",
        )
        .bind(app.no)
        .bind(users)
        .fetch_all(&mut *db)
        .await?,
    })
}

/// Inserts endpoints or overwrites all of them that changes.
pub(super) async fn write_endpoints(
    tx: &mut Tx,
    app: &AppRef,
    endpoints: &[EndpointWrite<'_>],
) -> Result<()> {
    static UPSERT: MultiRow = MultiRow::new(
        "insert into endpoint (app_no, seq, endpoint_id, user_id, live, active, rev, effective_at,
                               address_sealed, address_index, document)",
        11,
        "on conflict (app_no, seq) do update set
             user_id = excluded.user_id, active = excluded.active, rev = excluded.rev,
             effective_at = excluded.effective_at, address_sealed = excluded.address_sealed,
             address_index = excluded.address_index, document = excluded.document",
    );
    let rev = tx.rev;
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            UPSERT
                .execute(db, endpoints, |binds, row| {
                    binds
                        .add(app.no)
                        .add(row.seq)
                        .add(row.id)
                        .add(row.user_id)
                        .add(1_i64)
                        .add(row.active);
                    binds
                        .add(rev)
                        .add(row.effective_at)
                        .add(row.sealed)
                        .add(row.index)
                        .add(&row.document);
                })
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into endpoint (app_no, seq, endpoint_id, user_id, live, active, rev, effective_at,
                                       address_sealed, address_index, document)
                 select $1, seq, endpoint_id, user_id, 1, active, $2, effective_at,
                        address_sealed, address_index, document
                 from unnest($3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bytea[],
                             $9::bytea[], $10::text[])
                   as new (seq, endpoint_id, user_id, active, effective_at,
                           address_sealed, address_index, document)
                 on conflict (app_no, seq) do update set
                     user_id = excluded.user_id, active = excluded.active, rev = excluded.rev,
                     effective_at = excluded.effective_at, address_sealed = excluded.address_sealed,
                     address_index = excluded.address_index, document = excluded.document",
            )
            .bind(app.no)
            .bind(rev)
            .bind(endpoints.iter().map(|row| row.seq).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.user_id).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.active).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.effective_at).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.sealed).collect::<Vec<_>>())
            .bind(endpoints.iter().map(|row| row.index).collect::<Vec<_>>())
            .bind(
                endpoints
                    .iter()
                    .map(|row| row.document.as_str())
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}

/// Inserts users or overwrites their documents.
pub(super) async fn write_users(tx: &mut Tx, app: &AppRef, users: &[(&str, String)]) -> Result<()> {
    static UPSERT: MultiRow = MultiRow::new(
        "insert into app_user (app_no, user_id, live, rev, document)",
        5,
        "on conflict (app_no, user_id) do update set
             live = 1, rev = excluded.rev, document = excluded.document",
    );
    let rev = tx.rev;
    match &mut tx.connection {
        Connection::Sqlite(db) => {
            UPSERT
                .execute(db, users, |binds, (id, document)| {
                    binds.add(app.no).add(*id).add(1_i64).add(rev).add(document);
                })
                .await
        }
        Connection::Postgres(db) => {
            sqlx::query(
                "insert into app_user (app_no, user_id, live, rev, document)
                 select $1, user_id, 1, $2, document
                 from unnest($3::text[], $4::text[]) as new (user_id, document)
                 on conflict (app_no, user_id) do update set
                     live = 1, rev = excluded.rev, document = excluded.document",
            )
            .bind(app.no)
            .bind(rev)
            .bind(users.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(
                users
                    .iter()
                    .map(|(_, document)| document.as_str())
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *db)
            .await?;
            Ok(())
        }
    }
}
