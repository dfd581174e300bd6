//! Wheels arrive: parallel ranges into a bounded window, read in order. `LockedWheel` → `WheelStream`.

mod error;
mod options;
mod pull;
mod ranges;
mod source;
mod stream;
mod window;

pub use crate::http::Client;
pub use error::FetchError;
pub use options::{FetchOptions, Stop};
pub use ranges::Connections;
pub use source::{LocalFile, RangeSource, Remote, Reply, identity_of};
pub use stream::WheelStream;
