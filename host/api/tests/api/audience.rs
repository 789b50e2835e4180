//! Estimates and explanations of segments that are not saved.

use std::sync::Arc;

use pinion_api::testing::TestApi;
use pinion_domain::extension::PluginError;
use pinion_domain::extension::Predicate;
use pinion_domain::extension::columns::{ColumnKind, ColumnSpec, Dictionary, Rows, bitmap};
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::extension::predicate::Evaluation;
use serde_json::{Value, json};

/// Says yes to every second row that it is asked about, or nothing at all.
struct Alternating(Vec<ColumnSpec>, bool);

impl Predicate for Alternating {
    fn inputs(&self) -> &[ColumnSpec] {
        &self.0
    }

    fn begin(&self, _: i64, _: Vec<Dictionary>) -> Result<Box<dyn Evaluation>, PluginError> {
        if self.1 {
            return Ok(Box::new(Says));
        }
        Err(PluginError::Fault {
            name: "faulty".to_owned(),
            message: "it is a Monday".to_owned(),
        })
    }
}

struct Says;

impl Evaluation for Says {
    fn evaluate(&mut self, rows: Rows) -> Result<Vec<u8>, PluginError> {
        Ok(bitmap((0..rows.count).map(|row| row % 2 == 0)))
    }
}

async fn world() -> (TestApi, String) {
    let spec = || {
        vec![ColumnSpec {
            path: "Attributes.plan".to_owned(),
            kind: ColumnKind::Text,
        }]
    };
    let plugins = FakePlugins::default()
        .with_predicate("half", Arc::new(Alternating(spec(), true)))
        .with_predicate("faulty", Arc::new(Alternating(spec(), false)));
    let api = TestApi::with_plugins(Arc::new(plugins)).await;
    let app = api.app("shop").await;
    for n in 0..20 {
        let endpoint = json!({
            "ChannelType": "EMAIL", "Address": format!("{n}@example.com"),
            "Attributes": {"plan": [if n < 15 { "gold" } else { "iron" }]},
            "Metrics": {"score": n},
            "Location": {"Country": "DE"},
        });
        api.put(&format!("/v1/apps/{app}/endpoints/e{n}"), endpoint)
            .await
            .json(202);
    }
    (api, app)
}

fn plan(value: &str) -> Value {
    json!({"Attributes": {"plan": {"Values": [value]}}})
}

async fn post(api: &TestApi, app: &str, what: &str, body: Value) -> Value {
    api.post(&format!("/pinion/v1/apps/{app}/segments/{what}"), body)
        .await
        .json(200)
}

