//! How a request came. Whoever listens says so by an extension of the request.

use std::net::IpAddr;

/// The connection of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The client's address; a socket of the same machine has none.
    pub peer: Option<IpAddr>,
    /// Did nobody between the client and the server read along?
    pub secure: bool,
}
