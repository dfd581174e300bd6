//! The live check: a child Python uses torch as its user will. `Environment` → `LiveReport`.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::progress::Reporter;

use super::error::LoaderError;
use super::live_report::{LiveEnd, LiveReport, Stage};
use super::protocol::Transcript;

/// The time a child has unless told otherwise: the first import reads gigabytes from what may be a network disk.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(3);

/// What the child runs.
const SCRIPT: &str = include_str!("live_check.py");

/// A line of the child is at most this long; the script cuts its texts far below.
const LONGEST_LINE: u64 = 256 << 10;

/// How much of stderr is kept.
const KEPT_OF_STDERR: usize = 16 << 10;

/// What to check live.
#[derive(Debug, Clone)]
pub struct LiveRequest<'a> {
    /// The environment's interpreter.
    pub python: &'a Path,
    /// The GPUs to use, by the driver's numbers; `None` leaves the choice to the variables that are set.
    pub visible: Option<&'a [u32]>,
    /// When a child that is not done is stopped.
    pub timeout: Duration,
}

impl<'a> LiveRequest<'a> {
    /// The check of the environment that `python` runs, on every visible GPU.
    pub fn new(python: &'a Path) -> Self {
        Self { python, visible: None, timeout: DEFAULT_TIMEOUT }
    }
}

/// Uses torch in a child process: imports it, computes on the CPU and each visible GPU, opens every library.
///
/// Whatever the child does, crash and hang included, is a report; an error is only what keeps it from being run.
pub fn check_live(request: &LiveRequest, host: &Host, reporter: &dyn Reporter) -> Result<LiveReport, LoaderError> {
    let begun = Instant::now();
    let mut child = command(request, host)
        .spawn()
        .map_err(|source| LoaderError::PythonNotStarted { python: request.python.to_owned(), source })?;
    let said = Tail::default();
    let (lines, stderr_ended) = listen(&mut child, &said);

    let mut transcript = Transcript::new();
    let outcome = follow(&mut child, &lines, &mut transcript, begun + request.timeout, reporter);
    if !matches!(outcome, Ok(Some(_))) {
        // It may have ended by itself meanwhile; `wait` tells.
        let _ = child.kill();
        child.wait().map_err(|source| LoaderError::ChildLost { source })?;
    }
    let status = outcome.map_err(|source| LoaderError::ChildLost { source })?;

    // What a dying process said last is the best of it; but a grandchild may hold the pipe open for ever.
    let _ = stderr_ended.recv_timeout(Duration::from_millis(500));
    let unintelligible = transcript.unintelligible().map(str::to_owned);
    let mut report = transcript.into_report(|during| match (status, unintelligible) {
        (None, _) => LiveEnd::TimedOut { during, after: request.timeout },
        (Some(status), Some(said)) if status.success() => LiveEnd::Garbled { during, said },
        (Some(status), _) => crashed(during, status),
    });
    report.said = said.text();
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

fn command(request: &LiveRequest, host: &Host) -> Command {
    let mut command = Command::new(request.python);
    // Isolated from the variables and folders of whoever runs it, but with the environment's site-packages; nothing
    // compiled is left behind, since the environment is to hold what was installed and no more.
    command.args(["-I", "-B", "-c", SCRIPT]);
    command.env_clear().envs(host.variables().filter(|(name, _)| !redirects_python(name)));
    if let Some(visible) = request.visible {
        let list: Vec<String> = visible.iter().map(u32::to_string).collect();
        command.env("CUDA_VISIBLE_DEVICES", list.join(",")).env("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    }
    command.current_dir(host.working_directory());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `-I` passes over these, but an interpreter that starts another one hands them on.
fn redirects_python(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case("PYTHONPATH") || name.eq_ignore_ascii_case("PYTHONHOME")
}

/// Reads both pipes on threads: one that a grandchild keeps open must not keep us.
fn listen(child: &mut Child, said: &Tail) -> (Receiver<io::Result<Vec<u8>>>, Receiver<()>) {
    let (sender, lines) = mpsc::sync_channel(64);
    let (ended, stderr_ended) = mpsc::sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || send_lines(stdout, &sender));
    }
    if let Some(stderr) = child.stderr.take() {
        let said = said.clone();
        thread::spawn(move || {
            said.keep(stderr);
            // The receiver may be gone when time ran out.
            let _ = ended.send(());
        });
    }
    (lines, stderr_ended)
}

fn send_lines(stdout: ChildStdout, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = stdout.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let at_end = matches!(read, Ok(0));
        let failed = read.is_err();
        // Nobody listens when the report is already made.
        if at_end || sender.send(read.map(|_| line)).is_err() || failed {
            return;
        }
    }
}

/// Hears the child to its end; `None` when time ran out or it was heard enough of.
fn follow(
    child: &mut Child,
    lines: &Receiver<io::Result<Vec<u8>>>,
    transcript: &mut Transcript,
    deadline: Instant,
    reporter: &dyn Reporter,
) -> io::Result<Option<ExitStatus>> {
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if transcript.hear(&line?) {
                    announce(transcript.stage(), reporter);
                }
                if transcript.is_over() {
                    return Ok(None);
                }
            }
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => return wait_until(child, deadline),
        }
    }
}

fn announce(stage: &Stage, reporter: &dyn Reporter) {
    match stage {
        Stage::Open(_) => reporter.detail(&stage.to_string()),
        _ => reporter.stage(&stage.to_string()),
    }
}

/// The standard library waits without a limit only.
fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= deadline => return Ok(None),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn crashed(during: Stage, status: ExitStatus) -> LiveEnd {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    LiveEnd::Crashed { during, signal, status: status.code() }
}

/// The end of what was said on stderr.
#[derive(Debug, Clone, Default)]
struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    fn keep(&self, mut stderr: ChildStderr) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..read]);
            let surplus = kept.len().saturating_sub(KEPT_OF_STDERR);
            kept.drain(..surplus);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}
