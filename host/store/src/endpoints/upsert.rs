//! Making and changing many endpoints in one change.
//!
//! Items are taken in rounds: within a round every id is different, so a round can read all that it needs
//! at once, apply its items one after the other in memory, and write what changed at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::parse_iso;
use pinion_domain::endpoint::{self, Claim, Endpoint, EndpointDocument, Quotas, UserDocument};
use pinion_domain::id::{EndpointId, UserId};

use serde::Serialize;

use super::plan::{Plan, Record};
use super::statements::{self, EndpointRow, EndpointWrite};
use super::{Upsert, bound, lock_app, open_address, seq_of, user_document};
use crate::backend::write;
use crate::writer::Tx;
use crate::{AppRef, Error, Result};

/// What to make, and under which rules.
pub(super) struct Upserts {
    pub(super) app: AppRef,
    pub(super) items: Vec<Upsert>,
    pub(super) quotas: Quotas,
    /// A wrong item is an error of the whole.
    pub(super) all_or_nothing: bool,
}

/// See [`crate::Store::upsert_endpoints`].
pub(super) fn apply<'a>(
    tx: &'a mut Tx,
    input: &'a Upserts,
) -> BoxFuture<'a, Result<Vec<domain::Result<Endpoint>>>> {
    Box::pin(async move {
        let Upserts { app, items, .. } = input;
        let first_free = lock_app(tx, app).await?;
        let mut next_seq = first_free;
        let mut results: Vec<Option<domain::Result<Endpoint>>> = items.iter().map(|_| None).collect();
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        let mut times: HashMap<&EndpointId, usize> = HashMap::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let checked = endpoint::check_id(item.id.as_str(), "Id")
                .and_then(|()| endpoint::check(&item.request, "", &input.quotas));
            if let Err(error) = checked {
                results[at] = Some(Err(error));
                continue;
            }
            let round = times.entry(&item.id).or_default();
            if rounds.len() == *round {
                rounds.push(Vec::new());
            }
            rounds[*round].push(at);
            *round += 1;
        }
        for round in rounds {
            let mut round = Round::load(tx, input, round, next_seq).await?;
            let taken = round.apply(tx).await?;
            round.write(tx).await?;
            next_seq = round.next_seq;
            for (at, result) in taken {
                results[at] = Some(result.map(|record| round.result(record)));
            }
        }
        if input.all_or_nothing
            && let Some((at, error)) = results
                .iter()
                .enumerate()
                .find_map(|(at, result)| Some((at, result.as_ref()?.as_ref().err()?)))
        {
            // The transaction is rolled back with everything that was right.
            return Err(error.clone().within(&format!("Item[{at}]")).into());
        }
        if next_seq != first_free {
            write!(tx, |db| sqlx::query(
                "update app set next_seq = $2 where app_no = $1"
            )
            .bind(app.no)
            .bind(next_seq)
            .execute(&mut *db)
            .await
            .map(drop))?;
        }
        Ok(results
            .into_iter()
            .map(|result| result.expect("every item is wrong or in a round"))
            .collect())
    })
}

#[derive(Default)]
struct User {
    document: UserDocument,
    changed: bool,
}

/// What a round reads, changes and writes.
struct Round<'a> {
    app: &'a AppRef,
    items: &'a [Upsert],
    quotas: &'a Quotas,
    plans: Vec<Plan>,
    records: Vec<Record>,
    by_seq: HashMap<u32, usize>,
    holders: HashMap<Vec<u8>, Vec<usize>>,
    users: HashMap<UserId, User>,
    /// Endpoints of the users that get new ones.
    counts: HashMap<UserId, i64>,
    next_seq: i64,
}

impl<'a> Round<'a> {
    async fn load(tx: &mut Tx, input: &'a Upserts, round: Vec<usize>, next_seq: i64) -> Result<Self> {
        let Upserts {
            app, items, quotas, ..
        } = input;
        let mut this = Self {
            app,
            items,
            quotas,
            plans: Vec::with_capacity(round.len()),
            records: Vec::with_capacity(round.len()),
            by_seq: HashMap::with_capacity(round.len()),
            holders: HashMap::new(),
            users: HashMap::new(),
            counts: HashMap::new(),
            next_seq,
        };
        let ids: Vec<&str> = round.iter().map(|at| items[*at].id.as_str()).collect();
        this.add(statements::by_ids(tx, app, &ids).await?)?;
        let by_id: HashMap<EndpointId, usize> = this
            .records
            .iter()
            .enumerate()
            .map(|(at, record)| (record.id.clone(), at))
            .collect();
        for item in round {
            let found = by_id.get(&items[item].id).map(|at| (*at, &this.records[*at]));
            this.plans.push(Plan::new(app, item, &items[item], found, tx.now));
        }
        this.load_holders(tx).await?;
        this.load_users(tx).await?;
        Ok(this)
    }

