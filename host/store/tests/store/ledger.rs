//! Runs, chunks and the ledger: nobody is lost, nobody counts twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datasketches::hll::{HllSketch, HllType};
use jiff::{SignedDuration, Timestamp};
use pinion_domain::campaign::{CampaignDocument, CampaignStatus};
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::{Clock as _, ManualClock};
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_domain::page::PageRequest;
use pinion_store::testing::{app, each_database, each_place};
use pinion_store::{
    AppRef, BatchCommit, Chunk, Error, LedgerRow, NewRun, Retry, RollupFilter, Run, RunState, StateChange,
    Store,
};
use rand::RngExt;
use roaring::RoaringBitmap;
use serde_json::json;

const LEASE: Duration = Duration::from_secs(60);

fn new_run(id: &str, recipients: impl IntoIterator<Item = u32>, chunk_size: u32) -> NewRun {
    let recipients: RoaringBitmap = recipients.into_iter().collect();
    NewRun {
        id: id.into(),
        campaign: "campaign".into(),
        campaign_version: 3,
        scheduled: Timestamp::UNIX_EPOCH,
        parent: None,
        pins: json!({ "templates": { "EMAIL": 2 } }),
        treatment_totals: vec![recipients.len()],
        recipients,
        holdout_total: 0,
        chunk_size,
        deadline: None,
    }
}

async fn run(store: &Store, app: &AppRef, id: &str, recipients: u32, chunk_size: u32) -> Run {
    store
        .create_run(app, new_run(id, 0..recipients, chunk_size))
        .await
        .unwrap()
        .unwrap()
}

fn row(seq: u32, reason: Reason, at: Timestamp) -> LedgerRow {
    LedgerRow {
        seq,
        treatment: 0,
        reason,
        at,
        provider_id: Some(format!("p{seq}")),
        detail: None,
        attempts: 1,
    }
}

fn accepted(seqs: impl IntoIterator<Item = u32>, at: Timestamp) -> Vec<LedgerRow> {
    seqs.into_iter()
        .map(|seq| row(seq, Reason::Accepted, at))
        .collect()
}

async fn claim(store: &Store) -> Option<Chunk> {
    store.claim_chunk(LEASE).await.unwrap().map(|(_, chunk)| chunk)
}

async fn finish(store: &Store, app: &AppRef, chunk: &Chunk) {
    let rows = accepted(chunk.first_seq..=chunk.last_seq, store.clock().now());
    let commit = BatchCommit {
        cursor: chunk.last_seq,
        done: true,
        rows,
        ..BatchCommit::default()
    };
    store.commit_batch(app, chunk, commit).await.unwrap();
}

/// Ends what is exhausted, as the engine's tick does; the runs as they are then.
async fn finish_exhausted(store: &Store) -> Vec<Run> {
    let mut finished = Vec::new();
    for (app, run) in store.exhausted_runs().await.unwrap() {
        let nothing =
            StateChange::of::<CampaignDocument>(&app, run.campaign.as_str(), &[], "COMPLETED", None);
        if store.finish_run(run.no, nothing).await.unwrap() {
            finished.push(store.run(run.no).await.unwrap().unwrap().1);
        }
    }
    finished
}

async fn all_over(store: &Store, app: &AppRef) -> bool {
    let runs = store.runs(app, &"campaign".into(), &PageRequest::default()).await;
    runs.unwrap().items.iter().all(|run| run.finished.is_some())
}

fn everything(store: &Store) -> RollupFilter {
    RollupFilter {
        runs: None,
        from: Timestamp::UNIX_EPOCH,
        to: store.clock().now() + SignedDuration::from_hours(999),
    }
}

