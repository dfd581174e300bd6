//! Libraries of the system that are opened while running; all `unsafe` code of torchfix lies in here.
#![allow(unsafe_code, reason = "calling into NVIDIA's libraries and the C library has no safe form")]

pub mod cuda;
mod holders;
mod library;
pub mod nvml;

pub use holders::programs_using;
pub use library::{OPENS_LIBRARIES, running_glibc};
