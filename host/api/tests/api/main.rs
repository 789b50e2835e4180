//! The API as clients meet it: signatures against AWS's own vectors and signer, the table of operations
//! against the service model, and every resource through the router.

#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod openapi;
mod operations;
mod oracle;
mod phone;
mod vectors;

mod access;
mod apps;
mod attributes;
mod audience;
mod campaigns;
mod channels;
mod endpoints;
mod event_streams;
mod front;
mod iam;
mod in_app;
mod jobs;
mod journeys;
mod kpis;
mod messages;
mod otp;
mod plugins;
mod quotas;
mod recommenders;
mod repeats;
mod segments;
mod sts;
mod tags;
mod templates;
mod tenancy;
