//! In-app campaigns: written like others, shown by clients.

use jiff::SignedDuration;
use pinion_api::testing::TestApi;
use serde_json::{Value, json};

struct Shop {
    api: TestApi,
    app: String,
}

impl Shop {
    async fn open() -> Self {
        let api = TestApi::new().await;
        let app = api.app("shop").await;
        let shop = Self { api, app };
        shop.endpoint("gold", json!({"Attributes": {"plan": ["gold"]}}))
            .await;
        shop.endpoint("iron", json!({"Attributes": {"plan": ["iron"]}}))
            .await;
        shop
    }

    async fn endpoint(&self, id: &str, endpoint: Value) {
        self.api
            .put(&self.path(&format!("endpoints/{id}")), endpoint)
            .await
            .json(202);
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/apps/{}/{rest}", self.app)
    }

    async fn segment(&self, plan: &str) -> String {
        let dimensions = json!({"Attributes": {"plan": {"Values": [plan]}}});
        let segment = json!({"Name": plan, "Dimensions": dimensions});
        let segment = self.api.post(&self.path("segments"), segment).await.json(201);
        segment["Id"].as_str().unwrap().to_owned()
    }

    fn campaign(&self, segment: &str, change: &Value) -> Value {
        let mut campaign = json!({
            "Name": "c", "SegmentId": segment,
            "Schedule": {
                "StartTime": "IMMEDIATE", "EndTime": "2026-12-01T00:00:00Z", "Frequency": "IN_APP_EVENT",
                "EventFilter": {"FilterType": "ENDPOINT", "Dimensions": {
                    "EventType": {"DimensionType": "INCLUSIVE", "Values": ["opened"]},
                    "Attributes": {"page": {"Values": ["cart"]}}, "Metrics": {"items": {"ComparisonOperator": "EQUAL", "Value": 2.0}},
                }},
                "QuietTime": {"Start": "22:00", "End": "07:00"},
            },
            "MessageConfiguration": {"InAppMessage": content("hello")},
            "Limits": {"Session": 2, "Daily": 5, "Total": 20},
            "Priority": 3,
        });
        for (name, value) in change.as_object().unwrap() {
            campaign[name] = value.clone();
        }
        campaign
    }

    async fn create(&self, campaign: Value) -> Value {
        self.api.post(&self.path("campaigns"), campaign).await.json(201)
    }

    async fn shown(&self, endpoint: &str) -> Vec<Value> {
        let path = self.path(&format!("endpoints/{endpoint}/inappmessages"));
        let answer = self.api.get(&path).await.json(200);
        answer["InAppMessageCampaigns"].as_array().unwrap().clone()
    }
}

fn content(header: &str) -> Value {
    json!({
        "Layout": "OVERLAYS", "CustomConfig": {"theme": "dark"},
        "Content": [{
            "BackgroundColor": "#FFFFFF", "ImageUrl": "https://i.test/x.png",
            "HeaderConfig": {"Alignment": "CENTER", "Header": header, "TextColor": "#000000"},
            "BodyConfig": {"Alignment": "LEFT", "Body": "b", "TextColor": "#000000"},
            "PrimaryBtn": {
                "DefaultConfig": {"ButtonAction": "LINK", "Text": "Go", "Link": "https://b.test/", "BorderRadius": 4},
                "IOS": {"ButtonAction": "DEEP_LINK", "Link": "books://x"},
            },
        }],
    })
}

#[tokio::test]
async fn an_endpoint_of_the_segment_gets_message_schedule_and_caps() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    let created = shop.create(shop.campaign(&gold, &json!({}))).await;
    assert_eq!(created["State"]["CampaignStatus"], "EXECUTING");
    assert_eq!(created["MessageConfiguration"]["InAppMessage"], content("hello"));
    let [shown] = &shop.shown("gold").await[..] else {
        panic!("one campaign")
    };
    let schedule = &created["Schedule"];
    assert_eq!(
        *shown,
        json!({
            "CampaignId": created["Id"], "TreatmentId": "0", "Priority": 3,
            "InAppMessage": content("hello"),
            "Schedule": {
                "EndDate": "2026-12-01T00:00:00Z", "EventFilter": schedule["EventFilter"], "QuietTime": schedule["QuietTime"],
            },
            "SessionCap": 2, "DailyCap": 5, "TotalCap": 20,
        })
    );
    assert!(shop.shown("iron").await.is_empty());
    shop.api
        .get(&shop.path("endpoints/nobody/inappmessages"))
        .await
        .error(404);
}

