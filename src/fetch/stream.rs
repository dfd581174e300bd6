//! One wheel as it arrives: its end first, then everything in order.

use std::io::{self, Read, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::pull::{Fill, Identity, pause, pull};
use super::ranges::Connections;
use super::window::{BUFFER, Filled};
use super::{FetchError, LocalFile, RangeSource};
use crate::http::{ByteRange, HttpError, Span, Validator, WrongRange};
use crate::progress::TaskId;

/// A directory that begins further from the end than this is not read.
const MAX_TAIL: u64 = 96 << 20;

/// A wheel as it arrives.
///
/// The tail is fetched once and kept: what was judged there is what [`WheelStream::peek`] hands out in its place.
pub struct WheelStream<'c, 'a> {
    connections: &'c Connections<'a>,
    source: Arc<dyn RangeSource + 'a>,
    identity: Identity,
    task: TaskId,
    tail: Vec<u8>,
    tail_offset: u64,
    lane: Option<u64>,
    current: Option<Filled>,
    /// Bytes of `current`, or of the tail when there is none, that are consumed.
    used: usize,
    position: u64,
    fetched: u64,
    is_spooled: bool,
}

impl<'c, 'a> WheelStream<'c, 'a> {
    /// Fetches the end of a file; the size it should have decides how much, the server's word counts.
    ///
    /// What a server sends whole, because it knows no ranges, is kept in `spool` and read from there.
    pub fn open(
        connections: &'c Connections<'a>,
        source: &Arc<dyn RangeSource + 'a>,
        size: Option<u64>,
        task: TaskId,
        spool: &Path,
    ) -> Result<Self, FetchError> {
        let options = connections.options;
        let last = ByteRange::Last(options.tail);
        let mut range = match size {
            Some(size) if size <= options.whole => ByteRange::Span { first: 0, end: size.max(1) },
            Some(size) => ByteRange::Span { first: size.saturating_sub(options.tail), end: size },
            None => last,
        };
        let mut failures = 0;
        loop {
            let mut reply = match source.read(range, None) {
                Ok(reply) => reply,
                Err(FetchError::Http(HttpError::WrongRange {
                    reason: WrongRange::Beyond { total: Some(0) }, ..
                })) => {
                    let identity = Identity { size: 0, validator: None };
                    return Ok(Self::new(connections, Arc::clone(source), identity, task));
                }
                // The file is shorter than the index says, the server takes no ranges that count from the end, or it
                // is confused.
                Err(error @ FetchError::Http(HttpError::WrongRange { .. })) => {
                    failures += 1;
                    if failures >= options.attempts {
                        return Err(error);
                    }
                    if let FetchError::Http(HttpError::WrongRange {
                        reason: WrongRange::Beyond { total: Some(total) },
                        ..
                    }) = error
                    {
                        range = ByteRange::Span { first: total.saturating_sub(options.tail), end: total };
                        continue;
                    }
                    if range == last {
                        pause(options, failures, connections.stop)?;
                    }
                    range = last;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match reply.span {
                Span::Part { first, end, total } if end == total => {
                    let identity = Identity { size: total, validator: reply.validator.clone() };
                    let mut tail = vec![0; usize::try_from(total - first).unwrap_or_default()];
                    let filled = fill(&mut *reply.body, &mut tail);
                    drop(reply);
                    let mut stream = Self::new(connections, Arc::clone(source), identity, task);
                    stream.advanced(filled as u64);
                    stream.pull(first + filled as u64, &mut tail[filled..])?;
                    (stream.tail, stream.tail_offset) = (tail, first);
                    return Ok(stream);
                }
                // The file is longer than the index says.
                Span::Part { .. } => range = last,
                Span::Whole { .. } => match keep_whole(connections, &mut *reply.body, task, &source.title(), spool) {
                    Ok(size) => {
                        let identity = Identity { size, validator: None };
                        let mut stream = Self::new(connections, Arc::new(LocalFile::new(spool)), identity, task);
                        stream.extend_tail(size.saturating_sub(options.tail))?;
                        (stream.fetched, stream.is_spooled) = (size, true);
                        return Ok(stream);
                    }
                    Err(FetchError::Broken { url, at, source, .. }) => {
                        failures += 1;
                        if failures >= options.attempts {
                            return Err(FetchError::Broken { url, at, attempts: failures, source });
                        }
                        pause(options, failures, connections.stop)?;
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// The size of the file.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// What the server says the file is.
    pub fn validator(&self) -> Option<&Validator> {
        self.identity.validator.as_ref()
    }

    /// Where the tail begins, and the tail.
    pub fn tail(&self) -> (u64, &[u8]) {
        (self.tail_offset, &self.tail)
    }

    /// How far the file was consumed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that were fetched for it until now.
    pub fn fetched(&self) -> u64 {
        self.fetched
    }

    /// Makes the tail begin at `from`, by one more range.
    pub fn extend_tail(&mut self, from: u64) -> Result<(), FetchError> {
        if self.size() - from.min(self.size()) > MAX_TAIL {
            return Err(FetchError::TailTooLarge { url: self.source.title(), bytes: self.size() - from });
        }
        let Some(missing) = self.tail_offset.checked_sub(from).and_then(|count| usize::try_from(count).ok()) else {
            return Ok(());
        };
        let mut longer = vec![0; missing];
        self.pull(from, &mut longer)?;
        longer.append(&mut self.tail);
        self.tail = longer;
        self.tail_offset = from;
        Ok(())
    }

    /// Begins to fetch everything between `from` and the tail.
    pub fn start(&mut self, from: u64) {
        self.finish();
        self.position = from;
        if from < self.tail_offset {
            let span = (from, self.tail_offset);
            let task = (!self.is_spooled).then_some(self.task);
            self.lane = Some(self.connections.attach(Arc::clone(&self.source), self.identity.clone(), span, task));
        } else {
            self.used = usize::try_from(from - self.tail_offset).unwrap_or(usize::MAX).min(self.tail.len());
        }
    }

    /// The next bytes in order, waited for; empty at the end of the file.
    pub fn peek(&mut self) -> Result<&[u8], FetchError> {
        if self.connections.stop.requested() {
            return Err(FetchError::Interrupted);
        }
        while let Some(lane) = self.lane {
            if self.current.as_ref().is_some_and(|filled| self.used < filled.length) {
                break;
            }
            self.used = 0;
            self.current = self.connections.next(lane, self.current.take())?;
            if self.current.is_none() {
                self.finish();
            }
        }
        Ok(match &self.current {
            Some(filled) => &filled.buffer[self.used..filled.length],
            None => &self.tail[self.used..],
        })
    }

    /// Moves on by `count` of the bytes that [`WheelStream::peek`] gave.
    pub fn consume(&mut self, count: usize) {
        self.used += count;
        self.position += count as u64;
    }

    /// Ends the fetching; what was fetched until now counts.
    pub fn stop(&mut self) {
        self.finish();
    }

    fn new(
        connections: &'c Connections<'a>,
        source: Arc<dyn RangeSource + 'a>,
        identity: Identity,
        task: TaskId,
    ) -> Self {
        Self {
            connections,
            source,
            task,
            tail_offset: identity.size,
            position: identity.size,
            identity,
            tail: Vec::new(),
            lane: None,
            current: None,
            used: 0,
            fetched: 0,
            is_spooled: false,
        }
    }

    fn advanced(&mut self, bytes: u64) {
        if !self.is_spooled {
            self.fetched += bytes;
            self.connections.reporter.download_advanced(self.task, bytes);
        }
    }

    fn pull(&mut self, from: u64, into: &mut [u8]) -> Result<(), FetchError> {
        let span = (from, from + into.len() as u64);
        let context = (self.connections.options, self.connections.stop);
        pull(&*self.source, span, &self.identity, context, &mut Fill { into, at: 0 })?;
        self.advanced(span.1 - span.0);
        Ok(())
    }

    fn finish(&mut self) {
        if let Some(lane) = self.lane.take() {
            let fetched = self.connections.detach(lane);
            // What comes out of the spooled file came over the network before.
            self.fetched += if self.is_spooled { 0 } else { fetched };
        }
        self.current = None;
        self.used = 0;
    }
}

impl Drop for WheelStream<'_, '_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Reads until the buffer is full or the body breaks off; how much came.
fn fill(body: &mut dyn Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match body.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What is missing is asked for again, and then the failure is reported.
            Err(_) => break,
        }
    }
    filled
}

/// Writes a whole body to a file; how long it was.
fn keep_whole(
    connections: &Connections<'_>,
    body: &mut dyn Read,
    task: TaskId,
    title: &str,
    path: &Path,
) -> Result<u64, FetchError> {
    let failed = |source| FetchError::Spool { path: path.to_owned(), source };
    let mut file = fs_err::File::create(path).map_err(failed)?;
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        if connections.stop.requested() {
            return Err(FetchError::Interrupted);
        }
        match body.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(count) => {
                file.write_all(&buffer[..count]).map_err(failed)?;
                size += count as u64;
                connections.reporter.download_advanced(task, count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(FetchError::Broken { url: title.to_owned(), at: size, attempts: 1, source }),
        }
    }
}
