//! Predicates: conditions of a segment, written as code.

use super::PluginError;
use super::columns::{ColumnSpec, Dictionary, Rows};

/// The largest batch that an [`Evaluation`] takes.
pub const ROWS_PER_CALL: u32 = 4_096;

/// A predicate with its settings.
pub trait Predicate: Send + Sync {
    /// The columns that it reads.
    fn inputs(&self) -> &[ColumnSpec];

    /// Begins an evaluation in a fresh instance. `now` is microseconds since 1970; `dictionaries` has
    /// one entry for each text input, in order. Blocks: call it from a blocking thread.
    fn begin(&self, now: i64, dictionaries: Vec<Dictionary>) -> Result<Box<dyn Evaluation>, PluginError>;
}

/// A running evaluation. After an error it is used up: rows not decided are *unknown*.
pub trait Evaluation: Send {
    /// Decides a batch of up to [`ROWS_PER_CALL`]: a bitmap of exactly `rows.count` bits. Blocks.
    fn evaluate(&mut self, rows: Rows) -> Result<Vec<u8>, PluginError>;
}