    /// Active endpoints that have an address which an item would have.
    async fn load_holders(&mut self, tx: &mut Tx) -> Result<()> {
        let contested: Vec<&[u8]> = self
            .plans
            .iter()
            .filter_map(Plan::contested)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        if !contested.is_empty() {
            let rows = statements::by_indexes(tx, self.app, &contested).await?;
            self.add(rows)?;
        }
        for (at, record) in self.records.iter().enumerate() {
            if let Some(index) = &record.index {
                self.holders.entry(index.clone()).or_default().push(at);
            }
        }
        Ok(())
    }

    async fn load_users(&mut self, tx: &mut Tx) -> Result<()> {
        let mut all = BTreeSet::new();
        let mut joined = BTreeSet::new();
        for plan in &self.plans {
            let present = plan.record.and_then(|at| self.records[at].user_id.as_ref());
            if let Some(user) = plan.applied.user_id.as_ref().or(present) {
                all.insert(user.as_str());
            }
            if let Some(named) = &plan.applied.user_id
                && present != Some(named)
            {
                joined.insert(named.as_str());
            }
        }
        if !all.is_empty() {
            let all: Vec<&str> = all.into_iter().collect();
            for (id, document) in statements::user_documents(tx, self.app, &all).await? {
                self.users.insert(
                    id.into(),
                    User {
                        document: user_document(&document)?,
                        changed: false,
                    },
                );
            }
        }
        if !joined.is_empty() {
            let joined: Vec<&str> = joined.into_iter().collect();
            let counts = statements::user_counts(tx, self.app, &joined).await?;
            self.counts = counts.into_iter().map(|(id, count)| (id.into(), count)).collect();
        }
        Ok(())
    }

    /// Takes rows among the records. What is there already may have been changed and stays.
    fn add(&mut self, rows: Vec<EndpointRow>) -> Result<()> {
        for (seq, id, user_id, sealed, index, document) in rows {
            let seq = seq_of(seq)?;
            if self.by_seq.contains_key(&seq) {
                continue;
            }
            self.by_seq.insert(seq, self.records.len());
            self.records.push(Record {
                seq,
                id: id.into(),
                user_id: user_id.map(UserId::from),
                address: sealed
                    .as_deref()
                    .map(|sealed| open_address(self.app, seq, sealed))
                    .transpose()?,
                sealed,
                index,
                document: serde_json::from_str(&document)
                    .map_err(|error| Error::corrupt("endpoint", error))?,
                changed: false,
            });
        }
        Ok(())
    }

    /// Applies all items in order; tells each one's record or error.
    async fn apply(&mut self, tx: &mut Tx) -> Result<Vec<(usize, domain::Result<usize>)>> {
        let mut results = Vec::with_capacity(self.plans.len());
        for mut plan in std::mem::take(&mut self.plans) {
            let item = plan.item;
            if let Some(at) = plan.record
                && self.records[at].changed
            {
                // An item before this one took the endpoint's address or its user's place.
                let found = Some((at, &self.records[at]));
                plan = Plan::new(self.app, item, &self.items[item], found, tx.now);
            }
            // What is refused must not have driven anybody out: the quotas come first.
            let mut taken = self.check_quotas(&plan);
            if taken.is_ok() {
                taken = self.make_room(tx, &plan).await?;
            }
            let result = match taken {
                Ok(()) => Ok(self.take(plan)?),
                Err(error) => Err(error),
            };
            results.push((item, result));
        }
        Ok(results)
    }

    /// May the endpoint become what the item makes of it?
    fn check_quotas(&self, plan: &Plan) -> domain::Result<()> {
        let present = plan.record.and_then(|at| self.records[at].user_id.as_ref());
        let user = plan
            .applied
            .user_id
            .as_ref()
            .or(present)
            .and_then(|user| self.users.get(user))
            .map(|user| &user.document);
        let address = plan.address.as_deref();
        match &plan.applied.user_attributes {
            Some(attributes) if !attributes.is_empty() => {
                let mut user = user.cloned().unwrap_or_default();
                endpoint::apply_user(&mut user, attributes.clone());
                endpoint::check_whole(&plan.document, address, Some(&user), self.quotas)
            }
            _ => endpoint::check_whole(&plan.document, address, user, self.quotas),
        }
    }

