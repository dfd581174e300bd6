//! Things that are fetched once, however many ask for them at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Answers by key; whoever asks while an answer is on its way waits for it.
pub(super) struct Flights<K, V> {
    slots: Mutex<HashMap<K, Arc<OnceLock<V>>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Flights<K, V> {
    /// The answer for `key`, fetched by the first who asks.
    pub(super) fn once(&self, key: K, fetch: impl FnOnce() -> V) -> V {
        let slot = Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        slot.get_or_init(fetch).clone()
    }

    /// Whether somebody has asked for `key` before.
    pub(super) fn knows(&self, key: &K) -> bool {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn many_ask_and_one_fetches() {
        let (flights, fetched) = (Flights::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let answer = flights.once("key", || {
                        thread::yield_now();
                        fetched.fetch_add(1, Ordering::SeqCst)
                    });
                    assert_eq!(answer, 0);
                });
            }
        });
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        assert!(flights.knows(&"key") && !flights.knows(&"other"));
    }
}
