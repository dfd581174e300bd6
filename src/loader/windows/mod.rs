//! The loader of Windows, replayed: which file each DLL's name means, in the order that `import torch` opens them.
//!
//! For a plain name: API sets, which are no files; what is loaded under it; DLLs that come from System32 alone; then the
//! folders of the regime. With flags, as Python and torch open DLLs: the folder of the DLL that was opened, the program's,
//! those that were added, System32. Without: the program's, System32, Windows, the working directory, `PATH`. What is
//! not modelled: `.local` redirection, manifests with dependent assemblies, application-control policies, hooks, memory
//! limits, and what a program does with search paths on its own.
//!
//! <https://learn.microsoft.com/en-us/windows/win32/dlls/dynamic-link-library-search-order>

mod attempt;
mod copies;
mod files;
mod folders;
mod judge;
mod process;
mod replay;
mod setting;

pub use files::{DllFiles, FolderEntry};
pub use replay::predict;
pub use setting::{Setting, TorchBuild};
