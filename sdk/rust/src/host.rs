//! The functions of the host: imports of the component, or the fake of [`crate::testing`].

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::channel::pinion::host::{
    config::settings,
    http::fetch,
    kv::{get, set},
    log::log,
    outcome::report,
    smtp::{probe, submit},
};

#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::host::{fetch, get, log, probe, report, set, settings, submit};
