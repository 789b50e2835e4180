//! An application's endpoints as columns, rows indexed by `seq`. Cloning is cheap: columns are shared
//! until one of the clones changes them, so an evaluation reads one consistent point while changes go
//! on.

use std::collections::BTreeMap;
use std::sync::Arc;

use pinion_domain::channel::ChannelType;
use pinion_domain::endpoint::{Attributes, EndpointDocument, UserDocument};
use pinion_domain::id::UserId;
use pinion_domain::segment::Member;
use pinion_domain::segment::condition::micros;
use pinion_store::Changes;
use roaring::RoaringBitmap;

use super::attributes::{AttributeColumns, put_text};
use super::cells::Cells;
use super::column::{Coded, Entries, PointColumn, TextColumn};
use super::mask;
use super::wanted::Wanted;

/// A member of the document that every endpoint may have once: its path and how it is read.
type TextMember = (&'static str, fn(&EndpointDocument) -> Option<&str>);

/// The text members that have a column. The request's id and the address have none: they are different
/// for every endpoint, and the address is sealed.
const TEXT_MEMBERS: [TextMember; 16] = [
    ("ChannelType", |endpoint| {
        endpoint.channel_type.map(ChannelType::as_str)
    }),
    ("CohortId", |endpoint| Some(&endpoint.cohort_id)),
    ("EndpointStatus", |endpoint| Some(&endpoint.endpoint_status)),
    ("OptOut", |endpoint| Some(&endpoint.opt_out)),
    ("Demographic.AppVersion", |endpoint| {
        endpoint.demographic.as_ref()?.app_version.as_deref()
    }),
    ("Demographic.Locale", |endpoint| {
        endpoint.demographic.as_ref()?.locale.as_deref()
    }),
    ("Demographic.Make", |endpoint| {
        endpoint.demographic.as_ref()?.make.as_deref()
    }),
    ("Demographic.Model", |endpoint| {
        endpoint.demographic.as_ref()?.model.as_deref()
    }),
    ("Demographic.ModelVersion", |endpoint| {
        endpoint.demographic.as_ref()?.model_version.as_deref()
    }),
    ("Demographic.Platform", |endpoint| {
        endpoint.demographic.as_ref()?.platform.as_deref()
    }),
    ("Demographic.PlatformVersion", |endpoint| {
        endpoint.demographic.as_ref()?.platform_version.as_deref()
    }),
    ("Demographic.Timezone", |endpoint| {
        endpoint.demographic.as_ref()?.timezone.as_deref()
    }),
    ("Location.City", |endpoint| {
        endpoint.location.as_ref()?.city.as_deref()
    }),
    ("Location.Country", |endpoint| {
        endpoint.location.as_ref()?.country.as_deref()
    }),
    ("Location.PostalCode", |endpoint| {
        endpoint.location.as_ref()?.postal_code.as_deref()
    }),
    ("Location.Region", |endpoint| {
        endpoint.location.as_ref()?.region.as_deref()
    }),
];

/// So many users must be gone before their numbers are worth reclaiming.
const FEW_USERS: u64 = 1024;

/// The columns of one application.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// The revision up to which it is complete.
    pub(super) upto: i64,
    /// One more than the largest `seq`.
    rows: u32,
    /// A bit for each row that exists, as mask words.
    live: Arc<Vec<u64>>,
    living: u64,
    members: [Arc<TextColumn>; TEXT_MEMBERS.len()],
    attributes: AttributeColumns,
    metrics: BTreeMap<String, Arc<Cells<f64>>>,
    place: Arc<PointColumn>,
    effective: Arc<Cells<i64>>,
    creation: Arc<Cells<i64>>,
    /// Codes are users' numbers: the rows of `user_attributes`. Never tidied, so a number stays.
    users: Arc<TextColumn>,
    user_attributes: AttributeColumns,
    /// Numbers of users who are gone.
    gone: RoaringBitmap,
}

