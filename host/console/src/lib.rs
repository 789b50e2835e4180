//! HTML for people: the campaign's report and the development outbox.
//!
//! | module | holds |
//! |---|---|
//! | [`pages`] | templates, headers, and the report |
//! | [`outbox`] | the development sink for mail and posts, with its pages |
//! | [`session`] | one-time links and sessions |
//!
//! The console reads through [`pages::report::ReportSource`], which the server implements; it changes
//! nothing.

pub mod outbox;
pub mod pages;
pub mod session;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use outbox::Outbox;
use pages::report::ReportSource;
use session::Sessions;

/// Everything of the console: pages behind a session, and what needs none (entering, stylesheet, and
/// the outbox's sink for posts).
pub fn router(
    sessions: Arc<Sessions>,
    reports: Arc<dyn ReportSource>,
    outbox: Option<Arc<Outbox>>,
) -> Router {
    let mut guarded = pages::report::router(reports, outbox.is_some());
    let mut open = session::router(sessions.clone()).merge(pages::assets());
    if let Some(outbox) = outbox {
        guarded = guarded.merge(outbox::router(outbox.clone()));
        open = open.merge(outbox::sink_router(outbox));
    }
    guarded
        .route_layer(from_fn_with_state(sessions, session::require))
        .merge(open)
}
