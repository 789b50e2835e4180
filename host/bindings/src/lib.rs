//! What `bindgen!` derives from `wit/`, and nothing else: the three worlds as Rust types and traits.
//!
//! A crate of its own because the generated code is slow to compile and seldom changes.

#[expect(missing_docs, reason = "the WIT files carry the documentation")]
#[allow(
    unsafe_code,
    unused_qualifications,
    unused_variables,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod channel {
    //! The world `channel-plugin`. What may wait is `async func` in WIT and gets an `Accessor`.
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "pinion:plugin/channel-plugin",
        imports: { default: trappable },
    });
}

#[expect(missing_docs, reason = "the WIT files carry the documentation")]
#[allow(
    unsafe_code,
    unused_qualifications,
    unused_variables,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod predicate {
    //! The world `predicate-plugin`: synchronous.
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "pinion:plugin/predicate-plugin",
        imports: { default: trappable },
    });
}

#[expect(missing_docs, reason = "the WIT files carry the documentation")]
#[allow(
    unsafe_code,
    unused_qualifications,
    unused_variables,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod personalizer {
    //! The world `personalizer-plugin`: synchronous; the column types are the predicate's.
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "pinion:plugin/personalizer-plugin",
        imports: { default: trappable },
        with: {
            "pinion:types/columns@0.1.0": crate::predicate::pinion::types::columns,
            "pinion:host/log@0.1.0": crate::predicate::pinion::host::log,
        },
    });
}
