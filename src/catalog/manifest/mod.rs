//! The facts about torch, CUDA, drivers and cards, read from `manifests/*.toml`.

mod check;
mod document;
mod fault;
mod file;
mod gpus;
mod load;
mod nearest;
mod rows;
mod texts;

pub use fault::Fault;
pub use load::ManifestError;
pub use rows::{
    AbsentDll, Alike, Alone, Branch, Build, Cubin, CudnnFloor, DefaultIndex, DllFacts, DllFolder, Extension,
    FallbackFolder, Family, FamilyNames, GpuRow, Joined, LastBranch, LibraryFault, Limit, Lookup, Platform, PythonAbi,
    Release, Retired, RocmRow, RuntimeDll, RuntimeFloor, RuntimeProbe, SystemDlls, Target, Toolkit, TorchChannel,
    TorchIndex, holds, matches_name,
};

use std::path::Path;

use file::ManifestFile;
use rows::{CubinFile, CudaFile, CudnnFile, GpuFile, IndexFile, SourceTexts, TorchFile};
pub use texts::Subject;
use texts::Texts;

use crate::vocab::{
    Channel, ComputeCapability, CudaVersion, DriverVersion, Moment, Os, PackageName, Url, Variant, Version,
};

/// All manifests together; each is read when it is first needed.
#[derive(Debug, Clone)]
pub struct Manifests {
    torch: ManifestFile<TorchFile>,
    cuda: ManifestFile<CudaFile>,
    cubin: ManifestFile<CubinFile>,
    cudnn: ManifestFile<CudnnFile>,
    dlls: ManifestFile<DllFacts>,
    gpus: ManifestFile<GpuFile>,
    indexes: ManifestFile<IndexFile>,
}

/// Everything that is wrong in the manifests of a folder, or in those that torchfix carries.
pub fn faults(folder: Option<&Path>) -> Result<Vec<Fault>, ManifestError> {
    Ok(check::faults(&folder.map_or_else(|| Ok(Texts::carried()), Texts::read)?))
}

/// How a name belongs to torch's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyMember {
    /// Built against one torch and one CUDA line.
    BuiltForTorch,
    /// The same wheel for every variant.
    Shared,
}

impl Manifests {
    /// What the keys of `source` stand for in one of the files.
    pub fn sources(&self, subject: Subject) -> &SourceTexts {
        match subject {
            Subject::Torch => &self.torch.rows().sources,
            Subject::Cuda => &self.cuda.rows().sources,
            Subject::Cubin => &self.cubin.rows().sources,
            Subject::Cudnn => &self.cudnn.rows().sources,
            Subject::Dlls => &self.dlls.rows().sources,
            Subject::Gpus => &self.gpus.rows().sources,
            Subject::Indexes => &self.indexes.rows().sources,
        }
    }

    /// The day the facts about torch were gathered.
    pub fn as_of(&self) -> &str {
        &self.torch.rows().as_of
    }

    /// The releases of torch that are known, oldest first.
    pub fn releases(&self) -> &[Release] {
        &self.torch.rows().release
    }

