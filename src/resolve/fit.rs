//! Which builds of torch serve a machine, and why the others do not.

use std::fmt;
use std::ops::ControlFlow;

use crate::catalog::manifest::{Build, Manifests, Platform, PythonAbi, cuda_line};
use crate::machine::{Gpu, Machine};
use crate::vocab::{CodeTarget, ComputeCapability, CudaVersion, DriverVersion, GlibcVersion, Os, Variant, Version};

/// Why a build does not serve a machine; later variants came nearer to fitting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// It is built for something else than is wanted.
    OtherVariant {
        /// What it is built for.
        built_for: Variant,
        /// What is wanted.
        wanted: Variant,
    },
    /// It needs a newer GNU C library.
    Glibc {
        /// The machine's.
        have: Option<GlibcVersion>,
        /// What the build needs.
        need: GlibcVersion,
    },
    /// A GPU is there, and the build uses none.
    NoGpuSupport,
    /// No install page names the build; it is taken only by name.
    Unadvertised,
    /// No release of the variant is known well enough to tell.
    UnknownCode,
    /// It has no machine code for a card, nor PTX that the driver could compile.
    NoKernelFor {
        /// The card, as messages name it.
        gpu: String,
        /// Its compute capability.
        capability: ComputeCapability,
    },
    /// Its cuDNN does not run on a card.
    CudnnTooNew {
        /// The card, as messages name it.
        gpu: String,
        /// The build's cuDNN.
        cudnn: Version,
        /// The lowest capability that cuDNN serves.
        floor: ComputeCapability,
    },
    /// A card needs a driver that is there, and none is.
    NoDriver,
    /// The driver no longer drives a card.
    DriverTooNew {
        /// The card, as messages name it.
        gpu: String,
        /// The driver.
        have: DriverVersion,
        /// The last branch that drives the card.
        last_branch: u16,
    },
    /// The driver is too old for the build's CUDA.
    DriverTooOld {
        /// The driver.
        have: DriverVersion,
        /// The lowest that would do.
        need: DriverVersion,
    },
    /// A card runs the build by PTX alone, and that asks a driver which supports its CUDA natively.
    DriverTooOldForPtx {
        /// The card, as messages name it.
        gpu: String,
        /// The driver.
        have: DriverVersion,
        /// The lowest that would do.
        need: Option<DriverVersion>,
    },
    /// It needs a library that no wheel brings and that this system has not.
    LibraryMissing {
        /// The library.
        library: String,
        /// Why no wheel brings it, and what can be done.
        why: String,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::OtherVariant { built_for, wanted } => write!(f, "is built for {built_for}, and {wanted} is wanted"),
            Unfit::Glibc { have: Some(have), need } => write!(f, "needs glibc {need}, this system has {have}"),
            Unfit::Glibc { have: None, need } => write!(f, "needs glibc {need}, which this system has not"),
            Unfit::LibraryMissing { library, why } => write!(f, "needs {library}, which this system has not: {why}"),
            Unfit::NoGpuSupport => f.write_str("cannot use the GPU"),
            Unfit::Unadvertised => f.write_str("is on no install page and taken only when named"),
            Unfit::UnknownCode => f.write_str("carries machine code for GPUs that torchfix does not know of"),
            Unfit::NoKernelFor { gpu, capability } => {
                write!(f, "has no code for {gpu} (compute capability {capability})")
            }
            Unfit::CudnnTooNew { gpu, cudnn, floor } => {
                write!(f, "loads cuDNN {cudnn}, which needs compute capability {floor} and does not run on {gpu}")
            }
            Unfit::NoDriver => f.write_str("needs a working NVIDIA driver, and there is none"),
            Unfit::DriverTooNew { gpu, have, last_branch } => {
                write!(
                    f,
                    "cannot use {gpu}: driver {have} no longer drives it, branch {last_branch} is the last that does"
                )
            }
            Unfit::DriverTooOld { have, need } => write!(f, "needs driver {need} or newer, this one is {have}"),
            Unfit::DriverTooOldForPtx { gpu, have, need } => {
                write!(f, "would have to be compiled for {gpu} by the driver, and {have} is too old for that")?;
                need.as_ref().map_or(Ok(()), |need| write!(f, " ({need} is needed)"))
            }
        }
    }
}

/// How well a build serves a machine; greater is better.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// Whether every visible card runs machine code rather than PTX.
    pub code_for_every_card: bool,
    /// Whether the driver supports the build's CUDA natively.
    pub native: bool,
    /// Among native builds the newest CUDA is best, among the others the oldest.
    pub cuda: CudaPreference,
    /// What had to be assumed because the manifests do not say it.
    pub assumed: Option<Assumed>,
}

