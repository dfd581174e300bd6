//! The lines that the child of the live check says, and the report they add up to.

use std::path::PathBuf;

use serde::Deserialize;

use super::live_report::{DeviceResult, LibraryFailure, LiveEnd, LiveReport, Stage};
use super::optional::{Optional, missing_library};

/// More results than any machine or build has: a child that says more is not believed.
const MOST_RESULTS: usize = 10_000;

/// One line of the child.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Stage { stage: StageName, subject: Option<String> },
    Torch { version: String, cuda: Option<String> },
    Device { device: String, name: Option<String>, error: Option<String> },
    Gpu { available: bool, error: Option<String>, driver: bool },
    Cudnn { version: String },
    Opened,
    Unopened { path: PathBuf, error: String },
    Raised { error: String },
    NoTorch,
    End,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StageName {
    Import,
    Compute,
    AskForGpus,
    AskCudnn,
    Open,
}

/// What the child has said so far.
#[derive(Debug)]
pub(super) struct Transcript {
    stage: Stage,
    end: Option<LiveEnd>,
    /// What came before the first event: a `.pth` file may print.
    preamble: String,
    begun: bool,
    unopened: Vec<LibraryFailure>,
    report: LiveReport,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Start,
            end: None,
            preamble: String::new(),
            begun: false,
            unopened: Vec::new(),
            report: LiveReport {
                end: LiveEnd::NoTorch,
                torch_version: None,
                cuda_version: None,
                cudnn_version: None,
                gpu_available: None,
                gpu_error: None,
                driver_opens: None,
                devices: Vec::new(),
                opened: 0,
                failures: Vec::new(),
                notes: Vec::new(),
                said: String::new(),
                seconds: 0.0,
            },
        }
    }

    /// What the child is doing.
    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether nothing more is to come.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// What was printed where no event came at all.
    pub(super) fn unintelligible(&self) -> Option<&str> {
        (!self.begun && !self.preamble.is_empty()).then_some(&self.preamble)
    }

    /// Takes one line; tells whether it begins a new stage.
    pub(super) fn hear(&mut self, line: &[u8]) -> bool {
        if line.trim_ascii().is_empty() || self.is_over() {
            return false;
        }
        match serde_json::from_slice(line) {
            Ok(event) => {
                self.begun = true;
                self.take(event)
            }
            Err(_) if self.begun => {
                self.end = Some(LiveEnd::Garbled { during: self.stage.clone(), said: beginning(line) });
                false
            }
            Err(_) => {
                if self.preamble.is_empty() {
                    self.preamble = beginning(line);
                }
                false
            }
        }
    }

    fn take(&mut self, event: Event) -> bool {
        let report = &mut self.report;
        match event {
            Event::Stage { stage, subject } => {
                let subject = subject.unwrap_or_default();
                self.stage = match stage {
                    StageName::Import => Stage::Import,
                    StageName::Compute => Stage::Compute(subject),
                    StageName::AskForGpus => Stage::AskForGpus,
                    StageName::AskCudnn => Stage::AskCudnn,
                    StageName::Open => Stage::Open(subject.into()),
                };
                return true;
            }
            Event::Torch { version, cuda } => {
                (report.torch_version, report.cuda_version) = (Some(version), cuda);
            }
            Event::Device { device, name, error } => report.devices.push(DeviceResult { device, name, error }),
            Event::Gpu { available, error, driver } => {
                report.gpu_available = Some(available);
                report.gpu_error = error;
                report.driver_opens = Some(driver);
            }
            Event::Cudnn { version } => report.cudnn_version = Some(version),
            Event::Opened => report.opened += 1,
            Event::Unopened { path, error } => self.unopened.push(LibraryFailure { path, error }),
            Event::Raised { error } => self.end = Some(LiveEnd::Raised { during: self.stage.clone(), error }),
            Event::NoTorch => self.end = Some(LiveEnd::NoTorch),
            Event::End => self.end = Some(LiveEnd::Finished),
        }
        if self.report.devices.len() + self.unopened.len() > MOST_RESULTS {
            self.end = Some(LiveEnd::Garbled { during: self.stage.clone(), said: "too many results".to_owned() });
        }
        false
    }

    /// The report; `otherwise` is how it ended where the child did not say.
    pub(super) fn into_report(mut self, otherwise: impl FnOnce(Stage) -> LiveEnd) -> LiveReport {
        let driver_is_there = self.report.driver_opens == Some(true);
        for failure in self.unopened {
            let optional = missing_library(&failure.error).and_then(|name| Some((name, Optional::of(name)?)));
            match optional {
                Some((_, Optional::Driver)) if driver_is_there => self.report.failures.push(failure),
                Some((name, why)) => self.report.notes.push(format!(
                    "`{}` was not opened: it needs `{name}`; {}",
                    failure.path.display(),
                    why.reason()
                )),
                None => self.report.failures.push(failure),
            }
        }
        self.report.end = self.end.unwrap_or_else(|| otherwise(self.stage));
        self.report
    }
}

fn beginning(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(400)]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(lines: &[&str]) -> LiveReport {
        let mut transcript = Transcript::new();
        for line in lines {
            transcript.hear(line.as_bytes());
        }
        transcript.into_report(|during| LiveEnd::Crashed { during, signal: Some(11), status: None })
    }

    #[test]
    fn what_was_said_before_a_crash_is_kept() {
        let report = told(&[
            "hello from a .pth file",
            r#"{"event": "stage", "stage": "import"}"#,
            r#"{"event": "torch", "version": "2.9.1", "cuda": null}"#,
            r#"{"event": "stage", "stage": "open", "subject": "/x/a.so"}"#,
        ]);
        assert_eq!(report.torch_version.as_deref(), Some("2.9.1"));
        assert_eq!(report.end.to_string(), "Python was killed by SIGSEGV while opening `/x/a.so`");
    }

    #[test]
    fn what_only_a_driver_brings_is_missed_only_where_there_is_one() {
        let unopened = r#"{"event":"unopened","path":"/x/libcaffe2_nvrtc.so","error":"libcuda.so.1: cannot open shared object file: No such file or directory"}"#;
        let end = r#"{"event":"end"}"#;
        let without = told(&[unopened, end]);
        assert_eq!((without.failures.len(), without.notes.len()), (0, 1));
        let with = told(&[r#"{"event":"gpu","available":false,"error":null,"driver":true}"#, unopened, end]);
        assert_eq!((with.failures.len(), with.notes.len()), (1, 0));
    }

    proptest! {
        #[test]
        fn whatever_is_said_never_panics(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8)) {
            let mut transcript = Transcript::new();
            transcript.hear(br#"{"event": "stage", "stage": "import"}"#);
            for line in lines {
                transcript.hear(&line);
            }
            transcript.into_report(|during| LiveEnd::Crashed { during, signal: None, status: None });
        }
    }

    #[test]
    fn an_answer_that_turns_to_garbage_is_told_apart() {
        let report = told(&[r#"{"event": "stage", "stage": "import"}"#, "%PDF-1.4"]);
        assert_eq!(report.end, LiveEnd::Garbled { during: Stage::Import, said: "%PDF-1.4".to_owned() });
    }
}
