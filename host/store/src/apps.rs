//! Applications and their settings.

use std::sync::Arc;

use pinion_domain as domain;
use pinion_domain::app::{App, ApplicationSettings, CreateApplication};
use pinion_domain::arn::Arn;
use pinion_domain::clock::iso;
use pinion_domain::id::{AppId, Tenant, fresh_id};
use pinion_domain::page::{Page, PageRequest};
use pinion_domain::quotas::check_count;
use rand::RngExt;
use sqlx::{AssertSqlSafe, FromRow};
use tracing::warn;

use crate::backend::{read, write};
use crate::seal::Sealer;
use crate::tags::{insert_tags, remove_tags_below};
use crate::writer::Tx;
use crate::{AppKeys, AppRef, Error, Lane, Result, Store};

#[derive(FromRow)]
struct Row {
    app_no: i64,
    app_id: String,
    account_id: String,
    region: String,
    name: String,
    settings: String,
    data_key_sealed: Vec<u8>,
    created_at: i64,
}

macro_rules! columns {
    () => {
        "select app_no, app_id, account_id, region, name, settings, data_key_sealed, created_at from app"
    };
}

impl Store {
    /// Makes an application, with a data key of its own.
    pub async fn create_app(&self, tenant: &Tenant, create: CreateApplication) -> Result<App> {
        struct Input {
            tenant: Tenant,
            id: AppId,
            create: CreateApplication,
            data_key_sealed: Vec<u8>,
            most: u32,
            most_tags: u32,
        }
        let id = AppId::from(fresh_id());
        let data_key: [u8; 32] = rand::rng().random();
        let input = Input {
            tenant: tenant.clone(),
            data_key_sealed: self.wrapping_key().seal(&data_key, id.as_str()),
            id: id.clone(),
            create,
            most: self.quotas.apps,
            most_tags: self.quotas.tags,
        };
        self.inner
            .main
            .write(Lane::Interactive, input, |tx, input| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    let count: i64 = write!(tx, |db| sqlx::query_scalar(
                        "select count(*) from app where account_id = $1 and region = $2 and deleted_at is null"
                    )
                    .bind(input.tenant.account.as_str())
                    .bind(input.tenant.region.as_str())
                    .fetch_one(&mut *db)
                    .await)?;
                    check_count(count.unsigned_abs(), input.most, "applications")?;
                    write!(tx, |db| sqlx::query(
                        "insert into app (app_id, account_id, region, name, settings, data_key_sealed, created_at)
                         values ($1, $2, $3, $4, '{}', $5, $6)"
                    )
                    .bind(input.id.as_str())
                    .bind(input.tenant.account.as_str())
                    .bind(input.tenant.region.as_str())
                    .bind(&input.create.name)
                    .bind(&input.data_key_sealed)
                    .bind(now)
                    .execute(&mut *db)
                    .await
                    .map(drop))?;
                    let arn = arn(&input.tenant, &input.id);
                    insert_tags(tx, &input.tenant, &arn, &input.create.tags, input.most_tags).await
                })
            })
            .await?;
        let app = self
            .app(tenant, &id)
            .await?
            .ok_or_else(|| Error::corrupt("app", "it vanished"))?;
        self.describe_app(&app).await
    }

    /// The application, if it is in the tenant's world.
    pub async fn app(&self, tenant: &Tenant, id: &AppId) -> Result<Option<AppRef>> {
        if let Some(app) = self.inner.apps.read().get(id) {
            return Ok(app.clone().filter(|app| app.tenant == *tenant));
        }
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where app_id = $1 and deleted_at is null"
        ))
        .bind(id.as_str())
        .fetch_optional(db)
        .await)?;
        let Some(row) = row else { return Ok(None) };
        Ok(self.remember(&row)?.filter(|app| app.tenant == *tenant))
    }

    /// The application of that number, for work that began under its tenant.
    pub async fn app_by_no(&self, no: i64) -> Result<Option<AppRef>> {
        if let Some(app) = self.inner.apps.read().values().flatten().find(|app| app.no == no) {
            return Ok(Some(app.clone()));
        }
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where app_no = $1 and deleted_at is null"
        ))
        .bind(no)
        .fetch_optional(db)
        .await)?;
        row.map_or(Ok(None), |row| self.remember(&row))
    }

    /// Every application of every tenant, for background work.
    pub async fn all_apps(&self) -> Result<Vec<AppRef>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where deleted_at is null"
        ))
        .fetch_all(db)
        .await)?;
        rows.iter()
            .filter_map(|row| self.remember(row).transpose())
            .collect()
    }

    /// Name, settings and creation date.
    pub async fn describe_app(&self, app: &AppRef) -> Result<App> {
        let row: Option<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(concat!(
            columns!(),
            " where app_no = $1 and deleted_at is null"
        ))
        .bind(app.no)
        .fetch_optional(db)
        .await)?;
        describe(row.ok_or_else(|| domain::Error::not_found("application", app.id.as_str()))?)
    }

    /// The tenant's applications, by id.
    pub async fn list_apps(&self, tenant: &Tenant, page: &PageRequest) -> Result<Page<App>> {
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| {
            sqlx::query_as(concat!(
            columns!(),
            " where account_id = $1 and region = $2 and deleted_at is null and app_id > $3 order by app_id limit $4"
        ))
        .bind(tenant.account.as_str())
        .bind(tenant.region.as_str())
        .bind(page.after.as_deref().unwrap_or(""))
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await
        })?;
        let apps = rows.into_iter().map(describe).collect::<Result<Vec<App>>>()?;
        Ok(Page::of(apps, page.size, |app| app.id.to_string()))
    }

    /// Removes an application from sight, with its documents; its id never comes back. Endpoints and users
    /// are unreadable at once, since the data key goes, and their rows go by and by. Runs, ledger and
    /// events stay: they are accounts of what was done.
    pub async fn delete_app(&self, app: &AppRef) -> Result<App> {
        let described = self.describe_app(app).await?;
        self.inner
            .main
            .write(Lane::Interactive, app.clone(), |tx, app| {
                Box::pin(delete(tx, app))
            })
            .await?;
        self.inner.apps.write().insert(app.id.clone(), None);
        let store = self.clone();
        let no = app.no;
        tokio::spawn(async move {
            match store.purge_app(no).await {
                // A store that closes goes on when it is opened again.
                Ok(()) | Err(Error::Closed) => {}
                Err(error) => warn!(%error, app.no = no, "rows of a deleted application are left"),
            }
        });
        Ok(described)
    }

    /// Removes what deleted applications left, as after a crash.
    pub(crate) async fn purge_apps(&self) -> Result<()> {
        let deleted: Vec<i64> = read!(self.inner.main.pools, |db| sqlx::query_scalar(
            "select app_no from app where deleted_at is not null
             and (exists (select 1 from endpoint where endpoint.app_no = app.app_no)
                  or exists (select 1 from app_user where app_user.app_no = app.app_no))"
        )
        .fetch_all(db)
        .await)?;
        for no in deleted {
            self.purge_app(no).await?;
        }
        Ok(())
    }

    /// In small steps, so that nobody waits for them.
    async fn purge_app(&self, no: i64) -> Result<()> {
        loop {
            let removed = self
                .inner
                .main
                .write(Lane::Bulk, no, |tx, no| Box::pin(purge_some(tx, *no)))
                .await?;
            if removed == 0 {
                return Ok(());
            }
        }
    }

    /// Takes over the parts that `change` names and keeps the rest.
    pub async fn update_settings(
        &self,
        app: &AppRef,
        change: ApplicationSettings,
    ) -> Result<ApplicationSettings> {
        self.inner
            .main
            .write(Lane::Interactive, (app.clone(), change), |tx, (app, change)| {
                Box::pin(update_settings(tx, app, change))
            })
            .await
    }

    fn wrapping_key(&self) -> Sealer {
        Sealer::new(&self.inner.master.derive("data-keys"))
    }

    /// Keeps a row's application for the next look-up; `None` if it was deleted here in the meantime.
    fn remember(&self, row: &Row) -> Result<Option<AppRef>> {
        let id = AppId::from(row.app_id.as_str());
        let key = self
            .wrapping_key()
            .open(&row.data_key_sealed, id.as_str(), "data key")?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| Error::Sealed("data key"))?;
        let tenant = Tenant {
            account: row.account_id.as_str().into(),
            region: row.region.as_str().into(),
        };
        let app = AppRef {
            no: row.app_no,
            id: id.clone(),
            keys: Arc::new(AppKeys {
                sealer: Sealer::new(&key),
                index: self.account_index_key(&tenant.account),
            }),
            tenant,
        };
        // Whoever read the row before it was deleted does not bring it back.
        Ok(self.inner.apps.write().entry(id).or_insert(Some(app)).clone())
    }
}

