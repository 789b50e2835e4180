//! For generated endpoints, users and segments, after any interleaving of changes, the columns say of
//! every endpoint what the matcher says, and so does the decision about one endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinion_domain::endpoint::{Attributes, Endpoint, UserDocument};
use pinion_domain::extension::Caller;
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::segment::extended::Extended;
use pinion_domain::segment::{
    Answers, Expression, Matcher, PredicateCondition, SegmentDocument, SegmentReference, Truth,
};
use pinion_store::{LiveEndpoint, Members};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::memory::{Memory, State};
use super::predicates::{Engaged, Faulty, engaged};
use super::{Audience, ResolvedSegment, endpoint, evaluate, now, segment};

const NAMES: [&str; 3] = ["plan", "since", "größe"];
const VALUES: [&str; 8] = [
    "gold",
    "golden",
    "GOLD",
    "",
    "2026-01-01",
    "2026-01-15T10:00:00Z",
    "2026-01-15T01:00:00+02:00",
    "2026-02-30",
];
const NUMBERS: [f64; 6] = [-1.5, 0.0, -0.0, 2.5, 3.0, 1e300];
const USERS: [&str; 5] = ["u0", "u1", "u2", "u3", "u4"];
const DATES: [&str; 6] = [
    "2026-11-23T11:59:59.999Z",
    "2026-11-22T12:00:00.000Z",
    "2026-11-16T11:59:59.999Z",
    "2026-10-24T12:00:00.000Z",
    "2027-01-01T00:00:00.000Z",
    "never",
];

fn attributes() -> impl Strategy<Value = Attributes> {
    btree_map(
        select(&NAMES[..]).prop_map(str::to_owned),
        vec(select(&VALUES[..]).prop_map(str::to_owned), 0..3),
        0..=3,
    )
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    option::of(select(values))
}

fn live() -> impl Strategy<Value = LiveEndpoint> {
    let metrics = btree_map(select(&["score", "größe"][..]), select(&NUMBERS[..]), 0..=2);
    let place = (
        maybe(&["DE", "FR"]),
        option::of(select(&[52.5, 48.9, -0.0][..])),
        option::of(select(&[13.4, 2.3][..])),
    );
    let device = (
        maybe(&["apple", "x"]),
        maybe(&["ios", "android"]),
        maybe(&["1.0", "2.0"]),
    );
    let rest = (
        option::of(select(&["EMAIL", "SMS", "GCM"][..])),
        select(&DATES[..]),
        maybe(&USERS),
    );
    (attributes(), metrics, option::of(place), option::of(device), rest).prop_map(
        |(attributes, metrics, place, device, (channel, effective, user))| {
            endpoint(
                user,
                json!({
                    "Attributes": attributes, "Metrics": metrics, "ChannelType": channel,
                    "EffectiveDate": effective,
                    "Location": place.map(|(country, latitude, longitude)| json!({
                        "Country": country, "Latitude": latitude, "Longitude": longitude})),
                    "Demographic": device.map(|(make, platform, version)| json!({
                        "Make": make, "Platform": platform, "AppVersion": version})),
                }),
            )
        },
    )
}

