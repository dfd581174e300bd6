//! Byte ranges, as RFC 9110 section 14 has them.

use super::error::WrongRange;

/// The part of a file that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From `first` up to, without, `end`.
    Span {
        /// The first byte.
        first: u64,
        /// The byte after the last one.
        end: u64,
    },
    /// The last so many bytes, or the whole file where it is shorter.
    Last(u64),
    /// From this byte to the end.
    From(u64),
}

/// The part of a file that a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The range asked for (status 206).
    Part {
        /// The first byte.
        first: u64,
        /// The byte after the last one.
        end: u64,
        /// The size of the whole file.
        total: u64,
    },
    /// The whole file: the server does not do ranges, or the file is no longer the one the validator was for.
    Whole {
        /// Its size, where the server says.
        size: Option<u64>,
    },
}

impl Span {
    /// The length of the body, where known.
    pub fn length(&self) -> Option<u64> {
        match *self {
            Span::Part { first, end, .. } => Some(end - first),
            Span::Whole { size } => size,
        }
    }

    /// The size of the whole file, where known.
    pub fn total(&self) -> Option<u64> {
        match *self {
            Span::Part { total, .. } => Some(total),
            Span::Whole { size } => size,
        }
    }
}

impl ByteRange {
    /// The value of the `Range` header.
    pub(super) fn header(&self) -> String {
        match *self {
            ByteRange::Span { first, end } => format!("bytes={first}-{}", end.saturating_sub(1)),
            ByteRange::Last(count) => format!("bytes=-{count}"),
            ByteRange::From(first) => format!("bytes={first}-"),
        }
    }

    /// The bytes this is in a file of `total` bytes: first and end; `None` where it has none of them.
    pub(super) fn within(&self, total: u64) -> Option<(u64, u64)> {
        let (first, end) = match *self {
            ByteRange::Span { first, end } => (first, end.min(total)),
            ByteRange::Last(count) => (total.saturating_sub(count), total),
            ByteRange::From(first) => (first, total),
        };
        (first < end).then_some((first, end))
    }

    /// The span that a `Content-Range` header says, if it is exactly this range.
    pub(super) fn check(&self, content_range: &str) -> Result<Span, WrongRange> {
        let (first, last, total) = parse(content_range).ok_or(WrongRange::Unreadable)?;
        let end = last.checked_add(1).ok_or(WrongRange::Unreadable)?;
        if self.within(total) == Some((first, end)) {
            Ok(Span::Part { first, end, total })
        } else {
            Err(WrongRange::Other { got: content_range.chars().take(80).collect() })
        }
    }
}

/// The size in the `Content-Range: bytes */1234` of a 416 answer.
pub(super) fn total_of_unsatisfied(content_range: &str) -> Option<u64> {
    number(content_range.trim().strip_prefix("bytes")?.trim_start().strip_prefix("*/")?)
}

/// `bytes 0-99/1234`. A total of `*` is not accepted: no server of files needs it, and a range cannot be held
/// against it.
fn parse(content_range: &str) -> Option<(u64, u64, u64)> {
    let (span, total) = content_range.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    Some((number(first)?, number(last)?, number(total)?))
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_range_asked_for_is_taken() {
        let range = ByteRange::Span { first: 10, end: 20 };
        assert_eq!(range.header(), "bytes=10-19");
        assert_eq!(range.check("bytes 10-19/100"), Ok(Span::Part { first: 10, end: 20, total: 100 }));
        assert_eq!(range.check("bytes 10-14/15"), Ok(Span::Part { first: 10, end: 15, total: 15 }));
        for other in ["bytes 10-18/100", "bytes 0-9/100", "bytes 10-20/100", "bytes 11-19/100"] {
            assert!(matches!(range.check(other), Err(WrongRange::Other { .. })), "{other}");
        }
        for bad in ["", "10-19/100", "bytes 10-19/*", "bytes +10-19/100", "bytes 10-18446744073709551615/100"] {
            assert_eq!(range.check(bad), Err(WrongRange::Unreadable), "{bad}");
        }
    }

    #[test]
    fn ends_of_files() {
        assert_eq!(ByteRange::Last(10).check("bytes 90-99/100"), Ok(Span::Part { first: 90, end: 100, total: 100 }));
        assert_eq!(ByteRange::Last(10).check("bytes 0-4/5"), Ok(Span::Part { first: 0, end: 5, total: 5 }));
        assert_eq!(ByteRange::From(90).check("bytes 90-99/100"), Ok(Span::Part { first: 90, end: 100, total: 100 }));
        assert_eq!(ByteRange::From(100).within(100), None);
        assert_eq!(total_of_unsatisfied("bytes */100"), Some(100));
    }
}
