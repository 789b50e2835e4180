//! Predicates: conditions of a segment, written as code. Pure: no clock, no chance, no network.

use serde::de::DeserializeOwned;

use crate::columns::{Batch, ColumnKind, ColumnSpec, Dictionary, Row, Rows};
use crate::settings;

/// A condition of a segment.
pub trait Predicate: Sized + 'static {
    /// The settings, read from the JSON that the segment names; `{}` if it names none.
    type Settings: DeserializeOwned;

    /// Takes the settings. An error says what is wrong with them, to the author of the segment.
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// The columns that are read. Rows name them by their place in this list.
    fn inputs(&self) -> Vec<ColumnSpec>;

    /// Is this endpoint a member?
    fn matches(&self, row: Row<'_>) -> bool;

    /// Decides a batch: one bit a row, the least significant first. By default through
    /// [`matches`](Self::matches); override it to work on whole columns.
    fn evaluate(&self, batch: &Batch<'_>) -> Vec<u8> {
        batch.select(|row| self.matches(batch.row(row)))
    }
}

/// A predicate in use.
#[doc(hidden)]
pub struct Evaluation<P> {
    predicate: P,
    now: i64,
    dictionaries: Vec<Dictionary>,
    places: Vec<usize>,
}

impl<P: Predicate> Evaluation<P> {
    /// The export `begin`.
    pub fn begin(settings: &str, now: i64, dictionaries: Vec<Dictionary>) -> Result<Self, String> {
        let predicate = P::new(settings::read(settings)?)?;
        Ok(Self::of(predicate, now, dictionaries))
    }

    pub(crate) fn of(predicate: P, now: i64, dictionaries: Vec<Dictionary>) -> Self {
        let mut texts = 0;
        let places = predicate
            .inputs()
            .iter()
            .map(|input| {
                let place = texts;
                texts += usize::from(input.kind == ColumnKind::Text);
                place
            })
            .collect();
        Self {
            predicate,
            now,
            dictionaries,
            places,
        }
    }

    /// The export `evaluate`.
    pub fn evaluate(&self, rows: &Rows) -> Vec<u8> {
        self.predicate.evaluate(&Batch {
            now: self.now,
            rows,
            dictionaries: &self.dictionaries,
            places: &self.places,
        })
    }
}

/// The export `inputs`.
#[doc(hidden)]
pub fn inputs<P: Predicate>(settings: &str) -> Result<Vec<ColumnSpec>, String> {
    Ok(P::new(settings::read(settings)?)?.inputs())
}
