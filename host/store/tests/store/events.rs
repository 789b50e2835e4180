//! Events and what is counted of them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use pinion_domain::clock::Clock as _;
use pinion_domain::event::types;
use pinion_domain::kpi::Metric;
use pinion_store::testing::{app, each_database};
use pinion_store::{AppRef, EventCount, EventSummary, Lane, NewEvent, RollupFilter, Store};
use rand::RngExt;
use roaring::RoaringBitmap;
use serde_json::json;

fn event(app: &AppRef, seq: u32, event_type: &str, at: Timestamp) -> NewEvent {
    NewEvent {
        app_no: app.no,
        seq: Some(seq),
        event_type: event_type.to_owned(),
        at,
        key: None,
        run_no: 7,
        treatment: 1,
        message_id: Some(format!("m{seq}").into()),
        document: json!({ "attributes": { "who": seq } }),
    }
}

async fn rollup(store: &Store, app: &AppRef, run_no: i64) -> Vec<EventCount> {
    let to = store.clock().now() + SignedDuration::from_hours(999);
    let filter = RollupFilter {
        runs: Some(vec![run_no]),
        from: Timestamp::UNIX_EPOCH,
        to,
    };
    store.event_rollup(app, filter).await.unwrap()
}

async fn totals(store: &Store, app: &AppRef, run_no: i64) -> BTreeMap<Metric, u64> {
    let mut totals = BTreeMap::new();
    for count in rollup(store, app, run_no).await {
        *totals.entry(count.metric).or_default() += count.count;
    }
    totals
}

#[tokio::test]
async fn a_keyed_event_counts_once() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let keyed = |key: &str| NewEvent {
            key: Some(key.to_owned()),
            ..event(&app, 5, types::DELIVERED, clock.now())
        };
        assert_eq!(
            store
                .append_events(Lane::Interactive, vec![keyed("a"), keyed("b"), keyed("a")])
                .await
                .unwrap(),
            2
        );
        assert_eq!(
            store
                .append_events(Lane::Bulk, vec![keyed("b"), keyed("c")])
                .await
                .unwrap(),
            1
        );
        let again = tokio::join!(
            store.append_events(Lane::Bulk, vec![keyed("d")]),
            store.append_events(Lane::Interactive, vec![keyed("d")])
        );
        assert_eq!(again.0.unwrap() + again.1.unwrap(), 1);
        assert_eq!(store.append_events(Lane::Bulk, vec![]).await.unwrap(), 0);
        assert_eq!(
            totals(&store, &app, 7).await,
            BTreeMap::from([(Metric::Delivered, 4)])
        );
        assert_eq!(store.events_of(&app, 5, 10).await.unwrap().len(), 4);
        let summaries = store.event_summaries(&app, types::DELIVERED).await.unwrap();
        assert_eq!(
            summaries,
            [EventSummary {
                seq: 5,
                count: 4,
                first: clock.now(),
                last: clock.now()
            }]
        );
        // Another application has keys of its own.
        let other = pinion_store::testing::app(&store).await;
        let same = NewEvent {
            app_no: other.no,
            ..keyed("a")
        };
        assert_eq!(store.append_events(Lane::Bulk, vec![same]).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_recipient_is_unique_once_at_the_minute_that_told_first() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let minute = clock.now().as_second() / 60;
        let later = clock.now() + SignedDuration::from_mins(3);
        let opened = |seq, at| event(&app, seq, types::OPEN, at);
        store
            .append_events(
                Lane::Bulk,
                vec![
                    opened(70_000, clock.now()),
                    opened(70_000, later),
                    opened(1, later),
                ],
            )
            .await
            .unwrap();
        store
            .append_events(
                Lane::Bulk,
                vec![opened(1, clock.now()), event(&app, 1, types::CLICK, later)],
            )
            .await
            .unwrap();
        let of = |metric, minute, count| EventCount {
            run_no: 7,
            treatment: 1,
            minute,
            metric,
            count,
        };
        let expected = [
            of(Metric::Opened, minute, 2),
            of(Metric::UniqueOpened, minute, 1),
            of(Metric::Opened, minute + 3, 2),
            of(Metric::Clicked, minute + 3, 1),
            of(Metric::UniqueOpened, minute + 3, 1),
            of(Metric::UniqueClicked, minute + 3, 1),
        ];
        assert_eq!(rollup(&store, &app, 7).await, expected);
        let members = |seqs: &[u32]| vec![(7, 1, seqs.iter().copied().collect::<RoaringBitmap>())];
        assert_eq!(
            store
                .event_uniques(&app, &[7, 8], Metric::UniqueOpened)
                .await
                .unwrap(),
            members(&[1, 70_000])
        );
        assert_eq!(
            store.event_uniques(&app, &[7], Metric::Clicked).await.unwrap(),
            members(&[1])
        );
        assert_eq!(store.event_uniques(&app, &[8], Metric::Opened).await.unwrap(), []);
        let latest = &store.events_of(&app, 1, 1).await.unwrap()[0];
        assert_eq!(
            (latest.event_type.as_str(), latest.at, latest.arrived),
            (types::CLICK, later, clock.now())
        );
        assert_eq!(latest.document, json!({ "attributes": { "who": 1 } }));
        let summaries = store.event_summaries(&app, types::OPEN).await.unwrap();
        let first = |seq| EventSummary {
            seq,
            count: 2,
            first: clock.now(),
            last: later,
        };
        assert_eq!(summaries, [first(1), first(70_000)]);
    })
    .await;
}

