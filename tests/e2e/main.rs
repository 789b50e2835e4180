//! Stories told through the whole server: in this process, and with the real binary where it must die.

mod bad_input;
mod harness;
mod plugins;
mod restart;
mod send;
mod storage;
