//! What was served so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

/// Counters over the life of the server; a reader takes differences.
#[derive(Default)]
pub struct Stats {
    connections: AtomicU64,
    requests: AtomicU64,
    page_bytes: AtomicU64,
    file_bytes: Mutex<BTreeMap<String, u64>>,
}

impl Stats {
    /// A client connected.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A request came in.
    pub fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Body bytes of a page or of metadata were sent.
    pub fn sent_page(&self, bytes: usize) {
        self.page_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of a wheel were sent; counted as they go, so that a broken transfer counts for what the socket took.
    pub fn sent_file(&self, name: &str, bytes: u64) {
        let mut files = self.file_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match files.get_mut(name) {
            Some(count) => *count += bytes,
            None => drop(files.insert(name.to_owned(), bytes)),
        }
    }

    /// All counters as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let files = self.file_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "connections": self.connections.load(Ordering::Relaxed),
            "requests": self.requests.load(Ordering::Relaxed),
            "page_bytes": self.page_bytes.load(Ordering::Relaxed),
            "file_bytes": files.values().sum::<u64>(),
            "files": &*files,
        })
        .to_string()
        .into_bytes()
    }
}
