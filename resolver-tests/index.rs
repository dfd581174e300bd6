//! Pages and metadata from a loopback server.

mod support;
