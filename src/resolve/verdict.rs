//! Everything that stands against a build, where the judge stops at the first thing, and which build is preferred.

use std::fmt;
use std::ops::ControlFlow;

use serde::Serialize;
use version_ranges::Ranges;

use super::fit::{CudaPreference, Fit, Judge, Unfit};
use super::line::allows;
use super::ranges;
use crate::catalog::manifest::{Build, Platform, PythonAbi, Release};
use crate::request::VariantChoice;
use crate::vocab::{CudaVersion, Os, Variant, Version, VersionSpecifiers};

/// How a build runs on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does not.
    No,
    /// It computes on the CPU alone.
    Cpu,
    /// The driver compiles its PTX for some card.
    Ptx,
    /// By minor-version compatibility of the driver.
    Compatible,
    /// Natively.
    Native,
}

/// What stands against a build on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// No such release is known.
    UnknownRelease {
        /// The newest that is.
        newest: Version,
    },
    /// The release has no such build for this platform, as far as is known.
    NoBuild {
        /// The platform.
        platform: Platform,
    },
    /// It is for another Python.
    Python {
        /// The machine's.
        have: PythonAbi,
        /// Those that the build has wheels for; empty where that is not known.
        wheels: Vec<PythonAbi>,
        /// What the release asks for.
        requires: VersionSpecifiers,
    },
    /// It is for cards of another maker.
    OtherMaker,
    /// The machine's system, driver or cards are against it.
    Unfit(Unfit),
}

impl Objection {
    /// The less can be done about it on this machine, the smaller.
    pub fn stubbornness(&self) -> u8 {
        match self {
            Objection::UnknownRelease { .. } | Objection::NoBuild { .. } => 0,
            Objection::OtherMaker => 1,
            Objection::Unfit(unfit) => match unfit {
                Unfit::NoKernelFor { .. } | Unfit::UnknownCode => 2,
                Unfit::CudnnTooNew { .. } => 3,
                Unfit::Glibc { .. } => 5,
                Unfit::DriverTooNew { .. } => 6,
                Unfit::DriverTooOldForPtx { .. } => 7,
                Unfit::DriverTooOld { .. } => 8,
                Unfit::NoDriver => 9,
                _ => 10,
            },
            Objection::Python { .. } => 4,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objection::UnknownRelease { newest } => {
                write!(f, "is in no manifest; the newest torch there is {newest}")
            }
            Objection::NoBuild { platform } => write!(f, "is not built for {platform}, as far as the manifests know"),
            Objection::Python { have, wheels, requires } => match pythons(wheels, have.free_threaded) {
                Some(wheels) => write!(f, "has wheels for Python {wheels}, this one is {have}"),
                None if wheels.is_empty() => write!(f, "needs Python {requires}, this one is {have}"),
                None => write!(f, "has no wheels for a free-threaded Python, and this one, {have}, is"),
            },
            Objection::OtherMaker => {
                f.write_str("is for cards of another maker than NVIDIA: torchfix does not judge it, and takes it when `--variant` names it")
            }
            Objection::Unfit(unfit) => unfit.fmt(f),
        }
    }
}

/// Pythons with or without the GIL: `3.10 to 3.14`.
fn pythons(all: &[PythonAbi], free_threaded: bool) -> Option<String> {
    let mut alike: Vec<&PythonAbi> = all.iter().filter(|python| python.free_threaded == free_threaded).collect();
    alike.sort();
    match alike.as_slice() {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first} to {last}")),
    }
}

/// A build on a machine: how it runs, or all that stands against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The release, without a local label.
    pub version: Version,
    /// What it is built for.
    pub variant: Variant,
    /// How it runs.
    pub verdict: Verdict,
    /// How well it serves; `None` where it does not run.
    pub fit: Option<Fit>,
    /// What stands against it, the most stubborn first; empty where it runs.
    pub objections: Vec<Objection>,
    /// Why it is taken only when it is asked for by name, though it runs.
    pub only_named: Option<Unfit>,
}

impl Judgement {
    /// The build as pip writes it: `2.9.1+cu126`.
    pub fn title(&self) -> String {
        format!("{}+{}", self.version, self.variant)
    }

