//! One consistent set of wheels, or the proof that there is none. `Machine`, `Request`, catalog → `Resolution`.

mod fit;
mod resolution;

pub use fit::{Assumed, CudaPreference, Fit, Judge, Unfit};
pub use resolution::{InstalledDistribution, InstalledPin, RejectedBuild, Resolution, Satisfied, TorchChoice};
