//! What it means that a child Python saw: whether torch works here, on what, and if not why.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::live_report::{DeviceResult, LiveEnd, LiveReport};

/// What a [`LiveReport`] means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// torch computes on a GPU.
    Works {
        /// The first GPU, `cuda:0`.
        device: String,
        /// Its marketing name.
        name: Option<String>,
    },
    /// torch computes on the CPU, and was not expected to do more.
    WorksOnCpu {
        /// Why the CPU.
        why: CpuReason,
    },
    /// torch does not work here as it should.
    Broken {
        /// What is wrong.
        reason: BrokenReason,
    },
    /// There is no torch to check.
    NoTorch,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Broken { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works { device, name: Some(name) } => write!(f, "torch computes on {device} ({name})"),
            Self::Works { device, name: None } => write!(f, "torch computes on {device}"),
            Self::WorksOnCpu { why } => write!(f, "torch computes on the CPU: {why}"),
            Self::Broken { reason } => reason.fmt(f),
            Self::NoTorch => f.write_str("there is no torch in this environment to check"),
        }
    }
}

/// Why torch computes on the CPU and no further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CpuReason {
    /// The build has no CUDA.
    #[error("this build of torch is without CUDA")]
    CpuBuild,
    /// The driver's library does not open: no GPU, or no driver for it.
    #[error("there is no NVIDIA driver on this machine")]
    NoDriver,
    /// CUDA finds no GPU.
    #[error("CUDA finds no GPU it can use: {error}")]
    NotAvailable {
        /// In torch's words.
        error: String,
    },
    /// CUDA says there is no GPU, and not why.
    #[error("`torch.cuda.is_available()` is False and torch does not say why")]
    Unexplained,
    /// A GPU is there that was not counted on, and does not compute.
    #[error("{device} does not compute: {error}")]
    GpuFails {
        /// `cuda:0`.
        device: String,
        /// What went wrong there.
        error: String,
    },
}

/// What is wrong with a torch that does not work.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BrokenReason {
    /// The child did not come to the end.
    #[error("{end}{}", LastWords(last_words.as_deref()))]
    Ended {
        /// How it ended.
        end: LiveEnd,
        /// What it said last before it died.
        last_words: Option<String>,
    },
    /// A device does not compute, or not rightly.
    #[error("{device} does not compute: {error}")]
    Device {
        /// `cpu`, `cuda:0`.
        device: String,
        /// What went wrong.
        error: String,
    },
    /// A GPU is there and torch does not use it.
    #[error("torch does not use the GPU: {why}")]
    GpuUnused {
        /// Why the CPU.
        why: CpuReason,
    },
    /// A library does not open.
    #[error("`{}` does not open: {error}{}", path.display(), AndOthers(*others))]
    Library {
        /// The first such library.
        path: PathBuf,
        /// What the system's loader said.
        error: String,
        /// How many more there are.
        others: usize,
    },
}

struct LastWords<'a>(Option<&'a str>);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |words| write!(f, ": {words}"))
    }
}

struct AndOthers(usize);

impl fmt::Display for AndOthers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (and one more library)"),
            more => write!(f, " (and {more} more libraries)"),
        }
    }
}

impl LiveReport {
    /// What the report means where a GPU of this machine was, or was not, meant to be used.
    ///
    /// With `gpu_expected` a GPU that was detected on the live machine must compute. Without it (no GPU here, facts
    /// given by hand, a CPU build asked for by name) the CPU's result decides.
    pub fn verdict(&self, gpu_expected: bool) -> Verdict {
        let broken = |reason| Verdict::Broken { reason };
        match &self.end {
            LiveEnd::NoTorch => return Verdict::NoTorch,
            LiveEnd::Finished => {}
            end => return broken(BrokenReason::Ended { end: end.clone(), last_words: self.last_words() }),
        }
        let failed = |on_gpu: bool| {
            self.devices.iter().find(|device| device.error.is_some() && (device.device != "cpu") == on_gpu)
        };
        if let Some(DeviceResult { device, error: Some(error), .. }) = failed(false) {
            return broken(BrokenReason::Device { device: device.clone(), error: error.clone() });
        }
        if let (true, Some(DeviceResult { device, error: Some(error), .. })) = (gpu_expected, failed(true)) {
            return broken(BrokenReason::Device { device: device.clone(), error: error.clone() });
        }
        if let Some(first) = self.failures.first() {
            let others = self.failures.len() - 1;
            return broken(BrokenReason::Library { path: first.path.clone(), error: first.error.clone(), others });
        }
        match self.why_cpu() {
            Some(why) if gpu_expected => broken(BrokenReason::GpuUnused { why }),
            Some(why) => Verdict::WorksOnCpu { why },
            None => self.devices.iter().find(|device| device.device != "cpu").map_or(
                Verdict::WorksOnCpu { why: CpuReason::Unexplained },
                |gpu| Verdict::Works { device: gpu.device.clone(), name: gpu.name.clone() },
            ),
        }
    }