impl Table {
    /// Takes over changes, in any order and any number of times.
    pub(super) fn apply(&mut self, changes: &Changes) {
        for change in &changes.endpoints {
            match &change.live {
                Some(live) => self.put(change.seq, live.user_id.as_ref(), &live.document),
                None => self.remove(change.seq),
            }
        }
        for change in &changes.users {
            self.put_user(&change.user_id, change.document.as_ref());
        }
        self.upto = changes.upto;
        tidy(self.members.iter_mut());
        self.attributes.tidy();
        self.user_attributes.tidy();
        tidy([&mut self.place]);
    }

    fn put(&mut self, row: u32, user_id: Option<&UserId>, endpoint: &EndpointDocument) {
        for (column, (_, read)) in self.members.iter_mut().zip(TEXT_MEMBERS) {
            put_text(column, row, read(endpoint).into_iter());
        }
        if self.is_live(row) {
            self.attributes.retain(row, &endpoint.attributes);
            for (name, cells) in &mut self.metrics {
                if !endpoint.metrics.contains_key(name) {
                    put_cell(cells, row, None);
                }
            }
        } else {
            self.rows = self.rows.max(row.saturating_add(1));
            let live = Arc::make_mut(&mut self.live);
            live.resize(mask::words(self.rows), 0);
            mask::set(live, row);
            self.living += 1;
        }
        self.attributes.put(row, &endpoint.attributes);
        for (name, value) in &endpoint.metrics {
            put_cell(column(&mut self.metrics, name), row, Some(*value));
        }
        let place = endpoint.location.as_ref();
        let point = (
            place.and_then(|place| place.latitude),
            place.and_then(|place| place.longitude),
        );
        if self.place.entries.point(self.place.codes.get(row)) != point {
            let place = Arc::make_mut(&mut self.place);
            let code = place.entries.intern(point);
            place.codes.put(row, code);
        }
        put_cell(&mut self.effective, row, micros(&endpoint.effective_date));
        put_cell(&mut self.creation, row, micros(&endpoint.creation_date));
        put_text(&mut self.users, row, user_id.map(UserId::as_str).into_iter());
    }

    fn remove(&mut self, row: u32) {
        if !self.is_live(row) {
            return;
        }
        let live: &mut Vec<u64> = Arc::make_mut(&mut self.live);
        mask::clear(live, row);
        self.living -= 1;
        self.attributes.retain(row, &Attributes::new());
        for column in self.members.iter_mut().chain([&mut self.users]) {
            put_text(column, row, [].into_iter());
        }
        for cells in self.metrics.values_mut() {
            put_cell(cells, row, None);
        }
        put_cell(&mut self.effective, row, None);
        put_cell(&mut self.creation, row, None);
        if self.place.codes.get(row) != 0 {
            Arc::make_mut(&mut self.place).codes.put(row, 0);
        }
    }

    fn put_user(&mut self, user_id: &UserId, document: Option<&UserDocument>) {
        let known = self.user(user_id);
        let Some(document) = document else {
            if let Some(number) = known {
                self.user_attributes.retain(number, &Attributes::new());
                self.gone.insert(number);
            }
            return;
        };
        let number = known.unwrap_or_else(|| {
            let id = std::iter::once(user_id.as_str());
            Arc::make_mut(&mut self.users).entries.intern(id)
        });
        self.gone.remove(number);
        self.user_attributes.retain(number, &document.user_attributes);
        self.user_attributes.put(number, &document.user_attributes);
    }

    /// Must it be built anew? Since most of the users it knows are gone, or since attributes are asked for
    /// that were set aside.
    pub(super) fn is_stale(&self, wanted: &Wanted) -> bool {
        self.gone.len() > FEW_USERS && self.gone.len() * 2 > self.users.entries.len() as u64
            || self.attributes.lacks(wanted.attributes())
            || self.user_attributes.lacks(wanted.user_attributes())
    }

    /// An empty one that will keep what this one keeps and what is wanted.
    pub(super) fn anew(&self, wanted: &Wanted) -> Self {
        Self {
            attributes: self.attributes.anew(wanted.attributes()),
            user_attributes: self.user_attributes.anew(wanted.user_attributes()),
            ..Self::default()
        }
    }

    /// Attributes that were set aside.
    pub(super) fn aside(&self) -> usize {
        self.attributes.aside() + self.user_attributes.aside()
    }

    /// One more than the largest `seq`.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// How many rows exist.
    pub(super) fn living(&self) -> u64 {
        self.living
    }

