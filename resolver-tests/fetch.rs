//! Downloads and unpacking from a loopback server, with faults.

mod support;
