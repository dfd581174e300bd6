//! How downloads behave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::http::TwinHosts;

/// How downloads behave; the defaults serve, tests make everything smaller.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Connections in all.
    pub connections: usize,
    /// Bytes asked for by one request.
    pub segment: u64,
    /// How far, in bytes, one wheel may be ahead of its reader.
    pub window: u64,
    /// How far all wheels in flight together may be ahead of their readers.
    pub memory: u64,
    /// Wheels up to this size are fetched whole, by one request.
    pub whole: u64,
    /// Bytes of a larger wheel's end that are asked for first.
    pub tail: u64,
    /// How often a body that broke off is asked for again without one byte of progress.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each.
    pub backoff: Duration,
    /// Hosts that stand in for one another.
    pub twins: TwinHosts,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            segment: 4 << 20,
            window: 44 << 20,
            memory: 128 << 20,
            whole: 4 << 20,
            tail: 128 << 10,
            attempts: 5,
            backoff: Duration::from_millis(250),
            twins: TwinHosts::default(),
        }
    }
}

/// Says when to stop: the user interrupted, or another wheel failed.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    interrupted: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl Stop {
    /// Stops when `interrupted` is set.
    pub fn when(interrupted: Arc<AtomicBool>) -> Self {
        Self { interrupted, failed: Arc::default() }
    }

    /// Stops everything because something failed.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn requested(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }
}
