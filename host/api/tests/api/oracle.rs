//! AWS's own signer as oracle: what it signs verifies, and nothing that differs from it in one byte.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue, Request};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use pinion_api::auth::sigv4::{
    AuthError, Credentials as OurCredentials, Key, RequestView, Rules, Signer, Verified, Verifier,
};
use proptest::prelude::*;
use proptest::sample::Index;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn now() -> Timestamp {
    "2026-11-23T10:11:12Z".parse().unwrap()
}

fn key(id: &str) -> Option<Key> {
    (id == "AKIDEXAMPLE").then(|| Key {
        secret: SECRET.to_owned().into(),
        session_token: None,
        expires: None,
    })
}

fn verify_at(request: &Request<Vec<u8>>, at: Timestamp) -> Result<Verified, AuthError> {
    let view = RequestView {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
    };
    Verifier::new(Rules::default()).verify(view, request.body(), key, at)
}

fn verify(request: &Request<Vec<u8>>) -> Result<Verified, AuthError> {
    verify_at(request, now())
}

/// Signs as AWS's SDKs for Rust do.
fn signed_by_aws(mut request: Request<Vec<u8>>, place: SignatureLocation) -> Request<Vec<u8>> {
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if place == SignatureLocation::QueryParams {
        settings.expires_in = Some(Duration::from_secs(60));
    }
    settings.signature_location = place;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("mobiletargeting")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(now().as_second().cast_unsigned()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let (head, body) = request.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let signable = SignableRequest::new(
        head.method.as_str(),
        head.uri.to_string(),
        headers,
        SignableBody::Bytes(&body),
    )
    .unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    request = Request::from_parts(head, body);
    instructions.apply_to_request_http1x(&mut request);
    request
}

fn request() -> impl Strategy<Value = Request<Vec<u8>>> {
    let word = "[ -~żλ語]{1,12}";
    let segment = word.prop_filter("refused before authentication", |word| {
        !matches!(word.as_str(), "." | "..")
    });
    let header = ("x-(amz-)?[a-w]{1,8}", "[!-~][ -~]{0,20}");
    (
        prop::sample::select(vec!["GET", "PUT", "POST", "DELETE"]),
        prop::collection::vec(segment, 1..5),
        prop::collection::vec((word, "[ -~ż]{0,12}"), 0..4),
        prop::collection::btree_map(header.0, header.1, 0..4),
        prop::collection::vec(any::<u8>(), 0..64),
    )
        .prop_map(|(method, segments, query, headers, body)| {
            let encode = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let path: Vec<_> = segments.iter().map(encode).collect();
            let query: Vec<_> = query
                .iter()
                .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                .collect();
            let mut request = Request::builder()
                .method(method)
                .uri(format!(
                    "http://pinpoint.test/{}?{}",
                    path.join("/"),
                    query.join("&")
                ))
                .header("host", "pinpoint.test");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(body).unwrap()
        })
}

/// One byte of a request.
#[derive(Clone, Copy, Debug)]
enum Place {
    Method,
    Path,
    Query,
    Header,
    Date,
    Scope,
    Signature,
    Body,
}

const PLACES: [Place; 8] = [
    Place::Method,
    Place::Path,
    Place::Query,
    Place::Header,
    Place::Date,
    Place::Scope,
    Place::Signature,
    Place::Body,
];

/// Changes a letter or digit of the text to another; `None` if there is none.
fn changed(text: &str, at: &Index) -> Option<String> {
    let letters: Vec<usize> = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_alphanumeric())
        .map(|(at, _)| at)
        .collect();
    if letters.is_empty() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let at = *at.get(&letters);
    bytes[at] = match bytes[at] {
        b'9' => b'0',
        b'z' => b'a',
        b'Z' => b'A',
        byte => byte + 1,
    };
    Some(String::from_utf8(bytes).unwrap())
}

