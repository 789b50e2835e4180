//! Wires everything together: settings, store, plugins, engine, API and console become one server.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | one TOML file, every key also as environment variable |
//! | [`wiring`] | builds the parts in order |
//! | [`serve`] | listens, serves, drains |
//! | [`report`] | the console's reports, read from the store |
//! | [`telemetry`] | logs and metrics |
//! | [`cli`], `commands` | the command line |

pub mod cli;
mod commands;
pub mod config;
pub mod report;
pub mod serve;
pub mod telemetry;
pub mod wiring;