/// A CUDA line, ordered by preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CudaPreference {
    /// Not a CUDA build.
    None,
    /// The driver supports it natively: newer is better.
    Native(CudaVersion),
    /// It runs by minor-version compatibility: older is better.
    Compatible(CudaVersion),
}

impl CudaPreference {
    fn rank(self) -> (u8, i32) {
        let number = |cuda: CudaVersion| i32::from(cuda.major) * 100 + i32::from(cuda.minor);
        match self {
            CudaPreference::None => (0, 0),
            CudaPreference::Compatible(cuda) => (1, -number(cuda)),
            CudaPreference::Native(cuda) => (2, number(cuda)),
        }
    }
}

impl PartialOrd for CudaPreference {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CudaPreference {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// What a build is taken to carry because a known one of the same variant does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumed {
    /// The release whose facts stand in.
    pub from: Version,
}

/// How a build runs on the driver and the cards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cards {
    /// Whether the driver supports its CUDA natively.
    native: bool,
    /// Whether every visible card runs machine code rather than PTX.
    code_for_every_card: bool,
}

/// Judges builds of torch for one machine.
#[derive(Debug)]
pub struct Judge<'a> {
    pub(super) machine: &'a Machine,
    pub(super) manifests: &'a Manifests,
    platform: Platform,
    /// The newest CUDA that the driver supports natively.
    pub(super) driver_cuda: Option<CudaVersion>,
}

impl<'a> Judge<'a> {
    /// A judge for this machine.
    pub fn new(machine: &'a Machine, manifests: &'a Manifests) -> Self {
        let platform = Platform { os: machine.os, arch: machine.python_arch() };
        let driver_os = if machine.wsl { Os::Windows } else { machine.os };
        let driver_cuda = machine.driver.as_ref().and_then(|driver| {
            let derived = || manifests.cuda_of_driver(driver.version.as_ref()?, driver_os);
            driver.cuda.or_else(derived)
        });
        Self { machine, manifests, platform, driver_cuda }
    }

    /// The machine's platform, as the manifests name it.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The machine's Python, as the manifests name it.
    pub fn python(&self) -> Option<PythonAbi> {
        let python = self.machine.python.as_ref()?;
        match *python.version.release() {
            [major, minor, ..] => Some(PythonAbi { major, minor, free_threaded: python.free_threaded }),
            _ => None,
        }
    }