fn arn(tenant: &Tenant, id: &AppId) -> String {
    Arn::new(tenant, format!("apps/{id}")).to_string()
}

async fn delete(tx: &mut Tx, app: &AppRef) -> Result<()> {
    let now = tx.now.as_millisecond();
    write!(tx, |db| {
        sqlx::query("update app set deleted_at = $2, data_key_sealed = $3 where app_no = $1")
            .bind(app.no)
            .bind(now)
            .bind(Vec::<u8>::new())
            .execute(&mut *db)
            .await?;
        sqlx::query(
            "update run set state = 'CANCELLED', finished_at = $2
             where app_no = $1 and state in ('RUNNING', 'PAUSED')",
        )
        .bind(app.no)
        .bind(now)
        .execute(&mut *db)
        .await?;
        for sql in [
            "delete from channel where app_no = $1",
            "delete from resource where app_no = $1",
            "delete from resource_version where app_no = $1",
            "delete from job where app_no = $1",
            "delete from segment_members where app_no = $1",
            "delete from suppression where app_no = $1",
            "delete from sent_request where app_no = $1",
            "delete from otp where app_no = $1",
        ] {
            sqlx::query(sql).bind(app.no).execute(&mut *db).await?;
        }
        sqlx::query("delete from plugin_value where app_id = $1")
            .bind(app.id.as_str())
            .execute(&mut *db)
            .await?;
    });
    remove_tags_below(tx, &app.tenant, &arn(&app.tenant, &app.id)).await
}

