//! The bytes of an answer, as they arrive.

use std::io::{self, Read};
use std::time::Instant;

use super::range::Span;
use super::validator::Validator;
use crate::vocab::Url;

/// The body of an answer, read as it arrives.
///
/// Yields exactly as many bytes as its span has, else an error: [`io::ErrorKind::UnexpectedEof`] when the connection
/// closed early, [`io::ErrorKind::TimedOut`] when nothing came for as long as the stall time-out.
pub struct Body {
    /// What part of the file this is.
    pub span: Span,
    /// What a later request can hold the file against.
    pub validator: Option<Validator>,
    /// Where it came from, redirects followed, without credentials.
    pub url: Url,
    remaining: Option<u64>,
    source: Source,
}

pub(super) enum Source {
    Network(Box<reqwest::blocking::Response>),
    File(io::Take<fs_err::File>),
}

impl Body {
    pub(super) fn new(span: Span, validator: Option<Validator>, url: Url, source: Source) -> Self {
        Self { span, validator, url, remaining: span.length(), source }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match self.remaining {
            Some(remaining) => buffer.len().min(usize::try_from(remaining).unwrap_or(usize::MAX)),
            None => buffer.len(),
        };
        let buffer = &mut buffer[..most];
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.source {
            Source::Network(response) => response.read(buffer).map_err(plain)?,
            Source::File(file) => file.read(buffer)?,
        };
        if let Some(remaining) = &mut self.remaining {
            if count == 0 {
                let missing = format!("the connection closed {remaining} bytes early");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, missing));
            }
            *remaining -= count as u64;
        }
        Ok(count)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("span", &self.span).field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Reads until a moment; after that the next read fails.
pub(super) struct Until<R> {
    pub(super) source: R,
    /// `None` where it lies beyond what the clock knows.
    pub(super) deadline: Option<Instant>,
}

/// What such a read fails with.
#[derive(Debug, thiserror::Error)]
#[error("it did not arrive in time")]
pub(super) struct TooSlow;

impl<R: Read> Read for Until<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(io::Error::other(TooSlow));
        }
        self.source.read(buffer)
    }
}

/// The library's error with a kind that says what happened, and without the URL, which may hold a password.
pub(super) fn plain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    match error.downcast::<reqwest::Error>() {
        Ok(inner) if inner.is_timeout() => {
            io::Error::new(io::ErrorKind::TimedOut, "nothing arrived within the stall time-out")
        }
        Ok(inner) => io::Error::new(io::ErrorKind::UnexpectedEof, inner.without_url()),
        Err(error) => error,
    }
}