    /// The rows that exist, as mask words.
    pub(super) fn live(&self) -> &[u64] {
        &self.live
    }

    pub(super) fn is_live(&self, row: u32) -> bool {
        mask::is_set(&self.live, row)
    }

    /// The column of a text member, by its path.
    pub(super) fn text_member(&self, path: &str) -> Option<&TextColumn> {
        let index = TEXT_MEMBERS.iter().position(|(member, _)| *member == path)?;
        Some(&self.members[index])
    }

    /// The column of a member that segments look at.
    pub(super) fn member(&self, member: Member) -> &TextColumn {
        self.text_member(match member {
            Member::AppVersion => "Demographic.AppVersion",
            Member::ChannelType => "ChannelType",
            Member::Country => "Location.Country",
            Member::Make => "Demographic.Make",
            Member::Model => "Demographic.Model",
            Member::Platform => "Demographic.Platform",
        })
        .expect("every member has a column")
    }

    /// An attribute that some endpoint has, or had.
    pub(super) fn attribute(&self, name: &str) -> Option<&TextColumn> {
        self.attributes.get(name)
    }

    /// A metric that some endpoint has, or had.
    pub(super) fn metric(&self, name: &str) -> Option<&Cells<f64>> {
        self.metrics.get(name).map(Arc::as_ref)
    }

    /// An attribute that some user has, or had; rows are users' numbers.
    pub(super) fn user_attribute(&self, name: &str) -> Option<&TextColumn> {
        self.user_attributes.get(name)
    }

    /// Whose each endpoint is; codes are users' numbers, 0 is nobody.
    pub(super) fn users(&self) -> &TextColumn {
        &self.users
    }

    /// A user's number.
    pub(super) fn user(&self, user_id: &UserId) -> Option<u32> {
        self.users.entries.find(&std::iter::once(user_id.as_str()))
    }

    pub(super) fn place(&self) -> &PointColumn {
        &self.place
    }

    /// `EffectiveDate`, microseconds since 1970.
    pub(super) fn effective(&self) -> &Cells<i64> {
        &self.effective
    }

    /// `CreationDate`, microseconds since 1970.
    pub(super) fn creation(&self) -> &Cells<i64> {
        &self.creation
    }

    /// Bytes held by columns and dictionaries.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.members.iter().chain([&self.users]);
        texts.map(|column| column.bytes()).sum::<usize>()
            + self.attributes.bytes()
            + self.user_attributes.bytes()
            + self.metrics.values().map(|cells| cells.bytes()).sum::<usize>()
            + self.place.bytes()
            + self.effective.bytes()
            + self.creation.bytes()
            + self.live.capacity() * 8
    }

    /// Gives back memory that was taken ahead of need, after much was added.
    pub(super) fn shrink(&mut self) {
        let texts = self.members.iter_mut().chain([&mut self.users]);
        texts.for_each(|column| Arc::make_mut(column).shrink());
        self.attributes.shrink();
        self.user_attributes.shrink();
        self.metrics
            .values_mut()
            .for_each(|cells| Arc::make_mut(cells).shrink());
        Arc::make_mut(&mut self.place).shrink();
        Arc::make_mut(&mut self.effective).shrink();
        Arc::make_mut(&mut self.creation).shrink();
    }
}

/// The column of a name, made if need be.
fn column<'a, C: Default>(columns: &'a mut BTreeMap<String, Arc<C>>, name: &str) -> &'a mut Arc<C> {
    if !columns.contains_key(name) {
        columns.insert(name.to_owned(), Arc::default());
    }
    columns.get_mut(name).expect("it was put in if it was not there")
}

fn put_cell<T: super::cells::Cell + PartialEq>(cells: &mut Arc<Cells<T>>, row: u32, value: Option<T>) {
    if cells.value(row) != value {
        Arc::make_mut(cells).put(row, value.unwrap_or(T::ABSENT));
    }
}

fn tidy<'a, E: Entries + 'a>(columns: impl IntoIterator<Item = &'a mut Arc<Coded<E>>>) {
    for column in columns {
        if column.wants_tidying() {
            Arc::make_mut(column).tidy();
        }
    }
}
