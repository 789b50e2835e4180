//! Group commit, seen from inside.

use std::time::Duration;

use pinion_domain as domain;
use tokio::sync::Semaphore;

use super::*;
use crate::Store;
use crate::backend::write;
use crate::open::{meta, set_meta};
use crate::testing::each_database;

/// Keeps the writer busy until the test lets it go on, so that what is sent meanwhile makes one batch.
async fn hold_the_writer(store: &Store) -> (Arc<Semaphore>, tokio::task::JoinHandle<Result<()>>) {
    let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (input, store) = ((Arc::clone(&begun), Arc::clone(&gate)), store.clone());
    let holding = tokio::spawn(async move {
        store
            .inner
            .main
            .write(Lane::Interactive, input, |_, (begun, gate)| {
                Box::pin(async move {
                    begun.add_permits(1);
                    gate.acquire().await.expect("nobody closes the gate").forget();
                    Ok(())
                })
            })
            .await
    });
    begun.acquire().await.unwrap().forget();
    (gate, holding)
}

#[derive(Clone, Copy)]
enum What {
    Fine,
    Conflict,
    BadSql,
    Panic,
}

/// Writes a fact and tells the transaction's revision.
async fn change(store: &Store, name: String, what: What) -> Result<i64> {
    store
        .inner
        .main
        .write(Lane::Interactive, (name, what), |tx, (name, what)| {
            Box::pin(async move {
                set_meta(&mut tx.connection, name, "made").await?;
                match what {
                    What::Fine => Ok(tx.rev),
                    What::Conflict => Err(domain::Error::Conflict("no".to_owned()).into()),
                    What::BadSql => {
                        write!(tx, |db| sqlx::query("select no_such_column from meta")
                            .execute(&mut *db)
                            .await
                            .map(drop))?;
                        Ok(tx.rev)
                    }
                    What::Panic => panic!("a change that panics"),
                }
            })
        })
        .await
}

/// Sends changes while the writer is busy, then lets it go on.
async fn in_one_batch(store: &Store, changes: &[(&str, What)]) -> Vec<Result<i64>> {
    let (gate, holding) = hold_the_writer(store).await;
    let mut sent = Vec::new();
    for (at, (name, what)) in changes.iter().enumerate() {
        let (task_store, name, what) = (store.clone(), (*name).to_owned(), *what);
        sent.push(tokio::spawn(async move { change(&task_store, name, what).await }));
        // One after the other, so that their order is known.
        while waiting(store) <= at {
            tokio::task::yield_now().await;
        }
    }
    gate.add_permits(1);
    holding.await.unwrap().unwrap();
    let mut results = Vec::new();
    for task in sent {
        results.push(task.await.unwrap());
    }
    results
}

fn waiting(store: &Store) -> usize {
    let writer = store.inner.main.writer.read().clone().unwrap();
    writer.interactive.max_capacity() - writer.interactive.capacity()
}

async fn made(store: &Store, name: &str) -> bool {
    let mut connection = store.inner.main.connector.connect().await.unwrap();
    let value = meta(&mut connection, name).await.unwrap();
    connection.close().await;
    value.is_some()
}

