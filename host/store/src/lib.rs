//! Documents, ledger, events and the queue of work, in SQLite or PostgreSQL.
//!
//! | module | holds |
//! |---|---|
//! | `backend`, `dialect`, `writer` | two databases under one text; group commit |
//! | `seal` | encryption at rest |
//! | `apps`, `tags`, `channels`, `documents`, `jobs`, `plugins` | one file per aggregate |
//! | `iam` | users, groups, roles, policies, access keys |
//! | `endpoints`, `suppressions` | who can be reached |
//! | `runs`, `ledger`, `direct` | what is sent, and what became of it |
//! | `otps` | one-time passwords |
//! | `events` | what happened, in a database of its own |
//!
//! There is no segment here: segments are answered by columns in `engine::audience`.

mod backend;
mod dialect;
mod error;
mod open;
mod rows;
mod seal;
mod writer;

mod apps;
mod channels;
mod direct;
mod documents;
mod endpoints;
mod events;
mod iam;
mod jobs;
mod ledger;
mod otps;
mod plugins;
mod runs;
mod suppressions;
mod tags;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::Clock;
use pinion_domain::endpoint::Quotas as EndpointQuotas;
use pinion_domain::id::{AccountId, AppId, Tenant};
use pinion_domain::quotas::Quotas;

pub use channels::{ChannelRow, NewChannel};
pub use direct::{DirectMessage, DirectOutcome, Finished, HandOver, Intent, NamedRequest, PastRequest};
pub use documents::{Document, Most, Scope, StateChange, Versioned, Write};
pub use endpoints::{Changes, EndpointChange, LiveEndpoint, Upsert, UserChange};
pub use error::{Error, Result};
pub use events::{EventChanges, EventCount, EventSummary, NewEvent, StoredEvent};
pub use iam::{AccessKey, HeldPolicy, Stored};
pub use jobs::Members;
pub use ledger::{BatchCommit, Count, LedgerRow, Retry, RollupFilter};
pub use open::Options;
pub use otps::NewOtp;
pub use plugins::StoredPlugin;
pub use runs::{Chunk, NewRun, Run, RunState};
pub use seal::{MasterKey, Sealer};
pub use writer::Lane;

use backend::Pools;
use writer::Writer;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    quotas: Arc<Quotas>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    master: MasterKey,
    /// Seals access keys and plugin values.
    secrets: Sealer,
    /// Documents, runs and the ledger.
    main: Database,
    /// Events; the same server on PostgreSQL, a file of its own on SQLite.
    events: Database,
    /// What this process writes its counters under.
    writer_id: i64,
    /// Raised by every `serve`: chunks leased under an older epoch are free on an embedded database.
    epoch: i64,
    held: std::sync::atomic::AtomicBool,
    /// Changes of access control that this process made.
    access_changes: std::sync::atomic::AtomicU64,
    /// What endpoints may hold.
    quotas: RwLock<EndpointQuotas>,
    /// Keeps a second server off the folder.
    lock: Mutex<Option<std::fs::File>>,
    /// Applications that were looked up; `None` is one that was deleted here.
    apps: RwLock<std::collections::HashMap<AppId, Option<AppRef>>>,
    /// What channels said a moment ago.
    recent_channels: channels::Recent,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

/// One database: connections that read, and the task that writes.
struct Database {
    connector: dialect::Connector,
    pools: Pools,
    /// Taken away by [`Store::close`].
    writer: RwLock<Option<Writer>>,
}

impl Database {
    async fn write<I, O>(
        &self,
        lane: Lane,
        input: I,
        apply: for<'a> fn(&'a mut writer::Tx, &'a I) -> futures_util::future::BoxFuture<'a, Result<O>>,
    ) -> Result<O>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        let writer = self.writer.read().clone().ok_or(Error::Closed)?;
        writer.write(lane, input, apply).await
    }
}

/// An application in its tenant's world: proof that the tenant was checked. Cheap to clone.
#[derive(Clone)]
pub struct AppRef {
    /// The number in large tables.
    pub no: i64,
    /// The id.
    pub id: AppId,
    /// Whose it is and where.
    pub tenant: Tenant,
    keys: Arc<AppKeys>,
}

struct AppKeys {
    sealer: Sealer,
    index: [u8; 32],
}

impl std::fmt::Debug for AppRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppRef")
            .field("no", &self.no)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl AppRef {
    /// A keyed index of an address: what tables know of addresses of direct messages.
    pub fn address_index(&self, channel: ChannelType, address: &str) -> Vec<u8> {
        seal::address_index(&self.keys.index, channel.as_str(), address)
    }
}

impl Store {
    /// The same store with other quotas than the guide's.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self {
            quotas: Arc::new(quotas),
            ..self
        }
    }

    /// How much there may be of everything.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The clock that the store was opened with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// What endpoints may hold: the guide's quotas, unless others were set.
    pub fn endpoint_quotas(&self) -> EndpointQuotas {
        *self.inner.quotas.read()
    }

    /// Sets what endpoints may hold from now on; those that hold more already keep it until they are updated.
    pub fn set_endpoint_quotas(&self, quotas: EndpointQuotas) {
        *self.inner.quotas.write() = quotas;
    }

    /// A key for one purpose (tracking, console, compiled plugins), derived from the master key.
    pub fn derived_key(&self, label: &str) -> [u8; 32] {
        self.inner.master.derive(label)
    }

    /// Seals small things that travel through clients, for one purpose.
    pub fn sealer(&self, purpose: &str) -> Sealer {
        Sealer::new(&self.derived_key(purpose))
    }

    fn account_index_key(&self, account: &AccountId) -> [u8; 32] {
        self.inner.master.derive(&format!("address-index|{account}"))
    }
}
