//! Pages, metadata and ranges from a loopback server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

mod support;

#[path = "index/metadata.rs"]
mod metadata;
#[path = "index/pages.rs"]
mod pages;
#[path = "index/replica.rs"]
mod replica;
#[path = "index/transport.rs"]
mod transport;
