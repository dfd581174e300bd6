//! What the system's loader will do, and does, with torch's libraries. `Environment`, `Machine` → `LoadReport`, `LiveReport`.

mod error;
mod live;
mod optional;
mod protocol;
mod verdict;

pub use error::LoaderError;
pub use live::{DEFAULT_TIMEOUT, LiveRequest, check_live};
pub use verdict::{BrokenReason, CpuReason, DeviceResult, LibraryFailure, LiveEnd, LiveReport, Stage, Verdict};
