//! Columns by the names of attributes. One whose lists are different for nearly every row is set aside: its
//! dictionary would be as large as the documents, and segments hardly ever ask for it. The first that does
//! has the columns built anew, with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pinion_domain::endpoint::Attributes;

use super::column::{Entries, TextColumn};

/// Fewer distinct lists than these are kept, however few rows share one.
const FEW_LISTS: usize = 1 << 16;

/// The columns, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct AttributeColumns {
    columns: BTreeMap<String, Arc<TextColumn>>,
    /// Names of attributes without a column, since nearly every row has a list of its own.
    aside: BTreeSet<String>,
    /// Names that are kept, whatever they have.
    kept: BTreeSet<String>,
}

impl AttributeColumns {
    /// Empty ones that keep what these keep and `more`.
    pub(super) fn anew<'a>(&self, more: impl Iterator<Item = &'a str>) -> Self {
        Self {
            kept: self.kept.iter().cloned().chain(more.map(str::to_owned)).collect(),
            ..Self::default()
        }
    }

    /// Was an attribute of one of these names set aside?
    pub(super) fn lacks<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| self.aside.contains(name))
    }

    /// An attribute that some row has, or had.
    pub(super) fn get(&self, name: &str) -> Option<&TextColumn> {
        self.columns.get(name).map(Arc::as_ref)
    }

    pub(super) fn put(&mut self, row: u32, lists: &Attributes) {
        for (name, values) in lists {
            if !self.columns.contains_key(name) {
                if self.aside.contains(name) {
                    continue;
                }
                self.columns.insert(name.to_owned(), Arc::default());
            }
            let column = self
                .columns
                .get_mut(name)
                .expect("it was put in if it was not there");
            put_text(column, row, values.iter().map(String::as_str));
        }
    }

    /// Clears a row in the columns that `lists` does not name.
    pub(super) fn retain(&mut self, row: u32, lists: &Attributes) {
        for (name, column) in &mut self.columns {
            if !lists.contains_key(name) {
                put_text(column, row, [].into_iter());
            }
        }
    }

    /// Drops lists that no row has any more, and sets aside what has hardly two rows alike.
    pub(super) fn tidy(&mut self) {
        let mut aside = Vec::new();
        for (name, column) in &mut self.columns {
            if !column.wants_tidying() {
                continue;
            }
            let column = Arc::make_mut(column);
            column.tidy();
            let lists = column.entries.len();
            if lists > FEW_LISTS && lists > column.codes.filled() / 2 && !self.kept.contains(name) {
                aside.push(name.clone());
            }
        }
        for name in aside {
            self.columns.remove(&name);
            self.aside.insert(name);
        }
    }

    /// How many attributes are set aside.
    pub(super) fn aside(&self) -> usize {
        self.aside.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.columns.values().map(|column| column.bytes()).sum()
    }

    pub(super) fn shrink(&mut self) {
        self.columns
            .values_mut()
            .for_each(|column| Arc::make_mut(column).shrink());
    }
}

/// Columns are only taken out of sharing when something changes.
pub(super) fn put_text<'a>(
    column: &mut Arc<TextColumn>,
    row: u32,
    values: impl Iterator<Item = &'a str> + Clone,
) {
    let found = column.entries.find(&values);
    if found == Some(column.codes.get(row)) {
        return;
    }
    let column = Arc::make_mut(column);
    let code = found.unwrap_or_else(|| column.entries.intern(values));
    column.codes.put(row, code);
}
