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
use pinion_domain::iam::entity::{Holder, User};
use pinion_domain::iam::{Json, Policy, PolicyKind};
use pinion_domain::id::AccountId;
use pinion_domain::quotas::Quotas;
use pinion_engine::{Config, Engine};
use pinion_store::{Options, Store};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::Api;
use crate::auth::sigv4::{Credentials, Rules, Signer};
use crate::rates::Rates;
use crate::sts::Providers;

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
        Self::with(plugins, Quotas::default(), Config::default()).await
    }

    /// The same with other quotas than the guide's.
    pub async fn with_quotas(quotas: Quotas) -> Self {
        Self::with(Arc::new(FakePlugins::default()), quotas, Config::default()).await
    }

    /// The same with the engine's settings, such as bindings.
    pub async fn with_config(plugins: Arc<dyn Plugins>, config: Config) -> Self {
        Self::with(plugins, Quotas::default(), config).await
    }

    async fn with(plugins: Arc<dyn Plugins>, quotas: Quotas, config: Config) -> Self {
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
            .expect("an empty folder can be opened")
            .with_quotas(quotas);
        let engine = Engine::new(store.clone(), plugins, config).expect("links can be made");
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

    /// The same server with other credentials.
    pub fn with_credentials(&self, key: Credentials) -> Self {
        Self { key, ..self.again() }
    }

    /// The same server as a new user of the same account sees it, who holds one policy of these statements.
    pub async fn as_user(&self, name: &str, statements: Value) -> Self {
        let account = self.account().await;
        let user = self.store.create_entity(&account, name, User::default());
        user.await.expect("the name is new");
        self.allow(&Holder::user(name), statements).await;
        let key = self.store.create_user_access_key(&account, name).await;
        let key = key.expect("a user may have a key");
        self.with_credentials(Credentials::new(key.id, key.secret.as_str()))
    }

    /// Gives a user, group or role of the account a policy of these statements, in place of the one before.
    pub async fn allow(&self, holder: &Holder, statements: Value) {
        let document = policy(&statements);
        let account = self.account().await;
        let put = self.store.put_inline_policy(&account, holder, "test", &document);
        put.await.expect("the holder is there");
    }

    /// The account of the key.
    pub async fn account(&self) -> AccountId {
        let id = self.key.access_key_id.as_str().into();
        let key = self.store.access_key(&id).await.expect("the store answers");
        key.expect("a long-term key").account
    }

    /// Another server on the same data, as on another machine.
    pub async fn other_node(&self) -> Self {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = Options {
            folder: self.folder.path().to_owned(),
            database_url: None,
            master_key: None,
            serve: false,
        };
        let store = Store::open(options, clock)
            .await
            .expect("the folder can be opened twice");
        let plugins = Arc::clone(self.engine.plugins());
        let engine =
            Engine::new(store.clone(), plugins, Config::default()).expect("the default config is fine");
        Self {
            router: crate::router(Arc::new(Api::new(engine.clone(), Rules::default()))),
            store,
            engine,
            ..self.again()
        }
    }

    /// The same server, believing these identity providers.
    pub fn with_providers(&self, providers: Providers) -> Self {
        let api = Api::new(self.engine.clone(), Rules::default()).with_providers(providers);
        Self {
            router: crate::router(Arc::new(api)),
            ..self.again()
        }
    }

    /// The same server, with these rates.
    pub fn with_rates(&self, rates: Rates) -> Self {
        let api = Api::new(self.engine.clone(), Rules::default()).with_rates(rates);
        Self {
            router: crate::router(Arc::new(api)),
            ..self.again()
        }
    }

    /// A signed request to the service that gives temporary credentials.
    pub async fn sts(&self, parameters: &[(&str, &str)]) -> Reply {
        self.send(self.signed_sts(parameters)).await
    }

    /// The same, for tests that change it before they send it.
    pub fn signed_sts(&self, parameters: &[(&str, &str)]) -> Request<Body> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", "2011-06-15")
            .extend_pairs(parameters)
            .finish();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        self.signed_for("sts", kind, "POST", "/", body.into_bytes())
    }

    /// Becomes a role of the account, with what else the request says.
    pub async fn assume(&self, role: &str, parameters: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("Action", "AssumeRole"),
            ("RoleArn", role),
            ("RoleSessionName", "test"),
        ];
        all.extend(parameters);
        let reply = self.sts(&all).await;
        self.with_credentials(reply.credentials())
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
        self.signed_for("mobiletargeting", "application/json", method, path, body)
    }

    fn signed_for(
        &self,
        service: &str,
        kind: &'static str,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Request<Body> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("pinpoint.test"));
        if !body.is_empty() {
            headers.insert("content-type", HeaderValue::from_static(kind));
        }
        let uri = path.parse().expect("tests write well-formed paths");
        let signer = Signer {
            credentials: &self.key,
            region: &self.region,
            service,
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

/// A policy document of these statements: one, or a list.
///
/// # Panics
/// If they are no policy.
pub fn policy(statements: &Value) -> Json {
    let text = serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let document = Json::parse(&text).expect("values are JSON");
    Policy::compile("test", &document, PolicyKind::Identity).expect("the statements make a policy");
    document
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

    /// The text of the first element of that name, in an answer of the query protocol.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn element(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let found = text
            .split_once(&format!("<{name}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
        let found = found.unwrap_or_else(|| panic!("no element {name} in {text}"));
        let unescaped = found.0.replace("&lt;", "<").replace("&gt;", ">");
        unescaped.replace("&amp;", "&")
    }

    /// Code and sentence of an error of the query protocol.
    ///
    /// # Panics
    /// If the status is another, or the answer has not the shape of such an error.
    #[track_caller]
    pub fn fault(&self, status: u16) -> (String, String) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(
            self.element("RequestId").as_bytes(),
            self.headers["x-amzn-requestid"].as_bytes()
        );
        (self.element("Code"), self.element("Message"))
    }

    /// The credentials that an answer of the query protocol gives.
    ///
    /// # Panics
    /// If the answer is none, or gives none.
    #[track_caller]
    pub fn credentials(&self) -> Credentials {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), 200, "{text}");
        Credentials {
            session_token: Some(self.element("SessionToken")),
            ..Credentials::new(self.element("AccessKeyId"), self.element("SecretAccessKey"))
        }
    }
}
