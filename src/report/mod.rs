//! Results as text or JSON; the only code that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing lives")]

mod bars;
mod failure;
mod machine;
mod manifests;
mod matrix;
mod output;
mod plan;
mod table;
mod units;
mod why;

pub use bars::Bars;
pub use failure::failure;
pub use machine::machine_lines;
pub use manifests::{ManifestView, fault_json, fault_lines, manifest_json, manifest_lines};
pub use matrix::MatrixView;
pub use output::{Output, Verbosity, answer_arrived};
pub use plan::{Action, PlanView, StepView};
pub use units::bytes;
pub use why::WhyView;
