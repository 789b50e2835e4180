//! Direct messages.

use jiff::{SignedDuration, Timestamp};
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::Clock as _;
use pinion_domain::delivery::{Reason, SuppressionReason};
use pinion_store::testing::{app, each_database, each_place};
use pinion_store::{AppRef, DirectOutcome, Error, Finished, HandOver, Intent, RollupFilter, Store};

fn intent(id: &str) -> Intent {
    Intent {
        message_id: id.into(),
        request_id: "request".into(),
        channel: ChannelType::Email,
        seq: Some(3),
        address: format!("{id}@x.y"),
        context: Some(format!(r#"{{"order":"{id}"}}"#)),
    }
}

async fn begin(store: &Store, app: &AppRef, intents: Vec<Intent>) -> pinion_store::Result<bool> {
    let hand_over = HandOver {
        intents,
        ..HandOver::default()
    };
    store.begin_direct(app, hand_over).await
}

async fn finish(store: &Store, app: &AppRef, outcomes: Vec<DirectOutcome>) {
    let finished = Finished {
        outcomes,
        ..Finished::default()
    };
    store.finish_direct(app, finished).await.unwrap();
}

fn outcome(id: &str, reason: Reason, suppress: Option<SuppressionReason>) -> DirectOutcome {
    DirectOutcome {
        message_id: id.into(),
        reason,
        provider_id: Some("p".into()),
        detail: None,
        suppress,
    }
}

async fn counted(store: &Store, app: &AppRef) -> Vec<(i64, Reason, u64)> {
    let filter = RollupFilter {
        runs: Some(vec![0]),
        from: Timestamp::UNIX_EPOCH,
        to: store.clock().now() + SignedDuration::from_hours(1),
    };
    let counts = store.ledger_rollup(app, filter).await.unwrap();
    counts
        .into_iter()
        .map(|count| (count.run_no, count.reason, count.count))
        .collect()
}

#[tokio::test]
async fn an_outcome_is_kept_and_counted_once() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        assert!(begin(&store, &app, vec![intent("a"), intent("b")]).await.unwrap());
        let message = store.direct(&app, &"a".into()).await.unwrap().unwrap();
        assert_eq!(
            (message.reason, message.seq, message.intended),
            (None, Some(3), clock.now())
        );
        assert_eq!(message.context.as_deref(), Some(r#"{"order":"a"}"#));
        assert_eq!(
            message.address_index,
            app.address_index(ChannelType::Email, "A@x.y")
        );
        let of_request = store.direct_of_request(&app, "request").await.unwrap();
        assert_eq!(of_request.len(), 2);
        assert_eq!(of_request[0], message);
        let again = begin(&store, &app, vec![intent("c"), intent("a")]).await;
        assert!(
            matches!(again, Err(Error::Domain(pinion_domain::Error::Conflict(_)))),
            "{again:?}"
        );
        assert!(store.direct(&app, &"c".into()).await.unwrap().is_none());
        let outcomes = vec![
            outcome("a", Reason::Accepted, None),
            outcome("b", Reason::HardBounce, Some(SuppressionReason::Bounce)),
        ];
        finish(&store, &app, outcomes).await;
        finish(&store, &app, vec![outcome("a", Reason::Rejected, None)]).await;
        let message = store.direct(&app, &"a".into()).await.unwrap().unwrap();
        assert_eq!(
            (message.reason, message.finished),
            (Some(Reason::Accepted), Some(clock.now()))
        );
        assert_eq!(
            counted(&store, &app).await,
            [(0, Reason::Accepted, 1), (0, Reason::HardBounce, 1)]
        );
        let suppressed = store
            .suppressed(&app, ChannelType::Email, &["a@x.y", "B@x.y"])
            .await
            .unwrap();
        assert_eq!(suppressed, [None, Some(SuppressionReason::Bounce)]);
        let other = pinion_store::testing::app(&store).await;
        assert!(store.direct(&other, &"a".into()).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_unknown() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        begin(&store, &app, vec![intent("a"), intent("b"), intent("c")])
            .await
            .unwrap();
        finish(&store, &app, vec![outcome("b", Reason::Accepted, None)]).await;
        assert_eq!(store.unknown_direct_after_crash().await.unwrap(), 0);
        store.close().await;
        let store = place.open(&clock).await;
        if place.is_postgres() {
            // Another node may still be at it.
            assert_eq!(store.unknown_direct_after_crash().await.unwrap(), 0);
            clock.advance(SignedDuration::from_mins(11));
        }
        assert_eq!(store.unknown_direct_after_crash().await.unwrap(), 2);
        assert_eq!(store.unknown_direct_after_crash().await.unwrap(), 0);
        assert_eq!(counted(&store, &app).await.len(), 2);
        let message = store.direct(&app, &"c".into()).await.unwrap().unwrap();
        assert_eq!(message.reason, Some(Reason::Unknown));
        store.close().await;
    })
    .await;
}
