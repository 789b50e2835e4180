//! Predicates of a few instructions, for what no compiler would make.

use bytes::Bytes;
use pinion_domain::extension::{Owner, PluginError, Plugins};
use pinion_sandbox::{Limits, Sandbox};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::{caller, limits, sandbox_with};

/// A predicate whose `inputs` runs `body`, which leaves the address of a result on the stack. The 12
/// bytes at 16 are `ok` of an empty list.
fn guest(name: &str, fields: &str, body: &str) -> Bytes {
    let module = format!(
        r#"(module
            {fields}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func $inputs (export "pinion:predicate/predicate@0.1.0#inputs")
                (param i32 i32) (result i32) (local $at i32) {body})
            (func (export "pinion:predicate/predicate@0.1.0#begin")
                (param i32 i32 i64 i32 i32) (result i32) unreachable)
            (func (export "pinion:predicate/predicate@0.1.0#evaluate")
                (param i32 i32 i32) (result i32) unreachable))"#
    );
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve
        .select_world(&[package], Some("predicate-plugin"))
        .unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    let mut component = encoder.module(&module).unwrap().encode().unwrap();
    let manifest = format!(r#"{{"name": "{name}", "version": "1", "kind": "predicate"}}"#);
    append_section(&mut component, "pinion-manifest", manifest.as_bytes());
    component.into()
}

/// A custom section: 0, size, length of the name, name, data. Sizes here take one or two bytes.
fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let size = 1 + name.len() + data.len();
    assert!(size < 1 << 14);
    let low = u8::try_from(size & 0x7f).unwrap();
    let high = u8::try_from(size >> 7).unwrap();
    component.extend([0, low | 0x80, high, u8::try_from(name.len()).unwrap()]);
    component.extend_from_slice(name.as_bytes());
    component.extend_from_slice(data);
}

const ONE_PAGE: &str = r#"(memory (export "memory") 1)"#;

async fn install(sandbox: &Sandbox, fields: &str, body: &str) -> Result<(), PluginError> {
    let component = guest("tiny", fields, body);
    sandbox
        .install(Owner::Server, "tiny", component, Vec::new())
        .await
        .map(drop)
}

/// Installs a guest and calls its `inputs`.
async fn run(sandbox: &Sandbox, fields: &str, body: &str) -> Result<usize, String> {
    install(sandbox, fields, body)
        .await
        .map_err(|error| format!("not installed: {error}"))?;
    let predicate = sandbox.predicate(&caller(), "tiny", "{}").await;
    predicate
        .map(|predicate| predicate.inputs().len())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_smallest_guest_works() {
    assert_eq!(
        run(&sandbox_with(limits()), ONE_PAGE, "(i32.const 16)").await,
        Ok(0)
    );
}

#[tokio::test]
async fn what_breaks_a_limit_or_the_rules_is_a_fault() {
    let sandbox = sandbox_with(limits());
    for (case, fields, body, words) in [
        ("unreachable", ONE_PAGE, "unreachable", "panicked or aborted"),
        (
            "division by zero",
            ONE_PAGE,
            "(i32.div_u (i32.const 1) (i32.const 0))",
            "divide by zero",
        ),
        (
            "a bad address",
            ONE_PAGE,
            "(i32.load (i32.const -4))",
            "outside its memory",
        ),
        (
            "endless recursion",
            ONE_PAGE,
            "(call $inputs (i32.const 0) (i32.const 0))",
            "used up its stack",
        ),
        (
            "growing memory",
            ONE_PAGE,
            "(drop (memory.grow (i32.const 2000))) (i32.const 16)",
            "growing memory",
        ),
        (
            "growing a table",
            r#"(memory (export "memory") 1) (table $t 1 funcref)"#,
            "(drop (table.grow $t (ref.null func) (i32.const 20000))) (i32.const 16)",
            "growing table",
        ),
        ("a result outside memory", ONE_PAGE, "(i32.const 0x7ffffff0)", ""),
        ("a result that is not aligned", ONE_PAGE, "(i32.const 17)", ""),
        (
            "an impossible case",
            ONE_PAGE,
            "(i32.store8 (i32.const 16) (i32.const 9)) (i32.const 16)",
            "",
        ),
        (
            "a list of four gigabytes",
            ONE_PAGE,
            "(i32.store (i32.const 24) (i32.const -1)) (i32.const 16)",
            "",
        ),
        (
            "text that is not UTF-8",
            ONE_PAGE,
            "(i32.store8 (i32.const 16) (i32.const 1))
             (i32.store (i32.const 20) (i32.const 64)) (i32.store (i32.const 24) (i32.const 2))
             (i32.store16 (i32.const 64) (i32.const 0xffff)) (i32.const 16)",
            "",
        ),
    ] {
        let fault = run(&sandbox, fields, body).await.unwrap_err();
        assert!(
            fault.starts_with("plugin tiny faulted: ") && fault.contains(words),
            "{case}: {fault}"
        );
    }
}

#[tokio::test]
async fn what_needs_too_much_from_the_start_is_refused() {
    let sandbox = sandbox_with(limits());
    for (fields, words) in [
        (
            r#"(memory (export "memory") 2000)"#,
            "memory has a minimum byte size",
        ),
        (r#"(memory (export "memory") 1) (table 20000 funcref)"#, "table"),
        (
            r#"(memory (export "memory") 1) (func $spin (loop (br 0))) (start $spin)"#,
            "used more than 250ms of CPU",
        ),
        (
            r#"(memory (export "memory") 1) (func $trap unreachable) (start $trap)"#,
            "panicked or aborted",
        ),
    ] {
        let refusal = install(&sandbox, fields, "(i32.const 16)")
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refusal.starts_with("plugin tiny: ") && refusal.contains(words),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_guest_that_answers_too_much_is_stopped_before_the_host_copies_it() {
    let sandbox = sandbox_with(Limits {
        transfer_bytes: 1 << 20,
        ..limits()
    });
    // An error text of two mebibytes, all zeros.
    let fields = r#"(memory (export "memory") 40)"#;
    let body = "(i32.store8 (i32.const 16) (i32.const 1))
         (i32.store (i32.const 20) (i32.const 64)) (i32.store (i32.const 24) (i32.const 0x200000))
         (i32.const 16)";
    let fault = run(&sandbox, fields, body).await.unwrap_err();
    assert!(fault.starts_with("plugin tiny faulted: "), "{fault}");
}

#[tokio::test]
async fn fresh_instances_see_no_old_memory() {
    // Traps unless all of its memory but the result is zero, then fills it.
    let probe = r#"
        (local.set $at (i32.const 64))
        (loop $look
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $look (i32.lt_u (local.get $at) (i32.const 0x80000))))
        (memory.fill (i32.const 64) (i32.const 0xaa) (i32.const 0x7ffc0))
        (i32.const 16)"#;
    // Settings are put where `cabi_realloc` says, so they are empty of content: two bytes, overwritten.
    let probe = format!("(memory.fill (i32.const 1024) (i32.const 0) (i32.const 8)) {probe}");
    let sandbox = sandbox_with(limits());
    let component = guest("tiny", r#"(memory (export "memory") 8)"#, &probe);
    sandbox
        .install(Owner::Server, "tiny", component, Vec::new())
        .await
        .unwrap();
    // More instances than there are places: every place is used again, by another application.
    for app in 0..100 {
        let mut caller = caller();
        caller.app = format!("app{app}").as_str().into();
        let predicate = sandbox.predicate(&caller, "tiny", "{}").await;
        assert_eq!(
            predicate.map(|predicate| predicate.inputs().len()),
            Ok(0),
            "application {app}"
        );
    }
}
