//! KPIs: names, ranges and pages. What is counted is tested where it is counted.

use std::time::Duration;

use pinion_api::testing::TestApi;
use pinion_domain::clock::Clock;
use pinion_domain::delivery::Reason;
use pinion_store::{BatchCommit, LedgerRow};
use serde_json::{Value, json};

use crate::campaigns::{app_ref, run};

#[tokio::test]
async fn ranges_and_names_that_cannot_be_are_refused() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let kpi = |name: &str| format!("/v1/apps/{app}/kpis/daterange/{name}");
    let answer = api.get(&kpi("unique-deliveries")).await.json(200);
    assert_eq!(
        answer,
        json!({
            "ApplicationId": app, "KpiName": "unique-deliveries", "KpiResult": { "Rows": [] },
            "StartTime": "2026-10-23T10:00:00.000Z", "EndTime": "2026-11-23T10:00:00.000Z",
        })
    );
    for (query, expected) in [
        ("start-time=2026-11-01T00:00:00Z&end-time=2026-11-02T00:00Z", ""),
        ("start-time=2026-08-26T00:00:00Z", ""),
        (
            "start-time=2026-08-25T10:00:00Z",
            "start-time: must be fewer than 90 days ago",
        ),
        (
            "start-time=2026-11-02T00:00:00Z&end-time=2026-11-01T00:00:00Z",
            "start-time: must not be after end-time",
        ),
        ("end-time=yesterday", "end-time: must be an ISO 8601 instant"),
        ("page-size=0", "page-size: must be a whole number"),
        ("next-token=%21", "token: is not a token of ours"),
    ] {
        let reply = api.get(&format!("{}?{query}", kpi("unique-deliveries"))).await;
        if expected.is_empty() {
            reply.json(200);
        } else {
            let (_, message) = reply.error(400);
            assert!(message.contains(expected), "{query}: {message}");
        }
    }
    for (path, status) in [
        (kpi("unheard-of"), 404),
        (kpi("attempted-deliveries-grouped-by-campaign-activity"), 404),
        (kpi("txn-sms-total-price-grouped-by-country"), 200),
        (
            format!("/v1/apps/{app}/campaigns/nothing/kpis/daterange/unique-deliveries"),
            404,
        ),
    ] {
        assert_eq!(api.get(&path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn rows_come_in_pages_to_those_who_ask() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let scope = app_ref(&api, &app).await;
    let row = |seq, treatment, reason| LedgerRow {
        seq,
        treatment,
        reason,
        at: api.clock.now(),
        provider_id: None,
        detail: None,
        attempts: 1,
    };
    for campaign in ["c1", "c2", "c3"] {
        run(&api, &scope, campaign).await;
        let (_, chunk) = api
            .store
            .claim_chunk(Duration::from_secs(60))
            .await
            .unwrap()
            .unwrap();
        let commit = BatchCommit {
            cursor: 4,
            done: true,
            rows: vec![
                row(1, LedgerRow::HOLDOUT, Reason::TreatmentHoldout),
                row(2, 0, Reason::Accepted),
                row(3, 0, Reason::HardBounce),
                row(4, 1, Reason::Accepted),
            ],
            ..BatchCommit::default()
        };
        api.store.commit_batch(&scope, &chunk, commit).await.unwrap();
    }
    // Ranges end where they end: a minute later everything is inside.
    api.clock.advance(jiff::SignedDuration::from_mins(1));
    let path = format!("/v1/apps/{app}/kpis/daterange/successful-deliveries-grouped-by-campaign");
    let row = |campaign: &str| {
        json!({
            "GroupedBys": [{ "Key": "CampaignId", "Type": "String", "Value": campaign }],
            "Values": [{ "Key": "SuccessfulDeliveries", "Type": "Double", "Value": "2.0" }],
        })
    };
    let all = api.get(&path).await.json(200);
    assert_eq!(all["KpiResult"]["Rows"], json!([row("c1"), row("c2"), row("c3")]));
    assert!(all.get("NextToken").is_none());
    let first = api.get(&format!("{path}?page-size=2")).await.json(200);
    assert_eq!(first["KpiResult"]["Rows"], json!([row("c1"), row("c2")]));
    let token = first["NextToken"].as_str().unwrap();
    let rest = api
        .get(&format!("{path}?page-size=2&next-token={token}"))
        .await
        .json(200);
    assert_eq!(rest["KpiResult"]["Rows"], json!([row("c3")]));
    assert!(rest.get("NextToken").is_none());

    // Without groups there is one row, which says so.
    let rate: Value = api
        .get(&format!("/v1/apps/{app}/kpis/daterange/successful-delivery-rate"))
        .await
        .json(200);
    let rate = &rate["KpiResult"]["Rows"];
    assert_eq!(rate[0]["GroupedBys"], json!([]));
    assert_eq!(rate[0]["Values"][0]["Key"], "SuccessfulDeliveryRate");
}
