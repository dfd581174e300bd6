//! A speed limit for one TCP connection.

use std::thread;
use std::time::{Duration, Instant};

/// What a connection may have in hand after it was idle.
const BURST: Duration = Duration::from_millis(100);

/// A token bucket that lives as long as its connection, so that many small ranges on it are no faster than a big one.
pub struct Throttle {
    bytes_per_second: u64,
    /// Up to when the bytes sent so far use the line.
    paid_until: Instant,
}

impl Throttle {
    /// A bucket that starts empty.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, paid_until: Instant::now() }
    }

    /// Waits until `bytes` more may leave.
    pub fn pay(&mut self, bytes: u64) {
        let now = Instant::now();
        self.paid_until = self.charge(now, bytes);
        thread::sleep(self.paid_until.saturating_duration_since(now));
    }

    /// Up to when the line is in use once `bytes` more are sent from `now` on.
    #[allow(clippy::cast_precision_loss, reason = "a slice is far below 2^52 bytes")]
    fn charge(&self, now: Instant, bytes: u64) -> Instant {
        let oldest = now.checked_sub(BURST).unwrap_or(now);
        self.paid_until.max(oldest) + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cost_time_and_idling_saves_up_a_tenth_of_a_second() {
        let start = Instant::now();
        let mut throttle = Throttle { bytes_per_second: 1000, paid_until: start };
        throttle.paid_until = throttle.charge(start, 500);
        throttle.paid_until = throttle.charge(start, 500);
        assert_eq!(throttle.paid_until, start + Duration::from_secs(1));
        let later = start + Duration::from_secs(10);
        assert_eq!(throttle.charge(later, 1000), later + Duration::from_millis(900));
    }
}
