//! What the system's loader will do, and does, with torch's libraries. `Environment`, `Machine` → `LoadReport`, `LiveReport`.

mod elf;
mod error;
mod graph;
mod live;
mod live_report;
mod load_report;
mod optional;
mod predict;
mod protocol;
mod search;
mod verdict;

pub use elf::{ElfFault, ElfImage, VersionNeed};
pub use error::LoaderError;
pub use graph::{LibraryFiles, Process};
pub use live::{DEFAULT_TIMEOUT, LiveRequest, check_live};
pub use live_report::{DeviceResult, LibraryFailure, LiveEnd, LiveReport, Stage};
pub use load_report::{LibraryReport, LoadReport, Need, Problem};
pub use predict::{StaticRequest, check_static};
pub use search::SearchPaths;
pub use verdict::{BrokenReason, CpuReason, Verdict};
