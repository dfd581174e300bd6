//! The check after a change: does torch load, and on which device does it compute.

use std::time::Instant;

use serde_json::{Value, json};

use super::search_path;
use super::session::Session;
use super::target::Target;
use crate::catalog::Manifests;
use crate::cli::Check;
use crate::error::Error;
use crate::loader::{self, LiveReport, LiveRequest, LoadReport, Verdict};
use crate::report::{Bars, Output};
use crate::venv::Environment;
use crate::vocab::ExitStatus;

/// What the check found.
pub(super) enum Outcome {
    /// It was not asked for, or there was nothing to check.
    NotChecked,
    /// torch was used in a child Python.
    Live { report: Box<LiveReport>, verdict: Verdict },
    /// The loader was modelled.
    Static { report: Box<LoadReport>, milliseconds: u128 },
}

/// What the check is held against.
pub(super) struct Expected {
    /// torch is in the environment.
    pub torch: bool,
    /// It is the GPU that must compute.
    pub gpu: bool,
}

/// Checks `environment`, whose libraries were changed.
pub(super) fn run(
    session: &Session,
    how: Check,
    environment: &Environment,
    target: &Target,
    manifests: &Manifests,
    expected: &Expected,
) -> Result<Outcome, Error> {
    if !expected.torch {
        return Ok(Outcome::NotChecked);
    }
    match how {
        Check::None => Ok(Outcome::NotChecked),
        Check::Static => {
            let begun = Instant::now();
            let report = search_path::model(session, manifests, &target.machine, environment)?;
            Ok(Outcome::Static { report: Box::new(report), milliseconds: begun.elapsed().as_millis() })
        }
        Check::Live => {
            use crate::progress::Reporter as _;
            let bars = Bars::new(session.output);
            bars.stage("checking that torch loads and computes");
            let visible = target.visible.as_deref();
            let request = LiveRequest { visible, ..LiveRequest::new(&environment.interpreter.executable) };
            let report = loader::check_live(&request, &session.host, &bars)?;
            bars.clear();
            let verdict = report.verdict(expected.gpu);
            Ok(Outcome::Live { report: Box::new(report), verdict })
        }
    }
}

impl Outcome {
    /// As the `check` of `torchfix.install/1`; null when nothing was checked.
    pub fn to_json(&self) -> Value {
        match self {
            Self::NotChecked => Value::Null,
            Self::Live { report, verdict } => {
                json!({ "kind": "live", "good": verdict.is_good(), "result": verdict.to_string(), "report": report })
            }
            Self::Static { report, milliseconds } => {
                let problems: Vec<String> = report.problems().map(ToString::to_string).collect();
                json!({
                    "kind": "static",
                    "good": problems.is_empty(),
                    "problems": problems,
                    "prediction": report.prediction,
                    "notes": report.notes,
                    "milliseconds": milliseconds,
                })
            }
        }
    }

    /// The last lines of the answer.
    pub fn answer(&self, output: Output) {
        match self {
            Self::NotChecked => {}
            Self::Live { report, verdict } => {
                for note in &report.notes {
                    output.detail(note);
                }
                let opened = report.opened;
                let seconds = report.seconds;
                output.answer(&format!("{verdict} (checked live in {seconds:.1} s, {opened} libraries opened)"));
                if self.exit_status() != ExitStatus::Done {
                    output.hint("`torchfix install -v` says more; if the environment was damaged, remove it and install again: every wheel is in the cache");
                }
            }
            Self::Static { report, milliseconds } => {
                for note in &report.notes {
                    output.detail(note);
                }
                let count = report.libraries.len();
                let mut problems = report.problems().peekable();
                if count == 0 {
                    let why = report.notes.first().map_or("the environment has no torch", String::as_str);
                    output.answer(&format!("not checked: {why}"));
                } else if problems.peek().is_none() {
                    output.answer(&format!(
                        "the loader will find all of torch's {count} libraries (modelled in {milliseconds} ms; nothing was run)"
                    ));
                }
                for problem in problems {
                    output.answer(&problem.to_string());
                }
                if let Some(predicted) = &report.prediction {
                    output.answer(&format!("`import torch` ends with {predicted}"));
                }
            }
        }
    }

    /// What a check says about the environment's health.
    pub fn exit_status(&self) -> ExitStatus {
        let good = match self {
            Self::NotChecked => true,
            // torch was just installed: a Python that does not find it is broken.
            Self::Live { verdict, .. } => verdict.is_good() && *verdict != Verdict::NoTorch,
            Self::Static { report, .. } => report.problems().next().is_none(),
        };
        if good { ExitStatus::Done } else { ExitStatus::Unhealthy }
    }
}
