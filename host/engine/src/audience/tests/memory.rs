//! A source in memory, with revisions as a store gives them: a row has the revision of its last change.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;
use pinion_domain::endpoint::UserDocument;
use pinion_domain::id::{CampaignId, SegmentId, UserId};
use pinion_domain::segment::SegmentDocument;
use pinion_domain::segment::extended::RecipientTest;
use pinion_store::{Changes, EndpointChange, EventChanges, LiveEndpoint, Members, Result, UserChange};
use roaring::RoaringBitmap;

use crate::audience::source::Source;

/// The source.
#[derive(Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Clone, Default)]
pub(super) struct State {
    rev: i64,
    pub(super) endpoints: BTreeMap<u32, (i64, Option<LiveEndpoint>)>,
    pub(super) users: BTreeMap<UserId, (i64, Option<UserDocument>)>,
    /// By type: who and when, in the order of revisions, which are counted from 1.
    pub(super) events: HashMap<String, Vec<(u32, i64)>>,
    pub(super) recipients: HashMap<CampaignId, RoaringBitmap>,
    segments: HashMap<SegmentId, Vec<SegmentDocument>>,
    pub(super) members: HashMap<SegmentId, Members>,
    /// Rows that the last questions about changes were answered with.
    pub(super) rows_read: usize,
}

impl Memory {
    pub(super) fn put(&self, seq: u32, live: Option<LiveEndpoint>) {
        let mut state = self.0.lock();
        state.rev += 1;
        let rev = state.rev;
        state.endpoints.insert(seq, (rev, live));
    }

    pub(super) fn put_user(&self, id: &str, document: Option<UserDocument>) {
        let mut state = self.0.lock();
        state.rev += 1;
        let rev = state.rev;
        state.users.insert(UserId::from(id), (rev, document));
    }

    /// Who, and when.
    pub(super) fn put_event(&self, event_type: &str, seq: u32, at: i64) {
        let mut state = self.0.lock();
        state
            .events
            .entry(event_type.to_owned())
            .or_default()
            .push((seq, at));
    }

    pub(super) fn put_recipients(&self, campaign: &str, recipients: RoaringBitmap) {
        self.0.lock().recipients.insert(campaign.into(), recipients);
    }

    /// Adds a version.
    pub(super) fn put_segment(&self, id: &str, document: SegmentDocument) {
        let mut state = self.0.lock();
        state
            .segments
            .entry(SegmentId::from(id))
            .or_default()
            .push(document);
    }

    pub(super) fn put_members(&self, id: &str, members: Members) {
        self.0.lock().members.insert(SegmentId::from(id), members);
    }

    pub(super) fn state(&self) -> State {
        self.0.lock().clone()
    }
}

impl State {
    /// When somebody did something.
    pub(super) fn times(&self, event_type: &str, seq: u32) -> Vec<i64> {
        let all = self.events.get(event_type).into_iter().flatten();
        all.filter(|(of, _)| *of == seq).map(|(_, at)| *at).collect()
    }
}

#[async_trait]
impl Source for Memory {
    async fn changes(&self, after: i64, limit: usize) -> Result<Changes> {
        let mut state = self.0.lock();
        let endpoints = state.endpoints.values().map(|(rev, _)| *rev);
        let mut revs: Vec<i64> = endpoints
            .chain(state.users.values().map(|(rev, _)| *rev))
            .filter(|rev| *rev > after)
            .collect();
        revs.sort_unstable();
        let more = revs.len() > limit;
        let upto = if more { revs[limit - 1] } else { state.rev };
        let wanted = |rev: i64| rev > after && rev <= upto;
        let mut changes = Changes {
            upto,
            more,
            ..Changes::default()
        };
        for (seq, (rev, live)) in state.endpoints.iter().filter(|(_, (rev, _))| wanted(*rev)) {
            changes.endpoints.push(EndpointChange {
                seq: *seq,
                rev: *rev,
                live: live.clone(),
            });
        }
        for (user_id, (rev, document)) in state.users.iter().filter(|(_, (rev, _))| wanted(*rev)) {
            changes.users.push(UserChange {
                user_id: user_id.clone(),
                rev: *rev,
                document: document.clone(),
            });
        }
        state.rows_read += changes.endpoints.len() + changes.users.len();
        Ok(changes)
    }

    async fn events(&self, event_type: &str, after: i64, limit: usize) -> Result<EventChanges> {
        let state = self.0.lock();
        let all = state.events.get(event_type).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(after).unwrap();
        let to = all.len().min(from + limit);
        Ok(EventChanges {
            events: all[from..to].to_vec(),
            upto: i64::try_from(to).unwrap(),
            more: to < all.len(),
        })
    }

    async fn event_times(&self, event_type: &str, seq: u32) -> Result<Vec<i64>> {
        Ok(self.state().times(event_type, seq))
    }

    async fn recipients(&self, test: &RecipientTest) -> Result<RoaringBitmap> {
        let state = self.0.lock();
        Ok(state.recipients.get(&test.campaign).cloned().unwrap_or_default())
    }

    async fn segment(&self, id: &SegmentId, version: Option<u32>) -> Result<Option<(u32, SegmentDocument)>> {
        let state = self.0.lock();
        let versions = state.segments.get(id).map_or(&[][..], Vec::as_slice);
        let version = version.unwrap_or(u32::try_from(versions.len()).unwrap());
        let document = versions.get((version as usize).wrapping_sub(1)).cloned();
        Ok(document.map(|document| (version, document)))
    }

    async fn members(&self, id: &SegmentId, _: u32) -> Result<Option<Members>> {
        Ok(self.0.lock().members.get(id).cloned())
    }
}
