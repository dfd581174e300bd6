//! The ZIP format as wheels use it, and nothing more: one reading or none. Bytes by range → judged entries.
//!
//! The central directory is the authority. What two readers could take for two different archives is refused: see
//! [`CentralDirectory::judge`] and [`judge_local_header`].

mod directory;
mod end;
mod error;
mod fields;
mod local;
mod name;

pub use directory::{CentralDirectory, Entry, Method};
pub use end::TAIL;
pub use error::ZipError;
pub use local::{LOCAL_HEADER, LocalHeader, judge_descriptor, judge_local_header};
