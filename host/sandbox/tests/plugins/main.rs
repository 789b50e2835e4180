//! The sandbox with real components: first-party plugins, guests that misbehave
//! (`tests/fixtures/bad`), and small ones written in WebAssembly text.

mod channels;
mod install;
mod limits;
mod mail;
mod personalizers;
mod predicates;
mod support;
mod wat_guests;
