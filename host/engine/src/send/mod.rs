//! From a chunk of recipients to committed outcomes (design: "Sending, and why nothing is lost").
//!
//! A batch passes these stages: permits of the rate limits are taken first, so that everything read
//! afterwards is read right before hand-over; recipients are loaded and looked at (`batch`); what is
//! left is personalized, rendered and handed to the channel; verdicts become ledger and retry rows
//! (`outcome`) and are committed with the chunk's cursor (`worker`). Whom an ended run leaves out gets a row
//! too (`snapshot`).

mod batch;
mod direct;
mod inputs;
mod outcome;
mod pinned;
mod prepared;
mod retry;
mod snapshot;
mod throttle;
mod worker;

pub(crate) use direct::sweep_loop;
pub use direct::{Asked, DirectResults, Repeatable};
pub use pinned::PinnedMessage;
pub(crate) use pinned::{named_template, prepare_message};
pub use prepared::{Pins, PreparedRuns};
pub(crate) use retry::retry_loop;
pub use throttle::Throttle;
pub(crate) use worker::worker_loop;
