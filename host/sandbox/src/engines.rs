//! The two wasmtime engines. *pure* runs predicates and personalizers: synchronous, no clock, no
//! chance, no way to wait. *io* runs channels: many waiting calls in one instance.

use std::time::Duration;

use pinion_bindings::channel::ChannelPlugin;
use pinion_bindings::personalizer::PersonalizerPlugin;
use pinion_domain::extension::Kind;
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceType};
use wasmtime::{
    Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
    StoreLimits, StoreLimitsBuilder, Strategy,
};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::channel::state::{ChannelFunctions, ChannelState};
use crate::limits::Limits;
use crate::pure::{PureFunctions, PureState};

/// Engines with what a guest may import.
pub struct Engines {
    pure: Engine,
    io: Engine,
    pure_linker: Linker<PureState>,
    io_linker: Linker<ChannelState>,
}

impl Engines {
    /// Engines within these limits, whose clocks tick until they are dropped.
    pub fn new(limits: &Limits) -> Result<Self> {
        let pure = Engine::new(base_config(limits).concurrency_support(false))?;
        let io = Engine::new(
            base_config(limits)
                .concurrency_support(true)
                .wasm_component_model_async(true),
        )?;
        tick([pure.weak(), io.weak()], limits.tick)?;
        Ok(Self {
            pure_linker: pure_linker(&pure)?,
            io_linker: io_linker(&io)?,
            pure,
            io,
        })
    }

    /// The engine that a kind runs on.
    pub fn of(&self, kind: Kind) -> &Engine {
        match kind {
            Kind::Channel => &self.io,
            Kind::Predicate | Kind::Personalizer => &self.pure,
        }
    }

    /// What a channel may import.
    pub fn io_linker(&self) -> &Linker<ChannelState> {
        &self.io_linker
    }

    /// What a predicate or personalizer may import.
    pub fn pure_linker(&self) -> &Linker<PureState> {
        &self.pure_linker
    }
}

fn base_config(limits: &Limits) -> Config {
    let instances = limits.instances.max(1);
    // A component is made of several core instances; those of interpreters have many.
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(8))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances.saturating_mul(2))
        .max_core_instances_per_component(64)
        .max_tables_per_component(64)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(0);
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .wasm_backtrace_max_frames(None)
        // Results are the same on every machine, down to the bits of a NaN alone: making those equal too takes
        // two more instructions after each one on floats, and more than half of a predicate's time.
        .cranelift_nan_canonicalization(false)
        .relaxed_simd_deterministic(true)
        // Outside wasmtime's first tier, or of no use to a plugin.
        .wasm_memory64(false)
        .wasm_component_model_memory64(false)
        .shared_memory(false);
    config
}

/// Moves the epoch of engines from a thread of its own: a runtime whose threads are all busy with
/// guests would not.
fn tick(engines: [EngineWeak; 2], every: Duration) -> Result<()> {
    let run = move || {
        while let [Some(pure), Some(io)] = [engines[0].upgrade(), engines[1].upgrade()] {
            pure.increment_epoch();
            io.increment_epoch();
            drop((pure, io));
            std::thread::sleep(every);
        }
    };
    std::thread::Builder::new()
        .name("plugin-epochs".to_owned())
        .spawn(run)?;
    Ok(())
}

fn io_linker(engine: &Engine) -> Result<Linker<ChannelState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    ChannelPlugin::add_to_linker::<ChannelState, ChannelFunctions>(&mut linker, |state| state)?;
    Ok(linker)
}

/// WASI for code that must not wait: what could block a thread, or needs a runtime, traps.
fn pure_linker(engine: &Engine) -> Result<Linker<PureState>> {
    let mut linker = Linker::<PureState>::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    // The personalizer's imports are those of the predicate.
    PersonalizerPlugin::add_to_linker::<PureState, PureFunctions>(&mut linker, |state| state)?;

    linker.allow_shadowing(true);
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    streams.resource(
        "input-stream",
        ResourceType::host::<DynInputStream>(),
        |mut store, handle| {
            table(store.data_mut()).delete(Resource::<DynInputStream>::new_own(handle))?;
            Ok(())
        },
    )?;
    streams.resource(
        "output-stream",
        ResourceType::host::<DynOutputStream>(),
        |mut store, handle| {
            table(store.data_mut()).delete(Resource::<DynOutputStream>::new_own(handle))?;
            Ok(())
        },
    )?;
    // What a panic writes its message with.
    streams.func_wrap(
        "[method]output-stream.blocking-write-and-flush",
        |mut store, (stream, bytes): (Resource<DynOutputStream>, Vec<u8>)| {
            table(store.data_mut()).get_mut(&stream)?.write(bytes.into())?;
            Ok((Ok::<(), StreamError>(()),))
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-flush",
        |_, _: (Resource<DynOutputStream>,)| Ok((Ok::<(), StreamError>(()),)),
    )?;
    for (interface, functions) in WAITING {
        let mut instance = linker.instance(interface)?;
        for function in functions {
            instance.func_new(function, |_, _, _, _| {
                Err(wasmtime::Error::msg(
                    "a predicate or personalizer may not wait or connect",
                ))
            })?;
        }
    }
    Ok(linker)
}

use wasmtime_wasi::p2::bindings::sync::io::streams::StreamError;

/// Functions of WASI that block a thread, or that lead to one that does.
const WAITING: [(&str, &[&str]); 5] = [
    (
        "wasi:io/streams@0.2.12",
        &[
            "[method]output-stream.blocking-write-zeroes-and-flush",
            "[method]output-stream.blocking-splice",
            "[method]input-stream.blocking-read",
            "[method]input-stream.blocking-skip",
        ],
    ),
    (
        "wasi:io/poll@0.2.12",
        &["poll", "[method]pollable.ready", "[method]pollable.block"],
    ),
    ("wasi:sockets/tcp-create-socket@0.2.12", &["create-tcp-socket"]),
    ("wasi:sockets/udp-create-socket@0.2.12", &["create-udp-socket"]),
    ("wasi:sockets/ip-name-lookup@0.2.12", &["resolve-addresses"]),
];

fn table(state: &mut PureState) -> &mut ResourceTable {
    state.ctx().table
}

/// What a store's memories and tables may grow to.
pub fn store_limits(limits: &Limits) -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .instances(64)
        .tables(64)
        .memories(8)
        // A guest that is refused memory would abort with `unreachable`; this names the reason.
        .trap_on_grow_failure(true)
        .build()
}
