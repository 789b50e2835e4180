//! The columns against the matcher, what predicates do to them, and how they follow changes.

mod following;
mod generated;
mod memory;
mod predicates;
mod resolving;
mod stored;

use std::sync::Arc;

use jiff::Timestamp;
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::extension::{Caller, Plugins};
use pinion_domain::id::{EndpointId, UserId};
use pinion_domain::segment::SegmentDocument;
use pinion_store::LiveEndpoint;
use serde_json::{Value, json};

use super::{Audience, AudienceError, Evaluated, ResolvedSegment};
use memory::Memory;

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn segment(document: Value) -> SegmentDocument {
    serde_json::from_value(document).unwrap()
}

/// An endpoint that is no more than `members` say.
fn endpoint(user: Option<&str>, members: Value) -> LiveEndpoint {
    let mut document = json!({
        "CohortId": "1", "CreationDate": "2026-01-01T00:00:00.000Z",
        "EffectiveDate": "2026-11-20T00:00:00.000Z", "EndpointStatus": "ACTIVE", "OptOut": "NONE",
    });
    let (Value::Object(document_members), Value::Object(members)) = (&mut document, members) else {
        panic!("members are an object");
    };
    document_members.extend(members);
    LiveEndpoint {
        id: EndpointId::from("e"),
        user_id: user.map(UserId::from),
        has_address: true,
        document: serde_json::from_value(document).unwrap(),
    }
}

/// Evaluates a document against what `memory` holds.
async fn evaluate(
    audience: &Audience,
    memory: &Memory,
    plugins: &dyn Plugins,
    document: &SegmentDocument,
) -> Result<Evaluated, AudienceError> {
    let resolved = ResolvedSegment::of_document(memory, None, document).await?;
    let caller = Caller {
        account: "123456789012".into(),
        app: "app".into(),
    };
    audience
        .evaluate(memory, plugins, &caller, Arc::new(resolved), now())
        .await
}

/// Who is in a segment that asks no predicate.
async fn selected(audience: &Audience, memory: &Memory, document: Value) -> Vec<u32> {
    let evaluated = evaluate(audience, memory, &FakePlugins::default(), &segment(document))
        .await
        .unwrap();
    assert_eq!((evaluated.unknown, evaluated.faults), (0, Vec::new()));
    evaluated.selected.iter().collect()
}
