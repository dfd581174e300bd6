//! A wheel's bytes become an unpacked, verified tree in the cache. `WheelStream` → `UnpackedWheel`.

mod cache;
mod checkpoint;
mod error;
mod hasher;
mod index_file;
mod inflate;
mod judge;
mod known;
mod lock;
mod obtain;
mod record;
mod space;
mod staging;
mod unpack;
mod unpacked;

pub use cache::{Cache, Swept};
pub use error::{CacheError, WheelError};
pub use obtain::{ObtainOptions, obtain, staged_bytes};
pub use record::{Record, RecordError, RecordHash, RecordRow};
pub use space::FileSystem;
pub use unpacked::{UnpackedFile, UnpackedWheel};
