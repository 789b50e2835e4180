//! Wires everything together: settings, store, plugins, engine, API and console become one server.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | one TOML file, every key also as environment variable |
//! | [`wiring`] | builds the parts in order |
//! | [`serve`] | starts everything, and stops it in order |
//! | `listen` | connections, TLS, whom they come from, draining |
//! | `http_client` | requests of our own: of commands, and for keys of identity providers |
//! | [`report`] | the console's reports, read from the store |
//! | [`telemetry`] | logs and metrics |
//! | [`cli`], `commands` | the command line |

pub mod cli;
mod commands;
pub mod config;
mod http_client;
mod listen;
pub mod report;
pub mod serve;
pub mod telemetry;
pub mod wiring;
