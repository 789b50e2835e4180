//! Requests that their clients may repeat.

use jiff::SignedDuration;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::{Clock as _, ManualClock};
use pinion_store::testing::{app, each_database, each_place};
use pinion_store::{AppRef, Finished, HandOver, Intent, NamedRequest, PastRequest, Store};

fn named(clock: &ManualClock, store: &Store, name: &str, body: &str) -> NamedRequest {
    NamedRequest {
        account: "123456789012".into(),
        principal: "root".to_owned(),
        name: name.to_owned(),
        request_id: format!("r-{name}-{body}"),
        fingerprint: store.fingerprint(&[b"SendMessages", body.as_bytes()]),
        since: clock.now() - SignedDuration::from_hours(1),
    }
}

async fn begin(store: &Store, app: &AppRef, named: &NamedRequest) -> bool {
    let intent = Intent {
        message_id: pinion_domain::id::fresh_id().into(),
        request_id: named.request_id.clone(),
        channel: ChannelType::Sms,
        seq: None,
        address: "+12065550100".to_owned(),
        context: None,
    };
    let hand_over = HandOver {
        intents: vec![intent],
        named: Some(named.clone()),
        otp: None,
    };
    store.begin_direct(app, hand_over).await.unwrap()
}

async fn finish(store: &Store, app: &AppRef, named: &NamedRequest, results: &str) {
    let finished = Finished {
        outcomes: Vec::new(),
        answered: Some((named.clone(), results.to_owned())),
    };
    store.finish_direct(app, finished).await.unwrap();
}

async fn past(store: &Store, app: &AppRef, named: &NamedRequest) -> Option<PastRequest> {
    store.past_request(app, named).await.unwrap()
}

#[tokio::test]
async fn a_repeat_is_known_by_principal_name_and_body() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let first = named(&clock, &store, "id-1", "body");
        assert_eq!(past(&store, &app, &first).await, None);
        assert!(begin(&store, &app, &first).await);
        assert_eq!(past(&store, &app, &first).await, Some(PastRequest::UnderWay));
        let repeat = NamedRequest {
            request_id: "another".to_owned(),
            ..first.clone()
        };
        assert!(!begin(&store, &app, &repeat).await);
        assert!(store.direct_of_request(&app, "another").await.unwrap().is_empty());

        finish(&store, &app, &first, r#"{"Result":{}}"#).await;
        let answered = PastRequest::Answered {
            request_id: first.request_id.clone(),
            results: r#"{"Result":{}}"#.to_owned(),
        };
        assert_eq!(past(&store, &app, &repeat).await, Some(answered));

        let other_body = named(&clock, &store, "id-1", "other body");
        assert_eq!(past(&store, &app, &other_body).await, Some(PastRequest::Other));
        let other_app = pinion_store::testing::app(&store).await;
        assert_eq!(past(&store, &other_app, &first).await, Some(PastRequest::Other));
        let other_principal = NamedRequest {
            principal: "user/ann".to_owned(),
            ..first.clone()
        };
        assert_eq!(past(&store, &app, &other_principal).await, None);
        assert_eq!(
            past(&store, &app, &named(&clock, &store, "id-2", "body")).await,
            None
        );
    })
    .await;
}

#[tokio::test]
async fn of_requests_at_the_same_time_one_begins() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let (store, app) = (store.clone(), app.clone());
                let named = NamedRequest {
                    request_id: format!("r{n}"),
                    ..named(&clock, &store, "id", "body")
                };
                tokio::spawn(async move { begin(&store, &app, &named).await })
            })
            .collect();
        let mut begun = 0;
        for task in tasks {
            begun += u32::from(task.await.unwrap());
        }
        assert_eq!(begun, 1);
    })
    .await;
}

#[tokio::test]
async fn requests_are_forgotten_and_swept() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        let first = named(&clock, &store, "id", "body");
        assert!(begin(&store, &app, &first).await);
        finish(&store, &app, &first, "{}").await;
        clock.advance(SignedDuration::from_hours(1));
        let later = named(&clock, &store, "id", "other");
        assert_eq!(past(&store, &app, &later).await, None);
        assert!(
            begin(&store, &app, &later).await,
            "what is forgotten is in nobody's way"
        );
        clock.advance(SignedDuration::from_hours(1));
        let since = clock.now() - SignedDuration::from_hours(1);
        assert_eq!(store.sweep_requests(since).await.unwrap(), 1);
        assert_eq!(store.sweep_requests(since).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_a_crash_cut_off_is_lost() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let first = named(&clock, &store, "id", "body");
        assert!(begin(&store, &app, &first).await);
        store.close().await;

        let store = place.open(&clock).await;
        if place.is_postgres() {
            // Another node may still be at it.
            assert_eq!(past(&store, &app, &first).await, Some(PastRequest::UnderWay));
            clock.advance(SignedDuration::from_mins(11));
        }
        let lost = PastRequest::Lost {
            request_id: first.request_id.clone(),
        };
        assert_eq!(past(&store, &app, &first).await, Some(lost));
        assert_eq!(
            store
                .direct_of_request(&app, &first.request_id)
                .await
                .unwrap()
                .len(),
            1
        );
        assert!(store.forget_request(&first, &first.request_id).await.unwrap());
        assert!(!store.forget_request(&first, &first.request_id).await.unwrap());
        assert_eq!(past(&store, &app, &first).await, None);
        store.close().await;
    })
    .await;
}
