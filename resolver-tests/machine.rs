//! Detection against stub libraries and made-up system files.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "machine/gpus.rs"]
mod gpus;
#[path = "machine/interpreters.rs"]
mod interpreters;
