//! What the system's loader will do, and does, with torch's libraries. `Environment`, `Machine` → `LoadReport`, `LiveReport`.

mod dll_files;
mod elf;
mod error;
mod fix;
mod graph;
mod live;
mod live_report;
mod load_report;
mod optional;
mod predict;
mod predict_windows;
mod problem;
mod protocol;
mod search;
mod verdict;
pub mod windows;

pub use elf::{ElfFault, ElfImage, VersionNeed};
pub use error::LoaderError;
pub use fix::{Fix, Fixes, Left, fixes};
pub use graph::{LibraryFiles, Process};
pub use live::{DEFAULT_TIMEOUT, LiveRequest, check_live};
pub use live_report::{DeviceResult, LibraryFailure, LiveEnd, LiveReport, Stage};
pub use load_report::{LibraryCopy, LibraryReport, LibrarySurroundings, LoadReport, Need, Predicted};
pub use predict::{StaticRequest, check_static};
pub use problem::{Problem, VersionedFile};
pub use search::SearchPaths;
pub use verdict::{BrokenReason, CpuReason, Verdict};
