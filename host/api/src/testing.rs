//! An API over a temporary SQLite store, called in-process with requests that are really signed.
//!
//! ```no_run
//! # async fn example() {
//! use pinion_api::testing::TestApi;
//! let api = TestApi::new().await;
//! let app = api.app("shop").await;
//! let segments = api.get(&format!("/v1/apps/{app}/segments")).await.json(200);
//! # }
//! ```

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use pinion_domain::clock::{Clock, ManualClock};
use pinion_domain::extension::Plugins;
use pinion_domain::extension::fake::FakePlugins;
use pinion_domain::id::AccountId;
use pinion_engine::{Config, Engine};
use pinion_store::{Options, Store};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::Api;
use crate::auth::sigv4::{Credentials, Rules, Signer};

/// The API with what it stands on. The clock stands still until told to move; nothing runs in the
/// background.
pub struct TestApi {
    /// The clock of everything.
    pub clock: Arc<ManualClock>,
    /// The store, to look behind the API.
    pub store: Store,
    /// The engine, not started.
    pub engine: Engine,
    router: Router,
    key: Credentials,
    /// Requests are signed for that region.
    region: String,
    folder: Arc<TempDir>,
}

impl TestApi {
    /// An empty server with the key of one account.
    pub async fn new() -> Self {
        Self::with_plugins(Arc::new(FakePlugins::default())).await
    }

    /// The same with plugins.
    pub async fn with_plugins(plugins: Arc<dyn Plugins>) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().expect("an instant");
        let clock = Arc::new(ManualClock::new(start));
        let options = Options {
            folder: folder.path().to_owned(),
            database_url: None,
            master_key: None,
            serve: true,
        };
        let store = Store::open(options, Arc::clone(&clock) as Arc<dyn Clock>)
            .await
            .expect("an empty folder can be opened");
        let engine =
            Engine::new(store.clone(), plugins, Config::default()).expect("the default config is fine");
        let router = crate::router(Arc::new(Api::new(engine.clone(), Rules::default())));
        let key = new_key(&store, None).await;
        Self {
            clock,
            store,
            engine,
            router,
            key,
            region: "eu-west-1".to_owned(),
            folder: Arc::new(folder),
        }
    }

    /// The same server as another account sees it.
    pub async fn as_account(&self, account: &str) -> Self {
        Self {
            key: new_key(&self.store, Some(account.into())).await,
            ..self.again()
        }
    }

    /// The same server in another region.
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.again()
        }
    }

    /// The key that requests are signed with.
    pub fn key(&self) -> &Credentials {
        &self.key
    }

    fn again(&self) -> Self {
        Self {
            clock: Arc::clone(&self.clock),
            store: self.store.clone(),
            engine: self.engine.clone(),
            router: self.router.clone(),
            key: self.key.clone(),
            region: self.region.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    /// Makes an application and gives its id.
    pub async fn app(&self, name: &str) -> String {
        let app = self
            .post("/v1/apps", serde_json::json!({ "Name": name }))
            .await
            .json(201);
        app["Id"].as_str().expect("an application has an id").to_owned()
    }

    /// A signed GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.signed("GET", path, Vec::new())).await
    }

    /// A signed DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.signed("DELETE", path, Vec::new())).await
    }

    /// A signed POST.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.signed("POST", path, body.to_string().into_bytes()))
            .await
    }

    /// A signed PUT.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(self.signed("PUT", path, body.to_string().into_bytes()))
            .await
    }

    /// A request with its signature, for tests that change it before they send it.
    pub fn signed(&self, method: &str, path: &str, body: Vec<u8>) -> Request<Body> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("pinpoint.test"));
        if !body.is_empty() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let uri = path.parse().expect("tests write well-formed paths");
        let signer = Signer {
            credentials: &self.key,
            region: &self.region,
            service: "mobiletargeting",
        };
        let added = signer.sign_headers(method, &uri, &headers, &body, self.clock.now());
        headers.extend(added.into_iter().map(|(name, value)| (Some(name), value)));
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
    }

    /// Sends any request.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("bodies are in memory").to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    }
}

async fn new_key(store: &Store, account: Option<AccountId>) -> Credentials {
    let key = store.create_access_key(account).await.expect("a key can be made");
    Credentials::new(key.id, key.secret.as_str())
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// If the status is another, or the body is not JSON.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        serde_json::from_str(&text).expect("answers are JSON")
    }

    /// Code and sentence of an error.
    ///
    /// # Panics
    /// If the status is another, or the answer has not the shape of an error.
    #[track_caller]
    pub fn error(&self, status: u16) -> (String, String) {
        let body = self.json(status);
        let code = &self.headers["x-amzn-errortype"];
        assert_eq!(
            body["RequestID"]
                .as_str()
                .expect("errors name the request")
                .as_bytes(),
            self.headers["x-amzn-requestid"].as_bytes()
        );
        (
            code.to_str().expect("a name").to_owned(),
            body["Message"]
                .as_str()
                .expect("errors have a sentence")
                .to_owned(),
        )
    }
}