    /// The visible NVIDIA cards.
    pub fn gpus(&self) -> &'a [Gpu] {
        self.machine.gpus.as_deref().unwrap_or_default()
    }

    /// Whether the build of this release and variant serves the machine, and how well.
    ///
    /// `named` says that the user asked for the variant by name: what is not known is then no obstacle.
    pub fn judge(&self, version: &Version, variant: &Variant, named: bool) -> Result<Fit, Unfit> {
        let fit = self.judge_hardware(version, variant, named)?;
        self.libraries(version)?;
        Ok(fit)
    }

    fn judge_hardware(&self, version: &Version, variant: &Variant, named: bool) -> Result<Fit, Unfit> {
        let known = self.manifests.build(version, &self.platform, variant);
        if let Some(build) = known {
            self.glibc(build)?;
        }
        // A release that is not known is advertised where the newest known one of its variant is.
        let advertised = known.or_else(|| self.newest(variant)).is_none_or(|build| build.advertised);
        if !advertised && !named {
            return Err(Unfit::Unadvertised);
        }
        let Variant::Cuda(cuda) = *variant else {
            let serves = self.gpus().is_empty() || named || self.machine.os == Os::Macos;
            let fit = Fit { code_for_every_card: true, native: true, cuda: CudaPreference::None, assumed: None };
            return if serves { Ok(fit) } else { Err(Unfit::NoGpuSupport) };
        };
        if self.gpus().is_empty() {
            // A CUDA build computes on the CPU too; whether that is wanted is not the judge's to say.
            let cuda = CudaPreference::Native(cuda);
            return Ok(Fit { code_for_every_card: true, native: true, cuda, assumed: None });
        }
        self.judge_gpus(version, variant, cuda, known, named)
    }

    fn newest(&self, variant: &Variant) -> Option<&Build> {
        let builds = self.manifests.releases().iter().rev().flat_map(|release| &release.builds);
        builds.into_iter().find(|build| build.platform == self.platform && build.variant == *variant)
    }

    fn judge_gpus(
        &self,
        version: &Version,
        variant: &Variant,
        cuda: CudaVersion,
        known: Option<&Build>,
        named: bool,
    ) -> Result<Fit, Unfit> {
        let (build, assumed) = match known {
            Some(build) if build.sm.is_some() => (Some(build), None),
            _ => match self.manifests.newest_with_code(&self.platform, variant) {
                Some((release, build)) => (Some(build), Some(Assumed { from: release.version.clone() })),
                None if named => (None, None),
                None => return Err(Unfit::UnknownCode),
            },
        };
        let mut first = None;
        let walked = self.cards(version, variant, cuda, known, build, &mut |unfit| {
            first = Some(unfit);
            ControlFlow::Break(())
        });
        let Cards { native, code_for_every_card } = match (walked, first) {
            (ControlFlow::Continue(cards), None) => cards,
            (_, unfit) => return Err(unfit.unwrap_or(Unfit::UnknownCode)),
        };
        let cuda = if native { CudaPreference::Native(cuda) } else { CudaPreference::Compatible(cuda) };
        Ok(Fit { code_for_every_card, native, cuda, assumed })
    }

    /// Walks over driver and cards, and tells what stands against a build that has the code of `build`, until told to stop.
    pub(super) fn cards(
        &self,
        version: &Version,
        variant: &Variant,
        cuda: CudaVersion,
        known: Option<&Build>,
        build: Option<&Build>,
        found: &mut dyn FnMut(Unfit) -> ControlFlow<()>,
    ) -> ControlFlow<(), Cards> {
        let native = self.native(cuda);
        if let Err(unfit) = &native {
            found(unfit.clone())?;
        }
        let mut code_for_every_card = true;
        for gpu in self.gpus() {
            let Some(capability) = gpu.compute_capability else { continue };
            if let Err(unfit) = self.driven(gpu, capability) {
                found(unfit)?;
            }
            let code = build.map(|build| build.sm.iter().flatten().any(|target| self.runs(*target, capability)));
            if code == Some(false) {
                code_for_every_card = false;
                if !build.is_some_and(|build| build.ptx.iter().any(|ptx| *ptx <= capability)) {
                    found(Unfit::NoKernelFor { gpu: title(gpu), capability })?;
                } else if native == Ok(false) {
                    found(self.too_old_for_ptx(gpu, cuda))?;
                }
            }
            if let Err(unfit) = self.cudnn(version, variant, known, gpu, capability) {
                found(unfit)?;
            }
        }
        ControlFlow::Continue(Cards { native: native.unwrap_or(false), code_for_every_card })
    }

    pub(super) fn glibc(&self, build: &Build) -> Result<(), Unfit> {
        match build.glibc {
            Some(need) if self.machine.os == Os::Linux && self.machine.glibc.is_none_or(|have| have < need) => {
                Err(Unfit::Glibc { have: self.machine.glibc, need })
            }
            _ => Ok(()),
        }
    }

    /// Windows has, by itself or by what was installed on it, the libraries that this release needs and no wheel brings.
    pub(super) fn libraries(&self, version: &Version) -> Result<(), Unfit> {
        if self.machine.os != Os::Windows {
            return Ok(());
        }
        let has = |library: &str| self.machine.has_system_library(library) == Some(true);
        match self.manifests.dlls().unobtainable(version).find(|row| !has(&row.name)) {
            Some(row) => Err(Unfit::LibraryMissing { library: row.name.clone(), why: row.why.clone() }),
            None => Ok(()),
        }
    }

    /// Whether machine code for `target` runs on a device with this machine's driver.
    pub fn runs(&self, target: CodeTarget, device: ComputeCapability) -> bool {
        runs(self.manifests, target, device)
            || (target.suffix.is_none() && same_generation(target.capability, device) && self.joined(device))
    }

    /// Whether a device that stands apart runs code for all of its generation with this machine's driver.
    pub fn joined(&self, device: ComputeCapability) -> bool {
        self.driver_cuda.is_some_and(|cuda| self.manifests.joined(device, cuda))
    }

    /// The cards that came later than the driver, each with the first branch that knows it.
    pub fn gpus_newer_than_the_driver(&self) -> impl Iterator<Item = (&'a Gpu, u16, &'a DriverVersion)> {
        let have = self.machine.driver.as_ref().and_then(|driver| driver.version.as_ref());
        self.gpus().iter().filter_map(move |gpu| {
            let (have, first) = (have?, self.manifests.first_branch(gpu.compute_capability?)?);
            (have.branch() < first).then_some((gpu, first, have))
        })
    }

    /// The system whose driver floors hold: Linux inside Windows runs on the Windows driver.
    pub fn driver_os(&self) -> Os {
        if self.machine.wsl { Os::Windows } else { self.machine.os }
    }

    /// Whether the driver supports this CUDA natively, or at least by minor-version compatibility.
    pub(super) fn native(&self, cuda: CudaVersion) -> Result<bool, Unfit> {
        let driver = self.machine.driver.as_ref().ok_or(Unfit::NoDriver)?;
        let os = self.driver_os();
        let version = driver.version.as_ref();
        let newest = self.driver_cuda;
        if newest.is_some_and(|newest| newest >= cuda) {
            return Ok(true);
        }
        // Before CUDA 11 there is no minor-version compatibility.
        let floor = self.manifests.family_floor(cuda.major, os).or_else(|| self.manifests.native_floor(cuda, os));
        match (version, floor) {
            (Some(have), Some(floor)) if have >= floor => Ok(false),
            (Some(have), Some(floor)) => Err(Unfit::DriverTooOld { have: have.clone(), need: floor.clone() }),
            // A driver that tells its CUDA only: the same major version runs by compatibility.
            (None, _) if newest.is_some_and(|newest| newest.major == cuda.major) => Ok(false),
            _ => Err(Unfit::NoDriver),
        }
    }

    pub(super) fn driven(&self, gpu: &Gpu, capability: ComputeCapability) -> Result<(), Unfit> {
        let Some(have) = self.machine.driver.as_ref().and_then(|driver| driver.version.as_ref()) else { return Ok(()) };
        match self.manifests.retired(capability, have.branch()) {
            Some(row) => {
                let last = if self.driver_os() == Os::Windows { row.last.windows } else { row.last.linux };
                Err(Unfit::DriverTooNew { gpu: title(gpu), have: have.clone(), last_branch: last })
            }
            None => Ok(()),
        }
    }

    pub(super) fn cudnn(
        &self,
        version: &Version,
        variant: &Variant,
        known: Option<&Build>,
        gpu: &Gpu,
        capability: ComputeCapability,
    ) -> Result<(), Unfit> {
        let of = |release: &Version| {
            let own = self.manifests.build(release, &self.platform, variant).and_then(|build| build.cudnn.as_ref());
            own.or_else(|| self.manifests.cudnn_elsewhere(release, variant))
        };
        // A release that is not known is taken to have that of the newest of the variant of which it is known.
        let cudnn = match known {
            Some(_) => of(version),
            None => self.manifests.releases().iter().rev().find_map(|release| of(&release.version)),
        };
        let Some(cudnn) = cudnn else { return Ok(()) };
        match self.manifests.cudnn_floor(cudnn) {
            Some(floor) if capability < floor => {
                Err(Unfit::CudnnTooNew { gpu: title(gpu), cudnn: cudnn.clone(), floor })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn too_old_for_ptx(&self, gpu: &Gpu, cuda: CudaVersion) -> Unfit {
        match self.machine.driver.as_ref().and_then(|driver| driver.version.clone()) {
            Some(have) => {
                let need = self.manifests.native_floor(cuda, self.driver_os()).cloned();
                Unfit::DriverTooOldForPtx { gpu: title(gpu), have, need }
            }
            None => Unfit::NoDriver,
        }
    }
}

/// Whether machine code for `target` runs on a device, whatever its driver.
fn runs(manifests: &Manifests, target: CodeTarget, device: ComputeCapability) -> bool {
    let code = target.capability;
    if target.suffix.is_some() {
        return code == device;
    }
    match manifests.cubin(code) {
        Some(row) if row.only.is_some() => row.only.iter().flatten().any(|only| *only == device),
        Some(row) if row.except.contains(&device) => false,
        _ => same_generation(code, device),
    }
}

/// The general rule: code runs on what came later in its generation.
fn same_generation(code: ComputeCapability, device: ComputeCapability) -> bool {
    code.major == device.major && code.minor <= device.minor
}

/// A card as messages name it.
pub fn title(gpu: &Gpu) -> String {
    gpu.name.clone().unwrap_or_else(|| format!("GPU {}", gpu.index))
}

/// The CUDA line of a build, from its toolkit or else its variant.
pub fn cuda_of(build: Option<&Build>, variant: &Variant) -> Option<CudaVersion> {
    build.and_then(|build| build.cuda.as_ref()).and_then(cuda_line).or_else(|| variant.cuda())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(capability: &str, driver: &str, cuda: Option<&str>) -> Machine {
        serde_json::from_value(serde_json::json!({
            "os": "linux", "arch": "aarch64", "glibc": "2.39",
            "driver": {"version": driver, "cuda": cuda},
            "gpus": [{"index": 0, "compute_capability": capability}],
        }))
        .unwrap()
    }

    #[test]
    fn orin_joins_its_generation_with_a_driver_for_cuda_13_2() {
        let runs = |cuda: &str, target: &str| {
            let machine = machine("8.7", "540.4.0", Some(cuda));
            Judge::new(&machine, Manifests::embedded()).runs(target.parse().unwrap(), "8.7".parse().unwrap())
        };
        assert!(!runs("12.6", "8.0") && !runs("13.0", "8.6") && runs("12.6", "8.7"));
        assert!(runs("13.2", "8.0") && runs("13.2", "8.6"));
        assert!(!runs("13.2", "8.9") && !runs("13.2", "8.0a") && !runs("13.2", "7.5"));
    }
}
