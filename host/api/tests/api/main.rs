//! The API as clients meet it: signatures against AWS's own vectors and signer, the table of operations
//! against the service model, and every resource through the router.

#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod operations;
mod oracle;
mod phone;
mod vectors;

mod access;
mod apps;
mod attributes;
mod campaigns;
mod channels;
mod event_streams;
mod front;
mod iam;
mod jobs;
mod journeys;
mod kpis;
mod plugins;
mod quotas;
mod recommenders;
mod segments;
mod sts;
mod tags;
mod templates;
mod tenancy;
