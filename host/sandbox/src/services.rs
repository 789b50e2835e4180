//! What all plugins of a server share: engines, connections, storage, and places for instances.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pinion_domain::clock::Clock;
use pinion_domain::extension::{KeyValue, Kind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engines::Engines;
use crate::limits::Limits;
use crate::outbound::http::HttpPool;
use crate::outbound::smtp::SmtpPool;
use crate::plugin::Registry;

/// Shared by all plugins.
pub struct Services {
    /// Ceilings.
    pub limits: Limits,
    /// wasmtime.
    pub engines: Engines,
    /// Installed plugins.
    pub registry: Registry,
    /// Outgoing HTTP.
    pub http: HttpPool,
    /// Outgoing mail.
    pub smtp: SmtpPool,
    /// Plugins' small durable values.
    pub kv: Arc<dyn KeyValue>,
    /// Time, as channels see it.
    pub clock: Arc<dyn Clock>,
    compilers: Arc<Semaphore>,
    places: Places,
}

/// Components that are compiled at once.
const COMPILERS: usize = 2;

/// Keeps idle instances that it can do without.
pub trait Shed: Send + Sync {
    /// Drops idle instances, so that others find a place.
    fn shed(&self);
}

/// A place for an instance; given back when dropped.
pub type Place = OwnedSemaphorePermit;

struct Places {
    pure: Arc<Semaphore>,
    io: Arc<Semaphore>,
    holders: Mutex<Vec<Weak<dyn Shed>>>,
}

impl Services {
    /// Brings the parts together. Must be called inside a tokio runtime.
    pub fn new(
        limits: Limits,
        engines: Engines,
        http: HttpPool,
        smtp: SmtpPool,
        kv: Arc<dyn KeyValue>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let instances = limits.instances.max(1) as usize;
        Self {
            limits,
            engines,
            registry: Registry::default(),
            http,
            smtp,
            kv,
            clock,
            compilers: Arc::new(Semaphore::new(COMPILERS)),
            places: Places {
                pure: Arc::new(Semaphore::new(instances)),
                io: Arc::new(Semaphore::new(instances)),
                holders: Mutex::default(),
            },
        }
    }

    /// Remembers one who keeps idle instances.
    pub fn register(&self, holder: Weak<dyn Shed>) {
        let mut holders = self.places.holders.lock();
        holders.retain(|holder| holder.strong_count() > 0);
        holders.push(holder);
    }

    /// A place for a pure instance, or `None` if all are taken. Never waits.
    pub fn pure_place(&self) -> Option<Place> {
        let take = || self.places.pure.clone().try_acquire_owned().ok();
        take().or_else(|| {
            self.shed();
            take()
        })
    }

    /// A place for a channel's instance, as soon as there is one.
    pub async fn io_place(&self) -> Place {
        if let Ok(place) = self.places.io.clone().try_acquire_owned() {
            return place;
        }
        self.shed();
        let place = self.places.io.clone().acquire_owned().await;
        place.expect("this semaphore is never closed")
    }

    /// A turn to compile, held until the compiler is done.
    pub async fn compiler_turn(&self) -> OwnedSemaphorePermit {
        let turn = self.compilers.clone().acquire_owned().await;
        turn.expect("this semaphore is never closed")
    }

    /// Places that nobody has taken.
    pub fn free_places(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.places.io.available_permits(),
            Kind::Predicate | Kind::Personalizer => self.places.pure.available_permits(),
        }
    }

    fn shed(&self) {
        // Not under the lock: dropping an instance runs code.
        let holders: Vec<_> = self
            .places
            .holders
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for holder in holders {
            holder.shed();
        }
    }
}
