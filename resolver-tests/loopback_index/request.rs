//! The part of HTTP/1.1 that clients of a package index send.

use std::io::{self, BufRead, Read as _};
use std::ops::Range;

/// The longest request head that is read.
const MAX_HEAD: u64 = 64 * 1024;

/// One request without its body (`GET` and `HEAD` have none).
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    /// `GET` or `HEAD`, or what is refused.
    pub method: String,
    /// The path, percent-decoded, without its query.
    pub path: String,
    /// Header names in lower case, with their values.
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads one request; `None` when the client has closed the connection.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = reader.take(MAX_HEAD);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let mut request = Self { method: method.to_owned(), path: percent_decode(path), headers: Vec::new() };
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                return Ok(Some(request));
            }
            if let Some((name, value)) = line.split_once(':') {
                request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection ends after the answer.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Which bytes of a file of `size` bytes with this `etag` are wanted.
    pub fn span(&self, size: u64, etag: &str) -> Span {
        match self.header("range") {
            Some(range) if self.header("if-range").is_none_or(|validator| validator == etag) => {
                Span::parse(range, size)
            }
            _ => Span::Whole,
        }
    }
}

/// The bytes of a file that a request wants.
#[derive(Debug, PartialEq)]
pub enum Span {
    /// All of it: no range, one that is not understood, or one whose `If-Range` does not hold.
    Whole,
    /// One range.
    Part(Range<u64>),
    /// A range that has no byte in the file.
    Unsatisfiable,
}

impl Span {
    /// Several ranges at once are answered with the whole file, as RFC 9110 allows.
    fn parse(range: &str, size: u64) -> Self {
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let range = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => first..size.min(last.saturating_add(1)),
            (Ok(first), Err(_)) if last.is_empty() => first..size,
            (Err(_), Ok(suffix)) if first.is_empty() => size.saturating_sub(suffix)..size,
            _ => return Self::Whole,
        };
        if range.start < range.end { Self::Part(range) } else { Self::Unsatisfiable }
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let escaped = tail.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_its_path_decoded() {
        let mut bytes: &[u8] = b"GET /files/torch-2.9.1%2Bcpu.whl?x HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n";
        let request = Request::read(&mut bytes).unwrap().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/files/torch-2.9.1+cpu.whl"));
        assert_eq!(request.span(100, "\"e\""), Span::Part(0..10));
        assert_eq!(Request::read(&mut bytes).unwrap(), None);
    }

    #[test]
    fn ranges_are_cut_at_the_end_of_the_file() {
        assert_eq!(Span::parse("bytes=90-200", 100), Span::Part(90..100));
        assert_eq!(Span::parse("bytes=90-", 100), Span::Part(90..100));
        assert_eq!(Span::parse("bytes=-10", 100), Span::Part(90..100));
        assert_eq!(Span::parse("bytes=-200", 100), Span::Part(0..100));
        assert_eq!(Span::parse("bytes=100-", 100), Span::Unsatisfiable);
        assert_eq!(Span::parse("bytes=0-1,5-6", 100), Span::Whole);
        assert_eq!(Span::parse("lines=0-1", 100), Span::Whole);
    }

    #[test]
    fn a_range_holds_only_for_the_file_it_was_asked_of() {
        let mut bytes: &[u8] = b"GET / HTTP/1.1\r\nRange: bytes=0-9\r\nIf-Range: \"old\"\r\n\r\n";
        let request = Request::read(&mut bytes).unwrap().unwrap();
        assert_eq!(request.span(100, "\"new\""), Span::Whole);
        assert_eq!(request.span(100, "\"old\""), Span::Part(0..10));
    }
}
