//! How columns follow changes, and what they weigh.

use std::sync::Arc;

use async_trait::async_trait;
use pinion_domain::endpoint::UserDocument;
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::SegmentDocument;
use pinion_domain::segment::extended::RecipientTest;
use pinion_store::{Changes, EndpointChange, Error, EventChanges, Members, Result};
use roaring::RoaringBitmap;
use serde_json::json;

use super::memory::Memory;
use super::{Audience, AudienceError, endpoint, evaluate, segment, selected};
use crate::audience::source::Source;

fn user_plan(value: &str) -> Option<UserDocument> {
    Some(serde_json::from_value(json!({"UserAttributes": {"plan": [value]}})).unwrap())
}

fn of_user(value: &str) -> serde_json::Value {
    json!({"Dimensions": {"UserAttributes": {"plan": {"Values": [value]}}}})
}

#[tokio::test]
async fn an_evaluation_sees_what_was_written_before_and_reads_it_once() {
    let (memory, audience) = (Memory::default(), Audience::default());
    for seq in 0..25_000 {
        memory.put(seq, Some(endpoint(None, json!({"Metrics": {"n": seq}}))));
    }
    let low = json!({"Dimensions": {"Metrics": {"n": {"ComparisonOperator": "LESS_THAN", "Value": 3}}}});
    assert_eq!(selected(&audience, &memory, low.clone()).await, [0, 1, 2]);
    assert_eq!((audience.rows(), memory.state().rows_read), (25_000, 25_000));
    memory.put(1, None);
    memory.put(24_999, Some(endpoint(None, json!({"Metrics": {"n": 1}}))));
    assert_eq!(selected(&audience, &memory, low).await, [0, 2, 24_999]);
    assert_eq!((audience.rows(), memory.state().rows_read), (24_999, 25_002));
}

#[tokio::test]
async fn a_users_attributes_are_those_of_all_the_users_endpoints() {
    let (memory, audience) = (Memory::default(), Audience::default());
    memory.put_user("early", user_plan("gold"));
    memory.put(0, Some(endpoint(Some("early"), json!({}))));
    memory.put(1, Some(endpoint(Some("late"), json!({}))));
    memory.put(2, Some(endpoint(Some("late"), json!({}))));
    memory.put(3, Some(endpoint(None, json!({}))));
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [0]);
    memory.put_user("late", user_plan("gold"));
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [0, 1, 2]);
    memory.put_user("early", user_plan("iron"));
    memory.put(3, Some(endpoint(Some("late"), json!({}))));
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [1, 2, 3]);
    memory.put_user("late", None);
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [0; 0]);
}

#[tokio::test]
async fn columns_are_built_anew_when_most_users_are_gone() {
    let (memory, audience) = (Memory::default(), Audience::default());
    for user in 0..4_000 {
        memory.put_user(&format!("user {user}"), user_plan("gold"));
    }
    memory.put(0, Some(endpoint(Some("user 3999"), json!({}))));
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [0]);
    for user in 0..3_000 {
        memory.put_user(&format!("user {user}"), None);
    }
    selected(&audience, &memory, of_user("gold")).await;
    let before = audience.bytes();
    assert_eq!(selected(&audience, &memory, of_user("gold")).await, [0]);
    assert!(
        audience.bytes() < before / 2,
        "{} bytes of {before}",
        audience.bytes()
    );
}

#[tokio::test]
async fn what_is_read_does_not_change_while_it_is_read() {
    let memory = Memory::default();
    memory.put(
        0,
        Some(endpoint(Some("ann"), json!({"Attributes": {"plan": ["gold"]}}))),
    );
    let audience = Audience::default();
    audience.apply(&memory.changes(0, 10).await.unwrap());
    let before = audience.table.read().clone();
    memory.put(0, None);
    memory.put(1, Some(endpoint(None, json!({}))));
    audience.apply(&memory.changes(1, 10).await.unwrap());
    assert!(before.is_live(0) && before.living() == 1);
    assert_eq!(selected(&audience, &memory, json!({"Dimensions": {}})).await, [1]);
    let column = before.attribute("plan").unwrap();
    assert_eq!(
        column.entries.values(column.codes.get(0)).collect::<Vec<_>>(),
        ["gold"]
    );
    assert_eq!(before.users().codes.get(0), before.user(&"ann".into()).unwrap());
}