    /// Counts the endpoint to the user that it comes to, if that user may have one more.
    async fn make_room(&mut self, tx: &mut Tx, plan: &Plan) -> Result<domain::Result<()>> {
        let present = plan.record.and_then(|at| self.records[at].user_id.clone());
        let Some(user) = plan
            .applied
            .user_id
            .clone()
            .filter(|user| present.as_ref() != Some(user))
        else {
            return Ok(Ok(()));
        };
        let count = self.counts.get(&user).copied().unwrap_or(0);
        let most = i64::try_from(self.quotas.per_user).unwrap_or(i64::MAX);
        let mut left = count;
        if count >= most {
            let refused = || {
                domain::Error::invalid(
                    "User.UserId",
                    format!("{user} has {count} endpoints, at most {most} are allowed"),
                )
            };
            if !plan.document.channel_type.is_some_and(ChannelType::is_push_token) {
                return Ok(Err(refused()));
            }
            let rows = statements::by_user(tx, self.app, user.as_str()).await?;
            self.add(rows)?;
            let oldest = self
                .records
                .iter_mut()
                .filter(|record| record.user_id.as_ref() == Some(&user))
                .filter(|record| {
                    record
                        .document
                        .channel_type
                        .is_some_and(ChannelType::is_push_token)
                })
                .min_by_key(|record| (effective_at(&record.document), record.seq));
            let Some(oldest) = oldest else {
                return Ok(Err(refused()));
            };
            oldest.deactivate();
            oldest.user_id = None;
            left -= 1;
        }
        self.counts.insert(user, left + 1);
        if let Some(before) = present.and_then(|user| self.counts.get_mut(&user)) {
            *before -= 1;
        }
        Ok(Ok(()))
    }

    /// Makes the item's change in memory.
    fn take(&mut self, mut plan: Plan) -> Result<usize> {
        let upsert = &self.items[plan.item];
        let at = match plan.record {
            Some(at) => at,
            None => self.new_record(&upsert.id)?,
        };
        if let Some(index) = plan.contested().map(<[u8]>::to_vec) {
            let records = &mut self.records;
            let holders = self.holders.entry(index.clone()).or_default();
            let holds =
                |record: &Record| record.document.is_active() && record.index.as_ref() == Some(&index);
            let others: Vec<usize> = holders
                .iter()
                .copied()
                .filter(|holder| *holder != at && holds(&records[*holder]))
                .collect();
            if plan.applied.claim == Claim::Takes {
                others.iter().for_each(|other| records[*other].deactivate());
            } else if !others.is_empty() {
                plan.document.endpoint_status = "INACTIVE".to_owned();
            }
            holders.push(at);
        }
        let record = &mut self.records[at];
        if record.address != plan.address {
            let bound = bound(self.app, record.seq);
            record.sealed = plan
                .address
                .as_deref()
                .map(|address| self.app.keys.sealer.seal(address.as_bytes(), &bound));
        }
        record.address = plan.address;
        record.index = plan.index;
        record.document = plan.document;
        record.user_id = plan.applied.user_id.or(record.user_id.take());
        record.changed = true;
        let attributes = plan.applied.user_attributes.unwrap_or_default();
        if let Some(user) = &record.user_id
            && !attributes.is_empty()
        {
            let user = self.users.entry(user.clone()).or_default();
            endpoint::apply_user(&mut user.document, attributes);
            user.changed = true;
        }
        Ok(at)
    }

    fn new_record(&mut self, id: &EndpointId) -> Result<usize> {
        let seq = u32::try_from(self.next_seq).map_err(|_| {
            domain::Error::LimitExceeded("the application has used up its 2^32 endpoint numbers".to_owned())
        })?;
        self.next_seq += 1;
        let at = self.records.len();
        self.records.push(Record {
            seq,
            id: id.clone(),
            user_id: None,
            address: None,
            sealed: None,
            index: None,
            document: EndpointDocument::default(),
            changed: true,
        });
        self.by_seq.insert(seq, at);
        Ok(at)
    }

    /// Writes what changed.
    async fn write(&self, tx: &mut Tx) -> Result<()> {
        let mut endpoints = Vec::with_capacity(self.records.len());
        for record in self.records.iter().filter(|record| record.changed) {
            endpoints.push(EndpointWrite {
                seq: i64::from(record.seq),
                id: record.id.as_str(),
                user_id: record.user_id.as_ref().map(UserId::as_str),
                active: i16::from(record.document.is_active()),
                effective_at: effective_at(&record.document),
                sealed: record.sealed.as_deref(),
                index: record.index.as_deref(),
                document: text(&record.document)?,
            });
        }
        statements::write_endpoints(tx, self.app, &endpoints).await?;
        let mut users = Vec::new();
        for (id, user) in self.users.iter().filter(|(_, user)| user.changed) {
            users.push((id.as_str(), text(&user.document)?));
        }
        statements::write_users(tx, self.app, &users).await
    }

    /// The endpoint as it is now. Asked once for each, after writing.
    fn result(&mut self, record: usize) -> Endpoint {
        let record = &mut self.records[record];
        let user = record.user_id.as_ref().map(|user| {
            self.users
                .get(user)
                .map_or_else(UserDocument::default, |user| user.document.clone())
        });
        Endpoint {
            seq: record.seq,
            id: record.id.clone(),
            user_id: record.user_id.take(),
            address: record.address.take(),
            document: std::mem::take(&mut record.document),
            user,
        }
    }
}

/// Milliseconds of the document's `EffectiveDate`.
fn effective_at(document: &EndpointDocument) -> i64 {
    parse_iso(&document.effective_date).map_or(0, Timestamp::as_millisecond)
}

fn text(document: &impl Serialize) -> Result<String> {
    serde_json::to_string(document).map_err(|error| Error::corrupt("document", error))
}
