//! Connections that fill the windows of all wheels in flight, the hungriest first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pull::{Identity, Sink, pull};
use super::window::{BUFFER, Filled, Window};
use super::{FetchError, FetchOptions, RangeSource, Stop};
use crate::progress::{Reporter, TaskId};

/// How long a wait lasts before it looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// The connections of a run, and the windows they fill.
///
/// Threads that call [`Connections::serve`] are the connections; a wheel's reader attaches its source and takes buffers.
pub struct Connections<'a> {
    pub(super) options: &'a FetchOptions,
    pub(super) stop: &'a Stop,
    pub(super) reporter: &'a dyn Reporter,
    state: Mutex<State<'a>>,
    work: Condvar,
}

#[derive(Default)]
struct State<'a> {
    lanes: BTreeMap<u64, Lane<'a>>,
    next_lane: u64,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    closed: bool,
}

struct Lane<'a> {
    source: Arc<dyn RangeSource + 'a>,
    identity: Identity,
    window: Window,
    task: Option<TaskId>,
    fetched: u64,
    failure: Option<FetchError>,
    arrived: Arc<Condvar>,
}

struct Job<'a> {
    lane: u64,
    span: (u64, u64),
    source: Arc<dyn RangeSource + 'a>,
    identity: Identity,
    task: Option<TaskId>,
    arrived: Arc<Condvar>,
}

impl<'a> Connections<'a> {
    /// Connections that no thread serves yet.
    pub fn new(options: &'a FetchOptions, stop: &'a Stop, reporter: &'a dyn Reporter) -> Self {
        Self { options, stop, reporter, state: Mutex::default(), work: Condvar::new() }
    }

    /// Fetches ranges until [`Connections::close`]; the body of a connection's thread.
    pub fn serve(&self) {
        while let Some(job) = self.next_job() {
            let mut sink =
                LaneSink { connections: self, job: &job, left: job.span.1 - job.span.0, buffer: Vec::new(), length: 0 };
            let result = pull(&*job.source, job.span, &job.identity, (self.options, self.stop), &mut sink);
            let buffer = std::mem::take(&mut sink.buffer);
            let mut state = self.lock();
            state.keep(buffer);
            if let (Err(error), Some(lane)) = (result, state.lanes.get_mut(&job.lane)) {
                lane.failure.get_or_insert(error);
                job.arrived.notify_all();
            }
        }
    }

    /// Lets every connection's thread end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }

    /// Begins to fetch `first..end` of a source.
    pub(super) fn attach(
        &self,
        source: Arc<dyn RangeSource + 'a>,
        identity: Identity,
        (first, end): (u64, u64),
        task: Option<TaskId>,
    ) -> u64 {
        let mut state = self.lock();
        let id = state.next_lane;
        state.next_lane += 1;
        let window = Window::new(first, end);
        let arrived = Arc::new(Condvar::new());
        state.lanes.insert(id, Lane { source, identity, window, task, fetched: 0, failure: None, arrived });
        drop(state);
        self.work.notify_all();
        id
    }

    /// Ends a lane; returns how many bytes were fetched for it.
    pub(super) fn detach(&self, lane: u64) -> u64 {
        let fetched = self.lock().lanes.remove(&lane).map_or(0, |lane| lane.fetched);
        // The room it took is others' now.
        self.work.notify_all();
        fetched
    }

    /// The next bytes of a lane, in order; `None` at its end. `used` is the buffer before, to be used again.
    pub(super) fn next(&self, id: u64, used: Option<Filled>) -> Result<Option<Filled>, FetchError> {
        let mut state = self.lock();
        state.keep(used.map(|used| used.buffer).unwrap_or_default());
        loop {
            let Some(lane) = state.lanes.get_mut(&id) else { return Ok(None) };
            let before = lane.window.ahead();
            if let Some(filled) = lane.window.take() {
                let asked_for = lane.window.is_asked_for();
                let crossed = before / self.options.segment != lane.window.ahead() / self.options.segment;
                drop(state);
                if crossed || asked_for {
                    self.work.notify_one();
                }
                return Ok(Some(filled));
            }
            if lane.window.is_read() {
                return Ok(None);
            }
            if let Some(error) = lane.failure.take() {
                return Err(error);
            }
            if self.stop.requested() {
                return Err(FetchError::Interrupted);
            }
            let arrived = Arc::clone(&lane.arrived);
            state = arrived.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_job(&self) -> Option<Job<'a>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.next_job(self.options) {
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<'a> State<'a> {
    /// The next range of the lane that is least ahead of its reader and has room.
    fn next_job(&mut self, options: &FetchOptions) -> Option<Job<'a>> {
        let in_all: u64 = self.lanes.values().map(|lane| lane.window.ahead()).sum();
        let segment = options.segment.min(options.window);
        let (id, lane) = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| {
                let ahead = lane.window.ahead();
                let room = ahead == 0 || (ahead + segment <= options.window && in_all + segment <= options.memory);
                !lane.window.is_asked_for() && lane.failure.is_none() && room
            })
            .min_by_key(|(_, lane)| lane.window.ahead())?;
        Some(Job {
            lane: *id,
            span: lane.window.ask(segment),
            source: Arc::clone(&lane.source),
            identity: lane.identity.clone(),
            task: lane.task,
            arrived: Arc::clone(&lane.arrived),
        })
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.len() == BUFFER {
            self.spare.push(buffer);
        }
    }
}

/// Puts a range into its lane's window, buffer by buffer.
struct LaneSink<'s, 'a> {
    connections: &'s Connections<'a>,
    job: &'s Job<'a>,
    left: u64,
    buffer: Vec<u8>,
    length: usize,
}

impl Sink for LaneSink<'_, '_> {
    fn room(&mut self) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = self.connections.lock().spare.pop().unwrap_or_else(|| vec![0; BUFFER]);
        }
        &mut self.buffer[self.length..]
    }

    fn filled(&mut self, count: usize) -> ControlFlow<()> {
        self.length += count;
        self.left -= count as u64;
        if self.length < self.buffer.len() && self.left > 0 {
            return ControlFlow::Continue(());
        }
        let length = std::mem::take(&mut self.length);
        let filled = Filled { buffer: std::mem::take(&mut self.buffer), length };
        let mut state = self.connections.lock();
        let Some(lane) = state.lanes.get_mut(&self.job.lane) else { return ControlFlow::Break(()) };
        lane.window.arrive(self.job.span.0, filled);
        lane.fetched += length as u64;
        drop(state);
        self.job.arrived.notify_one();
        if let Some(task) = self.job.task {
            self.connections.reporter.download_advanced(task, length as u64);
        }
        ControlFlow::Continue(())
    }
}
