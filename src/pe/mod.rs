//! Windows DLLs as the system's loader reads them, and nothing more. Bytes by range → [`PeImage`].
//!
//! It stands beside `zip` because two stages that do not know each other need it: `machine` reads the versions of the
//! C runtime out of files, `loader` what DLLs import and export. A DLL of torch may be a gigabyte and may be damaged or
//! hostile: only the ranges that are needed are read, and what a header says is held against what there is.

#[cfg(test)]
#[path = "../../resolver-tests/support/pe.rs"]
pub(crate) mod builder;
mod exports;
mod fault;
mod headers;
mod image;
mod imports;
mod ranges;
mod version;

pub use exports::{Export, Exports, Target};
pub use fault::PeFault;
pub use headers::{LinkerVersion, PeMachine};
pub use image::{PeImage, file_version_of};
pub use imports::{ImportedLibrary, MOST_NAME_BYTES, Symbol};