#[tokio::test]
async fn attributes_of_which_everybody_has_another_take_no_memory_until_they_are_asked_for() {
    let (memory, audience) = (Memory::default(), Audience::default());
    for seq in 0..140_000 {
        let order = format!("order {seq:08}");
        let city = format!("city {}", seq % 500);
        memory.put(
            seq,
            Some(endpoint(
                None,
                json!({"Attributes": {"order": [order], "city": [city]}}),
            )),
        );
    }
    let of = |name: &str, value: &str| json!({"Dimensions": {"Attributes": {name: {"Values": [value]}}}});
    assert_eq!(
        selected(&audience, &memory, of("city", "city 7")).await.len(),
        280
    );
    assert_eq!(audience.attributes_aside(), 1);
    let before = audience.bytes();
    assert!(before < 140_000 * 40, "{before} bytes");
    // It is found all the same, now and after it changed.
    assert_eq!(
        selected(&audience, &memory, of("order", "order 00009999")).await,
        [9_999]
    );
    assert_eq!((audience.attributes_aside(), audience.rows()), (0, 140_000));
    assert!(audience.bytes() > before * 2);
    memory.put(
        3,
        Some(endpoint(
            None,
            json!({"Attributes": {"order": ["order 00009999"]}}),
        )),
    );
    assert_eq!(
        selected(&audience, &memory, of("order", "order 00009999")).await,
        [3, 9_999]
    );
    assert_eq!(memory.state().rows_read, 280_001);
}

#[tokio::test]
async fn an_application_that_is_too_large_is_refused() {
    let (memory, audience) = (Memory::default(), Audience::limited(1 << 20));
    let everyone = segment(json!({"Dimensions": {}}));
    for seq in 0..1_000 {
        memory.put(seq, Some(endpoint(None, json!({"Metrics": {"n": seq}}))));
    }
    let plugins = FakePlugins::default();
    let evaluated = evaluate(&audience, &memory, &plugins, &everyone).await.unwrap();
    assert_eq!(evaluated.selected.len(), 1_000);
    for seq in 1_000..60_000 {
        memory.put(seq, Some(endpoint(None, json!({"Metrics": {"n": seq}}))));
    }
    for _ in 0..2 {
        let refused = evaluate(&audience, &memory, &plugins, &everyone).await;
        assert!(
            matches!(refused, Err(AudienceError::TooLarge { limit: 1_048_576 })),
            "{refused:?}"
        );
        assert!(audience.bytes() < 1 << 20);
    }
}

#[tokio::test]
async fn events_are_read_once_and_followed() {
    let (memory, audience) = (Memory::default(), Audience::default());
    for seq in 0..3 {
        memory.put(seq, Some(endpoint(None, json!({}))));
    }
    let at = super::now().as_millisecond() - 1_000;
    let twice = json!({"Dimensions": {"Attributes": {"event:open": {"Values": ["{\"AtLeast\": 2}"]}}}});
    (0..3).for_each(|seq| memory.put_event("open", seq, at));
    assert_eq!(selected(&audience, &memory, twice.clone()).await, [0; 0]);
    memory.put_event("open", 1, at);
    assert_eq!(selected(&audience, &memory, twice.clone()).await, [1]);
    assert_eq!(selected(&audience, &memory, twice).await, [1]);
    assert!(audience.event_bytes() > 0);
}

/// A feed that cannot be followed.
struct Broken(Option<Changes>);

