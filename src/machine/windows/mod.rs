//! What only Windows has: the registry, its folders, and the facts that come from both.
//!
//! All of it compiles and is tested on every system; only the reading of the real registry is Windows' own.

mod facts;
mod folders;
pub mod json;
mod read;
pub mod registry;

pub use facts::{SystemLibrary, VcRuntime, WindowsFacts, WindowsSources};
pub use folders::{driver_stores, program_files, system_folder};
pub use read::{arch, facts, os_version};
