//! A range, whole: what broke off is asked for again from where it stopped.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{FetchError, FetchOptions, RangeSource, Stop};
use crate::http::{ByteRange, Span, Validator};

/// Takes the bytes of a range in order.
pub(super) trait Sink {
    /// Where the next bytes go; not empty.
    fn room(&mut self) -> &mut [u8];

    /// So many bytes came into the room; `Break` when no more are wanted.
    fn filled(&mut self, count: usize) -> ControlFlow<()>;
}

/// What a file must still be: its size, and what its server says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) size: u64,
    pub(super) validator: Option<Validator>,
}

/// Fills `sink` with the bytes from `first` to `end`, all of them or an error.
pub(super) fn pull(
    source: &dyn RangeSource,
    (first, end): (u64, u64),
    identity: &Identity,
    (options, stop): (&FetchOptions, &Stop),
    sink: &mut dyn Sink,
) -> Result<(), FetchError> {
    let mut at = first;
    let mut failures = 0;
    while at < end {
        let before = at;
        let error = match pull_once(source, (&mut at, end), identity, stop, sink) {
            Ok(ControlFlow::Continue(())) => continue,
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(error) => error,
        };
        failures = if at > before { 1 } else { failures + 1 };
        if failures >= options.attempts || !error.may_pass() {
            return Err(match error {
                FetchError::Broken { url, at, source, .. } => {
                    FetchError::Broken { url, at, attempts: failures, source }
                }
                error => error,
            });
        }
        pause(options, failures, stop)?;
    }
    Ok(())
}

fn pull_once(
    source: &dyn RangeSource,
    (at, end): (&mut u64, u64),
    identity: &Identity,
    stop: &Stop,
    sink: &mut dyn Sink,
) -> Result<ControlFlow<()>, FetchError> {
    let mut reply = source.read(ByteRange::Span { first: *at, end }, identity.validator.as_ref())?;
    let changed = || FetchError::Changed { url: source.title() };
    match reply.span {
        Span::Part { total, .. } if total != identity.size => return Err(changed()),
        Span::Part { .. } => {}
        // With `If-Range` the whole file means that it is another one.
        Span::Whole { .. } => return Err(changed()),
    }
    if identity.validator.is_some() && reply.validator.is_some() && reply.validator != identity.validator {
        return Err(changed());
    }
    while *at < end {
        if stop.requested() {
            return Err(FetchError::Interrupted);
        }
        let room = sink.room();
        let most = usize::try_from(end - *at).unwrap_or(usize::MAX).min(room.len());
        let broken = |source: std::io::Error, url| FetchError::Broken { url, at: *at, attempts: 1, source };
        match reply.body.read(&mut room[..most]) {
            Ok(0) => return Err(broken(std::io::ErrorKind::UnexpectedEof.into(), source.title())),
            Ok(count) => {
                *at += count as u64;
                if sink.filled(count).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error, source.title())),
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Sleeps after so many failures, longer after more, but not past a stop.
pub(super) fn pause(options: &FetchOptions, failures: u32, stop: &Stop) -> Result<(), FetchError> {
    const NAP: Duration = Duration::from_millis(50);
    let mut length = options.backoff * (1 << failures.saturating_sub(1).min(6));
    while !length.is_zero() {
        if stop.requested() {
            return Err(FetchError::Interrupted);
        }
        let nap = length.min(NAP);
        std::thread::sleep(nap);
        length -= nap;
    }
    Ok(())
}

/// A sink that fills a vector.
pub(super) struct Fill<'a> {
    pub(super) into: &'a mut [u8],
    pub(super) at: usize,
}

impl Sink for Fill<'_> {
    fn room(&mut self) -> &mut [u8] {
        &mut self.into[self.at..]
    }

    fn filled(&mut self, count: usize) -> ControlFlow<()> {
        self.at += count;
        ControlFlow::Continue(())
    }
}
