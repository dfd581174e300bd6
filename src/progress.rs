//! How stages tell what they are doing without knowing who listens.

use crate::vocab::WheelName;

/// A running task, as the reporter numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// Hears of the work as it goes; `()` hears nothing.
pub trait Reporter: Sync {
    /// Bytes in all that the next downloads come to, where known.
    fn downloads_planned(&self, _count: usize, _bytes: Option<u64>) {}
    /// A wheel begins to arrive; `bytes` is its size, `resumed` of which an earlier run had.
    fn download_started(&self, _artifact: &WheelName, _bytes: Option<u64>, _resumed: u64) -> TaskId {
        TaskId(0)
    }
    /// `bytes` more have arrived.
    fn download_advanced(&self, _task: TaskId, _bytes: u64) {}
    /// The wheel is unpacked and verified.
    fn download_finished(&self, _task: TaskId) {}
    /// A stage begins that takes noticeable time and has no size: `resolving`, `linking 24 wheels`.
    fn stage(&self, _what: &str) {}
    /// Something the user should know that stops nothing.
    fn warning(&self, _message: &str) {}
    /// A detail for `-v`.
    fn detail(&self, _message: &str) {}
}

impl Reporter for () {}