/// The rollup of a run without its minutes, in the form of the oracle.
async fn rolled_up(store: &Store, app: &AppRef, run_no: i64) -> Vec<(u8, Reason, u64)> {
    let mut sums: BTreeMap<(u8, Reason), u64> = BTreeMap::new();
    let filter = RollupFilter {
        runs: Some(vec![run_no]),
        ..everything(store)
    };
    for count in store.ledger_rollup(app, filter).await.unwrap() {
        assert_eq!(count.run_no, run_no);
        *sums.entry((count.treatment, count.reason)).or_default() += count.count;
    }
    let mut rows: Vec<_> = sums
        .into_iter()
        .map(|((treatment, reason), count)| (treatment, reason, count))
        .collect();
    rows.sort_by_key(|(treatment, reason, _)| (*treatment, reason.code()));
    rows
}

#[tokio::test]
async fn a_run_is_made_once_and_completes_when_everybody_has_an_outcome() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let made = run(&store, &app, "r", 25, 10).await;
        assert_eq!(
            (made.state, made.total, made.started),
            (RunState::Running, 25, clock.now())
        );
        assert_eq!(
            store.create_run(&app, new_run("r", 0..5, 10)).await.unwrap(),
            None
        );
        assert_eq!(store.run_recipients(made.no).await.unwrap(), (0..25).collect());
        assert_eq!(store.run(made.no).await.unwrap().unwrap().1, made);
        let chunks = [
            claim(&store).await.unwrap(),
            claim(&store).await.unwrap(),
            claim(&store).await.unwrap(),
        ];
        assert_eq!(claim(&store).await, None);
        let bounds: Vec<_> = chunks
            .iter()
            .map(|chunk| (chunk.chunk_no, chunk.first_seq, chunk.last_seq))
            .collect();
        assert_eq!(bounds, [(0, 0, 9), (1, 10, 19), (2, 20, 24)]);
        finish(&store, &app, &chunks[0]).await;
        finish(&store, &app, &chunks[2]).await;
        let retry = Retry {
            seq: 19,
            treatment: 0,
            attempt: 1,
            due_at: clock.now(),
            detail: "later".into(),
        };
        let commit = BatchCommit {
            cursor: 19,
            done: true,
            rows: accepted(10..19, clock.now()),
            retries: vec![retry.clone()],
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &chunks[1], commit).await.unwrap();
        assert_eq!(finish_exhausted(&store).await.len(), 0);
        let retries = store.claim_retries(10, LEASE).await.unwrap();
        assert_eq!(
            retries
                .iter()
                .map(|(_, no, retries)| (*no, retries.clone()))
                .collect::<Vec<_>>(),
            [(made.no, vec![retry])]
        );
        let last = BatchCommit {
            rows: accepted([19], clock.now()),
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, last).await.unwrap();
        let completed = finish_exhausted(&store).await;
        assert_eq!(completed.len(), 1);
        assert_eq!(
            (completed[0].state, completed[0].finished),
            (RunState::Completed, Some(clock.now()))
        );
        assert_eq!(finish_exhausted(&store).await.len(), 0);
        assert!(
            !store
                .set_run_state(made.no, RunState::Paused, None)
                .await
                .unwrap()
        );
        assert_eq!(
            store.ledger_counts(&app, made.no).await.unwrap(),
            [(0, Reason::Accepted, 25)]
        );
        let page = store.ledger(&app, made.no, Some(21), 2).await.unwrap();
        assert_eq!(page, accepted(22..24, clock.now()));
        let stranger = pinion_store::testing::app(&store).await;
        assert_eq!(store.ledger(&stranger, made.no, None, 9).await.unwrap(), []);
        assert_eq!(store.ledger_counts(&stranger, made.no).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn who_lost_a_chunk_cannot_commit() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let made = run(&store, &app, "r", 10, 10).await;
        let slow = claim(&store).await.unwrap();
        clock.advance(SignedDuration::from_secs(59));
        assert_eq!(claim(&store).await, None);
        store.extend_lease(&slow, LEASE).await.unwrap();
        clock.advance(SignedDuration::from_secs(59));
        assert_eq!(claim(&store).await, None);
        clock.advance(SignedDuration::from_secs(2));
        let quick = claim(&store).await.unwrap();
        let commit = |chunk: &Chunk| BatchCommit {
            cursor: chunk.last_seq,
            rows: accepted(0..10, clock.now()),
            suppress: vec![(ChannelType::Email, "a@x.y".into(), SuppressionReason::Bounce)],
            ..BatchCommit::default()
        };
        let fenced =
            |result: pinion_store::Result<()>| assert!(matches!(result, Err(Error::Fenced)), "{result:?}");
        fenced(store.commit_batch(&app, &slow, commit(&slow)).await);
        fenced(store.extend_lease(&slow, LEASE).await);
        fenced(store.set_sending_to(&slow, 5).await);
        fenced(store.release_chunk(&slow).await);
        assert_eq!(store.ledger_counts(&app, made.no).await.unwrap(), []);
        assert_eq!(store.ledger_rollup(&app, everything(&store)).await.unwrap(), []);
        assert_eq!(
            store
                .suppressed(&app, ChannelType::Email, &["a@x.y"])
                .await
                .unwrap(),
            [None]
        );
        // Others of the same batch of commits are not disturbed.
        let (lost, kept) = tokio::join!(
            store.commit_batch(&app, &slow, commit(&slow)),
            store.commit_batch(&app, &quick, commit(&quick))
        );
        fenced(lost);
        kept.unwrap();
        assert_eq!(
            store.ledger_counts(&app, made.no).await.unwrap(),
            [(0, Reason::Accepted, 10)]
        );
        // Given back, it is free at once, and the giver is out.
        store.release_chunk(&quick).await.unwrap();
        assert_eq!(claim(&store).await.unwrap().cursor, Some(9));
        fenced(store.extend_lease(&quick, LEASE).await);
    })
    .await;
}

