//! What this machine is: operating system, driver, GPUs, Python. `Host` → `Machine`.

mod child;
mod detect;
mod error;
mod facts;
mod facts_json;
mod facts_keys;
mod hardware;
mod markers;
mod native;
mod nvidia;
mod overrides;
mod platform;
pub mod python;
mod tags;
mod windows;

pub use detect::{DetectOptions, detect};
pub use error::FactsError;
pub use facts::{Driver, Gpu, Machine, PythonFacts, Source, Sources};
pub use hardware::{GpuModel, HardwareTable};
pub use markers::markers_of;
pub use native::programs_using;
pub use nvidia::VisibleDevices;
pub use overrides::{GpuStatement, Overrides, PythonStatement};
pub use python::{Interpreter, PythonError, PythonRequest, SchemePaths};
pub use tags::{CompatibleTags, Incompatible, TagPriority};
pub use windows::{SystemLibrary, VcRuntime, WindowsFacts, WindowsSources};
