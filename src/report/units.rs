//! Numbers as people read them.

/// A number of bytes in decimal units, three digits at most: `899 MB`, `3.7 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit > 0 && value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let cases = [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (899_821_446, "900 MB"), (3_712_345_678, "3.7 GB")];
        for (value, text) in cases {
            assert_eq!(bytes(value), text);
        }
        assert_eq!(bytes(999_999_999), "1.0 GB");
        assert!(bytes(u64::MAX).ends_with(" TB"));
    }
}
