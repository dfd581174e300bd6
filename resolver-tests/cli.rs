//! The command line: the binary from outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "cli/disks.rs"]
mod disks;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/faults.rs"]
mod faults;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/install.rs"]
mod install;
#[path = "cli/kill.rs"]
mod kill;
#[path = "cli/manifests.rs"]
mod manifests;
#[path = "cli/requirements.rs"]
mod requirements;
mod support;
#[path = "cli/usage.rs"]
mod usage;