#[tokio::test]
async fn a_paused_run_is_not_claimed() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let made = run(&store, &app, "r", 20, 10).await;
        let chunk = claim(&store).await.unwrap();
        assert!(
            store
                .set_run_state(made.no, RunState::Paused, Some("by hand".into()))
                .await
                .unwrap()
        );
        assert_eq!(claim(&store).await, None);
        assert_eq!(
            store.run(made.no).await.unwrap().unwrap().1.detail.as_deref(),
            Some("by hand")
        );
        // What is under way may be told, but what waits for another try waits on.
        let retry = Retry {
            seq: 9,
            treatment: 0,
            attempt: 1,
            due_at: clock.now(),
            detail: String::new(),
        };
        let commit = BatchCommit {
            cursor: 9,
            done: true,
            retries: vec![retry],
            rows: accepted(0..9, clock.now()),
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &chunk, commit).await.unwrap();
        assert_eq!(store.claim_retries(9, LEASE).await.unwrap().len(), 0);
        assert!(
            store
                .set_run_state(made.no, RunState::Running, None)
                .await
                .unwrap()
        );
        assert_eq!(claim(&store).await.unwrap().chunk_no, 1);
        assert_eq!(store.claim_retries(9, LEASE).await.unwrap().len(), 1);
        assert!(
            store
                .set_run_state(made.no, RunState::Cancelled, None)
                .await
                .unwrap()
        );
        let failed = store
            .fail_run(&app, new_run("f", 0..0, 10), "no template".into())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (failed.state, failed.detail.as_deref(), failed.finished),
            (RunState::Failed, Some("no template"), Some(clock.now()))
        );
        let request = PageRequest::parse(Some("1"), None).unwrap();
        let page = store.runs(&app, &"campaign".into(), &request).await.unwrap();
        assert_eq!(page.items[0].no, failed.no);
        let request = PageRequest::parse(Some("1"), page.next_token.as_deref()).unwrap();
        let page = store.runs(&app, &"campaign".into(), &request).await.unwrap();
        assert_eq!((page.items[0].no, page.next_token), (made.no, None));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_is_over_when_its_last_recipients_have_an_outcome() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let executing = CampaignStatus::Executing.as_str();
        store
            .create_document(&app, "campaign", CampaignDocument::default(), executing, None)
            .await
            .unwrap();
        let made = run(&store, &app, "r", 20, 10).await;
        let first = claim(&store).await.unwrap();
        let retry = Retry {
            seq: 9,
            treatment: 0,
            attempt: 1,
            due_at: clock.now() + SignedDuration::from_hours(1),
            detail: "later".into(),
        };
        let commit = BatchCommit {
            cursor: 9,
            done: true,
            rows: accepted(0..9, clock.now()),
            retries: vec![retry.clone()],
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &first, commit).await.unwrap();
        assert!(
            store
                .set_run_state(made.no, RunState::Cancelled, Some("deleted".into()))
                .await
                .unwrap()
        );
        assert_eq!(store.run(made.no).await.unwrap().unwrap().1.finished, None);
        // What is left is still claimed, and retries do not wait for their time.
        let rest = claim(&store).await.unwrap();
        assert_eq!((rest.chunk_no, claim(&store).await), (1, None));
        let waiting = store.claim_retries(9, LEASE).await.unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].2, [retry]);
        let cancelled = |seqs: std::ops::Range<u32>| -> Vec<LedgerRow> {
            seqs.map(|seq| row(seq, Reason::RunCancelled, clock.now()))
                .collect()
        };
        let commit = BatchCommit {
            cursor: 19,
            done: true,
            rows: cancelled(10..20),
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &rest, commit).await.unwrap();
        assert_eq!(store.exhausted_runs().await.unwrap().len(), 0);
        let commit = BatchCommit {
            rows: cancelled(9..10),
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, commit).await.unwrap();
        let exhausted = store.exhausted_runs().await.unwrap();
        assert_eq!(exhausted.len(), 1);
        let moved = StateChange::of::<CampaignDocument>(&app, "campaign", &[executing], "COMPLETED", None);
        assert!(store.finish_run(made.no, moved.clone()).await.unwrap());
        assert!(!store.finish_run(made.no, moved).await.unwrap());
        let over = store.run(made.no).await.unwrap().unwrap().1;
        assert_eq!(
            (over.state, over.finished),
            (RunState::Cancelled, Some(clock.now()))
        );
        let campaign = store
            .document::<CampaignDocument>(&app, "campaign", None)
            .await
            .unwrap();
        assert_eq!(campaign.unwrap().state, "COMPLETED");
        assert_eq!(claim(&store).await, None);
        let counts = store.ledger_counts(&app, made.no).await.unwrap();
        assert_eq!(counts, [(0, Reason::Accepted, 9), (0, Reason::RunCancelled, 11)]);
    })
    .await;
}

