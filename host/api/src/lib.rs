//! Pinpoint's JSON over HTTP, as AWS's SDKs and CLI speak it.
//!
//! | module | holds |
//! |---|---|
//! | [`operations`] | the table of all operations: start reading here |
//! | `serve` | one request from the wire to its answer |
//! | [`mod@router`] | raw path → operation |
//! | [`openapi`] | the description of all of it, made of the table and the types |
//! | [`rates`] | how often an account may ask |
//! | [`auth`] | signatures, principals, and the one authorization call |
//! | [`sts`] | temporary credentials, in AWS's query protocol |
//! | [`extract`], [`error`] | what handlers are given, and how their answers and errors look |
//! | `apps`, `segments`, `campaigns`, `iam`, … | one file or folder of handlers per resource |
//! | [`links`] | the links inside messages |
//! | `testing` | an API over a temporary store, for tests |
//!
//! Handlers check a request, change the store, and wake the engine; what takes time happens there.

pub mod auth;
pub mod error;
pub mod extract;
pub mod links;
pub mod openapi;
pub mod operations;
pub mod rates;
pub mod router;
mod serve;
#[cfg(feature = "testing")]
pub mod testing;

mod apps;
mod attributes;
mod campaigns;
mod channels;
mod endpoints;
mod event_streams;
mod events;
mod hooks;
mod iam;
mod in_app;
mod jobs;
mod journeys;
mod kpis;
mod messages;
mod otp;
mod phone;
mod plugins;
mod recommenders;
mod segments;
mod settings;
pub mod sts;
mod tags;
mod template_references;
mod templates;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use http::{HeaderName, Method, header};
use pinion_domain::clock::Clock;
use pinion_domain::extension::Plugins;
use pinion_engine::Engine;
use pinion_store::{AppRef, Store};
use tower_http::cors::{Any, CorsLayer};

use auth::access::Access;
use auth::sigv4::{Rules, Verifier};
use error::Result;
use extract::Call;
use rates::Rates;
use sts::{Providers, Sts};

/// What handlers work with.
pub struct Api {
    /// What happens as time passes, with the store, the plugins and the clock that it works with.
    pub engine: Engine,
    access: Access,
    verifier: Verifier,
    sts: Sts,
    rates: Rates,
}

impl Api {
    /// An API over an engine; `rules` are the operator's about signatures.
    pub fn new(engine: Engine, rules: Rules) -> Self {
        Self {
            access: Access::new(engine.store().clone()),
            sts: Sts::new(&rules),
            verifier: Verifier::new(rules),
            rates: Rates::default(),
            engine,
        }
    }

    /// The same, believing these identity providers.
    pub fn with_providers(mut self, providers: Providers) -> Self {
        self.sts.providers = providers;
        self
    }

    /// The same, answering 429 to whoever asks more often than that.
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// Everything that lasts.
    pub fn store(&self) -> &Store {
        self.engine.store()
    }

    /// The plugins.
    pub fn plugins(&self) -> &Arc<dyn Plugins> {
        self.engine.plugins()
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.engine.clock()
    }

    /// The application in the path, if it is in the caller's world.
    pub async fn app(&self, call: &Call) -> Result<AppRef> {
        let id = call.app_id();
        let app = self.store().app(&call.tenant, &id).await?;
        Ok(app.ok_or_else(|| pinion_domain::Error::not_found("application", id))?)
    }
}

/// Answers every path that no other route of the server takes. Browsers of any origin may ask: a
/// signature says who does, not a cookie.
pub fn router(api: Arc<Api>) -> axum::Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("amz-sdk-invocation-id"),
            HeaderName::from_static("amz-sdk-request"),
            HeaderName::from_static(messages::IDEMPOTENCY_KEY),
            HeaderName::from_static("x-amz-content-sha256"),
            HeaderName::from_static("x-amz-date"),
            HeaderName::from_static("x-amz-security-token"),
            HeaderName::from_static("x-amz-user-agent"),
        ])
        .expose_headers([
            error::ERROR_TYPE,
            serve::REQUEST_ID,
            header::DATE,
            header::RETRY_AFTER,
        ])
        .max_age(Duration::from_secs(3_600));
    let described = || async { ([(header::CONTENT_TYPE, "application/json")], openapi::document()) };
    axum::Router::new()
        .route(openapi::PATH, get(described))
        .fallback(serve::serve)
        .with_state(api)
        .layer(cors)
}
