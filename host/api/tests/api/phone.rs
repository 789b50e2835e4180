//! PhoneNumberValidate.

use pinion_api::testing::TestApi;
use serde_json::json;

const PATH: &str = "/v1/phone/number/validate";

#[tokio::test]
async fn a_number_tells_what_its_plan_says() {
    let api = TestApi::new().await;
    let told = api
        .post(PATH, json!({ "PhoneNumber": "+12065550142" }))
        .await
        .json(200);
    assert_eq!(
        told,
        json!({
            "CleansedPhoneNumberE164": "+12065550142", "CleansedPhoneNumberNational": "2065550142",
            "Country": "United States", "CountryCodeIso2": "US", "CountryCodeNumeric": "1",
            "OriginalPhoneNumber": "+12065550142", "PhoneType": "MOBILE", "PhoneTypeCode": 0,
            "Timezone": "America/Los_Angeles",
        })
    );
    let national = json!({ "PhoneNumber": "030 123456", "IsoCountryCode": "DE" });
    let told = api.post(PATH, national).await.json(200);
    assert_eq!(told["CleansedPhoneNumberE164"], "+4930123456");
    assert_eq!(
        (&told["PhoneType"], &told["PhoneTypeCode"]),
        (&json!("LANDLINE"), &json!(1))
    );
    assert_eq!(told["OriginalCountryCodeIso2"], "DE");
}

#[tokio::test]
async fn what_can_be_no_number_is_invalid_and_nothing_is_an_error() {
    let api = TestApi::new().await;
    let told = api.post(PATH, json!({ "PhoneNumber": "ż 日本" })).await.json(200);
    assert_eq!(
        told,
        json!({ "OriginalPhoneNumber": "ż 日本", "PhoneType": "INVALID", "PhoneTypeCode": 3 })
    );
    for (body, wrong) in [
        (json!({}), "PhoneNumber: is required"),
        (json!({ "PhoneNumber": "" }), "PhoneNumber: is required"),
        (json!({ "PhoneNumber": 1 }), "PhoneNumber: invalid type"),
        (
            json!({ "PhoneNumber": "1", "IsoCountryCode": "Germany" }),
            "IsoCountryCode: must be",
        ),
    ] {
        let (code, message) = api.post(PATH, body).await.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.starts_with(wrong), "{message}");
    }
}
