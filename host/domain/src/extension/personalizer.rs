//! Personalizers: code that fills a template's values.

use super::PluginError;
use super::columns::{Column, ColumnSpec, Rows};

/// The largest batch that a [`Personalizer`] takes.
pub const ROWS_PER_CALL: u32 = 1_024;

/// What a batch became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Personalized {
    /// In the order of the outputs.
    pub columns: Vec<Column>,
    /// Bit set: do not send to this row. Empty: send to all.
    pub drop: Vec<u8>,
}

/// A personalizer with its settings.
pub trait Personalizer: Send + Sync {
    /// The columns that it reads. Text arrives as one string a row.
    fn inputs(&self) -> &[ColumnSpec];

    /// The columns that it gives: `Attributes.NAME`, `Recommendations.NAME`, `TitleOverride` or
    /// `BodyOverride`.
    fn outputs(&self) -> &[ColumnSpec];

    /// Fills a batch of up to [`ROWS_PER_CALL`]. `now` is microseconds since 1970. Blocks for
    /// microseconds; its time is limited.
    fn personalize(&self, now: i64, rows: Rows) -> Result<Personalized, PluginError>;
}
