//! Makes the plugin of a case: from text, from bytes, or from what `cargo xtask build-plugins` built.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::component;

/// Where a plugin comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Guest {
    /// Built by `cargo xtask build-plugins`: `bad/puppet`.
    Built(String),
    /// A predicate whose exports have these bodies.
    Predicate(Predicate),
    /// A personalizer whose exports have these bodies.
    Personalizer(Personalizer),
    /// A component as text.
    Component(Text),
    /// The bytes of a file.
    Bytes(Raw),
}

/// Text with repeated parts, and what is put behind it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// WebAssembly text; lines may be a list.
    wat: Lines,
    /// `$NAME$` stands for so many copies of a text, in which `#` is the number of the copy.
    #[serde(default)]
    repeat: BTreeMap<String, (usize, String)>,
    /// The manifest; none if absent.
    #[serde(default)]
    manifest: Option<Value>,
}

/// A predicate of a few instructions. The 12 bytes at 16 are `ok` of an empty list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    #[serde(flatten)]
    shared: Shared,
    /// Leaves the address of a `result<list<column-spec>, string>`.
    #[serde(default = "empty_list")]
    inputs: Lines,
    /// Leaves the address of a `result<_, string>`.
    #[serde(default = "empty_list")]
    begin: Lines,
    /// Leaves the address of a `result<list<u8>, string>`; parameter 0 is the number of rows.
    #[serde(default = "empty_list")]
    evaluate: Lines,
}

/// A personalizer of a few instructions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personalizer {
    #[serde(flatten)]
    shared: Shared,
    /// Leaves the address of a `result<list<column-spec>, string>`.
    #[serde(default = "empty_list")]
    outputs: Lines,
    /// Leaves the address of a `result<personalized, string>`; parameter 3 is the number of rows.
    #[serde(default = "empty_list")]
    personalize: Lines,
}

#[derive(Debug, Deserialize)]
struct Shared {
    /// Imports, memory, tables, data, other functions.
    #[serde(default = "one_page")]
    fields: Lines,
    /// Body of `cabi_realloc`.
    #[serde(default = "realloc")]
    realloc: Lines,
    /// As in [`Text`].
    #[serde(default)]
    repeat: BTreeMap<String, (usize, String)>,
    /// Members that replace those of the manifest.
    #[serde(default)]
    manifest: BTreeMap<String, Value>,
    /// Packages with more interfaces.
    #[serde(default)]
    wit: Option<Lines>,
    /// Interfaces that are imported besides.
    #[serde(default)]
    imports: Vec<String>,
    /// `utf8` or `utf16`.
    #[serde(default)]
    strings: Option<String>,
    /// A custom section with so many bytes of a text, over and over.
    #[serde(default)]
    section: Option<(String, String, usize)>,
}

/// Bytes of a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Raw {
    /// As text.
    Text(String),
    /// As hexadecimal digits.
    Hex(String),
    /// So many zeros behind the eight bytes that a component begins with.
    Zeros(usize),
    /// A built component cut after so many hundredths.
    Cut { built: String, percent: usize },
    /// A built component with every 97th byte changed.
    Garbled(String),
    /// A built component, compiled to native code by somebody else.
    Cwasm(String),
    /// So many components, each inside the one before.
    Nested(usize),
}

/// Text, in one piece or as lines.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Lines {
    /// In one piece.
    One(String),
    /// As lines.
    Many(Vec<String>),
}

impl Lines {
    fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(lines) => lines.join("\n"),
        }
    }
}

fn one_page() -> Lines {
    Lines::One(r#"(memory (export "memory") 1)"#.to_owned())
}

fn realloc() -> Lines {
    Lines::One("(i32.const 1024)".to_owned())
}

fn empty_list() -> Lines {
    Lines::One("(i32.const 16)".to_owned())
}

/// The name under which plugins made of text are installed.
pub const NAME: &str = "hostile";

impl Guest {
    /// The name under which it is installed, and its file.
    pub fn build(&self) -> (String, Bytes) {
        match self {
            Self::Built(path) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                (name.to_owned(), component(path))
            }
            Self::Predicate(guest) => (NAME.to_owned(), guest.build().into()),
            Self::Personalizer(guest) => (NAME.to_owned(), guest.build().into()),
            Self::Component(text) => {
                let wat = repeated(&text.wat.text(), &text.repeat);
                let mut bytes = wat::parse_str(wat).expect("the text of the corpus is WebAssembly");
                if let Some(manifest) = &text.manifest {
                    append_section(&mut bytes, "pinion-manifest", manifest.to_string().as_bytes());
                }
                (NAME.to_owned(), bytes.into())
            }
            Self::Bytes(raw) => (NAME.to_owned(), raw.bytes().into()),
        }
    }
}

impl Predicate {
    /// A good one: what serves before a bad one comes.
    pub fn good() -> Vec<u8> {
        serde_json::from_str::<Self>("{}")
            .expect("all is optional")
            .build()
    }

