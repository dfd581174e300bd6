//! A wheel's bytes become an unpacked, verified tree in the cache. `WheelStream` → `UnpackedWheel`.

mod unpacked;

pub use unpacked::{UnpackedFile, UnpackedWheel};
