//! The front door: what every request meets before its handler.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderValue, Request, header};
use jiff::SignedDuration;
use pinion_api::operations::OPERATIONS;
use pinion_api::rates::Rates;
use pinion_api::testing::TestApi;

#[tokio::test]
async fn unsigned_requests_are_refused() {
    let api = TestApi::new().await;
    let request = Request::get("/v1/apps")
        .header("host", "x")
        .body(Body::empty())
        .unwrap();
    let reply = api.send(request).await;
    let (code, message) = reply.error(403);
    assert_eq!(code, "MissingAuthenticationTokenException");
    // Errors of authentication carry both spellings.
    assert_eq!(reply.json(403)["message"], message);
}

#[tokio::test]
async fn every_answer_names_its_request_and_tells_the_time() {
    let api = TestApi::new().await;
    for reply in [api.get("/v1/apps").await, api.get("/nothing").await] {
        assert_eq!(reply.headers["date"], "Mon, 23 Nov 2026 10:00:00 GMT");
        assert_eq!(reply.headers["x-amzn-requestid"].len(), 36);
        assert!(!reply.headers.contains_key("age"));
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_so() {
    let api = TestApi::new().await;
    let request = api.signed("GET", "/v1/apps", Vec::new());
    api.clock.advance(SignedDuration::from_mins(16));
    let (code, _) = api.send(request).await.error(403);
    assert_eq!(code, "RequestTimeTooSkewed");
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let api = TestApi::new().await;
    let mut request = api.signed("POST", "/v1/apps", br#"{"Name":"a"}"#.to_vec());
    *request.body_mut() = Body::from(r#"{"Name":"b"}"#);
    let (code, _) = api.send(request).await.error(403);
    assert_eq!(code, "InvalidSignatureException");
}

#[tokio::test]
async fn a_disabled_key_stops_within_a_second() {
    let api = TestApi::new().await;
    api.get("/v1/apps").await.json(200);
    let id = api.key().access_key_id.as_str().into();
    assert!(api.store.set_access_key_enabled(&id, false).await.unwrap());
    api.clock.advance(SignedDuration::from_secs(1));
    let (code, _) = api.get("/v1/apps").await.error(403);
    assert_eq!(code, "UnrecognizedClientException");
}

#[tokio::test]
async fn ambiguous_paths_are_refused_before_authentication() {
    let api = TestApi::new().await;
    for path in ["/v1/apps/a/endpoints/..", "/v1/apps//settings", "/v1/apps/%2e%2E"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (code, _) = api.send(request).await.error(400);
        assert_eq!(code, "BadRequestException", "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_have_their_own_answers() {
    let api = TestApi::new().await;
    let (code, _) = api.delete("/v1/apps").await.error(405);
    assert_eq!(code, "MethodNotAllowedException");
    let (code, _) = api.get("/v2/apps").await.error(404);
    assert_eq!(code, "NotFoundException");
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let api = TestApi::new().await;
    let limit = 7 * 1024 * 1024;
    let (code, _) = api
        .send(api.signed("POST", "/v1/apps", vec![b' '; limit + 1]))
        .await
        .error(413);
    assert_eq!(code, "PayloadTooLargeException");
    // One byte less is read, and found to be no JSON.
    api.send(api.signed("POST", "/v1/apps", vec![b' '; limit]))
        .await
        .error(400);
}

#[tokio::test]
async fn bad_json_names_the_member() {
    let api = TestApi::new().await;
    let app = api.app("shop").await;
    let segments = format!("/v1/apps/{app}/segments");
    for (path, body, expected) in [
        ("/v1/apps", r#"{"Name": 7}"#, "Name: invalid type"),
        ("/v1/apps", r"{}", "missing field `Name`"),
        ("/v1/apps", r#"{"Name":"#, "Name: EOF while parsing"),
        (
            "/v1/apps",
            r#"{"Name":"a"} b"#,
            "request body: trailing characters",
        ),
        (
            &segments,
            r#"{"Dimensions":{"Attributes":{"plan":{"Values":["a",1]}}}}"#,
            "Dimensions.Attributes.plan.Values[1]: invalid type",
        ),
    ] {
        let reply = api.send(api.signed("POST", path, body.as_bytes().to_vec())).await;
        let (code, message) = reply.error(400);
        assert_eq!(code, "BadRequestException");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn every_operation_asks_for_a_signature() {
    let api = TestApi::new().await;
    for operation in OPERATIONS {
        let path = operation.path.replace(['{', '}'], "");
        let request = Request::builder()
            .method(operation.method.clone())
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let (code, _) = api.send(request).await.error(403);
        assert_eq!(code, "MissingAuthenticationTokenException", "{}", operation.name);
    }
}

#[tokio::test]
async fn browsers_of_any_origin_may_ask() {
    let api = TestApi::new().await;
    let preflight = Request::options("/v1/apps/a/events")
        .header(header::ORIGIN, "https://shop.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization,content-type,x-amz-date",
        )
        .body(Body::empty())
        .unwrap();
    let reply = api.send(preflight).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let mut request = api.signed("GET", "/v1/apps", Vec::new());
    let origin = HeaderValue::from_static("https://shop.example");
    request.headers_mut().insert(header::ORIGIN, origin);
    let reply = api.send(request).await;
    let exposed = reply.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS]
        .to_str()
        .unwrap();
    assert!(exposed.contains("x-amzn-errortype") && exposed.contains("x-amzn-requestid"));
}

#[tokio::test]
async fn a_method_that_is_none_is_told_which_are() {
    let api = TestApi::new().await;
    let reply = api.send(api.signed("PATCH", "/v1/apps", Vec::new())).await;
    let (code, _) = reply.error(405);
    assert_eq!(code, "MethodNotAllowedException");
    assert_eq!(reply.headers[header::ALLOW], "POST, GET");
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_again() {
    let api = TestApi::new().await;
    let rates = Rates::new(&BTreeMap::from([("GetApps".to_owned(), 1)])).unwrap();
    let api = api.with_rates(rates);
    api.get("/v1/apps").await.json(200);
    let reply = api.get("/v1/apps").await;
    let (code, _) = reply.error(429);
    assert_eq!(code, "TooManyRequestsException");
    assert_eq!(reply.headers[header::RETRY_AFTER], "1");
    // Others have a bucket of their own, and so have other accounts.
    api.get("/v1/recommenders").await.json(200);
    api.as_account("222222222222")
        .await
        .get("/v1/apps")
        .await
        .json(200);
    api.clock.advance(SignedDuration::from_secs(1));
    api.get("/v1/apps").await.json(200);
}
