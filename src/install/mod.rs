//! From an environment to what is wanted, in one transaction. `Plan`, `UnpackedWheel`s → `Environment`.

mod additions;
mod amend;
mod apply;
mod entry_points;
mod error;
mod files;
mod hook;
mod in_use;
mod launcher;
mod link;
mod lock_file;
mod moves;
mod plan;
mod removal;
mod scripts;
mod transaction;
mod unsettled;
mod wheel_layout;

pub use additions::{Added, Additions};
pub use amend::{AddedFrom, Amended, Amendment, amend};
pub use apply::{Applied, ApplyOptions, apply};
pub use error::{InstallError, Refusal};
pub use hook::Hook;
pub use launcher::{LauncherKind, launcher, launcher_name};
pub use link::LinkMode;
pub use plan::{InstalledState, Plan, PlanRules, RemovalReason, Step, plan};
pub use transaction::{Recovered, recover};
pub use unsettled::{is_unsettled, settled};
pub use wheel_layout::{Content, TargetFile, WheelLayout, lay_out};