#[tokio::test]
async fn a_small_run_does_not_wait_for_a_large_one() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let large = run(&store, &app, "large", 100, 10).await;
        assert_eq!(claim(&store).await.unwrap().run_no, large.no);
        let small = run(&store, &app, "small", 20, 10).await;
        let order = [
            claim(&store).await,
            claim(&store).await,
            claim(&store).await,
            claim(&store).await,
        ];
        let order: Vec<i64> = order.into_iter().map(|chunk| chunk.unwrap().run_no).collect();
        assert_eq!(order, [small.no, large.no, small.no, large.no]);
    })
    .await;
}

#[tokio::test]
async fn after_a_crash_a_chunk_goes_on_at_its_cursor() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let made = run(&store, &app, "r", 10, 10).await;
        let chunk = claim(&store).await.unwrap();
        let commit = BatchCommit {
            cursor: 3,
            rows: accepted(0..4, clock.now()),
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &chunk, commit).await.unwrap();
        store.set_sending_to(&chunk, 7).await.unwrap();
        store.close().await;
        drop(store);
        let store = place.open(&clock).await;
        if place.is_postgres() {
            // Another node may still be at it: the lease must run out.
            assert_eq!(claim(&store).await, None);
            clock.advance(SignedDuration::from_secs(61));
        }
        let again = claim(&store).await.unwrap();
        assert_eq!(
            (again.cursor, again.sending_to, again.chunk_no),
            (Some(3), Some(7), 0)
        );
        assert!(again.token > chunk.token);
        assert!(matches!(
            store.commit_batch(&app, &chunk, BatchCommit::default()).await,
            Err(Error::Fenced)
        ));
        let commit = BatchCommit {
            cursor: 9,
            done: true,
            rows: accepted(4..10, clock.now()),
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &again, commit).await.unwrap();
        assert_eq!(finish_exhausted(&store).await.len(), 1);
        assert_eq!(
            store.ledger_counts(&app, made.no).await.unwrap(),
            [(0, Reason::Accepted, 10)]
        );
        assert_eq!(
            rolled_up(&store, &app, made.no).await,
            [(0, Reason::Accepted, 10)]
        );
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_comes_back_until_it_has_an_outcome() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let made = run(&store, &app, "r", 3, 10).await;
        let chunk = claim(&store).await.unwrap();
        let retry = |seq, attempt, wait: i64| Retry {
            seq,
            treatment: 0,
            attempt,
            due_at: clock.now() + SignedDuration::from_secs(wait),
            detail: format!("try {attempt}"),
        };
        let retries = vec![retry(0, 1, 10), retry(1, 1, 20), retry(2, 1, 30)];
        let commit = BatchCommit {
            cursor: 2,
            done: true,
            retries,
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &chunk, commit).await.unwrap();
        let due = async |store: &Store| {
            let mut claimed = store.claim_retries(10, LEASE).await.unwrap();
            let (_, no, retries) = claimed.pop()?;
            assert_eq!((no, claimed.len()), (made.no, 0));
            Some(
                retries
                    .iter()
                    .map(|retry| (retry.seq, retry.attempt))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(due(&store).await, None);
        clock.advance(SignedDuration::from_secs(20));
        assert_eq!(due(&store).await, Some(vec![(0, 1), (1, 1)]));
        assert_eq!(due(&store).await, None);
        // One is over and one goes on waiting; the outcome of a second hand-over comes too late to count.
        let commit = BatchCommit {
            rows: accepted([0], clock.now()),
            retries: vec![retry(1, 2, 5)],
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, commit).await.unwrap();
        let late = BatchCommit {
            rows: vec![row(0, Reason::Rejected, clock.now())],
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, late).await.unwrap();
        let later = BatchCommit {
            retries: vec![retry(0, 9, 0)],
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, later).await.unwrap();
        assert_eq!(rolled_up(&store, &app, made.no).await, [(0, Reason::Accepted, 1)]);
        clock.advance(SignedDuration::from_secs(10));
        assert_eq!(due(&store).await, Some(vec![(1, 2), (2, 1)]));
        // A crash frees them, at once or when the lease ends.
        store.close().await;
        let store = place.open(&clock).await;
        if place.is_postgres() {
            clock.advance(SignedDuration::from_secs(61));
        }
        assert_eq!(due(&store).await, Some(vec![(1, 2), (2, 1)]));
        let commit = BatchCommit {
            rows: accepted([1, 2], clock.now()),
            ..BatchCommit::default()
        };
        store.commit_retries(&app, made.no, commit).await.unwrap();
        assert_eq!(finish_exhausted(&store).await.len(), 1);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_hard_bounce_is_suppressed_in_the_commit_that_tells_of_it() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        run(&store, &app, "r", 2, 10).await;
        let chunk = claim(&store).await.unwrap();
        let commit = BatchCommit {
            cursor: 1,
            done: true,
            rows: vec![
                row(0, Reason::HardBounce, clock.now()),
                row(1, Reason::Accepted, clock.now()),
            ],
            suppress: vec![(ChannelType::Email, "Gone@x.y".into(), SuppressionReason::Bounce)],
            ..BatchCommit::default()
        };
        store.commit_batch(&app, &chunk, commit).await.unwrap();
        let other = pinion_store::testing::app(&store).await;
        let suppressed = store
            .suppressed(&other, ChannelType::Email, &["gone@x.y", "fine@x.y"])
            .await
            .unwrap();
        assert_eq!(suppressed, [Some(SuppressionReason::Bounce), None]);
    })
    .await;
}

