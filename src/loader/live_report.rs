//! What a child Python saw when it used torch.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// What the child was doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "stage", content = "subject", rename_all = "kebab-case")]
pub enum Stage {
    /// Starting the interpreter.
    Start,
    /// `import torch`.
    Import,
    /// Computing on a device: `cpu`, `cuda:0`.
    Compute(String),
    /// Asking for GPUs.
    AskForGpus,
    /// Opening cuDNN and asking for its version.
    AskCudnn,
    /// Opening a library.
    Open(PathBuf),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("starting the interpreter"),
            Self::Import => f.write_str("importing torch"),
            Self::Compute(device) => write!(f, "computing on {device}"),
            Self::AskForGpus => f.write_str("asking CUDA for GPUs"),
            Self::AskCudnn => f.write_str("opening cuDNN"),
            Self::Open(library) => write!(f, "opening `{}`", library.display()),
        }
    }
}

/// How the child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LiveEnd {
    /// It did all it was asked to do.
    Finished,
    /// The environment has no torch.
    NoTorch,
    /// A Python exception ended it.
    Raised {
        /// What it was doing.
        during: Stage,
        /// The exception, `ImportError: …`.
        error: String,
    },
    /// It died.
    Crashed {
        /// What it was doing.
        during: Stage,
        /// The signal that killed it.
        signal: Option<i32>,
        /// Its exit status.
        status: Option<i32>,
    },
    /// It took too long and was stopped.
    TimedOut {
        /// What it was doing.
        during: Stage,
        /// The time it had.
        after: Duration,
    },
    /// It said something that is no part of the check.
    Garbled {
        /// What it was doing.
        during: Stage,
        /// The beginning of what it said.
        said: String,
    },
}

impl fmt::Display for LiveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("the check finished"),
            Self::NoTorch => f.write_str("there is no torch in this environment"),
            Self::Raised { during, error } => write!(f, "{during} failed: {error}"),
            Self::Crashed { during, signal: Some(signal), .. } => {
                write!(f, "Python was killed by {} while {during}", SignalName(*signal))
            }
            Self::Crashed { during, status: Some(status), .. } => {
                write!(f, "Python ended with status {status} while {during}")
            }
            Self::Crashed { during, .. } => write!(f, "Python ended while {during}"),
            Self::TimedOut { during, after } => {
                write!(f, "{during} was not done after {} seconds", after.as_secs_f64().round())
            }
            Self::Garbled { during, said } => write!(f, "Python gave no usable answer while {during}: `{said}`"),
        }
    }
}

struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            4 => "SIGILL (the processor lacks an instruction that the build uses)",
            6 => "SIGABRT",
            7 => "SIGBUS (a library is truncated, or the disk cannot be read)",
            8 => "SIGFPE",
            9 => "SIGKILL (most often for want of memory)",
            11 => "SIGSEGV",
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}

/// A tensor computed on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceResult {
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Its marketing name.
    pub name: Option<String>,
    /// What went wrong; `None` when the result was right.
    pub error: Option<String>,
}

/// A library that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryFailure {
    /// The library.
    pub path: PathBuf,
    /// What the system's loader said.
    pub error: String,
}

/// What a child Python saw when it used torch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveReport {
    /// How it ended; what it saw before that stands in the other fields.
    pub end: LiveEnd,
    /// `torch.__version__`.
    pub torch_version: Option<String>,
    /// The CUDA that torch was built for; `None` for a build without.
    pub cuda_version: Option<String>,
    /// The cuDNN that was found at run time.
    pub cudnn_version: Option<String>,
    /// Whether `torch.cuda.is_available()`; `None` when it did not come to that.
    pub gpu_available: Option<bool>,
    /// Why it is not, in torch's words.
    pub gpu_error: Option<String>,
    /// Whether the driver's CUDA library opens.
    pub driver_opens: Option<bool>,
    /// The result on each device, the CPU first.
    pub devices: Vec<DeviceResult>,
    /// How many libraries were opened.
    pub opened: usize,
    /// Libraries that could not be opened and should.
    pub failures: Vec<LibraryFailure>,
    /// Libraries that could not be opened and need not, and why, in sentences.
    pub notes: Vec<String>,
    /// The end of what the child said on stderr.
    pub said: String,
    /// How long it took.
    pub seconds: f64,
}