#[tokio::test]
async fn only_campaigns_that_run_are_shown() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    let later = json!({
        "StartTime": "2026-11-24T00:00:00Z", "EndTime": "2026-11-25T00:00:00Z", "Frequency": "IN_APP_EVENT",
        "EventFilter": {"FilterType": "SYSTEM", "Dimensions": {"EventType": {"Values": ["opened"]}}},
    });
    let scheduled = shop
        .create(shop.campaign(&gold, &json!({"Schedule": later})))
        .await;
    let paused = shop
        .create(shop.campaign(&gold, &json!({"IsPaused": true})))
        .await;
    let mail = json!({
        "SegmentId": gold, "Schedule": {"StartTime": "2026-11-24T00:00:00Z"}, "MessageConfiguration": {"EmailMessage": {"Body": "b"}},
    });
    shop.create(mail).await;
    assert_eq!(
        (
            &scheduled["State"]["CampaignStatus"],
            &paused["State"]["CampaignStatus"]
        ),
        (&json!("SCHEDULED"), &json!("PAUSED"))
    );
    assert!(shop.shown("gold").await.is_empty());

    let path = shop.path(&format!("campaigns/{}", paused["Id"].as_str().unwrap()));
    let resumed = shop.api.put(&path, json!({"IsPaused": false})).await.json(200);
    assert_eq!(resumed["State"]["CampaignStatus"], "EXECUTING");
    assert_eq!(shop.shown("gold").await.len(), 1);
    shop.api.clock.advance(SignedDuration::from_hours(14));
    assert_eq!(shop.shown("gold").await.len(), 2);
    let scheduled = shop.path(&format!("campaigns/{}", scheduled["Id"].as_str().unwrap()));
    let state = async || shop.api.get(&scheduled).await.json(200)["State"]["CampaignStatus"].clone();
    assert_eq!(state().await, "EXECUTING");
    shop.api.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(shop.shown("gold").await.len(), 1);
    assert_eq!(state().await, "COMPLETED");
    shop.api
        .put(&scheduled, json!({"Name": "too late"}))
        .await
        .error(409);
    shop.api.delete(&path).await.json(200);
    assert!(shop.shown("gold").await.is_empty());
}

#[tokio::test]
async fn who_is_inactive_or_opted_out_gets_none() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    shop.create(shop.campaign(&gold, &json!({}))).await;
    shop.endpoint("gold", json!({"OptOut": "ALL"})).await;
    assert!(shop.shown("gold").await.is_empty());
    shop.endpoint("gold", json!({"OptOut": "NONE", "EndpointStatus": "INACTIVE"}))
        .await;
    assert!(shop.shown("gold").await.is_empty());
    shop.endpoint("gold", json!({})).await;
    assert_eq!(shop.shown("gold").await.len(), 1);
}

#[tokio::test]
async fn treatments_and_holdout_are_kept_for_an_endpoint() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    for n in 0..60 {
        shop.endpoint(&format!("g{n}"), json!({"Attributes": {"plan": ["gold"]}}))
            .await;
    }
    let treatment = json!({"SizePercent": 40, "TreatmentName": "b", "MessageConfiguration": {"InAppMessage": content("other")}});
    let split = json!({"HoldoutPercent": 20, "AdditionalTreatments": [treatment]});
    let campaign = shop.create(shop.campaign(&gold, &split)).await;
    let other = campaign["AdditionalTreatments"][0]["Id"].as_str().unwrap();
    let mut counts = [0; 3];
    for n in 0..60 {
        let id = format!("g{n}");
        let shown = shop.shown(&id).await;
        assert_eq!(shop.shown(&id).await, shown, "the same every time");
        let place = match shown.first() {
            None => 2,
            Some(shown) => {
                let header = &shown["InAppMessage"]["Content"][0]["HeaderConfig"]["Header"];
                match shown["TreatmentId"].as_str().unwrap() {
                    "0" => {
                        assert_eq!(header, "hello");
                        0
                    }
                    id => {
                        assert_eq!((id, header), (other, &json!("other")));
                        1
                    }
                }
            }
        };
        counts[place] += 1;
    }
    assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
}

