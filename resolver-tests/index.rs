//! Pages, metadata and ranges from a loopback server.

mod support;

#[path = "index/transport.rs"]
mod transport;
