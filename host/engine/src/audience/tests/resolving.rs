//! Segments that refer to segments.

use pinion_domain::id::SegmentId;
use pinion_store::Members;
use serde_json::{Value, json};

use super::memory::Memory;
use super::{Audience, AudienceError, ResolvedSegment, endpoint, segment, selected};

fn refers(to: &[(&str, Option<u32>)]) -> Value {
    let sources: Vec<Value> = to
        .iter()
        .map(|(id, version)| json!({"Id": id, "Version": version}))
        .collect();
    json!({"SegmentGroups": {"Groups": [{"SourceSegments": sources, "SourceType": "ANY"}]}})
}

fn plan(value: &str) -> Value {
    json!({"Dimensions": {"Attributes": {"plan": {"Values": [value]}}}})
}

async fn read(memory: &Memory, id: &str, version: Option<u32>) -> Result<Vec<(String, u32)>, String> {
    match ResolvedSegment::read(memory, &SegmentId::from(id), version).await {
        Ok(resolved) => Ok(resolved
            .versions()
            .map(|(id, version)| (id.to_string(), version))
            .collect()),
        Err(AudienceError::Segment(error)) => Err(error.to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn versions_are_pinned_and_each_is_read_once() {
    let memory = Memory::default();
    memory.put_segment("leaf", segment(plan("gold")));
    memory.put_segment("leaf", segment(plan("iron")));
    memory.put_segment("left", segment(refers(&[("leaf", None)])));
    memory.put_segment("right", segment(refers(&[("leaf", Some(1)), ("leaf", Some(2))])));
    memory.put_segment("top", segment(refers(&[("left", None), ("right", None)])));
    let expected = [("leaf", 2), ("left", 1), ("leaf", 1), ("right", 1), ("top", 1)];
    let expected: Vec<_> = expected.map(|(id, version)| (id.to_owned(), version)).into();
    assert_eq!(read(&memory, "top", None).await, Ok(expected));
    assert_eq!(
        read(&memory, "leaf", Some(1)).await,
        Ok(vec![("leaf".to_owned(), 1)])
    );
    assert_eq!(
        read(&memory, "leaf", Some(3)).await,
        Err("segment leaf not found".to_owned())
    );
    assert_eq!(
        read(&memory, "none", None).await,
        Err("segment none not found".to_owned())
    );
}

#[tokio::test]
async fn a_cycle_is_refused() {
    let memory = Memory::default();
    memory.put_segment("a", segment(plan("gold")));
    memory.put_segment("b", segment(refers(&[("a", None)])));
    // Referring to an older version of oneself is no cycle.
    memory.put_segment("a", segment(refers(&[("a", Some(1))])));
    assert_eq!(read(&memory, "b", None).await.unwrap().len(), 3);
    let draft = segment(refers(&[("b", None)]));
    let id = SegmentId::from("a");
    let refused = ResolvedSegment::of_document(&memory, Some(&id), &draft).await;
    let message = "segment a refers to itself, through its source segments";
    assert_eq!(refused.unwrap_err().to_string(), message);
    memory.put_segment("a", draft);
    assert_eq!(
        read(&memory, "b", None).await,
        Err("segment b refers to itself, through its source segments".to_owned())
    );
}

#[tokio::test]
async fn depth_is_limited() {
    let memory = Memory::default();
    memory.put_segment("s0", segment(plan("gold")));
    for depth in 1..=10 {
        let below = format!("s{}", depth - 1);
        memory.put_segment(&format!("s{depth}"), segment(refers(&[(&below, None)])));
    }
    assert_eq!(read(&memory, "s9", None).await.unwrap().len(), 10);
    let refused = read(&memory, "s10", None).await.unwrap_err();
    assert_eq!(
        refused,
        "a segment may refer to at most 100 segments, 10 levels deep"
    );
}

#[tokio::test]
async fn imported_members_are_endpoints_and_all_endpoints_of_users() {
    let memory = Memory::default();
    for (seq, user) in [
        (0, None),
        (1, Some("ann")),
        (2, Some("bob")),
        (3, Some("bob")),
        (4, None),
    ] {
        memory.put(seq, Some(endpoint(user, json!({}))));
    }
    memory.put(4, None);
    memory.put_segment(
        "imported",
        segment(json!({"ImportDefinition": {"Format": "CSV", "RoleArn": "", "S3Url": "", "Size": 3}})),
    );
    memory.put_members(
        "imported",
        Members {
            endpoints: [0, 4, 4_000_000_000].into_iter().collect(),
            users: vec!["bob".into(), "nobody".into()],
        },
    );
    let document = refers(&[("imported", None)]);
    assert_eq!(selected(&Audience::default(), &memory, document).await, [0, 2, 3]);
}
