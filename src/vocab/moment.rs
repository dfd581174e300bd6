//! Moments in time, as indexes and manifests write them.

use std::fmt;
use std::str::FromStr;

/// A moment, to the microsecond: `2025-10-15T17:20:03.5Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Since 1970 began in UTC.
    microseconds: i64,
}

/// A text that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a moment such as `2025-10-15T12:00:00Z` nor a day such as `2025-10-15`")]
pub struct ParseMomentError(String);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Moment {
    /// The moment at which a day (`2025-10-15`) begins in UTC.
    pub fn of_day(text: &str) -> Option<Self> {
        let (year, month, day) = date(text)?;
        Some(Self { microseconds: days_since_1970(year, month, day) * DAY })
    }

    /// A moment, or the end of a day: what `--exclude-newer` takes. A day counts whole, as uv takes it.
    pub fn bound(text: &str) -> Result<Self, ParseMomentError> {
        match Self::of_day(text.trim()) {
            Some(begin) => Ok(Self { microseconds: begin.microseconds + DAY }),
            None => text.parse(),
        }
    }
}

/// RFC 3339, with any offset.
impl FromStr for Moment {
    type Err = ParseMomentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMomentError(text.chars().filter(|c| !c.is_control()).take(80).collect());
        parse(text.trim()).ok_or_else(error)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.microseconds.div_euclid(DAY));
        let rest = self.microseconds.rem_euclid(DAY);
        let (seconds, fraction) = (rest / SECOND, rest % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

fn parse(text: &str) -> Option<Moment> {
    let (day, rest) = text.split_at_checked(10)?;
    let day = Moment::of_day(day)?.microseconds;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let (hour, minute, second) = clock_time(clock)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, offset) = rest.split_at(end);
            (microseconds(digits)?, offset)
        }
        None => (0, rest),
    };
    let offset = match offset {
        "Z" | "z" => 0,
        _ => {
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = offset.strip_prefix(['+', '-'])?.split_once(':')?;
            let (hours, minutes) = (number(hours, 2, 23)?, number(minutes, 2, 59)?);
            sign * (hours * 3600 + minutes * 60)
        }
    };
    let seconds = hour * 3600 + minute * 60 + second - offset;
    Some(Moment { microseconds: day + seconds * SECOND + fraction })
}

fn date(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (number(year, 4, 9999)?, number(month, 2, 12)?, number(day, 2, 31)?);
    let valid = parts.next().is_none() && month > 0 && day > 0 && day <= days_in(year, month);
    valid.then_some((year, month, day))
}

fn clock_time(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(':');
    // A leap second counts as the next one.
    let (hour, minute, second) =
        (number(parts.next()?, 2, 23)?, number(parts.next()?, 2, 59)?, number(parts.next()?, 2, 60)?);
    parts.next().is_none().then_some((hour, minute, second))
}

/// The digits after a point; what is finer than a microsecond is cut off.
fn microseconds(digits: &str) -> Option<i64> {
    let kept = digits.get(..digits.len().min(6)).filter(|kept| !kept.is_empty())?;
    format!("{kept:0<6}").parse().ok()
}

fn number(text: &str, digits: usize, most: i64) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number <= most)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years are counted from March, so that the day that comes and goes is the last one.
///
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let (month, day) = ((from_march + 2) % 12 + 1, day_of_year - (153 * from_march + 2) / 5 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        text.parse::<Moment>().ok().map(|moment| moment.to_string())
    }

    #[test]
    fn the_forms_that_indexes_write() {
        assert_eq!(shown("2026-04-23T01:02:03Z").as_deref(), Some("2026-04-23T01:02:03Z"));
        assert_eq!(shown("2024-01-01T00:00:00.123456Z").as_deref(), Some("2024-01-01T00:00:00.123456Z"));
        assert_eq!(shown("2024-02-29T23:59:59.1234567+00:00").as_deref(), Some("2024-02-29T23:59:59.123456Z"));
        assert_eq!(shown("2024-01-01T01:30:00+02:00").as_deref(), Some("2023-12-31T23:30:00Z"));
        assert_eq!(shown("2024-01-01 00:00:00z").as_deref(), Some("2024-01-01T00:00:00Z"));
        assert_eq!(shown("1969-12-31T23:59:59-00:30").as_deref(), Some("1970-01-01T00:29:59Z"));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "2024",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-00-10T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00Zé",
            "2024-1-1T00:00:00Z",
            "yesterday",
            "7 days",
            "é024-01-01T00:00:00Z",
        ] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_counts_whole_where_it_bounds() {
        let moment = |text: &str| text.parse::<Moment>().unwrap();
        assert_eq!(Moment::bound("2025-10-15"), Ok(moment("2025-10-16T00:00:00Z")));
        assert_eq!(Moment::bound("2025-12-31"), Ok(moment("2026-01-01T00:00:00Z")));
        assert_eq!(Moment::bound("2025-10-15T00:00:00Z"), Ok(moment("2025-10-15T00:00:00Z")));
        assert_eq!(Moment::of_day("2025-10-15"), Some(moment("2025-10-15T00:00:00Z")));
        assert!(Moment::bound("7 days").unwrap_err().to_string().contains("`7 days`"));
    }

    proptest! {
        #[test]
        fn moments_round_trip(microseconds in -2_208_988_800_000_000_i64..=253_402_300_799_999_999) {
            let moment = Moment { microseconds };
            prop_assert_eq!(moment.to_string().parse::<Moment>(), Ok(moment));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", digits in "[0-9T:Z.+ -]{0,40}") {
            let _ = (text.parse::<Moment>(), Moment::bound(&digits), digits.parse::<Moment>());
        }
    }
}
