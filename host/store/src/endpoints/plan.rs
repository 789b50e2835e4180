//! What an item would make of its endpoint, before users and other endpoints are looked at.

use jiff::Timestamp;
use pinion_domain::channel::ChannelType;
use pinion_domain::endpoint::{self, Applied, Claim, EndpointDocument};
use pinion_domain::id::{EndpointId, UserId};

use super::Upsert;
use crate::AppRef;
use crate::seal::address_index;

/// An endpoint in memory, as read or as changed.
pub(super) struct Record {
    pub(super) seq: u32,
    pub(super) id: EndpointId,
    pub(super) user_id: Option<UserId>,
    pub(super) address: Option<String>,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) index: Option<Vec<u8>>,
    pub(super) document: EndpointDocument,
    pub(super) changed: bool,
}

impl Record {
    pub(super) fn deactivate(&mut self) {
        self.document.endpoint_status = "INACTIVE".to_owned();
        self.changed = true;
    }
}

/// An item and what it would make of its endpoint.
pub(super) struct Plan {
    pub(super) item: usize,
    /// Where its endpoint is among the records, if it exists.
    pub(super) record: Option<usize>,
    pub(super) document: EndpointDocument,
    pub(super) applied: Applied,
    /// The address that results.
    pub(super) address: Option<String>,
    pub(super) index: Option<Vec<u8>>,
}

impl Plan {
    pub(super) fn new(
        app: &AppRef,
        item: usize,
        upsert: &Upsert,
        found: Option<(usize, &Record)>,
        now: Timestamp,
    ) -> Self {
        let stored = found.map(|(_, record)| record.document.clone());
        let (document, applied) = endpoint::apply(stored, upsert.request.clone(), now);
        let address = match &applied.address {
            // An empty address is none.
            Some(named) => Some(named.clone()).filter(|named| !named.is_empty()),
            None => found.and_then(|(_, record)| record.address.clone()),
        };
        let same = applied.address.is_none() && upsert.request.channel_type.is_none();
        let index = match found {
            Some((_, record)) if same => record.index.clone(),
            _ => index_of(app, document.channel_type, address.as_deref()),
        };
        Self {
            item,
            record: found.map(|(at, _)| at),
            document,
            applied,
            address,
            index,
        }
    }

    /// The index of the address about which other endpoints must be asked.
    pub(super) fn contested(&self) -> Option<&[u8]> {
        match self.applied.claim {
            Claim::None => None,
            Claim::Takes | Claim::IfFree => self.index.as_deref(),
        }
    }
}

fn index_of(app: &AppRef, channel: Option<ChannelType>, address: Option<&str>) -> Option<Vec<u8>> {
    Some(address_index(&app.keys.index, channel?.as_str(), address?))
}
