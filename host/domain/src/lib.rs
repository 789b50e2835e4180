//! What the words mean: Pinpoint's documents, the rules between them, and the traits that plugins
//! fulfil. Pure: no I/O; time and chance are passed in.
//!
//! | module | holds |
//! |---|---|
//! | [`id`], [`arn`], [`glob`], [`clock`], [`page`], [`error`] | names, time, paging, what can be wrong |
//! | [`app`], [`endpoint`], [`attributes`], [`segment`], [`campaign`], [`journey`], [`template`], [`message`], [`otp`], [`event`], [`event_filter`], [`job`], [`channel`], [`recommender`], [`event_stream`] | Pinpoint's documents and their rules |
//! | [`quotas`] | how much there may be of everything |
//! | [`phone`] | what a phone number tells |
//! | [`delivery`] | outcomes, reasons, message ids: the words of the ledger |
//! | [`kpi`] | metrics, who owns them, and KPI names |
//! | [`extension`] | what a plugin is to the rest of the host |
//! | [`iam`] | who may do what: policies, and the users, groups and roles that have them |

pub mod app;
pub mod arn;
pub mod attributes;
pub mod campaign;
pub mod channel;
pub mod clock;
pub mod delivery;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod event_filter;
pub mod event_stream;
pub mod extension;
pub mod glob;
pub mod iam;
pub mod id;
pub mod job;
pub mod journey;
pub mod kpi;
pub mod message;
mod number;
pub mod otp;
pub mod page;
pub mod phone;
pub mod quotas;
pub mod recommender;
pub mod segment;
pub mod template;

pub use error::{Error, Result};
