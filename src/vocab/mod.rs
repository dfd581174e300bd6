//! The nouns every stage shares, each parsed once at the edge and carried as a type.

mod address;
mod channel;
mod core_metadata;
mod device;
mod diagnostic;
mod extent;
mod file_version;
mod gpu;
mod moment;
mod platform;
mod record_rows;
mod relative_path;
mod sha256;
mod tag;
mod variant;
mod vet;
mod wheel_name;

pub use address::without_credentials;
pub use channel::{Channel, ParseChannelError};
pub use core_metadata::{CoreMetadata, MetadataError};
pub use device::is_windows_device;
pub use diagnostic::{Diagnostic, ExitStatus};
pub use extent::Extent;
pub use file_version::{FileVersion, ParseFileVersionError};
pub use gpu::{CodeTarget, ComputeCapability, CudaVersion, DriverVersion, ParseGpuFactError};
pub use moment::{Moment, ParseMomentError};
pub use pep440_rs::{Version, VersionSpecifiers};
pub use pep508_rs::{ExtraName, PackageName};
pub use platform::{Arch, GlibcVersion, Os, ParsePlatformError, PlatformTag};
pub use record_rows::{RecordFields, RecordRows, RecordSyntaxError};
pub use relative_path::{is_below, joined, slashed};
pub use sha256::{ParseSha256Error, Sha256};
pub use tag::{ParseTagError, Tag};
pub use url::Url;
pub use variant::{ParseVariantError, Variant};
pub use vet::vet_requirement;
pub use wheel_name::{BuildTag, ParseWheelNameError, WheelName};

/// A PEP 508 requirement: `torch[opt] >=2.6 ; sys_platform == "win32"`.
pub type Requirement = pep508_rs::Requirement<Url>;