#[derive(Clone, Debug)]
enum Change {
    Put(u32, Box<LiveEndpoint>),
    Delete(u32),
    PutUser(&'static str, Attributes),
    DeleteUser(&'static str),
    /// The columns follow.
    Evaluate,
}

fn change() -> impl Strategy<Value = Change> {
    // Two words of the masks, and some rows far beyond.
    let seq = || prop_oneof![9 => 0..130_u32, 1 => 5_000..5_002_u32];
    prop_oneof![
        8 => (seq(), live()).prop_map(|(seq, live)| Change::Put(seq, Box::new(live))),
        2 => seq().prop_map(Change::Delete),
        2 => (select(&USERS[..]), attributes()).prop_map(|(user, attributes)| Change::PutUser(user, attributes)),
        1 => select(&USERS[..]).prop_map(Change::DeleteUser),
        1 => Just(Change::Evaluate),
    ]
}

fn set(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (
        option::of(select(&["INCLUSIVE", "EXCLUSIVE"][..])),
        vec(select(values), 1..3),
    )
        .prop_map(|(kind, values)| json!({"DimensionType": kind, "Values": values}))
}

fn attribute() -> impl Strategy<Value = Value> {
    let set = (
        option::of(select(&["INCLUSIVE", "EXCLUSIVE", "CONTAINS"][..])),
        vec(select(&VALUES[..]), 1..3),
    );
    let instants = (
        select(&["BEFORE", "AFTER", "ON", "BETWEEN"][..]),
        Just(vec!["2026-01-01", "2026-01-15T10:00:00Z"]),
    );
    prop_oneof![
        set.prop_map(|(kind, values)| json!({"AttributeType": kind, "Values": values})),
        instants.prop_map(|(kind, values)| json!({"AttributeType": kind, "Values": values})),
    ]
}

/// One to three conditions of different kinds.
fn dimensions() -> impl Strategy<Value = Value> {
    let plugin = select(&["plugin:engaged", "plugin:faulty", "plugin:absent"][..]);
    let metric = (
        select(
            &[
                "GREATER_THAN",
                "LESS_THAN",
                "GREATER_THAN_OR_EQUAL",
                "LESS_THAN_OR_EQUAL",
                "EQUAL",
            ][..],
        ),
        select(&NUMBERS[..]),
    );
    let recency = (
        select(&["HR_24", "DAY_7", "DAY_14", "DAY_30"][..]),
        select(&["ACTIVE", "INACTIVE"][..]),
    );
    let condition = prop_oneof![
        4 => (select(&NAMES[..]), attribute()).prop_map(|(name, test)| json!({"Attributes": {name: test}})),
        2 => (select(&NAMES[..]), attribute()).prop_map(|(name, test)| json!({"UserAttributes": {name: test}})),
        2 => (plugin, select(&["INCLUSIVE", "EXCLUSIVE"][..])).prop_map(|(plugin, kind)| {
            json!({"Attributes": {plugin: {"AttributeType": kind, "Values": ["{}"]}}})
        }),
        2 => (extended(), select(&["INCLUSIVE", "EXCLUSIVE"][..])).prop_map(|((name, settings), kind)| {
            json!({"Attributes": {name: {"AttributeType": kind, "Values": settings}}})
        }),
        1 => (select(&["score", "größe", "nobody's"][..]), metric).prop_map(|(name, (operator, value))| {
            json!({"Metrics": {name: {"ComparisonOperator": operator, "Value": value}}})
        }),
        1 => recency.prop_map(|(duration, kind)| {
            json!({"Behavior": {"Recency": {"Duration": duration, "RecencyType": kind}}})
        }),
        1 => set(&["EMAIL", "SMS"]).prop_map(|set| json!({"Demographic": {"Channel": set}})),
        1 => set(&["apple", "y"]).prop_map(|set| json!({"Demographic": {"Make": set}})),
        1 => set(&["ios"]).prop_map(|set| json!({"Demographic": {"DeviceType": set}})),
        1 => set(&["DE", "US"]).prop_map(|set| json!({"Location": {"Country": set}})),
        1 => select(&[1.0, 900.0][..]).prop_map(|range| json!({"Location": {"GPSPoint": {
            "Coordinates": {"Latitude": 52.5, "Longitude": 13.4}, "RangeInKilometers": range}}})),
    ];
    vec(condition, 0..=3).prop_map(|conditions| {
        let mut all = json!({});
        for condition in conditions {
            merge(&mut all, condition);
        }
        all
    })
}

/// A condition that Pinpoint has not: its name and the settings of its alternatives.
fn extended() -> impl Strategy<Value = (&'static str, Vec<&'static str>)> {
    const EVENTS: [&str; 6] = [
        "{}",
        r#"{"AtLeast": 2, "WithinDays": 30}"#,
        r#"{"AtMost": 0, "WithinDays": 7}"#,
        r#"{"AtLeast": 1, "AtMost": 1}"#,
        r#"{"Since": "2026-10-20", "Until": "2026-11-10T06:00Z"}"#,
        r#"{"Before": "buy", "WithinDays": 40}"#,
    ];
    prop_oneof![
        4 => vec(select(&EVENTS[..]), 1..3).prop_map(|settings| ("event:_email.open", settings)),
        1 => select(&EVENTS[..5]).prop_map(|settings| ("event:buy", vec![settings])),
        1 => Just(("random:spring", vec![r#"{"To": 30}"#, r#"{"From": 70.5, "To": 71}"#])),
        1 => Just(("campaign:spring", vec!["{}"])),
        1 => Just(("campaign:nobody's", vec!["{}"])),
    ]
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(into) if name.chars().all(char::is_alphabetic) => merge(into, value),
                    _ => drop(into.insert(name, value)),
                }
            }
        }
        (into, from) => *into = from,
    }
}

fn document(sources: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let combine = || option::of(select(&["ALL", "ANY", "NONE"][..]));
    let group = (
        vec(dimensions(), 0..3),
        combine(),
        btree_set(select(sources), 0..=2),
        combine(),
    );
    let groups = (vec(group, 1..3), combine()).prop_map(|(groups, include)| {
        let groups: Vec<Value> = groups
            .into_iter()
            .map(|(dimensions, kind, sources, source_type)| {
                let sources: Vec<Value> = sources.iter().map(|id| json!({"Id": id})).collect();
                json!({"Dimensions": dimensions, "Type": kind, "SourceSegments": sources, "SourceType": source_type})
            })
            .collect();
        json!({"SegmentGroups": {"Groups": groups, "Include": include}})
    });
    prop_oneof![
        1 => dimensions().prop_map(|dimensions| json!({"Dimensions": dimensions})),
        3 => groups,
    ]
}

/// What the documents of one endpoint do not tell, decided the slow way.
struct Oracle<'a> {
    seq: u32,
    live: &'a LiveEndpoint,
    state: &'a State,
    sources: &'a BTreeMap<&'static str, SegmentDocument>,
}

