//! Many rows in one statement, for SQLite: `values (?, ?), (?, ?), …` and lists as JSON. PostgreSQL
//! takes arrays for both and needs none of this.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, FromRow, Type};

use crate::Result;

/// Rows per statement. Few sizes make few statements, so that all of them stay prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// `insert into … values` for any number of rows. Meant to be a `static`, which keeps the texts.
pub(crate) struct MultiRow {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES.len()],
}

impl MultiRow {
    /// `head` ends before `values`, `tail` begins after the last row.
    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self {
            head,
            columns,
            tail,
            texts: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// Runs the statement as often as the rows need.
    pub(crate) async fn execute<R: Sync>(
        &self,
        db: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&mut Binds, &R) + Send + Sync,
    ) -> Result<()> {
        for (text, chunk) in self.chunks(rows) {
            self.query(text, chunk, &bind)?.execute(&mut *db).await?;
        }
        Ok(())
    }

    /// As [`MultiRow::execute`], with what the tail returns.
    pub(crate) async fn returning<R: Sync, T>(
        &self,
        db: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&mut Binds, &R) + Send + Sync,
    ) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send,
    {
        let mut found = Vec::new();
        for (text, chunk) in self.chunks(rows) {
            for row in self.query(text, chunk, &bind)?.fetch_all(&mut *db).await? {
                found.push(T::from_row(&row)?);
            }
        }
        Ok(found)
    }

    fn query<R>(
        &self,
        text: Arc<str>,
        rows: &[R],
        bind: &impl Fn(&mut Binds, &R),
    ) -> Result<Query<'static, Sqlite, SqliteArguments>> {
        let mut binds = Binds {
            arguments: SqliteArguments::default(),
            error: None,
        };
        binds.arguments.reserve(rows.len() * self.columns, 0);
        for row in rows {
            bind(&mut binds, row);
        }
        if let Some(error) = binds.error {
            return Err(sqlx::Error::Encode(error).into());
        }
        // The text is made of constants and numbers only.
        Ok(sqlx::query_with(AssertSqlSafe(text), binds.arguments))
    }

    fn chunks<'r, R>(&self, mut rows: &'r [R]) -> impl Iterator<Item = (Arc<str>, &'r [R])> {
        std::iter::from_fn(move || {
            let which = SIZES.iter().position(|size| *size <= rows.len())?;
            let (chunk, rest) = rows.split_at(SIZES[which]);
            rows = rest;
            Some((
                Arc::clone(self.texts[which].get_or_init(|| self.text(SIZES[which]))),
                chunk,
            ))
        })
    }

    /// Placeholders have no names here: SQLite looks a name up by going through all of them, which took half
    /// the time of such statements.
    fn text(&self, rows: usize) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        format!(
            "{} values {} {}",
            self.head,
            vec![row; rows].join(", "),
            self.tail
        )
        .into()
    }
}

/// The values of a statement, in the order of its columns.
pub(crate) struct Binds {
    arguments: SqliteArguments,
    error: Option<BoxDynError>,
}

impl Binds {
    /// Adds a value.
    pub(crate) fn add<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.error = Some(error);
        }
        self
    }
}

/// A list for `in (select value from json_each($n))`.
pub(crate) fn json<T: Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).expect("numbers and strings are JSON")
}

/// Blobs for `in (select unhex(value) from json_each($n))`.
pub(crate) fn json_blobs<T: AsRef<[u8]>>(list: &[T]) -> String {
    json(&list.iter().map(hex::encode).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_sizes() {
        let rows: Vec<u32> = (0..150).collect();
        let statement = MultiRow::new("insert into t (a, b)", 2, "on conflict do nothing");
        let sizes: Vec<usize> = statement.chunks(&rows).map(|(_, chunk)| chunk.len()).collect();
        assert_eq!(sizes, [64, 64, 8, 8, 1, 1, 1, 1, 1, 1]);
        assert_eq!(
            statement
                .chunks(&rows[..1])
                .map(|(text, _)| text.to_string())
                .collect::<Vec<_>>(),
            ["insert into t (a, b) values (?, ?) on conflict do nothing"]
        );
        assert!(statement.text(2).contains("values (?, ?), (?, ?) "));
    }
}
