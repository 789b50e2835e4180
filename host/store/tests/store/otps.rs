//! One-time passwords.

use std::sync::Arc;

use jiff::SignedDuration;
use pinion_domain::clock::Clock as _;
use pinion_store::testing::{app, each_database, each_place};
use pinion_store::{AppRef, HandOver, NewOtp, Options, Store};

const NUMBER: &str = "+12065550100";

async fn send(store: &Store, app: &AppRef, reference: &str, code: &str, attempts: u8) {
    let otp = NewOtp {
        destination: NUMBER.to_owned(),
        reference: reference.to_owned(),
        code: code.to_owned(),
        attempts,
        expires: store.clock().now() + SignedDuration::from_mins(5),
    };
    let hand_over = HandOver {
        otp: Some(otp),
        ..HandOver::default()
    };
    assert!(store.begin_direct(app, hand_over).await.unwrap());
}

async fn verify(store: &Store, app: &AppRef, reference: &str, code: &str) -> bool {
    store.verify_otp(app, NUMBER, reference, code).await.unwrap()
}

#[tokio::test]
async fn a_code_is_right_once_for_its_reference_number_and_application() {
    each_database(async |store, _| {
        let app = app(&store).await;
        let other = pinion_store::testing::app(&store).await;
        send(&store, &app, "login", "012345", 3).await;
        assert!(!verify(&store, &other, "login", "012345").await);
        assert!(!verify(&store, &app, "Login", "012345").await);
        assert!(
            !store
                .verify_otp(&app, "+12065550101", "login", "012345")
                .await
                .unwrap()
        );
        assert!(!verify(&store, &app, "login", "12345").await);
        assert!(verify(&store, &app, "login", "012345").await);
        assert!(!verify(&store, &app, "login", "012345").await, "it was used");
    })
    .await;
}

#[tokio::test]
async fn a_newer_code_takes_the_place_of_the_older() {
    each_database(async |store, _| {
        let app = app(&store).await;
        send(&store, &app, "login", "11111", 1).await;
        assert!(!verify(&store, &app, "login", "00000").await);
        send(&store, &app, "login", "22222", 2).await;
        assert!(!verify(&store, &app, "login", "11111").await);
        assert!(verify(&store, &app, "login", "22222").await);
    })
    .await;
}

#[tokio::test]
async fn a_code_expires_and_is_swept() {
    each_database(async |store, clock| {
        let app = app(&store).await;
        send(&store, &app, "a", "11111", 3).await;
        send(&store, &app, "b", "22222", 3).await;
        clock.advance(SignedDuration::from_mins(5) - SignedDuration::from_secs(1));
        assert!(verify(&store, &app, "a", "11111").await);
        clock.advance(SignedDuration::from_secs(1));
        assert!(!verify(&store, &app, "b", "22222").await);
        assert_eq!(store.sweep_requests(clock.now()).await.unwrap(), 1);
        assert_eq!(store.sweep_requests(clock.now()).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn wrong_guesses_at_the_same_time_never_exceed_the_limit() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        // Two processes on one database: each has a writer of its own.
        let beside = Options {
            serve: false,
            ..place.options()
        };
        let second = Store::open(beside, Arc::clone(&clock) as _).await.unwrap();
        for (attempts, guesses, still_right) in [(5, 4, true), (5, 5, false), (1, 1, false), (3, 40, false)] {
            send(&store, &app, "login", "55555", attempts).await;
            let mut tasks = Vec::new();
            for guess in 0..guesses {
                let store = if guess % 2 == 0 {
                    store.clone()
                } else {
                    second.clone()
                };
                let app = app.clone();
                tasks.push(tokio::spawn(async move {
                    verify(&store, &app, "login", &format!("{guess:0>5}")).await
                }));
            }
            for task in tasks {
                assert!(!task.await.unwrap());
            }
            let right = verify(&store, &app, "login", "55555").await;
            assert_eq!(right, still_right, "{guesses} guesses of {attempts}");
        }
        second.close().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_right_code_at_the_same_time_is_right_for_one() {
    each_database(async |store, _| {
        let app = app(&store).await;
        send(&store, &app, "login", "55555", 5).await;
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (store, app) = (store.clone(), app.clone());
                tokio::spawn(async move { verify(&store, &app, "login", "55555").await })
            })
            .collect();
        let mut right = 0;
        for task in tasks {
            right += u32::from(task.await.unwrap());
        }
        assert_eq!(right, 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_password_can_be_read_in_the_database() {
    let place = pinion_store::testing::Place::sqlite();
    let store = place.open(&pinion_store::testing::clock()).await;
    let app = app(&store).await;
    send(&store, &app, "my-reference", "87654321", 3).await;
    store.close().await;
    for file in ["pinion.db", "pinion.db-wal"] {
        let bytes = std::fs::read(place.folder().join(file)).unwrap_or_default();
        for secret in ["87654321", NUMBER, "my-reference"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}
