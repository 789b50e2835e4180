//! One instance of a channel: one call at a time, since a trap ends everything that runs in it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pinion_bindings::channel::exports::pinion::channel::channel::Guest;
use pinion_bindings::channel::{ChannelPlugin, ChannelPluginPre};
use pinion_domain::extension::PluginError;
use tracing::Instrument;
use wasmtime::component::Accessor;
use wasmtime::{Store, UpdateDeadline};

use super::state::{Bound, ChannelState, Running};
use crate::cpu::{CpuMeter, Measured};
use crate::fault::{Call, fault, fault_text};
use crate::plugin::Version;
use crate::services::Place;

/// A call of an export.
pub type Export<'a, R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>>;

/// An instance with the store around it.
pub struct ChannelInstance {
    store: Store<ChannelState>,
    plugin: ChannelPlugin,
    version: Arc<Version>,
    cpu: Arc<CpuMeter>,
    uses: u32,
    /// Declared last: the place is given back after the store is gone.
    _place: Place,
}

/// What one call may use.
pub struct Allowance {
    /// CPU time.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Host calls.
    pub host_calls: u32,
}

impl ChannelInstance {
    /// Instantiates a component.
    pub async fn new(
        version: &Arc<Version>,
        component: &ChannelPluginPre<ChannelState>,
        bound: Arc<Bound>,
    ) -> Result<Self, PluginError> {
        let limits = &bound.services.limits;
        let wall = limits.call_wall;
        let busy = || fault_text(&version.manifest, "all instances are busy");
        let place = tokio::time::timeout(wall, bound.services.io_place())
            .await
            .map_err(|_| busy())?;
        let cpu = Arc::new(CpuMeter::default());
        cpu.allow(limits.cpu);
        let mut store = Store::new(component.engine(), ChannelState::new(version, bound.clone()));
        store.limiter(|state| state.limiter());
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        let meter = cpu.clone();
        store.epoch_deadline_callback(move |_| {
            if meter.is_exhausted() {
                return Err(wasmtime::Error::msg("used more CPU than a call may"));
            }
            Ok(UpdateDeadline::Yield(1))
        });
        let instantiated = Measured::new(cpu.clone(), component.instantiate_async(&mut store));
        let plugin = match tokio::time::timeout(wall, instantiated).await {
            Ok(Ok(plugin)) => plugin,
            Ok(Err(error)) => return Err(fault(&version.manifest, &error)),
            Err(_) => return Err(fault_text(&version.manifest, "did not start in time")),
        };
        Ok(Self {
            store,
            plugin,
            version: version.clone(),
            cpu,
            uses: 0,
            _place: place,
        })
    }

    /// Which version it is of.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Calls so far.
    pub fn uses(&self) -> u32 {
        self.uses
    }

    /// Calls an export within an allowance. After a fault the instance must not be used.
    pub async fn call<R: Send + 'static>(
        &mut self,
        name: &'static str,
        allowance: Allowance,
        running: Arc<Running>,
        export: impl for<'a> FnOnce(&'a Guest, &'a Accessor<ChannelState>) -> Export<'a, R> + Send,
    ) -> Result<R, PluginError> {
        let call = Call::begin(&self.version, name);
        let span = call.span().clone();
        self.uses += 1;
        self.store.data_mut().begin_call(running, allowance.host_calls);
        self.cpu.allow(allowance.cpu);
        let guest = self.plugin.pinion_channel_channel();
        let running = self
            .store
            .run_concurrent(async |accessor| export(guest, accessor).await);
        // The time limit is outside: inside, a guest that keeps the store busy would keep it waiting.
        let running = Measured::new(self.cpu.clone(), running);
        let result = tokio::time::timeout(allowance.wall, running)
            .instrument(span)
            .await;
        let manifest = &self.version.manifest;
        let result = match result {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error)) | Err(error)) => Err(fault(manifest, &error)),
            Err(_) => Err(fault_text(
                manifest,
                &format!("did not answer in {:?}", allowance.wall),
            )),
        };
        call.end(result.as_ref().err());
        result
    }
}
