//! What has arrived of a wheel and was not read yet: segments in order, each a queue of buffers.

use std::collections::VecDeque;

/// Bytes of one buffer: what a reader gets at once.
pub(super) const BUFFER: usize = 256 << 10;

/// A buffer with what it holds.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) buffer: Vec<u8>,
    pub(super) length: usize,
}

/// The part of a wheel between its reader and the last range that was asked for.
#[derive(Debug)]
pub(super) struct Window {
    segments: VecDeque<Segment>,
    /// Where the next range to ask for begins.
    next: u64,
    /// Where the last one ends.
    end: u64,
    /// How far the reader is.
    read: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    end: u64,
    /// How much of it has arrived.
    arrived: u64,
    buffers: VecDeque<Filled>,
}

impl Window {
    pub(super) fn new(first: u64, end: u64) -> Self {
        Self { segments: VecDeque::new(), next: first, end, read: first }
    }

    /// How far the ranges asked for are ahead of the reader.
    pub(super) fn ahead(&self) -> u64 {
        self.next - self.read
    }

    /// Whether every range was asked for.
    pub(super) fn is_asked_for(&self) -> bool {
        self.next >= self.end
    }

    /// Whether the reader has everything.
    pub(super) fn is_read(&self) -> bool {
        self.read >= self.end
    }

    /// The next range to ask for.
    pub(super) fn ask(&mut self, segment: u64) -> (u64, u64) {
        let (first, end) = (self.next, self.end.min(self.next + segment.max(1)));
        self.next = end;
        self.segments.push_back(Segment { first, end, arrived: 0, buffers: VecDeque::new() });
        (first, end)
    }

    /// Bytes arrived for the segment that begins at `first`.
    pub(super) fn arrive(&mut self, first: u64, filled: Filled) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.first == first) {
            segment.arrived += filled.length as u64;
            segment.buffers.push_back(filled);
        }
    }

    /// The next bytes in order, if they have arrived.
    pub(super) fn take(&mut self) -> Option<Filled> {
        let segment = self.segments.front_mut()?;
        let filled = segment.buffers.pop_front()?;
        if segment.first + segment.arrived == segment.end && segment.buffers.is_empty() {
            self.segments.pop_front();
        }
        self.read += filled.length as u64;
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Filled {
        Filled { buffer: text.as_bytes().to_vec(), length: text.len() }
    }

    #[test]
    fn bytes_come_out_in_order_however_they_arrive() {
        let mut window = Window::new(10, 17);
        assert_eq!((window.ask(3), window.ask(3), window.ask(3)), ((10, 13), (13, 16), (16, 17)));
        assert!(window.is_asked_for() && window.ahead() == 7);
        window.arrive(16, filled("g"));
        window.arrive(13, filled("def"));
        assert!(window.take().is_none());
        window.arrive(10, filled("a"));
        assert_eq!(window.take().unwrap().buffer, b"a");
        assert!(window.take().is_none(), "two bytes of the first segment are missing");
        window.arrive(10, filled("bc"));
        let rest: Vec<u8> = std::iter::from_fn(|| window.take()).flat_map(|filled| filled.buffer).collect();
        assert_eq!(rest, b"bcdefg");
        assert!(window.is_read());
    }
}