    /// Whether it runs on this machine.
    pub fn runs(&self) -> bool {
        self.verdict != Verdict::No
    }

    /// By what builds of one machine are preferred, in the order in which it decides; greater is better.
    pub fn preference(&self) -> (&Version, bool, bool, CudaPreference) {
        let none = (false, false, CudaPreference::None);
        let (code, native, cuda) =
            self.fit.as_ref().map_or(none, |fit| (fit.code_for_every_card, fit.native, fit.cuda));
        (&self.version, code, native, cuda)
    }
}

impl Judge<'_> {
    /// How a build runs on the machine, and all that stands against it.
    pub fn judgement(&self, version: &Version, variant: &Variant) -> Judgement {
        let version = version.clone().without_local();
        let mut objections = self.release_objections(&version, variant);
        let fit = self.judge(&version, variant, true).ok();
        if fit.is_none() {
            objections.extend(self.machine_objections(&version, variant).into_iter().map(Objection::Unfit));
        }
        // Who names it may have it; that it runs is more than anyone knows.
        if fit.is_some() && self.has_unknown_code(&version, variant) {
            objections.push(Objection::Unfit(Unfit::UnknownCode));
        }
        if matches!(variant, Variant::Other(_)) {
            objections.push(Objection::OtherMaker);
        }
        let fit = fit.filter(|_| objections.is_empty());
        let only_named = fit.as_ref().and_then(|_| self.judge(&version, variant, false).err());
        objections.sort_by_key(Objection::stubbornness);
        let verdict = fit.as_ref().map_or(Verdict::No, |fit| self.verdict(variant, fit));
        Judgement { version, variant: variant.clone(), verdict, fit, objections, only_named }
    }

    fn has_unknown_code(&self, version: &Version, variant: &Variant) -> bool {
        let known = self.manifests.build(version, self.platform(), variant).is_some_and(|build| build.sm.is_some());
        variant.cuda().is_some()
            && !self.gpus().is_empty()
            && !known
            && self.manifests.newest_with_code(self.platform(), variant).is_none()
    }

    fn verdict(&self, variant: &Variant, fit: &Fit) -> Verdict {
        let on_the_cpu = match variant {
            Variant::Cuda(_) => self.gpus().is_empty(),
            _ => !self.gpus().is_empty() && self.machine.os != Os::Macos,
        };
        match () {
            () if matches!(variant, Variant::Other(_)) => Verdict::No,
            () if on_the_cpu => Verdict::Cpu,
            () if !fit.code_for_every_card => Verdict::Ptx,
            () if fit.native => Verdict::Native,
            () => Verdict::Compatible,
        }
    }

    /// What the manifests say of the release against it.
    fn release_objections(&self, version: &Version, variant: &Variant) -> Vec<Objection> {
        let mut objections = Vec::new();
        let newest = self.manifests.releases().last();
        match self.manifests.release(version) {
            Some(release) => {
                if self.manifests.build(version, self.platform(), variant).is_none() {
                    objections.push(Objection::NoBuild { platform: self.platform().clone() });
                }
                if let Some(have) = self.python()
                    && !self.takes_python(release, variant)
                {
                    let build = self.manifests.build(version, self.platform(), variant);
                    let wheels = build.map_or(&*release.pythons, |build| release.pythons_of(build)).to_vec();
                    objections.push(Objection::Python { have, wheels, requires: release.requires_python.clone() });
                }
            }
            // What is newer than the manifests is judged by what the newest known release is like.
            None => objections.extend(
                newest
                    .filter(|newest| *version < newest.version)
                    .map(|newest| Objection::UnknownRelease { newest: newest.version.clone() }),
            ),
        }
        objections
    }

    /// Whether the machine's Python is one that a build is for.
    fn takes_python(&self, release: &Release, variant: &Variant) -> bool {
        let Some((python, abi)) = self.machine.python.as_ref().zip(self.python()) else { return true };
        let is = |build: &&Build| build.platform == *self.platform() && build.variant == *variant;
        let wheels = release.builds.iter().find(is).map_or(&*release.pythons, |build| release.pythons_of(build));
        (wheels.is_empty() || wheels.contains(&abi))
            && ranges::of_specifiers(&release.requires_python).contains(&python.version)
    }

    /// Everything of the machine against the build, as the judge would find it one by one.
    fn machine_objections(&self, version: &Version, variant: &Variant) -> Vec<Unfit> {
        let mut unfit = Vec::new();
        let known = self.manifests.build(version, self.platform(), variant);
        unfit.extend(known.and_then(|build| self.glibc(build).err()));
        unfit.extend(self.libraries(version).err());
        if let Variant::Cuda(cuda) = variant
            && !self.gpus().is_empty()
        {
            self.card_objections(version, variant, *cuda, &mut unfit);
        }
        // Two cards of one name have one reason.
        let mut said = Vec::new();
        unfit.retain(|reason| {
            let new = !said.contains(reason);
            said.push(reason.clone());
            new
        });
        unfit
    }

    fn card_objections(&self, version: &Version, variant: &Variant, cuda: CudaVersion, unfit: &mut Vec<Unfit>) {
        let known = self.manifests.build(version, self.platform(), variant);
        let newest = || self.manifests.newest_with_code(self.platform(), variant).map(|(_, build)| build);
        let build = known.filter(|build| build.sm.is_some()).or_else(newest);
        // It never stops early, so there is nothing to learn from how it ended.
        let _ = self.cards(version, variant, cuda, known, build, &mut |reason| {
            unfit.push(reason);
            ControlFlow::Continue(())
        });
    }

    /// Every build of the known releases in a set for this platform, newest release first.
    pub fn judgements(&self, set: &Ranges<Version>) -> Vec<Judgement> {
        let mut all = Vec::new();
        for release in self.manifests.releases().iter().rev().filter(|release| allows(set, &release.version)) {
            let builds = release.builds.iter().filter(|build| build.platform == *self.platform());
            let mut variants: Vec<&Variant> = builds.map(|build| &build.variant).collect();
            variants.sort();
            all.extend(variants.into_iter().map(|variant| self.judgement(&release.version, variant)));
        }
        all
    }

    /// The build that `install` takes, as far as the manifests know: of those that run the one preferred.
    pub fn preferred(&self, wanted: &VariantChoice, set: &Ranges<Version>) -> Option<Judgement> {
        let named = matches!(wanted, VariantChoice::Named(_));
        for release in self.manifests.releases().iter().rev().filter(|release| allows(set, &release.version)) {
            let builds = release.builds.iter().filter(|build| build.platform == *self.platform());
            let considered = builds.map(|build| &build.variant).filter(|variant| self.considered(variant, wanted));
            let fitting = considered.filter(|variant| self.takes_python(release, variant)).filter_map(|variant| {
                let fit = self.judge(&release.version, variant, named).ok()?;
                Some(((fit.code_for_every_card, fit.native, fit.cuda), variant))
            });
            if let Some((_, variant)) = fitting.max() {
                return Some(self.judgement(&release.version, variant));
            }
        }
        None
    }

    /// Whether builds for a variant are looked at: what is named, else CUDA where there are cards and `cpu` where not.
    pub fn considered(&self, variant: &Variant, wanted: &VariantChoice) -> bool {
        match wanted {
            VariantChoice::Named(named) => named == variant,
            VariantChoice::Auto if self.gpus().is_empty() || self.platform().os == Os::Macos => {
                *variant == Variant::Cpu
            }
            VariantChoice::Auto => variant.cuda().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Manifests;
    use crate::machine::Machine;

    fn machine(facts: &str) -> Machine {
        let base = r#""os":"linux","arch":"x86_64","glibc":"2.36","python":{"version":"3.12.9","abi":"cp312"}"#;
        let machine: Machine = serde_json::from_str(&format!("{{{base},{facts}}}")).unwrap();
        machine.derived(Manifests::embedded())
    }

    fn pascal(driver: &str) -> Machine {
        machine(&format!(
            r#""driver":{{"version":"{driver}"}},"gpus":[{{"name":"GTX 1080 Ti","compute_capability":"6.1"}}]"#
        ))
    }

    fn judged(machine: &Machine, build: &str) -> Judgement {
        let (version, variant) = build.split_once('+').unwrap();
        Judge::new(machine, Manifests::embedded()).judgement(&version.parse().unwrap(), &variant.parse().unwrap())
    }

    fn said(judgement: &Judgement) -> Vec<String> {
        judgement.objections.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_is_said_and_the_most_stubborn_first() {
        let judgement = judged(&Machine { glibc: "2.17".parse().ok(), ..pascal("470.82.01") }, "2.14.1+cu130");
        let said = said(&judgement);
        let parts = ["has no code for GTX 1080 Ti", "loads cuDNN 9.24", "needs glibc 2.28", "needs driver 580"];
        assert_eq!(said.len(), parts.len(), "{said:#?}");
        for (sentence, part) in said.iter().zip(parts) {
            assert!(sentence.contains(part), "{sentence} / {part}");
        }
        assert_eq!((judgement.verdict, judgement.fit), (Verdict::No, None));
    }

    #[test]
    fn the_judge_and_the_list_agree_on_every_build() {
        let manifests = Manifests::embedded();
        for capability in ["3.7", "5.2", "6.1", "7.0", "7.5", "8.6", "8.7", "9.0", "10.3", "12.0", "12.1", "13.0"] {
            for driver in ["418.39", "470.82.01", "525.60.13", "551.61", "570.86.15", "580.95.05", "595.71.05"] {
                for os in ["linux", "windows"] {
                    let mut machine = machine(&format!(
                        r#""driver":{{"version":"{driver}"}},"gpus":[{{"name":"X","compute_capability":"{capability}"}}]"#
                    ));
                    machine.os = if os == "linux" { Os::Linux } else { Os::Windows };
                    let judge = Judge::new(&machine, manifests);
                    for judgement in judge.judgements(&Ranges::full()) {
                        let Judgement { version, variant, .. } = &judgement;
                        let judged = judge.judge(version, variant, true);
                        let python = judgement.objections.iter().any(|it| matches!(it, Objection::Python { .. }));
                        let title = judgement.title();
                        let unknown = judgement.objections.contains(&Objection::Unfit(Unfit::UnknownCode));
                        if matches!(variant, Variant::Other(_)) || python || unknown {
                            assert_eq!(judgement.verdict, Verdict::No, "{title}");
                            continue;
                        }
                        assert_eq!(judgement.runs(), judged.is_ok(), "{title} on {capability}, {driver}, {os}");
                        assert_eq!(judgement.runs(), judgement.objections.is_empty(), "{title}");
                        let mut listed = judge.machine_objections(version, variant).into_iter();
                        match judged {
                            Ok(_) => assert_eq!(listed.next(), None, "{title}"),
                            Err(first) => assert!(listed.any(|reason| reason == first), "{title}: {first}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn how_it_runs_and_what_is_preferred() {
        let machine = pascal("580.95.05");
        assert_eq!(judged(&machine, "2.14.1+cu126").verdict, Verdict::Native);
        assert_eq!(judged(&pascal("530.30.02"), "2.14.1+cu126").verdict, Verdict::Compatible);
        let cpu = judged(&machine, "2.14.1+cpu");
        assert_eq!((cpu.verdict, cpu.only_named), (Verdict::Cpu, Some(Unfit::NoGpuSupport)));
        assert!(said(&judged(&machine, "2.15.0+cu126"))[0].contains("is not built for linux-x86_64"));
        let preferred = |machine: &Machine, wanted: &VariantChoice| {
            let judge = Judge::new(machine, Manifests::embedded());
            judge.preferred(wanted, &Ranges::full()).map(|build| build.title())
        };
        assert_eq!(preferred(&machine, &VariantChoice::Auto).as_deref(), Some("2.14.1+cu126"));
        let cpu = VariantChoice::Named(Variant::Cpu);
        assert_eq!(preferred(&machine, &cpu).as_deref(), Some("2.15.0+cpu"));
        let mut old_python = machine.clone();
        old_python.python.as_mut().unwrap().version = "3.10.4".parse().unwrap();
        assert_eq!(preferred(&old_python, &cpu).as_deref(), Some("2.14.1+cpu"));
    }
}