    fn build(&self) -> Vec<u8> {
        let (inputs, begin, evaluate) = (self.inputs.text(), self.begin.text(), self.evaluate.text());
        let exports = format!(
            r#"(func $inputs (export "pinion:predicate/predicate@0.1.0#inputs")
                (param i32 i32) (result i32) (local $at i32) {inputs})
            (func (export "pinion:predicate/predicate@0.1.0#begin")
                (param i32 i32 i64 i32 i32) (result i32) (local $at i32) {begin})
            (func (export "pinion:predicate/predicate@0.1.0#evaluate")
                (param i32 i32 i32) (result i32) (local $at i32) {evaluate})"#
        );
        self.shared.build("predicate", &exports)
    }
}

impl Personalizer {
    fn build(&self) -> Vec<u8> {
        let (outputs, personalize) = (self.outputs.text(), self.personalize.text());
        let exports = format!(
            r#"(func (export "pinion:personalizer/personalizer@0.1.0#inputs")
                (param i32 i32) (result i32) (i32.const 16))
            (func (export "pinion:personalizer/personalizer@0.1.0#outputs")
                (param i32 i32) (result i32) (local $at i32) {outputs})
            (func (export "pinion:personalizer/personalizer@0.1.0#personalize")
                (param i32 i32 i64 i32 i32 i32) (result i32) (local $at i32) {personalize})"#
        );
        self.shared.build("personalizer", &exports)
    }
}

impl Shared {
    fn build(&self, kind: &str, exports: &str) -> Vec<u8> {
        let (fields, realloc) = (self.fields.text(), self.realloc.text());
        let module = format!(
            r#"(module {fields}
                (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                {exports})"#
        );
        let module = repeated(&module, &self.repeat);
        let mut module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
        let mut resolve = Resolve::default();
        let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        let (package, _) = resolve.push_dir(wit).expect("our own WIT");
        let mut world = resolve
            .select_world(&[package], Some(&format!("{kind}-plugin")))
            .expect("a world of ours");
        if self.wit.is_some() || !self.imports.is_empty() {
            let more = self.wit.as_ref().map_or_else(String::new, Lines::text);
            let imports: String = self
                .imports
                .iter()
                .map(|name| format!("import {name};\n"))
                .collect();
            let text = format!(
                "package hostile:guest;\nworld hostile {{ include pinion:plugin/{kind}-plugin@0.1.0;\n{imports} }}\n{more}"
            );
            let hostile = resolve.push_str("hostile.wit", &text).expect("WIT of the corpus");
            world = resolve
                .select_world(&[hostile], Some("hostile"))
                .expect("its world");
        }
        let strings = match self.strings.as_deref() {
            Some("utf16") => StringEncoding::UTF16,
            _ => StringEncoding::UTF8,
        };
        embed_component_metadata(&mut module, &resolve, world, strings).expect("metadata");
        let mut encoder = ComponentEncoder::default();
        encoder.validate(false);
        encoder
            .module(&module)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let mut component = encoder.encode().unwrap_or_else(|error| panic!("{error:#}"));
        let mut manifest = serde_json::json!({"name": NAME, "version": "1", "kind": kind});
        for (member, value) in &self.manifest {
            manifest[member] = value.clone();
        }
        append_section(&mut component, "pinion-manifest", manifest.to_string().as_bytes());
        if let Some((name, text, bytes)) = &self.section {
            let data: Vec<u8> = text.bytes().cycle().take(*bytes).collect();
            append_section(&mut component, name, &data);
        }
        component
    }
}

impl Raw {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex(digits) => hex::decode(digits.replace(' ', "")).expect("hexadecimal digits"),
            Self::Zeros(bytes) => {
                let mut file = b"\0asm\x0d\0\x01\0".to_vec();
                file.resize(*bytes, 0);
                file
            }
            Self::Cut { built, percent } => {
                let file = component(built);
                file[..file.len() * percent / 100].to_vec()
            }
            Self::Garbled(built) => {
                let mut file = component(built).to_vec();
                file.iter_mut().skip(8).step_by(97).for_each(|byte| *byte ^= 0x5a);
                file
            }
            Self::Nested(depth) => {
                // Written from the inside, backwards: prepending would copy it all for each level.
                let mut backwards = Vec::new();
                for level in 0..*depth {
                    if level > 0 {
                        let mut head = vec![4];
                        append_number(&mut head, backwards.len());
                        backwards.extend(head.into_iter().rev());
                    }
                    backwards.extend(b"\0asm\x0d\0\x01\0".iter().rev());
                }
                backwards.reverse();
                backwards
            }
            Self::Cwasm(built) => {
                // Native code of another program, as an attacker would offer it.
                let engine = wasmtime::Engine::default();
                engine
                    .precompile_component(&component(built))
                    .expect("a component of ours compiles")
            }
        }
    }
}

fn repeated(text: &str, repeat: &BTreeMap<String, (usize, String)>) -> String {
    let mut text = text.to_owned();
    for (name, (times, part)) in repeat {
        let copies: String = (0..*times).map(|n| part.replace('#', &n.to_string())).collect();
        text = text.replace(&format!("${name}$"), &copies);
    }
    text
}

/// A custom section: 0, size, length of the name, name, data.
fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    component.push(0);
    append_number(component, 1 + name.len() + data.len());
    append_number(component, name.len());
    component.extend_from_slice(name.as_bytes());
    component.extend_from_slice(data);
}

/// LEB128.
fn append_number(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}
