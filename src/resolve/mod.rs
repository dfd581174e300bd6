//! One consistent set of wheels, or the proof that there is none. `Machine`, `Request`, catalog → `Resolution`.

mod admission;
mod asked;
mod elsewhere;
mod error;
mod explain;
mod fit;
mod line;
mod package;
mod projects;
mod provider;
mod ranges;
mod reasons;
mod resolution;
mod satisfied;
mod solve;
mod ways_out;

pub use error::ResolveError;
pub use fit::{Assumed, CudaPreference, Fit, Judge, Unfit};
pub use resolution::{
    InstalledArchive, InstalledDistribution, InstalledPin, RejectedBuild, Resolution, Satisfied, TorchChoice,
};
pub use satisfied::{installed_torch, satisfied};
pub use solve::resolve;

use asked::Asked;
use line::Line;
use package::ResolverPackage;
