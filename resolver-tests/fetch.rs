//! Downloads and unpacking from a loopback server, with faults.

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
