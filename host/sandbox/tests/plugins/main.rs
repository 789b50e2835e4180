//! The sandbox with real components: first-party plugins, guests that misbehave
//! (`tests/fixtures/bad`), and small ones written in WebAssembly text.

#[cfg(test)]
mod channels;
#[cfg(test)]
mod install;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod personalizers;
#[cfg(test)]
mod predicates;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wat_guests;
