//! What `wit-bindgen` makes of `wit/`: one module for each world. Authors meet these types under their
//! short names at the root of the crate.
#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    reason = "generated"
)]

/// World `channel-plugin`.
pub mod channel {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pinion:plugin/channel-plugin",
        generate_all,
        additional_derives: [Clone, PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_channel",
        runtime_path: "::pinion_sdk::export::wit_bindgen::rt",
    });
}

/// World `predicate-plugin`.
pub mod predicate {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pinion:plugin/predicate-plugin",
        generate_all,
        additional_derives: [Clone, PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_predicate",
        runtime_path: "::pinion_sdk::export::wit_bindgen::rt",
    });
}

/// World `personalizer-plugin`.
pub mod personalizer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pinion:plugin/personalizer-plugin",
        with: { "pinion:types/columns@0.1.0": super::predicate::pinion::types::columns },
        generate_all,
        additional_derives: [Clone, PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_personalizer",
        runtime_path: "::pinion_sdk::export::wit_bindgen::rt",
    });
}
