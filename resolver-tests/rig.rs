//! The whole product on Windows: a real Python, real builds of torch, NVIDIA's real DLLs.
//!
//! `scripts/windows-rig` lays them out and runs this; its folder is in `WINDOWS_RIG`. Without that the tests say that they
//! are skipped.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "rig/computes.rs"]
mod computes;
#[path = "rig/files.rs"]
mod files;
#[path = "rig/libraries.rs"]
mod libraries;
#[path = "rig/place.rs"]
mod place;
mod support;
