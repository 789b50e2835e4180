//! What the store promises, on both databases.

mod access;
mod applications;
mod direct;
mod documents;
mod endpoints;
mod events;
mod ledger;
mod lifecycle;
mod plugins;
mod rates;
mod suppressions;
