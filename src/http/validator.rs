//! What tells that a file is still the one an earlier request saw.

use std::fmt;
use std::str::FromStr;

use reqwest::header::{DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

/// A strong validator, fit for `If-Range` (RFC 9110 section 13.1.5): a strong `ETag`, or a `Last-Modified` that is
/// surely older than the answer it came with.
///
/// Prints as the header's value and reads back from it, so that a resumed download can keep it in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Validator(String);

/// A string that is no strong validator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no strong validator")]
pub struct ParseValidatorError(String);

impl Validator {
    /// The strongest validator among the headers of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if let Some(etag) = text(ETAG) {
            // A weak ETag says that two answers are alike, not that they are the same bytes; a Last-Modified beside it
            // is then no better.
            return etag.parse().ok();
        }
        let modified = text(LAST_MODIFIED)?;
        // A date validates strongly only when the file has rested: within the same second it may have changed twice.
        let rested = seconds(text(DATE)?)?.checked_sub(seconds(modified)?)?;
        (rested >= 1).then(|| Self(modified.to_owned()))
    }

    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Validator {
    type Err = ParseValidatorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
        let tag =
            quoted && text.len() <= 1024 && text[1..text.len() - 1].bytes().all(|b| b > 0x20 && b != b'"' && b != 0x7f);
        if tag || seconds(text).is_some() {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseValidatorError(text.chars().take(80).collect()))
        }
    }
}

/// An HTTP date of the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`, as seconds that can be compared.
fn seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let fields: Vec<&str> = date.strip_suffix(" GMT")?.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second] = fields.as_slice() else { return None };
    let number = |text: &str, limit: u64| text.parse::<u64>().ok().filter(|number| *number <= limit);
    let month = MONTHS.iter().position(|name| name == month)? as u64;
    // Months of 31 days: the differences are not real time, but their signs are right, and so is anything within a day.
    let days = (number(year, 9999)? * 12 + month) * 31 + number(day, 31)?;
    Some(((days * 24 + number(hour, 23)?) * 60 + number(minute, 59)?) * 60 + number(second, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        Validator::of(&headers.collect()).map(|validator| validator.to_string())
    }

    #[test]
    fn only_strong_validators_count() {
        let (older, newer) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(of(&[("etag", "\"abc-7\"")]).as_deref(), Some("\"abc-7\""));
        assert_eq!(of(&[("etag", "W/\"abc\""), ("last-modified", older), ("date", newer)]), None);
        assert_eq!(of(&[("last-modified", older), ("date", newer)]).as_deref(), Some(older));
        assert_eq!(of(&[("last-modified", newer), ("date", newer)]), None);
        assert_eq!(of(&[("last-modified", older)]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_kept_reads_back() {
        for text in ["\"d41d8cd9-3\"", "\"\"", "Tue, 15 Nov 1994 12:45:26 GMT"] {
            assert_eq!(text.parse::<Validator>().unwrap().to_string(), text);
        }
        for bad in ["", "\"", "W/\"x\"", "\"a\nb\"", "\"a\"b\"", "yesterday"] {
            assert!(bad.parse::<Validator>().is_err(), "{bad}");
        }
    }
}
