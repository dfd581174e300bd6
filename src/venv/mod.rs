//! The virtual environment that is changed. `Host`, path → `Environment`.

mod activate;
mod contents;
mod create;
mod environment;
mod error;
mod find;
mod installed;
mod new_environment;
mod record;
mod scheme;

pub use create::{BasePython, CreateOptions, create_for};
pub use environment::{Environment, create};
pub use error::VenvError;
pub use find::{Found, find};
pub use installed::{BrokenDistribution, DirectUrl, Installed, InstalledDistribution, MetadataFormat, list};
pub use new_environment::{Created, NewEnvironment};
pub(crate) use new_environment::{LOCK_NAME, OWN_FOLDER};
pub use record::{RecordEntry, RecordError, parse_record, write_record};
pub use scheme::{Flavour, Scheme};
