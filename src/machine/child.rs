//! A child process that may hang, lie or talk too much.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// More than any answer we ask for has.
const MAX_OUTPUT: u64 = 1 << 20;
/// How often a child that closed its output is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// What a child said.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout, at most a MiB of it.
    pub stdout: String,
    /// What it wrote to stderr, at most a MiB of it.
    pub stderr: String,
}

/// Why a child gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It could not be started or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It did not end in time, and was killed.
    #[error("it did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Runs a command to its end, but no longer than `limit`.
pub fn answer(mut command: Command, limit: Duration) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(&mut command, deadline)?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    // The readers end when the child does, unless a grandchild holds the pipes: then only the deadline helps.
    let text = |receiver: mpsc::Receiver<Vec<u8>>| {
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let outputs = text(stdout).and_then(|stdout| Ok((stdout, text(stderr)?)));
    let Ok((stdout, stderr)) = outputs else {
        end(&mut child);
        return Err(NoAnswer::TimedOut(limit));
    };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Answer { status, stdout, stderr });
        }
        if Instant::now() >= deadline {
            end(&mut child);
            return Err(NoAnswer::TimedOut(limit));
        }
        thread::sleep(PAUSE);
    }
}

/// Starts it, waiting while its file is still open for writing, as it is for a moment after it was installed.
fn start(command: &mut Command, deadline: Instant) -> io::Result<Child> {
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < deadline => {
                thread::sleep(PAUSE);
            }
            started => return started,
        }
    }
}

/// Reads everything, so that the child never blocks, and keeps the beginning.
fn drain(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            // An error while reading is the end of the answer; the exit status tells whether it was whole.
            let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        // Nobody listens any more when the deadline has passed.
        let _ = sender.send(kept);
    });
    receiver
}

fn end(child: &mut Child) {
    // Both fail only when it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_and_the_status_come_back() {
        let answer = answer(shell("echo out; echo err >&2; exit 3"), Duration::from_secs(20)).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(answer.status.code(), Some(3));
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let error = answer(shell("sleep 600"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, NoAnswer::TimedOut(_)), "{error}");
        let error = answer(shell("exec >&- 2>&-; sleep 600"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, NoAnswer::TimedOut(_)), "{error}");
    }

    #[test]
    fn too_much_output_is_cut() {
        let answer = answer(shell("head -c 3000000 /dev/zero"), Duration::from_secs(20)).unwrap();
        assert_eq!(answer.stdout.len() as u64, MAX_OUTPUT);
        assert!(answer.status.success());
    }
}
