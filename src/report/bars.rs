//! Progress: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{DIM, Output, Verbosity, YELLOW, eprint_line};
use super::units::bytes;
use crate::progress::{Reporter, TaskId};
use crate::vocab::WheelName;

/// Wheels below this size get no bar of their own: they are done before it can be read.
const BAR_FROM_BYTES: u64 = 20_000_000;
/// How often a plain line says how far the downloads are.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Draws what the stages report.
pub struct Bars {
    output: Output,
    screen: MultiProgress,
    state: Mutex<State>,
    received: AtomicU64,
}

#[derive(Default)]
struct State {
    total: Option<ProgressBar>,
    planned: Option<u64>,
    tasks: HashMap<u64, Task>,
    next_task: u64,
    last_line: Option<Instant>,
    spinner: Option<ProgressBar>,
}

struct Task {
    bar: Option<ProgressBar>,
    name: String,
}

impl Bars {
    /// Bars where they may be drawn, lines where not.
    pub fn new(output: Output) -> Self {
        let target = if output.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            output,
            screen: MultiProgress::with_draw_target(target),
            state: Mutex::default(),
            received: AtomicU64::new(0),
        }
    }

    /// Takes the bars away, so that what is printed next stands alone.
    pub fn clear(&self) {
        let mut state = self.state();
        *state = State { next_task: state.next_task, ..State::default() };
        // An error here is a terminal that went away; there is nobody left to tell.
        let _ = self.screen.clear();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, line: &str) {
        self.screen.suspend(|| eprint_line(line));
    }

    fn plain(&self) -> bool {
        !self.output.progress && self.output.verbosity > Verbosity::Quiet
    }
}

impl Reporter for Bars {
    fn downloads_planned(&self, count: usize, total: Option<u64>) {
        let mut state = self.state();
        if let Some(spinner) = state.spinner.take() {
            spinner.finish_and_clear();
        }
        state.planned = total;
        if self.output.progress && count > 0 {
            let bar = self.screen.add(ProgressBar::new(total.unwrap_or(0)));
            bar.set_style(style(
                "{msg:28!} [{bar:28}] {decimal_bytes:>9} of {decimal_total_bytes:9} {decimal_bytes_per_sec:>11} ETA {eta}",
            ));
            bar.set_message(format!("{count} wheels"));
            bar.enable_steady_tick(Duration::from_millis(200));
            state.total = Some(bar);
        }
    }

    fn download_started(&self, artifact: &WheelName, size: Option<u64>, resumed: u64) -> TaskId {
        let mut state = self.state();
        state.next_task += 1;
        let id = state.next_task;
        let name = format!("{} {}", artifact.name, artifact.version);
        if resumed > 0 && self.output.verbosity > Verbosity::Quiet {
            self.print(&format!("{DIM}going on with {name}: {} were there already{DIM:#}", bytes(resumed)));
        }
        if let Some(total) = &state.total {
            total.inc(resumed);
        }
        let bar = size.filter(|size| self.output.progress && *size >= BAR_FROM_BYTES).map(|size| {
            let bar = self.screen.add(ProgressBar::new(size));
            bar.set_style(style(
                "  {msg:26!} [{bar:28}] {decimal_bytes:>9} of {decimal_total_bytes:9} {decimal_bytes_per_sec:>11}",
            ));
            bar.set_message(name.clone());
            bar.inc(resumed);
            bar
        });
        state.tasks.insert(id, Task { bar, name });
        TaskId(id)
    }

    fn download_advanced(&self, task: TaskId, more: u64) {
        let received = self.received.fetch_add(more, Ordering::Relaxed) + more;
        let mut state = self.state();
        if let Some(total) = &state.total {
            total.inc(more);
        }
        if let Some(bar) = state.tasks.get(&task.0).and_then(|task| task.bar.as_ref()) {
            bar.inc(more);
        }
        if self.plain() {
            let now = Instant::now();
            if state.last_line.is_some_and(|last| now - last >= LINE_EVERY) {
                let of = state.planned.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
                eprint_line(&format!("downloaded {}{of}", bytes(received)));
                state.last_line = Some(now);
            } else if state.last_line.is_none() {
                state.last_line = Some(now);
            }
        }
    }

    fn download_finished(&self, task: TaskId) {
        let finished = self.state().tasks.remove(&task.0);
        if let Some(task) = finished {
            if let Some(bar) = task.bar {
                bar.finish_and_clear();
            }
            self.detail(&format!("unpacked {}", task.name));
        }
    }

    fn stage(&self, what: &str) {
        let mut state = self.state();
        for bar in [state.spinner.take(), state.total.take()].into_iter().flatten() {
            bar.finish_and_clear();
        }
        if self.output.progress {
            let spinner = self.screen.add(ProgressBar::new_spinner());
            spinner.set_style(style("{spinner} {msg} {elapsed}"));
            spinner.set_message(what.to_owned());
            spinner.enable_steady_tick(Duration::from_millis(120));
            state.spinner = Some(spinner);
        } else {
            let received = self.received.swap(0, Ordering::Relaxed);
            if self.plain() && state.last_line.take().is_some() {
                eprint_line(&format!("downloaded {}", bytes(received)));
            }
            self.output.detail(what);
        }
    }

    fn warning(&self, message: &str) {
        self.print(&format!("{YELLOW}warning:{YELLOW:#} {message}"));
    }

    fn detail(&self, message: &str) {
        if self.output.verbosity == Verbosity::Verbose {
            self.print(&format!("{DIM}{message}{DIM:#}"));
        }
    }
}

/// A template that does not parse falls back to indicatif's own; the test below keeps ours right.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_told_apart_and_forgotten() {
        let bars = Bars::new(Output { json: false, verbosity: Verbosity::Quiet, progress: false });
        let name: WheelName = "demo-1.0-py3-none-any.whl".parse().unwrap();
        bars.downloads_planned(2, Some(10));
        let (first, second) = (bars.download_started(&name, Some(5), 0), bars.download_started(&name, None, 2));
        assert_ne!(first, second);
        bars.download_advanced(first, 5);
        bars.download_finished(first);
        assert_eq!(bars.state().tasks.len(), 1);
        assert_eq!(bars.received.load(Ordering::Relaxed), 5);
    }
}