impl Oracle<'_> {
    fn user(&self) -> Option<&UserDocument> {
        self.state.users.get(self.live.user_id.as_ref()?)?.1.as_ref()
    }

    fn decide(&self, document: &SegmentDocument) -> Truth {
        let expression =
            Expression::of(document.dimensions.as_ref(), document.segment_groups.as_ref()).unwrap();
        Matcher {
            endpoint: &self.live.document,
            user: self.user(),
            now: now(),
            answers: self,
        }
        .matches(&expression)
    }
}

impl Answers for Oracle<'_> {
    fn predicate(&self, predicate: &PredicateCondition) -> Truth {
        match predicate.plugin.as_str() {
            "engaged" => Truth::from(engaged(self.seq, self.live, self.user(), self.state)),
            _ => Truth::Unknown,
        }
    }

    fn segment(&self, reference: &SegmentReference) -> Truth {
        match self.state.members.get(&reference.id) {
            Some(Members { endpoints, users }) => Truth::from(
                endpoints.contains(self.seq)
                    || self
                        .live
                        .user_id
                        .as_ref()
                        .is_some_and(|user| users.contains(user)),
            ),
            None => self.decide(&self.sources[reference.id.as_str()]),
        }
    }

    fn extended(&self, condition: &Extended) -> bool {
        match condition {
            Extended::Events(test) => {
                let times = |event_type: &str| self.state.times(event_type, self.seq);
                let known =
                    BTreeMap::from(["_email.open", "buy"].map(|event_type| (event_type, times(event_type))));
                test.matches(now(), |event_type| &known[event_type])
            }
            Extended::Bucket(test) => test.matches(self.seq),
            Extended::Recipient(test) => {
                let recipients = self.state.recipients.get(&test.campaign);
                recipients.is_some_and(|recipients| recipients.contains(self.seq))
            }
        }
    }
}

