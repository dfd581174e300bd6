//! Pages, metadata and ranges from a loopback server.

mod support;

#[path = "index/metadata.rs"]
mod metadata;
#[path = "index/pages.rs"]
mod pages;
#[path = "index/transport.rs"]
mod transport;
