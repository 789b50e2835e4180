//! Everything that leaves the machine on behalf of a plugin. All of it connects through [`guard`].

pub mod guard;
pub mod http;
pub mod smtp;