#[tokio::test]
async fn an_estimate_counts_members_and_conditions() {
    let (api, app) = world().await;
    let mut asked = json!({"Dimensions": plan("gold"), "SampleSize": 3});
    asked["Dimensions"]["Metrics"] =
        json!({"score": {"ComparisonOperator": "GREATER_THAN_OR_EQUAL", "Value": 10}});
    let estimate = post(&api, &app, "estimate", asked).await;
    assert_eq!(
        (&estimate["Endpoints"], &estimate["Count"]),
        (&json!(20), &json!(5))
    );
    assert_eq!(
        (&estimate["Unknown"], &estimate["Faults"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(estimate["Sample"], json!(["e10", "e11", "e13"]));
    assert_eq!(
        estimate["Segments"],
        json!([{"Count": 5, "Conditions": [
            {"Path": "Dimensions.Attributes.plan", "Count": 15, "Unknown": 0},
            {"Path": "Dimensions.Metrics.score", "Count": 10, "Unknown": 0},
        ]}])
    );
    // Nothing was saved.
    assert_eq!(
        api.get(&format!("/v1/apps/{app}/segments")).await.json(200),
        json!({"Item": []})
    );
    let held = api
        .get(&format!("/pinion/v1/apps/{app}/audience"))
        .await
        .json(200);
    assert_eq!(
        (&held["Endpoints"], &held["Columns"]["Endpoints"]),
        (&json!(20), &json!(20))
    );
    assert!(held["Columns"]["ColumnBytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn events_and_shares_are_conditions_too() {
    let (api, app) = world().await;
    let events = |seconds: i64| {
        json!({"BatchItem": {"e3": {"Endpoint": {}, "Events": {
            format!("at {seconds}"): {"EventType": "buy", "Timestamp": format!("2026-11-23T09:59:{seconds:02}Z")}}}}})
    };
    for seconds in [1, 2] {
        api.post(&format!("/v1/apps/{app}/events"), events(seconds))
            .await
            .json(202);
    }
    let count = async |name: &str, kind: &str, settings: &str| {
        let attributes = json!({name: {"AttributeType": kind, "Values": [settings]}});
        let asked = json!({"Dimensions": {"Attributes": attributes}});
        post(&api, &app, "estimate", asked).await["Count"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        count("event:buy", "INCLUSIVE", r#"{"AtLeast": 2, "WithinDays": 1}"#).await,
        1
    );
    assert_eq!(
        count("event:buy", "EXCLUSIVE", r#"{"AtLeast": 2, "WithinDays": 1}"#).await,
        19
    );
    assert_eq!(
        count("event:buy", "INCLUSIVE", r#"{"AtMost": 0, "WithinDays": 7}"#).await,
        19
    );
    let half = count("random:spring", "INCLUSIVE", r#"{"To": 50}"#).await;
    let rest = count("random:spring", "INCLUSIVE", r#"{"From": 50, "To": 100}"#).await;
    assert_eq!(half + rest, 20);
    let (_, message) = api
        .post(
            &format!("/v1/apps/{app}/segments"),
            json!({"Dimensions": {"Attributes": {"event:buy": {"Values": [r#"{"AtLeast": 2, "AtMost": 1}"#]}}}}),
        )
        .await
        .error(400);
    let expected = "Dimensions.Attributes.event:buy.Values[0].AtMost: must not be less than AtLeast";
    assert!(message.contains(expected), "{message}");
}

#[tokio::test]
async fn an_explanation_says_which_condition_decided_and_what_it_saw() {
    let (api, app) = world().await;
    let made = api
        .post(
            &format!("/v1/apps/{app}/segments"),
            json!({"Name": "gold", "Dimensions": plan("gold")}),
        )
        .await
        .json(201);
    let id = made["Id"].as_str().unwrap();
    let score = json!({"score": {"ComparisonOperator": "GREATER_THAN", "Value": 10}});
    let built_on = json!({"SegmentGroups": {"Include": "ALL", "Groups": [{
        "SourceSegments": [{"Id": id}],
        "Dimensions": [{"Metrics": score, "Attributes": {"event:buy": {"Values": [r#"{"AtMost": 0}"#]}}}]}]}});
    let explain = async |endpoint: &str| {
        let mut asked = built_on.clone();
        asked["EndpointId"] = json!(endpoint);
        post(&api, &app, "explain", asked).await
    };
    let yes = explain("e12").await;
    assert_eq!(yes["Result"], "TRUE");
    let explained = explain("e4").await;
    let group = "SegmentGroups.Groups[0]";
    assert_eq!(explained["Result"], "FALSE");
    let mut parts = explained["Segments"].clone();
    // Conditions come in the order in which they are asked.
    for part in parts.as_array_mut().unwrap() {
        let conditions = part["Conditions"].as_array_mut().unwrap();
        conditions.sort_by_key(|condition| condition["Path"].to_string());
    }
    assert_eq!(
        parts,
        json!([
            {"Id": id, "Version": 1, "Result": "TRUE", "Conditions": [
                {"Path": "Dimensions.Attributes.plan", "Result": "TRUE", "Decisive": true, "Saw": ["gold"]}]},
            {"Result": "FALSE", "Conditions": [
                {"Path": format!("{group}.Dimensions[0].Attributes.event:buy.Values[0]"), "Result": "TRUE",
                 "Decisive": false, "Saw": {"buy": {"Count": 0, "First": null, "Last": null}}},
                {"Path": format!("{group}.Dimensions[0].Metrics.score"), "Result": "FALSE", "Decisive": true,
                 "Saw": 4.0},
                {"Path": format!("{group}.SourceSegments[0]"), "Result": "TRUE", "Decisive": false,
                 "Saw": {"Id": id, "Version": 1}}]},
        ])
    );
    let by_name = post(
        &api,
        &app,
        "explain",
        json!({"EndpointId": "e17", "SegmentId": id}),
    )
    .await;
    assert_eq!(by_name["Result"], "FALSE");
    assert_eq!(by_name["Segments"][0]["Conditions"][0]["Saw"], json!(["iron"]));
}

#[tokio::test]
async fn a_predicate_is_counted_and_its_fault_is_told() {
    let (api, app) = world().await;
    let asks = |plugin: &str| {
        let name = format!("plugin:{plugin}");
        json!({"Dimensions": {"Attributes": {"plan": {"Values": ["gold"]}, name: {"Values": ["{}"]}}}})
    };
    let estimate = post(&api, &app, "estimate", asks("half")).await;
    assert_eq!((&estimate["Count"], &estimate["Unknown"]), (&json!(8), &json!(0)));
    let estimate = post(&api, &app, "estimate", asks("faulty")).await;
    assert_eq!(
        (&estimate["Count"], &estimate["Unknown"]),
        (&json!(0), &json!(15))
    );
    assert!(estimate["Faults"][0].as_str().unwrap().contains("it is a Monday"));
    for (endpoint, result) in [("e1", "UNKNOWN"), ("e16", "FALSE")] {
        let mut asked = asks("faulty");
        asked["EndpointId"] = json!(endpoint);
        assert_eq!(
            post(&api, &app, "explain", asked).await["Result"],
            result,
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn questions_that_cannot_be_are_refused() {
    let (api, app) = world().await;
    let estimate = format!("/pinion/v1/apps/{app}/segments/estimate");
    let explain = format!("/pinion/v1/apps/{app}/segments/explain");
    for (path, body, status, expected) in [
        (&estimate, json!({}), 400, "Dimensions: a segment needs either"),
        (
            &estimate,
            json!({"Dimensions": {}, "SampleSize": 101}),
            400,
            "SampleSize: must be at most 100",
        ),
        (
            &estimate,
            json!({"Dimensions": {}, "SegmentId": "x"}),
            400,
            "SegmentId: excludes Dimensions",
        ),
        (
            &estimate,
            json!({"SegmentVersion": 1, "Dimensions": {}}),
            400,
            "SegmentVersion: needs SegmentId",
        ),
        (
            &estimate,
            json!({"SegmentId": "nobody"}),
            404,
            "segment nobody not found",
        ),
        (
            &estimate,
            json!({"Dimensions": {"Attributes": {"plugin:gone": {"Values": ["{}"]}}}}),
            400,
            "Dimensions.Attributes.plugin:gone: plugin gone is not installed",
        ),
        (
            &estimate,
            json!({"Dimensions": {"Attributes": {"campaign:gone": {"Values": ["{}"]}}}}),
            400,
            "Dimensions.Attributes.campaign:gone: there is no campaign gone",
        ),
        (
            &explain,
            json!({"Dimensions": {}}),
            400,
            "EndpointId: must say whom",
        ),
        (
            &estimate,
            json!({"Dimensions": {"Metrics": {"m": {"ComparisonOperator": "EQUAL", "Value": "5"}}}}),
            400,
            "Dimensions.Metrics.m.Value: invalid type",
        ),
        (
            &explain,
            json!({"Dimensions": {}, "EndpointId": "nobody"}),
            404,
            "endpoint nobody not found",
        ),
    ] {
        let (_, message) = api.post(path, body.clone()).await.error(status);
        assert!(message.contains(expected), "{body}: {message}");
    }
    let user = api
        .as_user(
            "reader",
            json!({"Effect": "Allow", "Action": "mobiletargeting:*", "Resource": "*"}),
        )
        .await;
    user.post(&estimate, json!({"Dimensions": {}})).await.error(403);
    let allowed = json!({"Effect": "Allow", "Action": "pinion:EstimateSegment", "Resource": "*"});
    let user = api.as_user("estimator", allowed).await;
    user.post(&estimate, json!({"Dimensions": {}})).await.json(200);
    user.post(&explain, json!({"Dimensions": {}, "EndpointId": "e1"}))
        .await
        .error(403);
}