#[tokio::test]
async fn sketches_of_a_chunk_are_united() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let made = run(&store, &app, "r", 300, 1000).await;
        let chunk = claim(&store).await.unwrap();
        for from in [0, 100, 200] {
            let mut sketch = HllSketch::new(12, HllType::Hll8).unwrap();
            (from..from + 100).for_each(|seq: u32| sketch.update(seq));
            let commit = BatchCommit {
                cursor: from + 99,
                rows: accepted(from..from + 100, clock.now()),
                accepted_sketch: Some(sketch.serialize()),
                ..BatchCommit::default()
            };
            if from == 200 {
                store.commit_retries(&app, made.no, commit).await.unwrap();
            } else {
                store.commit_batch(&app, &chunk, commit).await.unwrap();
            }
        }
        let sketches = store.accepted_sketches(&app, &[made.no]).await.unwrap();
        assert_eq!(sketches.len(), 1);
        let estimate = HllSketch::deserialize(&sketches[0]).unwrap().estimate();
        assert!((290.0..310.0).contains(&estimate), "{estimate}");
    })
    .await;
}

/// Workers on two stores commit random batches, with repeats, retries and losses of chunks, while the clock
/// moves: afterwards everybody has one row and the rollup is what counting gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rollup_is_what_counting_gives() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let runs = [
            run(&store, &app, "a", 700, 100).await.no,
            run(&store, &app, "b", 300, 50).await.no,
        ];
        let mut workers = Vec::new();
        for _ in 0..4 {
            workers.push(tokio::spawn(work(store.clone(), app.clone(), Arc::clone(&clock))));
        }
        for worker in workers {
            worker.await.unwrap();
        }
        for (run_no, total) in runs.into_iter().zip([700, 300]) {
            let counted = store.ledger_counts(&app, run_no).await.unwrap();
            assert_eq!(counted.iter().map(|(_, _, count)| count).sum::<u64>(), total);
            assert!(counted.len() > 5);
            assert_eq!(rolled_up(&store, &app, run_no).await, counted);
        }
        // Minute by minute, too.
        let mut minutes: BTreeMap<(i64, u8, i64, Reason), u64> = BTreeMap::new();
        for run_no in runs {
            for row in store.ledger(&app, run_no, None, 10_000).await.unwrap() {
                let minute = row.at.as_second().div_euclid(60);
                *minutes
                    .entry((run_no, row.treatment, minute, row.reason))
                    .or_default() += 1;
            }
        }
        let filter = RollupFilter {
            from: clock.now() - SignedDuration::from_mins(30),
            ..everything(&store)
        };
        let from = filter.from.as_second() / 60;
        minutes.retain(|(_, _, minute, _), _| *minute >= from);
        let rollup = store.ledger_rollup(&app, filter).await.unwrap();
        let rollup: BTreeMap<_, _> = rollup
            .into_iter()
            .map(|count| {
                (
                    (count.run_no, count.treatment, count.minute, count.reason),
                    count.count,
                )
            })
            .collect();
        assert_eq!(rollup, minutes);
        assert!(all_over(&store, &app).await);
        store.close().await;
    })
    .await;
}

