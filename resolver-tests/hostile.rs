//! Input made to break torchfix: parsers never panic and take bounded memory, and the solver ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

#[path = "hostile/allocations.rs"]
mod allocations;
#[path = "hostile/forest.rs"]
mod forest;
#[path = "hostile/parsers.rs"]
mod parsers;
#[path = "hostile/solver.rs"]
mod solver;
#[path = "hostile/targets.rs"]
mod targets;
