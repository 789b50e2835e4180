//! What the store promises, on both databases.

#![expect(clippy::unwrap_used, reason = "functions that tests share fail as tests do")]

mod access;
mod applications;
mod attributes;
mod claims;
mod direct;
mod documents;
mod endpoints;
mod events;
mod iam;
mod ledger;
mod lifecycle;
mod otps;
mod plugins;
mod quotas;
mod rates;
mod repeats;
mod suppressions;