async fn work(store: Store, app: AppRef, clock: Arc<ManualClock>) {
    let chance = |most: u32| rand::rng().random_range(0..most);
    let some_row = |seq: u32| LedgerRow {
        treatment: [0, 1, LedgerRow::HOLDOUT][chance(3) as usize],
        ..row(
            seq,
            Reason::ALL[chance(Reason::ALL.len() as u32) as usize],
            clock.now(),
        )
    };
    loop {
        clock.advance(SignedDuration::from_secs(i64::from(chance(20))));
        finish_exhausted(&store).await;
        if all_over(&store, &app).await {
            return;
        }
        if let Some((_, chunk)) = store.claim_chunk(LEASE).await.unwrap() {
            let mut next = chunk.cursor.map_or(chunk.first_seq, |cursor| cursor + 1);
            while next <= chunk.last_seq {
                let last = (next + chance(30)).min(chunk.last_seq);
                let mut commit = BatchCommit {
                    cursor: last,
                    done: last == chunk.last_seq,
                    ..BatchCommit::default()
                };
                // Some come twice, and some were done before.
                for seq in next.saturating_sub(chance(3)).max(chunk.first_seq)..=last {
                    if chance(10) == 0 {
                        let due_at = clock.now();
                        commit.retries.push(Retry {
                            seq,
                            treatment: 0,
                            attempt: 1,
                            due_at,
                            detail: String::new(),
                        });
                    } else {
                        commit.rows.extend((0..=chance(12) / 11).map(|_| some_row(seq)));
                    }
                }
                match store.commit_batch(&app, &chunk, commit).await {
                    Ok(()) => next = last + 1,
                    Err(Error::Fenced) => break,
                    Err(error) => panic!("{error}"),
                }
                if chance(15) == 0 {
                    // The worker dies; somebody else goes on later.
                    break;
                }
            }
        }
        for (_, run_no, retries) in store.claim_retries(20, LEASE).await.unwrap() {
            let rows = retries.iter().map(|retry| some_row(retry.seq)).collect();
            store
                .commit_retries(
                    &app,
                    run_no,
                    BatchCommit {
                        rows,
                        ..BatchCommit::default()
                    },
                )
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn who_had_enough_of_a_campaign_is_told_by_its_earlier_runs() {
    each_database(async |store, clock| {
        let (here, elsewhere) = (app(&store).await, app(&store).await);
        let send = async |to: &AppRef, id: &str, reasons: &[Reason]| {
            let run = run(&store, to, id, u32::try_from(reasons.len()).unwrap(), 100).await;
            let chunk = claim(&store).await.unwrap();
            let now = store.clock().now();
            let rows = reasons
                .iter()
                .zip(0..)
                .map(|(reason, seq)| row(seq, *reason, now));
            let commit = BatchCommit {
                cursor: chunk.last_seq,
                done: true,
                rows: rows.collect(),
                ..BatchCommit::default()
            };
            store.commit_batch(to, &chunk, commit).await.unwrap();
            run
        };
        use Reason::{Accepted, EndpointOptOut, Rejected, Unknown};
        send(&here, "first", &[Accepted, Accepted, Rejected, EndpointOptOut]).await;
        clock.advance(SignedDuration::from_hours(30));
        send(&here, "second", &[Accepted, Rejected, Accepted, Unknown]).await;
        send(&elsewhere, "other", &[Accepted, Accepted, Accepted, Accepted]).await;
        let third = run(&store, &here, "third", 4, 100).await;
        let since = store.clock().now() - SignedDuration::from_hours(24);
        let reached = async |times, since| {
            let found = store
                .reached(&here, &third.campaign, third.no, times, since)
                .await
                .unwrap();
            found.into_iter().collect::<Vec<u32>>()
        };
        assert_eq!(reached(1, None).await, [0, 1, 2, 3]);
        assert_eq!(reached(2, None).await, [0]);
        assert_eq!(reached(3, None).await, [0_u32; 0]);
        // What may have left counts.
        assert_eq!(reached(1, Some(since)).await, [0, 2, 3]);
        let another = "another".into();
        let of_another = store.reached(&here, &another, third.no, 1, None).await;
        assert!(of_another.unwrap().is_empty());
    })
    .await;
}
