//! Lines for the operator. Never log addresses, bodies or secrets: the host cannot tell them apart.

pub use crate::bindings::channel::pinion::host::log::Level;
use crate::host;

/// For whoever looks into a problem.
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref());
}

/// What an operator would tell a colleague.
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref());
}

/// Something is odd, and work goes on.
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref());
}

/// Something is wrong, and somebody must act.
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref());
}