#[async_trait]
impl Source for Broken {
    async fn changes(&self, _: i64, _: usize) -> Result<Changes> {
        self.0.clone().ok_or(Error::Closed)
    }
    async fn events(&self, _: &str, _: i64, _: usize) -> Result<EventChanges> {
        Ok(EventChanges::default())
    }
    async fn event_times(&self, _: &str, _: u32) -> Result<Vec<i64>> {
        Ok(Vec::new())
    }
    async fn recipients(&self, _: &RecipientTest) -> Result<RoaringBitmap> {
        Ok(RoaringBitmap::new())
    }
    async fn segment(&self, _: &SegmentId, _: Option<u32>) -> Result<Option<(u32, SegmentDocument)>> {
        Ok(None)
    }
    async fn members(&self, _: &SegmentId, _: u32) -> Result<Option<Members>> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_feed_that_fails_or_stands_still_is_an_error() {
    let standing = Changes {
        more: true,
        ..Changes::default()
    };
    let everyone = Arc::new(
        super::ResolvedSegment::of_document(&Memory::default(), None, &segment(json!({"Dimensions": {}})))
            .await
            .unwrap(),
    );
    let caller = pinion_domain::extension::Caller {
        account: "1".into(),
        app: "a".into(),
    };
    for (source, expected) in [
        (
            Broken(None),
            "endpoints or segments could not be read: the store is closed",
        ),
        (
            Broken(Some(standing)),
            "the feed of changes stands still at revision 0",
        ),
    ] {
        let error: AudienceError = Audience::default()
            .evaluate(
                &source,
                &FakePlugins::default(),
                &caller,
                Arc::clone(&everyone),
                super::now(),
            )
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn everyone_is_everyone_who_exists() {
    let (memory, audience) = (Memory::default(), Audience::default());
    assert_eq!(
        selected(&audience, &memory, json!({"Dimensions": {}})).await,
        [0; 0]
    );
    for seq in [0, 63, 64, 200] {
        memory.put(seq, Some(endpoint(None, json!({}))));
    }
    memory.put(63, None);
    assert_eq!(
        selected(&audience, &memory, json!({"Dimensions": {}})).await,
        [0, 64, 200]
    );
    let none = json!({"SegmentGroups": {"Include": "NONE", "Groups": [{}]}});
    let nobody = evaluate(&audience, &memory, &FakePlugins::default(), &segment(none))
        .await
        .unwrap();
    assert_eq!((nobody.selected.len(), nobody.unknown), (0, 0));
}

/// The endpoint that `storage.md` was measured with: 8 attributes, one with a value in ten rows, one
/// with lists; 3 metrics; a user each.
#[test]
fn an_endpoint_takes_at_most_140_bytes() {
    const ROWS: u32 = 100_000;
    let audience = Audience::default();
    for from in (0..ROWS).step_by(10_000) {
        let change = |seq: u32| EndpointChange {
            seq,
            rev: i64::from(seq),
            live: Some(endpoint(
                Some(&format!("{seq:08x}-77aa-4bb0-8cc1-0123456789ab")),
                json!({
                    "Attributes": {
                        "plan": [(["gold", "iron"][seq as usize % 2])], "city": [format!("city {}", seq % 900)],
                        "language": [(["de", "en", "fr"][seq as usize % 3])], "store": [format!("s{}", seq % 60)],
                        "interests": [format!("i{}", seq % 7), format!("i{}", seq % 11)],
                        "code": [format!("code {}", seq % (ROWS / 10))], "a": ["x"], "b": [format!("{}", seq % 40)],
                    },
                    "Metrics": {"score": seq, "orders": seq % 9, "spent": f64::from(seq) / 7.0},
                    "ChannelType": "EMAIL",
                    "Demographic": {"Make": "apple", "Platform": "ios", "Locale": "de_DE", "AppVersion": "3.1"},
                    "Location": {"Country": "DE", "City": format!("city {}", seq % 900),
                        "Latitude": f64::from(seq % 300) / 10.0, "Longitude": f64::from(seq % 200) / 10.0},
                }),
            )),
        };
        audience.apply(&Changes {
            endpoints: (from..from + 10_000).map(change).collect(),
            upto: i64::from(from) + 1,
            ..Changes::default()
        });
    }
    audience.shrink();
    let each = audience.bytes() / ROWS as usize;
    assert!(each <= 140, "{each} bytes");
}