    /// What a process that died said last, before Python's own account of where it was.
    fn last_words(&self) -> Option<String> {
        let LiveEnd::Crashed { .. } = self.end else { return None };
        let said = self.said.split("Fatal Python error").next()?;
        let mut lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Libraries that cannot load a part of themselves say which, then what they could not do without it.
        let last = lines.split_off(lines.len().saturating_sub(3));
        (!last.is_empty()).then(|| last.join("; ").chars().take(600).collect())
    }

    /// Why the CPU is all that computes; `None` when a GPU does.
    fn why_cpu(&self) -> Option<CpuReason> {
        let mut gpus = self.devices.iter().filter(|device| device.device != "cpu").peekable();
        if gpus.peek().is_some() {
            return gpus.find_map(|gpu| {
                gpu.error.clone().map(|error| CpuReason::GpuFails { device: gpu.device.clone(), error })
            });
        }
        Some(match (&self.cuda_version, self.driver_opens, &self.gpu_error) {
            (None, _, _) => CpuReason::CpuBuild,
            (Some(_), Some(false), _) => CpuReason::NoDriver,
            (Some(_), _, Some(error)) => CpuReason::NotAvailable { error: error.clone() },
            (Some(_), _, None) => CpuReason::Unexplained,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::LibraryFailure;

    fn report() -> LiveReport {
        LiveReport {
            end: LiveEnd::Finished,
            torch_version: Some("2.9.1".to_owned()),
            cuda_version: Some("12.8".to_owned()),
            cudnn_version: None,
            gpu_available: Some(true),
            gpu_error: None,
            driver_opens: Some(true),
            devices: vec![device("cpu", None), device("cuda:0", None), device("cuda:1", None)],
            opened: 40,
            failures: Vec::new(),
            notes: Vec::new(),
            said: String::new(),
            seconds: 1.0,
        }
    }

    fn device(device: &str, error: Option<&str>) -> DeviceResult {
        DeviceResult { device: device.to_owned(), name: None, error: error.map(str::to_owned) }
    }

    #[test]
    fn every_visible_gpu_must_compute_where_one_is_expected() {
        let mut report = report();
        assert!(matches!(report.verdict(true), Verdict::Works { device, .. } if device == "cuda:0"));
        report.devices[2].error = Some("no kernel image is available".to_owned());
        let verdict = report.verdict(true);
        assert_eq!(verdict.to_string(), "cuda:1 does not compute: no kernel image is available");
        assert!(!verdict.is_good());
        assert!(matches!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::GpuFails { .. } }));
    }

    #[test]
    fn the_cpu_has_a_reason() {
        let mut report = report();
        report.devices.truncate(1);
        assert_eq!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::Unexplained });
        report.gpu_error = Some("driver too old".to_owned());
        assert_eq!(
            report.verdict(false).to_string(),
            "torch computes on the CPU: CUDA finds no GPU it can use: driver too old"
        );
        report.driver_opens = Some(false);
        assert_eq!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::NoDriver });
        assert_eq!(
            report.verdict(true),
            Verdict::Broken { reason: BrokenReason::GpuUnused { why: CpuReason::NoDriver } }
        );
        report.cuda_version = None;
        assert_eq!(report.verdict(false), Verdict::WorksOnCpu { why: CpuReason::CpuBuild });
    }

    #[test]
    fn a_library_that_does_not_open_is_named_with_how_many_others() {
        let mut report = report();
        for name in ["a.so", "b.so", "c.so"] {
            report.failures.push(LibraryFailure { path: name.into(), error: "file too short".to_owned() });
        }
        assert_eq!(report.verdict(false).to_string(), "`a.so` does not open: file too short (and 2 more libraries)");
    }
}
