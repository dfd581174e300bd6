//! The `torchfix` program.
fn main() {}
