//! Stories told through the whole server: in this process, and with the real binary where it must die.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bad_input;
mod harness;
mod plugin_commands;
mod plugins;
mod restart;
mod send;
mod storage;
