//! One consistent set of wheels, or the proof that there is none. `Machine`, `Request`, catalog → `Resolution`.

mod admission;
mod asked;
mod clash;
mod companions;
mod effort;
mod elsewhere;
mod error;
mod explain;
mod explanation;
mod facts;
mod fit;
mod line;
mod matrix;
mod package;
mod projects;
mod proof_hints;
mod provider;
mod ranges;
mod read;
mod reasons;
mod resolution;
mod satisfied;
mod solve;
mod verdict;
mod ways_out;
mod why;
mod wording;

pub use effort::TooHard;
pub use error::ResolveError;
pub use explanation::{Explanation, Weight};
pub use fit::{Assumed, CudaPreference, Fit, Judge, Unfit};
pub use matrix::{Matrix, Row, matrix};
pub use resolution::{
    InstalledArchive, InstalledDistribution, InstalledPin, RejectedBuild, Resolution, Satisfied, TorchChoice,
};
pub use satisfied::{installed_torch, satisfied};
pub use solve::resolve;
pub use verdict::{Judgement, Objection, Verdict};
pub use why::{Answer, Question, WhyError, why};

use asked::Asked;
use line::Line;
use package::ResolverPackage;