fn agree(
    audience: &Audience,
    memory: &Memory,
    sources: &BTreeMap<&'static str, SegmentDocument>,
    document: &SegmentDocument,
) {
    let plugins = FakePlugins::default()
        .with_predicate("engaged", Arc::new(Engaged::default()))
        .with_predicate("faulty", Arc::new(Faulty::in_begin()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let evaluated = runtime
        .block_on(evaluate(audience, memory, &plugins, document))
        .unwrap();
    let resolved = runtime
        .block_on(ResolvedSegment::of_document(memory, None, document))
        .unwrap();
    let caller = Caller {
        account: "1".into(),
        app: "a".into(),
    };
    let estimate = audience.estimate(memory, &plugins, &caller, Arc::new(resolved.clone()), now());
    let estimate = runtime.block_on(estimate).unwrap();
    assert_eq!(estimate.evaluated, evaluated);
    let state = memory.state();
    let mut unknown = 0;
    for (seq, (_, live)) in &state.endpoints {
        let Some(live) = live else {
            assert!(!evaluated.selected.contains(*seq), "{seq} was deleted");
            continue;
        };
        let oracle = Oracle {
            seq: *seq,
            live,
            state: &state,
            sources,
        };
        let truth = oracle.decide(document);
        assert_eq!(
            evaluated.selected.contains(*seq),
            truth == Truth::True,
            "{seq} {live:?}"
        );
        unknown += u64::from(truth == Truth::Unknown);
        let endpoint = Endpoint {
            seq: *seq,
            id: live.id.clone(),
            user_id: live.user_id.clone(),
            address: None,
            document: live.document.clone(),
            user: oracle.user().cloned(),
        };
        let one = (&resolved, &endpoint);
        let decided = runtime.block_on(audience.decide(memory, &plugins, &caller, one, now()));
        assert_eq!(decided.unwrap(), truth, "{seq} {live:?}");
        if seq % 16 == 0 {
            let one = (Arc::new(resolved.clone()), &endpoint);
            let explained = runtime.block_on(audience.explain(memory, &plugins, &caller, one, now()));
            assert_eq!(explained.unwrap().truth, truth, "{seq} {live:?}");
        }
    }
    assert_eq!(evaluated.unknown, unknown);
    assert!(
        evaluated.unknown == 0 || !evaluated.faults.is_empty(),
        "unknown, but why?"
    );
    let known = |seq| matches!(state.endpoints.get(&seq), Some((_, Some(_))));
    assert!(
        evaluated.selected.iter().all(known),
        "somebody who does not exist was selected"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn columns_say_what_the_matcher_says(
        changes in vec(change(), 0..120),
        inner in document(&["imported"]),
        outer in document(&["imported", "inner"]),
        members in (btree_set(0..140_u32, 0..20), btree_set(select(&["u0", "u1", "nobody"][..]), 0..3)),
        events in vec((select(&["_email.open", "buy"][..]), 0..140_u32, -1..1_200_i64), 0..150),
    ) {
        let memory = Memory::default();
        let recipients = members.0.iter().map(|seq| seq / 2).collect();
        memory.put_members("imported", Members {
            endpoints: members.0.into_iter().collect(),
            users: members.1.into_iter().map(Into::into).collect(),
        });
        memory.put_segment("imported", segment(json!({"ImportDefinition": {
            "Format": "CSV", "RoleArn": "", "S3Url": "s3://b/k", "Size": 1}})));
        let (inner, outer) = (segment(inner), segment(outer));
        memory.put_segment("inner", inner.clone());
        memory.put_recipients("spring", recipients);
        for (event_type, seq, hours) in events {
            memory.put_event(event_type, seq, now().as_millisecond() - hours * 3_600_000);
        }
        let sources = BTreeMap::from([("inner", inner)]);
        let audience = Audience::default();
        for change in changes {
            match change {
                Change::Put(seq, live) => memory.put(seq, Some(*live)),
                Change::Delete(seq) => memory.put(seq, None),
                Change::PutUser(user, user_attributes) => memory.put_user(user, Some(UserDocument { user_attributes })),
                Change::DeleteUser(user) => memory.put_user(user, None),
                Change::Evaluate => agree(&audience, &memory, &sources, &outer),
            }
        }
        agree(&audience, &memory, &sources, &outer);
        // Columns that saw only the end say the same as those that saw every change.
        agree(&Audience::default(), &memory, &sources, &outer);
    }
}