async fn purge_some(tx: &mut Tx, no: i64) -> Result<u64> {
    let mut removed = 0;
    write!(tx, |db| {
        for sql in [
            "delete from endpoint where app_no = $1
             and seq in (select seq from endpoint where app_no = $1 limit 1000)",
            "delete from app_user where app_no = $1
             and user_id in (select user_id from app_user where app_no = $1 limit 1000)",
        ] {
            removed += sqlx::query(sql).bind(no).execute(&mut *db).await?.rows_affected();
        }
    });
    Ok(removed)
}

async fn update_settings(
    tx: &mut Tx,
    app: &AppRef,
    change: &ApplicationSettings,
) -> Result<ApplicationSettings> {
    let now = iso(tx.now);
    let lock = tx.connection.lock_suffix();
    let sql = format!("select settings from app where app_no = $1 and deleted_at is null{lock}");
    write!(tx, |db| {
        let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(app.no)
            .fetch_optional(&mut *db)
            .await?;
        let text = text.ok_or_else(|| domain::Error::not_found("application", app.id.as_str()))?;
        let mut settings: ApplicationSettings =
            serde_json::from_str(&text).map_err(|error| Error::corrupt("settings", error))?;
        settings.merge(ApplicationSettings {
            last_modified_date: Some(now),
            ..change.clone()
        });
        let text = serde_json::to_string(&settings).map_err(|error| Error::corrupt("settings", error))?;
        sqlx::query("update app set settings = $2 where app_no = $1")
            .bind(app.no)
            .bind(text)
            .execute(&mut *db)
            .await?;
        Ok(settings)
    })
}

fn describe(row: Row) -> Result<App> {
    let created = jiff::Timestamp::from_millisecond(row.created_at)
        .map_err(|error| Error::corrupt("application", error))?;
    Ok(App {
        id: row.app_id.into(),
        tenant: Tenant {
            account: row.account_id.into(),
            region: row.region.into(),
        },
        name: row.name,
        creation_date: iso(created),
        settings: serde_json::from_str(&row.settings).map_err(|error| Error::corrupt("settings", error))?,
    })
}