#[tokio::test]
async fn a_direct_message_is_unique_by_itself() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let opened = |message: &str, key: Option<&str>| NewEvent {
            run_no: 0,
            treatment: 0,
            seq: None,
            message_id: Some(message.into()),
            key: key.map(str::to_owned),
            ..event(&app, 0, types::OPEN, clock.now())
        };
        let custom = NewEvent {
            run_no: 0,
            event_type: "purchase".into(),
            ..opened("a", None)
        };
        let all = vec![
            opened("a", None),
            opened("a", None),
            opened("b", Some("k")),
            opened("b", Some("k")),
            custom,
        ];
        assert_eq!(store.append_events(Lane::Bulk, all).await.unwrap(), 4);
        store
            .append_events(Lane::Bulk, vec![opened("b", None)])
            .await
            .unwrap();
        let expected = BTreeMap::from([(Metric::Opened, 4), (Metric::UniqueOpened, 2)]);
        assert_eq!(totals(&store, &app, 0).await, expected);
        assert_eq!(
            rollup(&store, &app, 0).await,
            store.event_counts_by_counting(&app, 0).await.unwrap()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rollup_is_what_counting_gives() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let (store, app, clock) = (store.clone(), app.clone(), clock.clone());
            tasks.push(tokio::spawn(async move {
                let chance = |most: u32| rand::rng().random_range(0..most);
                for _ in 0..15 {
                    clock.advance(SignedDuration::from_secs(i64::from(chance(40))));
                    let kinds = [
                        types::OPEN,
                        types::CLICK,
                        types::DELIVERED,
                        types::COMPLAINT,
                        "app.started",
                    ];
                    let batch = (0..chance(40)).map(|_| {
                        let at = clock.now() - SignedDuration::from_secs(i64::from(chance(300)));
                        NewEvent {
                            run_no: i64::from(chance(3)),
                            treatment: u8::try_from(chance(2)).unwrap(),
                            key: (chance(2) == 0).then(|| format!("k{}", chance(200))),
                            ..event(&app, chance(200) * 1000, kinds[chance(5) as usize], at)
                        }
                    });
                    let lane = if chance(2) == 0 {
                        Lane::Bulk
                    } else {
                        Lane::Interactive
                    };
                    store.append_events(lane, batch.collect()).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for run_no in 1..3 {
            let mut counted = store.event_counts_by_counting(&app, run_no).await.unwrap();
            counted.sort_by_key(|count| (count.treatment, count.minute, count.metric.code()));
            assert!(counted.len() > 20);
            assert_eq!(rollup(&store, &app, run_no).await, counted);
            let mut sums: BTreeMap<Metric, u64> = BTreeMap::new();
            counted
                .iter()
                .for_each(|count| *sums.entry(count.metric).or_default() += count.count);
            let uniques = store
                .event_uniques(&app, &[run_no], Metric::Opened)
                .await
                .unwrap();
            assert_eq!(
                uniques.iter().map(|(_, _, members)| members.len()).sum::<u64>(),
                sums[&Metric::UniqueOpened]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn followers_of_a_type_miss_nothing_and_read_nothing_twice() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let now = clock.now();
        let opens = |seqs: std::ops::Range<u32>| -> Vec<NewEvent> {
            seqs.map(|seq| {
                event(
                    &app,
                    seq,
                    types::OPEN,
                    now - SignedDuration::from_secs(seq.into()),
                )
            })
            .collect()
        };
        let append =
            async |events: Vec<NewEvent>| store.append_events(Lane::Interactive, events).await.unwrap();
        assert_eq!(
            store.events_since(&app, types::OPEN, 0, 10).await.unwrap(),
            Default::default()
        );
        append(opens(0..3)).await;
        append(vec![
            event(&app, 9, types::CLICK, now),
            NewEvent {
                seq: None,
                ..event(&app, 0, types::OPEN, now)
            },
        ])
        .await;
        append(opens(3..8)).await;
        let (mut after, mut seen, mut pages) = (0, Vec::new(), 0);
        loop {
            let changes = store.events_since(&app, types::OPEN, after, 2).await.unwrap();
            seen.extend(changes.events);
            (after, pages) = (changes.upto, pages + 1);
            if !changes.more {
                break;
            }
        }
        seen.sort_unstable();
        let at = |seq: u32| now.as_millisecond() - i64::from(seq) * 1_000;
        assert_eq!(seen, (0..8).map(|seq| (seq, at(seq))).collect::<Vec<_>>());
        assert!(pages >= 2);
        append(opens(8..9)).await;
        let more = store.events_since(&app, types::OPEN, after, 100).await.unwrap();
        assert_eq!((more.events, more.more), (vec![(8, at(8))], false));
        assert_eq!(store.event_times(&app, 8, types::OPEN).await.unwrap(), [at(8)]);
        assert_eq!(store.event_times(&app, 8, types::CLICK).await.unwrap(), [0; 0]);
        let other = pinion_store::testing::app(&store).await;
        assert_eq!(
            store
                .events_since(&other, types::OPEN, 0, 10)
                .await
                .unwrap()
                .events,
            []
        );
    })
    .await;
}