    /// The release of torch with this version; its local label does not count.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        let labelled = version.is_local().then(|| version.clone().without_local());
        let public = labelled.as_ref().unwrap_or(version);
        // The newest are asked for most.
        self.torch.rows().release.iter().rev().find(|release| release.version == *public)
    }

    /// What is built against this release of torch and one CUDA line.
    pub fn extensions(&self, version: &Version) -> impl Iterator<Item = &Extension> {
        let public = version.clone().without_local();
        self.torch.rows().extension.iter().filter(move |row| row.torch.contains(&public))
    }

    /// Versions of other distributions that this release of torch works with, where its METADATA does not say so.
    pub fn limits(&self, version: &Version) -> impl Iterator<Item = &Limit> {
        let public = version.clone().without_local();
        self.torch.rows().limit.iter().filter(move |row| row.torch.contains(&public))
    }

    /// The variant of PyPI's own wheel of this release of torch.
    pub fn pypi_variant(&self, version: &Version, platform: &Platform) -> Option<&Variant> {
        self.release(version)?.pypi.get(platform)
    }

    /// The build of this release, when it is known.
    pub fn build(&self, version: &Version, platform: &Platform, variant: &Variant) -> Option<&Build> {
        self.release(version)?.builds.iter().find(|build| build.platform == *platform && build.variant == *variant)
    }

    /// The cuDNN of the same release and variant on any platform.
    pub fn cudnn_elsewhere(&self, version: &Version, variant: &Variant) -> Option<&Version> {
        let builds = &self.release(version)?.builds;
        builds.iter().filter(|build| build.variant == *variant).find_map(|build| build.cudnn.as_ref())
    }

    /// The newest release of the same variant and platform whose machine code is known.
    pub fn newest_with_code(&self, platform: &Platform, variant: &Variant) -> Option<(&Release, &Build)> {
        self.torch.rows().release.iter().rev().find_map(|release| {
            let same = |build: &&Build| build.platform == *platform && build.variant == *variant && build.sm.is_some();
            Some((release, release.builds.iter().find(same)?))
        })
    }

    /// Every variant that some release has for this platform, advertised at least once.
    pub fn variants(&self, platform: &Platform) -> Vec<Variant> {
        let builds = self.torch.rows().release.iter().flat_map(|release| &release.builds);
        let mut variants: Vec<Variant> = builds
            .filter(|build| build.platform == *platform && build.advertised)
            .map(|build| build.variant.clone())
            .collect();
        variants.sort();
        variants.dedup();
        variants
    }

    /// The lowest driver that supports this CUDA natively; `None` where the data has no floor for it on this system.
    pub fn native_floor(&self, cuda: CudaVersion, os: Os) -> Option<&DriverVersion> {
        let same = |toolkit: &&Toolkit| cuda_line(&toolkit.version) == Some(cuda);
        self.cuda.rows().toolkit.iter().filter(same).filter_map(|toolkit| toolkit.floor(os)).min()
    }

    /// The CUDA toolkits and the drivers that support them natively.
    pub fn toolkits(&self) -> &[Toolkit] {
        &self.cuda.rows().toolkit
    }

    /// The drivers that run every toolkit of a major version.
    pub fn families(&self) -> &[Family] {
        &self.cuda.rows().family
    }

    /// The compute capabilities that the toolkits of each CUDA version can compile code for.
    pub fn targets(&self) -> &[Target] {
        &self.cuda.rows().target
    }

    /// The devices that stand apart only with older drivers.
    pub fn joins(&self) -> &[Joined] {
        &self.cubin.rows().joined
    }

    /// The libraries that fail on some cards.
    pub fn library_faults(&self) -> &[LibraryFault] {
        &self.cuda.rows().fault
    }

    /// The cards that newer driver branches no longer drive.
    pub fn retirements(&self) -> &[Retired] {
        &self.cuda.rows().retired
    }

    /// The AMD GPUs that the builds of a variant carry code for.
    pub fn rocm(&self, variant: &Variant) -> Option<&RocmRow> {
        let Variant::Other(label) = variant else { return None };
        let version: Version = label.strip_prefix("rocm")?.parse().ok()?;
        self.torch.rows().rocm.iter().find(|row| row.version == version)
    }

    /// The GPUs that are known by name.
    pub fn gpus(&self) -> &[GpuRow] {
        &self.gpus.rows().gpu
    }

    /// The driver branches and the newest CUDA of each, oldest first.
    pub fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.cuda.rows().branch.iter()
    }

    /// The lowest driver that runs toolkits of this major version by minor-version compatibility.
    pub fn family_floor(&self, major: u16, os: Os) -> Option<&DriverVersion> {
        let family = self.cuda.rows().family.iter().find(|family| family.major == major)?;
        match os {
            Os::Windows => Some(&family.windows),
            Os::Linux => Some(&family.linux),
            Os::Macos => None,
        }
    }

    /// The newest CUDA that a driver supports natively on this system.
    pub fn cuda_of_driver(&self, driver: &DriverVersion, os: Os) -> Option<CudaVersion> {
        let toolkits = self.cuda.rows().toolkit.iter();
        let floors: Vec<_> =
            toolkits.filter_map(|toolkit| Some((cuda_line(&toolkit.version)?, toolkit.floor(os)?))).collect();
        // A driver that meets one floor of a line meets the lowest.
        let by_floor = floors.iter().filter(|(_, floor)| *floor <= driver).map(|(line, _)| *line);
        let by_branch = self.cuda.rows().branch.iter().filter(|row| {
            row.branch <= driver.branch() && os != Os::Macos && floors.iter().all(|(line, _)| *line != row.cuda)
        });
        by_floor.chain(by_branch.map(|row| row.cuda)).max()
    }

    /// The rule by which this driver branch no longer drives this card.
    pub fn retired(&self, capability: ComputeCapability, branch: u16) -> Option<&Retired> {
        let mut rows: Vec<_> = self.cuda.rows().retired.iter().filter(|row| capability < row.below).collect();
        rows.sort_by_key(|row| row.from);
        rows.into_iter().find(|row| row.from <= branch)
    }

    /// The first driver branch for a card: that of the first CUDA which compiles for it. `None` for cards that are older
    /// than what is known.
    pub fn first_branch(&self, capability: ComputeCapability) -> Option<u16> {
        let targets = &self.cuda.rows().target;
        let first = targets.iter().filter(|row| row.sm.contains(&capability)).map(|row| row.cuda).min()?;
        if targets.iter().map(|row| row.cuda).min() == Some(first) {
            return None;
        }
        self.branches().filter(|row| row.cuda >= first).map(|row| row.branch).min()
    }

    /// The last driver branch that drives this card; `None` while the newest one does.
    pub fn last_branch(&self, capability: ComputeCapability, os: Os) -> Option<u16> {
        let rows = self.cuda.rows().retired.iter().filter(|row| capability < row.below);
        rows.map(|row| if os == Os::Windows { row.last.windows } else { row.last.linux }).min()
    }

    /// The rule by which a version of a library fails on a card of this name.
    pub fn library_fault(&self, name: &PackageName, version: &Version, gpu: &str) -> Option<&LibraryFault> {
        self.library_faults().iter().find(|row| {
            let named = || row.gpus.iter().any(|known| gpus::same_name(known, gpu));
            row.name == *name && row.versions.contains(version) && named()
        })
    }

    /// What is particular about machine code, by target.
    pub fn cubins(&self) -> &[Cubin] {
        &self.cubin.rows().cubin
    }

    /// What is particular about machine code for this target.
    pub fn cubin(&self, code: ComputeCapability) -> Option<&Cubin> {
        self.cubin.rows().cubin.iter().find(|row| row.code == code)
    }

    /// Whether a device runs code for all of its generation, where the driver supports this CUDA.
    pub fn joined(&self, device: ComputeCapability, cuda: CudaVersion) -> bool {
        self.joins().iter().any(|row| row.device == device && row.cuda <= cuda)
    }

    /// The lowest card that this cuDNN runs on.
    pub fn cudnn_floor(&self, cudnn: &Version) -> Option<ComputeCapability> {
        let from = self.cudnn_floors().iter().map(|row| &row.from).filter(|from| *from <= cudnn).max()?;
        self.cudnn_floors().iter().filter(|row| row.from == *from).map(|row| row.capability).min()
    }

    /// What is known of Windows DLLs and how they are found.
    pub fn dlls(&self) -> &DllFacts {
        self.dlls.rows()
    }

    /// What each cuDNN runs on.
    pub fn cudnn_floors(&self) -> &[CudnnFloor] {
        &self.cudnn.rows().floor
    }

    /// Whether, and how, a distribution belongs to torch's family.
    pub fn family_member(&self, name: &PackageName) -> Option<FamilyMember> {
        let names = &self.indexes.rows().family;
        let listed = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name.as_ref()));
        if listed(&names.built_for_torch) {
            Some(FamilyMember::BuiltForTorch)
        } else if listed(&names.shared) {
            Some(FamilyMember::Shared)
        } else {
            None
        }
    }

    /// Whether a member of the family names its variant in no version, so that only its directory tells.
    pub fn unlabelled(&self, name: &PackageName) -> bool {
        self.indexes.rows().family.unlabelled.iter().any(|pattern| matches(pattern, name.as_ref()))
    }

    /// The root of the PyTorch index.
    pub fn torch_index(&self) -> &TorchIndex {
        &self.indexes.rows().torch
    }

    /// The names of torch's family.
    pub fn family_names(&self) -> &FamilyNames {
        &self.indexes.rows().family
    }

    /// Where a channel of the PyTorch index lies under its root; nothing for the root itself.
    pub fn channel_path(&self, channel: Channel) -> &str {
        let row = self.indexes.rows().torch.channel.iter().find(|row| row.name == channel);
        // Manifests that do not say must not make a stable build of one that was asked for by name.
        row.map_or(if channel == Channel::Stable { "" } else { channel.as_str() }, |row| row.path.as_str())
    }

    /// The variants that a channel has, or had; empty where the manifests do not say.
    pub fn channel_variants(&self, channel: Channel) -> &[Variant] {
        let row = self.indexes.rows().torch.channel.iter().find(|row| row.name == channel);
        row.map_or(&[], |row| row.variants.as_slice())
    }

    /// What was known at a moment: releases of torch that appeared then or later do not exist.
    #[must_use]
    pub fn before(&self, moment: Moment) -> Self {
        let mut torch = self.torch.rows().clone();
        torch.release.retain(|release| Moment::of_day(&release.released).is_some_and(|day| day < moment));
        Self { torch: ManifestFile::of(torch), ..self.clone() }
    }

    /// The root of the default index.
    pub fn default_index(&self) -> &Url {
        &self.indexes.rows().default.url
    }
}