/// The request with one byte changed, or `None` if the place is empty or means the same as before.
fn mutated(request: &Request<Vec<u8>>, place: Place, at: &Index) -> Option<Request<Vec<u8>>> {
    let mut mutant = request.clone();
    let mut header = |name: &HeaderName, change: &dyn Fn(&str) -> Option<String>| {
        let value = change(request.headers()[name].to_str().unwrap())?;
        mutant
            .headers_mut()
            .insert(name, HeaderValue::from_str(&value).unwrap());
        Some(())
    };
    let authorization = http::header::AUTHORIZATION;
    match place {
        Place::Method => {
            *mutant.method_mut() = changed(request.method().as_str(), at)?.parse().unwrap();
        }
        Place::Path => {
            let path = changed(request.uri().path(), at)?;
            let query = request.uri().query().unwrap_or_default();
            *mutant.uri_mut() = format!("http://pinpoint.test{path}?{query}").parse().unwrap();
        }
        Place::Query => {
            let query = request.uri().query()?;
            let other = changed(query, at)?;
            let meaning = |query: &str| -> Vec<u8> { percent_decode_str(query).collect() };
            if meaning(query) == meaning(&other) {
                return None;
            }
            *mutant.uri_mut() = format!("http://pinpoint.test{}?{other}", request.uri().path())
                .parse()
                .unwrap();
        }
        Place::Header => {
            let names: Vec<_> = request
                .headers()
                .keys()
                .filter(|name| **name != authorization)
                .cloned()
                .collect();
            header(at.get(&names), &|value| changed(value, at))?;
        }
        Place::Date => header(&HeaderName::from_static("x-amz-date"), &|value| {
            // Seconds only: other digits are also caught by skew and scope.
            Some(format!("{}{}", &value[..13], changed(&value[13..], at)?))
        })?,
        Place::Scope => header(&authorization, &|value| {
            let (start, end) = (value.find('=')? + 1, value.find(',')?);
            Some(format!(
                "{}{}{}",
                &value[..start],
                changed(&value[start..end], at)?,
                &value[end..]
            ))
        })?,
        Place::Signature => header(&authorization, &|value| {
            let start = value.rfind('=')? + 1;
            Some(format!("{}{}", &value[..start], changed(&value[start..], at)?))
        })?,
        Place::Body => {
            if request.body().is_empty() {
                return None;
            }
            let at = at.index(request.body().len());
            mutant.body_mut()[at] ^= 1;
        }
    }
    Some(mutant)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_aws_signs_verifies_and_no_mutant_does(request in request(), at in any::<Index>()) {
        let signed = signed_by_aws(request, SignatureLocation::Headers);
        let verified = verify(&signed);
        prop_assert_eq!(verified.map(|it| it.region), Ok("eu-west-1".to_owned()));
        for place in PLACES {
            if let Some(mutant) = mutated(&signed, place, &at) {
                prop_assert!(verify(&mutant).is_err(), "{:?}: {:?}", place, mutant);
            }
        }
    }

    #[test]
    fn what_aws_presigns_verifies_until_it_expires(request in request(), at in any::<Index>()) {
        let signed = signed_by_aws(request, SignatureLocation::QueryParams);
        prop_assert!(verify(&signed).is_ok(), "{:?}: {:?}", signed, verify(&signed));
        let later = now() + SignedDuration::from_secs(61);
        prop_assert!(matches!(verify_at(&signed, later), Err(AuthError::Invalid(_))));
        for place in [Place::Method, Place::Path, Place::Query, Place::Header, Place::Body] {
            if let Some(mutant) = mutated(&signed, place, &at) {
                prop_assert!(verify(&mutant).is_err(), "{:?}: {:?}", place, mutant);
            }
        }
    }

    #[test]
    fn we_sign_as_aws_does(request in request()) {
        let theirs = signed_by_aws(request.clone(), SignatureLocation::Headers);
        let credentials = OurCredentials::new("AKIDEXAMPLE", SECRET);
        let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "mobiletargeting" };
        let added = signer.sign_headers(
            request.method().as_str(), request.uri(), request.headers(), request.body(), now(),
        );
        for (name, value) in added {
            prop_assert_eq!(&theirs.headers()[name], &value);
        }
    }
}

/// A request that we sign ourselves, with headers and body as a test wants them.
fn ours(change: impl FnOnce(&mut Request<Vec<u8>>)) -> Request<Vec<u8>> {
    let mut request = Request::put("http://pinpoint.test/v1/apps/a")
        .body(b"{}".to_vec())
        .unwrap();
    change(&mut request);
    let credentials = OurCredentials::new("AKIDEXAMPLE", SECRET);
    let signer = Signer {
        credentials: &credentials,
        region: "eu-west-1",
        service: "mobiletargeting",
    };
    let (method, uri) = (request.method().as_str(), request.uri());
    let added = signer.sign_headers(method, uri, request.headers(), request.body(), now());
    request
        .headers_mut()
        .extend(added.into_iter().map(|(name, value)| (Some(name), value)));
    request
}

fn with_header(name: &'static str, value: &'static str) -> Request<Vec<u8>> {
    ours(|request| {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    })
}

