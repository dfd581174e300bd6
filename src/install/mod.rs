//! From an environment to what is wanted, in one transaction. `Plan`, `UnpackedWheel`s → `Environment`.

mod additions;
mod apply;
mod entry_points;
mod error;
mod files;
mod in_use;
mod launcher;
mod link;
mod lock_file;
mod moves;
mod plan;
mod removal;
mod scripts;
mod transaction;
mod wheel_layout;

pub use additions::{AddedFrom, Additions, Amended, Amendment, Hook, amend, is_unsettled, settled};
pub use apply::{Applied, ApplyOptions, apply};
pub use error::{InstallError, Refusal};
pub use launcher::{LauncherKind, launcher, launcher_name};
pub use link::LinkMode;
pub use plan::{InstalledState, Plan, PlanRules, RemovalReason, Step, plan};
pub use transaction::{Recovered, recover};
pub use wheel_layout::{Content, TargetFile, WheelLayout, lay_out};
