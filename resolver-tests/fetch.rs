//! Downloads and unpacking from a loopback server, with faults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it panics")]

mod support;

#[path = "fetch/archives.rs"]
mod archives;
#[path = "fetch/cached.rs"]
mod cached;
#[path = "fetch/download.rs"]
mod download;
#[path = "fetch/resume.rs"]
mod resume;
#[path = "fetch/setup.rs"]
mod setup;
