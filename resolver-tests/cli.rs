//! The command line: the binary from outside.

mod support;
