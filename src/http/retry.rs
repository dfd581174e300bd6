//! How long to wait before asking again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// A server that asks for more patience than this is not waited for any longer than this.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether a status may be gone at the next attempt.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 507..=599)
}

/// The pause before attempt number `attempt` (the first retry is 1): what the server asks for, else twice as long each
/// time, and a random part so that many clients do not come back at once.
pub(super) fn pause(base: Duration, attempt: u32, headers: Option<&HeaderMap>) -> Duration {
    let asked = headers
        .and_then(|headers| headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let backoff = base.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
    (asked.unwrap_or(Duration::ZERO).max(backoff) + base.mul_f64(fraction())).min(LONGEST)
}

/// A number from 0 up to 1 that differs from call to call.
fn fraction() -> f64 {
    let random = RandomState::new().hash_one(());
    f64::from((random >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let base = Duration::from_millis(100);
        let third = pause(base, 3, None);
        assert!((base * 4..base * 5).contains(&third), "{third:?}");
        assert_eq!(pause(base, 40, None), LONGEST);
    }

    #[test]
    fn the_server_is_heard() {
        let headers = |value| HeaderMap::from_iter([(RETRY_AFTER, reqwest::header::HeaderValue::from_static(value))]);
        let pause = |value| pause(Duration::from_millis(1), 1, Some(&headers(value)));
        assert!(pause("2") >= Duration::from_secs(2));
        assert_eq!(pause("86400"), LONGEST);
        assert!(pause("Sun, 06 Nov 1994 08:49:37 GMT") < Duration::from_secs(1));
    }
}
