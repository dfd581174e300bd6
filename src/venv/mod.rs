//! The virtual environment that is changed. `Host`, path → `Environment`.

mod activate;
mod create;
mod environment;
mod error;
mod find;
mod installed;
mod record;
mod scheme;

pub use create::{BasePython, CreateOptions, create_for};
pub use environment::{Environment, create};
pub use error::VenvError;
pub use find::{Found, find};
pub use installed::{BrokenDistribution, DirectUrl, Installed, InstalledDistribution, MetadataFormat, list};
pub use record::{RecordEntry, RecordError, parse_record, write_record};
pub use scheme::{Flavour, Scheme};