#[tokio::test]
async fn the_highest_priority_comes_first_and_a_segment_that_is_gone_harms_nobody() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    let gone = shop.segment("gone").await;
    let id = |campaign: Value| campaign["Id"].as_str().unwrap().to_owned();
    let none = id(shop
        .create(shop.campaign(&gold, &json!({"Priority": null})))
        .await);
    let fifth = id(shop.create(shop.campaign(&gold, &json!({"Priority": 5}))).await);
    let first = id(shop.create(shop.campaign(&gold, &json!({"Priority": 1}))).await);
    shop.create(shop.campaign(&gone, &json!({}))).await;
    shop.api.delete(&shop.path(&format!("segments/{gone}"))).await;
    let shown: Vec<String> = shop
        .shown("gold")
        .await
        .iter()
        .map(|shown| shown["CampaignId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shown, [first, fifth, none]);
}

#[tokio::test]
async fn defaults_of_the_application_stand_in() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    let settings =
        json!({"Limits": {"Session": 9, "Total": 8}, "QuietTime": {"Start": "01:00", "End": "02:00"}});
    shop.api.put(&shop.path("settings"), settings).await.json(200);
    let schedule = json!({
        "StartTime": "IMMEDIATE", "Frequency": "IN_APP_EVENT",
        "EventFilter": {"FilterType": "ENDPOINT", "Dimensions": {"EventType": {"Values": ["opened"]}}},
    });
    let campaign = json!({"Schedule": schedule, "Limits": null});
    shop.create(shop.campaign(&gold, &campaign)).await;
    let shown = &shop.shown("gold").await[0];
    assert_eq!((&shown["SessionCap"], &shown["TotalCap"]), (&json!(9), &json!(8)));
    assert_eq!(
        shown["Schedule"]["QuietTime"],
        json!({"Start": "01:00", "End": "02:00"})
    );
    assert!(shown["Schedule"].get("EndDate").is_none());
}

#[tokio::test]
async fn mistakes_are_named() {
    let shop = Shop::open().await;
    let gold = shop.segment("gold").await;
    for (change, field) in [
        (
            json!({"MessageConfiguration": {"InAppMessage": {"Content": []}}}),
            "MessageConfiguration.InAppMessage.Layout",
        ),
        (
            json!({"MessageConfiguration": {"InAppMessage": {"Layout": "SIDEWAYS"}}}),
            "MessageConfiguration.InAppMessage.Layout",
        ),
        (
            json!({"MessageConfiguration": {"EmailMessage": {"Body": "b"}, "InAppMessage": content("x")}}),
            "MessageConfiguration.EmailMessage",
        ),
        (json!({"Limits": {"Session": 1_000}}), "Limits.Session"),
        (json!({"Priority": 9}), "Priority"),
        (
            json!({"Schedule": {"StartTime": "IMMEDIATE", "Frequency": "IN_APP_EVENT"}}),
            "Schedule.EventFilter",
        ),
        (
            json!({"Schedule": {"StartTime": "IMMEDIATE", "Frequency": "ONCE"}}),
            "MessageConfiguration.InAppMessage",
        ),
    ] {
        let campaign = shop.campaign(&gold, &change);
        let (code, sentence) = shop.api.post(&shop.path("campaigns"), campaign).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(sentence.starts_with(field), "{change}: {sentence}");
    }
}