impl Toolkit {
    fn floor(&self, os: Os) -> Option<&DriverVersion> {
        match os {
            Os::Linux => self.linux.as_ref(),
            Os::Windows => self.windows.as_ref(),
            Os::Macos => None,
        }
    }
}

/// The CUDA line of a toolkit: 12.8 of `12.8.1`.
pub fn cuda_line(toolkit: &Version) -> Option<CudaVersion> {
    let number = |position: usize| toolkit.release().get(position).and_then(|number| u16::try_from(*number).ok());
    Some(CudaVersion { major: number(0)?, minor: number(1)? })
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuda(text: &str, os: Os) -> Option<String> {
        Manifests::embedded().cuda_of_driver(&text.parse().unwrap(), os).map(|cuda| cuda.to_string())
    }

    #[test]
    fn a_driver_supports_the_cuda_that_nvidia_smi_shows() {
        assert_eq!(cuda("572.83", Os::Windows).as_deref(), Some("12.8"));
        assert_eq!(cuda("570.86.15", Os::Linux).as_deref(), Some("12.8"));
        assert_eq!(cuda("580.65.06", Os::Linux).as_deref(), Some("13.0"));
        assert_eq!(cuda("580.00", Os::Windows).as_deref(), Some("13.0"));
        assert_eq!(cuda("596.36", Os::Windows).as_deref(), Some("13.2"));
        assert_eq!(cuda("300.1", Os::Linux), None);
    }

    #[test]
    fn new_cards_have_a_first_branch() {
        let first = |capability: &str| Manifests::embedded().first_branch(capability.parse().unwrap());
        assert_eq!((first("12.0"), first("8.9"), first("8.6")), (Some(570), Some(520), Some(455)));
        assert_eq!((first("6.1"), first("8.0"), first("13.0")), (None, None, None));
    }

    #[test]
    fn old_cards_have_a_last_branch() {
        let manifests = Manifests::embedded();
        let capability = |text: &str| text.parse::<ComputeCapability>().unwrap();
        assert_eq!(manifests.last_branch(capability("6.1"), Os::Linux), Some(580));
        assert_eq!(manifests.last_branch(capability("3.7"), Os::Windows), Some(475));
        assert_eq!(manifests.last_branch(capability("7.5"), Os::Linux), None);
        assert!(manifests.retired(capability("6.1"), 590).is_some());
        assert!(manifests.retired(capability("6.1"), 580).is_none());
        assert_eq!(manifests.retired(capability("3.7"), 595).map(|row| row.last.linux), Some(470));
    }

    #[test]
    fn a_library_fails_on_the_laptop_and_not_on_the_desktop() {
        let fails = |version: &str, gpu: &str| {
            let name = "nvidia-cublas".parse().unwrap();
            Manifests::embedded().library_fault(&name, &version.parse().unwrap(), gpu).is_some()
        };
        assert!(fails("13.5.1.27", "NVIDIA GeForce RTX 5070 Laptop GPU"));
        assert!(fails("13.5.1.27", "NVIDIA GeForce RTX 5070 Ti Laptop GPU"));
        assert!(
            !fails("13.5.1.27", "NVIDIA GeForce RTX 5070") && !fails("13.4.0.1", "NVIDIA GeForce RTX 5070 Laptop GPU")
        );
    }

    #[test]
    fn cudnn_9_11_left_the_old_cards() {
        let floor =
            |text: &str| Manifests::embedded().cudnn_floor(&text.parse().unwrap()).map(|floor| floor.to_string());
        assert_eq!(floor("9.10.2.21").as_deref(), Some("5.0"));
        assert_eq!(floor("9.13.0.50").as_deref(), Some("7.5"));
        assert_eq!(floor("8.7.0.84"), None);
    }

    #[test]
    fn the_family_is_told_from_the_rest() {
        let member = |name: &str| Manifests::embedded().family_member(&name.parse().unwrap());
        assert_eq!(member("torchvision"), Some(FamilyMember::BuiltForTorch));
        assert_eq!(member("triton-windows"), Some(FamilyMember::Shared));
        assert_eq!(member("numpy"), None);
        assert_eq!(member("torch-geometric"), None);
    }
}
