//! Small durable values, private to plugin and application.

use std::time::Duration;

pub use crate::bindings::channel::pinion::host::kv::Error;
use crate::host;

/// The value, unless it was never set or has expired.
pub async fn get(key: impl Into<String>) -> Result<Option<Vec<u8>>, Error> {
    host::get(key.into()).await
}

/// Stores a value until it is replaced.
pub async fn set(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<(), Error> {
    host::set(key.into(), value.into(), 0).await
}

/// Stores a value that expires. The shortest life is a second.
pub async fn set_for(key: impl Into<String>, value: impl Into<Vec<u8>>, life: Duration) -> Result<(), Error> {
    let seconds = u32::try_from(life.as_secs()).unwrap_or(u32::MAX).max(1);
    host::set(key.into(), value.into(), seconds).await
}