#[tokio::test]
async fn changes_that_wait_share_a_commit() {
    each_database(async |store, _| {
        let names: Vec<String> = (0..100).map(|n| format!("fact{n}")).collect();
        let changes: Vec<(&str, What)> = names.iter().map(|name| (name.as_str(), What::Fine)).collect();
        let revs: Vec<i64> = in_one_batch(&store, &changes)
            .await
            .into_iter()
            .collect::<Result<_>>()
            .unwrap();
        assert!(revs.iter().all(|rev| *rev == revs[0]), "{revs:?}");
        for name in &names {
            assert!(made(&store, name).await, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_culprits_of_a_batch_fail() {
    each_database(async |store, _| {
        let results = in_one_batch(
            &store,
            &[
                ("a", What::Fine),
                ("b", What::Fine),
                ("conflict", What::Conflict),
                ("c", What::Fine),
                ("sql", What::BadSql),
                ("panic", What::Panic),
                ("d", What::Fine),
                ("e", What::Fine),
            ],
        )
        .await;
        let rev = |at: usize| *results[at].as_ref().unwrap();
        assert!(
            matches!(&results[2], Err(Error::Domain(domain::Error::Conflict(_)))),
            "{results:?}"
        );
        assert!(matches!(&results[4], Err(Error::Database(_))), "{results:?}");
        assert!(matches!(&results[5], Err(Error::Panicked)), "{results:?}");
        // What stands together is committed together.
        assert_eq!((rev(0), rev(6)), (rev(1), rev(7)));
        assert!(rev(1) < rev(3) && rev(3) < rev(6), "{results:?}");
        for name in ["a", "b", "c", "d", "e"] {
            assert!(made(&store, name).await, "{name}");
        }
        for name in ["conflict", "sql", "panic"] {
            assert!(!made(&store, name).await, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_interactive_change_overtakes_waiting_bulk_ones() {
    each_database(async |store, _| {
        let (gate, holding) = hold_the_writer(&store).await;
        let writer = store.inner.main.writer.read().clone().unwrap();
        let bulk: Vec<_> = (0..BULK_SHARE * 4)
            .map(|_| {
                let writer = writer.clone();
                tokio::spawn(async move {
                    writer
                        .write(Lane::Bulk, (), |tx, ()| Box::pin(async move { Ok(tx.rev) }))
                        .await
                })
            })
            .collect();
        while writer.bulk.max_capacity() - writer.bulk.capacity() < BULK_SHARE * 4 {
            tokio::task::yield_now().await;
        }
        let interactive = tokio::spawn({
            let store = store.clone();
            async move { change(&store, "urgent".to_owned(), What::Fine).await }
        });
        while waiting(&store) == 0 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(1);
        holding.await.unwrap().unwrap();
        let urgent = interactive.await.unwrap().unwrap();
        let mut revs = Vec::new();
        for task in bulk {
            revs.push(task.await.unwrap().unwrap());
        }
        assert!(revs.iter().all(|rev| *rev >= urgent), "{urgent} {revs:?}");
        assert_eq!(
            revs.iter().filter(|rev| **rev == urgent).count(),
            BULK_SHARE,
            "{urgent} {revs:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    each_database(async |store, _| {
        if let crate::backend::Pools::Postgres(pool) = &store.inner.main.pools {
            sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .execute(pool)
            .await
            .unwrap();
        }
        let after = tokio::time::timeout(
            Duration::from_secs(60),
            change(&store, "after".to_owned(), What::Fine),
        );
        after.await.unwrap().unwrap();
        assert!(made(&store, "after").await);
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    // The limit of pages is SQLite's own way to be full; the error is the one of a full disk.
    let place = crate::testing::Place::sqlite();
    let store = place.open(&crate::testing::clock()).await;
    limit_pages(&store, 300).await;
    let mut kept = Vec::new();
    let full = loop {
        let name = format!("{:01000}", kept.len());
        match change(&store, name.clone(), What::Fine).await {
            Ok(_) => kept.push(name),
            Err(error) => break error,
        }
        assert!(kept.len() < 10_000, "the limit has no effect");
    };
    assert!(full.to_string().contains("full"), "{full}");
    assert!(!kept.is_empty());
    let results = in_one_batch(&store, &[("x", What::Fine), ("y", What::Fine)]).await;
    limit_pages(&store, 1_000_000).await;
    // Small ones may have found room; an answer is the truth either way.
    for (name, result) in ["x", "y"].into_iter().zip(results) {
        assert_eq!(made(&store, name).await, result.is_ok(), "{name}");
    }
    for name in &kept {
        assert!(made(&store, name).await);
    }
    assert!(!made(&store, &format!("{:01000}", kept.len())).await);
    change(&store, "again".to_owned(), What::Fine).await.unwrap();
    assert!(made(&store, "again").await);
    store.close().await;
}

/// Lets the writer's file grow to so many pages; a smaller number than it has means what it has.
async fn limit_pages(store: &Store, pages: i64) {
    store
        .inner
        .main
        .write(Lane::Interactive, pages, |tx, pages| {
            Box::pin(async move {
                let Connection::Sqlite(db) = &mut tx.connection else {
                    panic!("only SQLite has pages")
                };
                let sql = format!("pragma max_page_count = {pages}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}
