//! Stores of the pure engine: what predicates and personalizers have in common.

mod columns;
pub mod personalizer;
pub mod predicate;

use std::sync::Arc;
use std::time::Duration;

use pinion_bindings::predicate::pinion::host::log::{self, Level as GuestLevel};
use pinion_bindings::predicate::pinion::types::columns as wit;
use pinion_domain::extension::{Kind, PluginError};
use wasmtime::component::{HasData, InstancePre, ResourceTable};
use wasmtime::{Result, Store, StoreLimits, UpdateDeadline};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use crate::cpu::CpuMeter;
use crate::engines::store_limits;
use crate::fault::{Call, failed, fault, fault_text};
use crate::limits::Limits;
use crate::logging::{GuestLog, Level, LogStream};
use crate::plugin::{Code, Version};
use crate::services::{Place, Services};

/// Longest settings that a pure plugin is given.
const SETTINGS_BYTES: usize = 64 << 10;

/// What the host knows of a running predicate or personalizer.
pub struct PureState {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
    log: GuestLog,
    cpu: Arc<CpuMeter>,
    host_calls_left: u32,
}

/// How generated code finds the functions of [`PureState`].
pub struct PureFunctions;

impl HasData for PureFunctions {
    type Data<'a> = &'a mut PureState;
}

impl WasiView for PureState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for PureState {
    fn log(&mut self, level: GuestLevel, message: String) -> Result<()> {
        self.host_calls_left = (self.host_calls_left.checked_sub(1))
            .ok_or_else(|| wasmtime::Error::msg("more host calls than one call may make"))?;
        let level = match level {
            GuestLevel::Debug => Level::Debug,
            GuestLevel::Info => Level::Info,
            GuestLevel::Warn => Level::Warn,
            GuestLevel::Error => Level::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl wit::Host for PureState {}

/// Time stands still, so that results can be repeated.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// A fresh instance with the store around it.
pub struct PureInstance<B> {
    store: Store<PureState>,
    bindings: B,
    version: Arc<Version>,
    services: Arc<Services>,
    /// Calls so far.
    uses: u32,
    /// Declared last: the place is given back after the store is gone.
    _place: Place,
}

impl<B> PureInstance<B> {
    /// Instantiates a component. `load` finds its exports.
    pub fn new(
        version: &Arc<Version>,
        services: &Arc<Services>,
        component: &InstancePre<PureState>,
        load: impl FnOnce(&mut Store<PureState>) -> Result<B>,
    ) -> std::result::Result<Self, PluginError> {
        let manifest = &version.manifest;
        let limits = &services.limits;
        let place = services
            .pure_place()
            .ok_or_else(|| fault_text(manifest, "all instances are busy"))?;
        let log = GuestLog::new(&manifest.name, &manifest.version, limits.log_bytes);
        let cpu = Arc::new(CpuMeter::default());
        let state = PureState {
            wasi: wasi(&log),
            table: table(limits),
            limits: store_limits(limits),
            log,
            cpu: cpu.clone(),
            host_calls_left: limits.host_calls,
        };
        let mut store = Store::new(component.component().engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        let budget = limits.cpu;
        let meter = cpu.clone();
        store.epoch_deadline_callback(move |_| {
            if meter.is_exhausted() {
                return Err(wasmtime::Error::msg(format!("used more than {budget:?} of CPU")));
            }
            Ok(UpdateDeadline::Continue(1))
        });
        cpu.allow(limits.cpu);
        let bindings = cpu
            .measure(|| load(&mut store))
            .map_err(|error| fault(manifest, &error))?;
        Ok(Self {
            store,
            bindings,
            version: version.clone(),
            services: services.clone(),
            uses: 0,
            _place: place,
        })
    }

    /// Calls an export within the limits of a call. After a fault the instance must not be used.
    pub fn call<R>(
        &mut self,
        name: &'static str,
        export: impl FnOnce(&B, &mut Store<PureState>) -> Result<std::result::Result<R, String>>,
    ) -> std::result::Result<R, PluginError> {
        let call = Call::begin(&self.version, name);
        let _entered = call.span().clone().entered();
        self.uses += 1;
        let state = self.store.data_mut();
        state.host_calls_left = self.services.limits.host_calls;
        state.log.begin_call(Arc::default());
        let cpu = state.cpu.clone();
        cpu.allow(self.services.limits.cpu);
        let result = cpu.measure(|| export(&self.bindings, &mut self.store));
        let manifest = &self.version.manifest;
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => Err(failed(manifest, &message)),
            Err(error) => Err(fault(manifest, &error)),
        };
        call.end(result.as_ref().err());
        result
    }
}

fn wasi(log: &GuestLog) -> WasiCtx {
    WasiCtx::builder()
        .stdout(LogStream::new(log, Level::Debug))
        .stderr(LogStream::new(log, Level::Error))
        .wall_clock(Stopped)
        .monotonic_clock(Stopped)
        .secure_random(Deterministic::new(vec![4]))
        .insecure_random(Deterministic::new(vec![4]))
        .insecure_random_seed(4)
        .max_random_size(64 << 10)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

fn table(limits: &Limits) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.handles);
    table
}

/// Settings as a pure plugin gets them: a JSON object, `{}` if there are none.
fn checked_settings(name: &str, settings: &str) -> std::result::Result<String, PluginError> {
    let wrong = |message: &str| PluginError::Failed {
        name: name.to_owned(),
        message: message.to_owned(),
    };
    let settings = match settings.trim() {
        "" => "{}",
        text => text,
    };
    if settings.len() > SETTINGS_BYTES {
        return Err(wrong("the settings are longer than 64 KiB"));
    }
    let parsed: serde_json::Value = serde_json::from_str(settings)
        .map_err(|error| wrong(&format!("the settings are not JSON: {error}")))?;
    if !parsed.is_object() {
        return Err(wrong("the settings must be a JSON object"));
    }
    Ok(settings.to_owned())
}

/// Starts an instance and throws it away.
pub fn attempt(services: &Arc<Services>, version: &Arc<Version>) -> std::result::Result<(), PluginError> {
    match &version.code {
        Code::Predicate(component) => predicate::instantiate(version, services, component).map(drop),
        Code::Personalizer(component) => personalizer::instantiate(version, services, component).map(drop),
        Code::Channel(_) => Err(version.wrong_kind(Kind::Predicate)),
    }
}