#[test]
fn clocks_may_differ_by_fifteen_minutes() {
    let request = ours(|_| {});
    for (minutes, fine) in [(0, true), (15, true), (-15, true), (16, false), (-16, false)] {
        let verdict = verify_at(&request, now() + SignedDuration::from_mins(minutes));
        match verdict {
            Ok(_) => assert!(fine, "{minutes}"),
            Err(error) => assert!(
                !fine && matches!(error, AuthError::Skewed { .. }),
                "{minutes}: {error}"
            ),
        }
    }
}

#[test]
fn the_body_must_be_signed_as_a_whole() {
    assert!(matches!(
        verify(&with_header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
        Err(AuthError::Invalid(_))
    ));
    assert!(matches!(
        verify(&with_header(
            "x-amz-content-sha256",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        )),
        Err(AuthError::Unsupported(_))
    ));
    assert!(matches!(
        verify(&with_header("x-amz-content-sha256", "0000")),
        Err(AuthError::Invalid(_))
    ));
    let body = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert!(verify(&with_header("x-amz-content-sha256", body)).is_ok());
}

#[test]
fn headers_of_aws_must_be_signed() {
    let mut request = ours(|_| {});
    request
        .headers_mut()
        .insert("x-amz-meta", HeaderValue::from_static("added on the way"));
    assert!(matches!(verify(&request), Err(AuthError::Invalid(_))));
}

#[test]
fn service_and_region_are_the_servers_to_decide() {
    let request = ours(|_| {});
    let view = RequestView {
        method: "PUT",
        path: "/v1/apps/a",
        query: "",
        headers: request.headers(),
    };
    for (service, regions, fine) in [
        ("mobiletargeting", None, true),
        ("mobiletargeting", Some("eu-west-1"), true),
        ("mobiletargeting", Some("us-east-1"), false),
        ("ses", None, false),
    ] {
        let verifier = Verifier::new(Rules {
            service: service.to_owned(),
            regions: regions.map(|region| vec![region.to_owned()]),
            ..Rules::default()
        });
        let verdict = verifier.verify(view, b"{}", key, now());
        assert_eq!(verdict.is_ok(), fine, "{service} {regions:?}: {verdict:?}");
    }
}

#[test]
fn unknown_keys_and_foreign_tokens_are_not_recognised() {
    let request = ours(|_| {});
    let view = RequestView {
        method: "PUT",
        path: "/v1/apps/a",
        query: "",
        headers: request.headers(),
    };
    let verify = |found: Option<Key>| Verifier::default().verify(view, b"{}", |_| found, now());
    assert_eq!(verify(None), Err(AuthError::UnknownKey));
    let temporary = |secret: &str| Key {
        session_token: Some("token".to_owned()),
        secret: secret.to_owned().into(),
        expires: None,
    };
    assert_eq!(verify(Some(temporary(SECRET))), Err(AuthError::UnknownKey));
    assert!(matches!(
        verify(Some(temporary("another"))),
        Err(AuthError::Invalid(_))
    ));
}

#[test]
fn temporary_credentials_end() {
    let mut request = Request::get("http://pinpoint.test/").body(()).unwrap();
    let mut credentials = OurCredentials::new("ASIAEXAMPLE", SECRET);
    credentials.session_token = Some("token".to_owned());
    let signer = Signer {
        credentials: &credentials,
        region: "eu-west-1",
        service: "mobiletargeting",
    };
    let added = signer.sign_headers("GET", request.uri(), request.headers(), b"", now());
    request
        .headers_mut()
        .extend(added.into_iter().map(|(name, value)| (Some(name), value)));
    let view = RequestView {
        method: "GET",
        path: "/",
        query: "",
        headers: request.headers(),
    };
    let verify = |expires: SignedDuration| {
        let found = Key {
            secret: SECRET.to_owned().into(),
            session_token: Some("token".to_owned()),
            expires: Some(now() + expires),
        };
        Verifier::default().verify(view, b"", |_| Some(found), now())
    };
    assert!(verify(SignedDuration::from_secs(1)).is_ok());
    assert_eq!(verify(SignedDuration::ZERO), Err(AuthError::ExpiredToken));
}

#[test]
fn a_request_signed_twice_is_refused() {
    let mut request = ours(|_| {});
    let uri = "http://pinpoint.test/v1/apps/a?X-Amz-Signature=0";
    *request.uri_mut() = uri.parse().unwrap();
    assert!(matches!(verify(&request), Err(AuthError::Incomplete(_))));
}
