//! Detection against stub libraries and made-up system files.
#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "machine/gpus.rs"]
mod gpus;
#[cfg(target_os = "linux")]
#[path = "machine/interpreters.rs"]
mod interpreters;
#[cfg(windows)]
#[path = "machine/windows.rs"]
mod windows;
