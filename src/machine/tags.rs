//! Which wheels a machine's Python takes, and in what order of preference.
//!
//! <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>; the order is that of
//! `packaging.tags.sys_tags()`, which pip goes by.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{FactsError, Machine, PythonFacts};
use crate::vocab::{Arch, GlibcVersion, Os, Tag, WheelName};

/// The tags that a machine's Python takes, best first.
#[derive(Debug, Clone)]
pub struct CompatibleTags {
    pairs: Vec<Pair>,
    platforms: Vec<String>,
    /// By Python tag and ABI tag.
    ranks: HashMap<String, HashMap<String, Ranks>>,
    platform_ranks: HashMap<String, u32>,
}

/// How well a wheel fits; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagPriority(Reverse<u32>);

/// Why a wheel does not fit; the greater, the nearer it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Incompatible {
    /// It is for another Python version or implementation.
    Python,
    /// It is for another ABI of this Python, such as the free-threaded one.
    Abi,
    /// It is for another system, processor, or a newer C library.
    Platform,
}

/// A Python tag with an ABI tag, and whether it stands with platforms or with `any`.
#[derive(Debug, Clone)]
struct Pair {
    python: String,
    abi: String,
    any: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ranks {
    with_platform: Option<u32>,
    with_any: Option<u32>,
}

impl CompatibleTags {
    /// The tags of a machine, from its facts alone.
    pub fn of(machine: &Machine) -> Result<Self, FactsError> {
        let python = machine.python.as_ref().ok_or(FactsError::Missing { key: "python" })?;
        let pairs = pairs(python)?;
        let platforms = platforms(machine, python.bits);
        let mut ranks: HashMap<String, HashMap<String, Ranks>> = HashMap::new();
        for (rank, pair) in (0..).zip(&pairs) {
            let entry = ranks.entry(pair.python.clone()).or_default().entry(pair.abi.clone()).or_default();
            (if pair.any { &mut entry.with_any } else { &mut entry.with_platform }).get_or_insert(rank);
        }
        let platform_ranks = (0..).zip(&platforms).map(|(rank, platform)| (platform.clone(), rank)).collect();
        Ok(Self { pairs, platforms, ranks, platform_ranks })
    }

    /// How well a wheel fits; `None` when it does not.
    pub fn priority(&self, wheel: &WheelName) -> Option<TagPriority> {
        self.fit(wheel).ok()
    }

    /// How well a wheel fits, or why it does not.
    pub fn fit(&self, wheel: &WheelName) -> Result<TagPriority, Incompatible> {
        let mut best = None;
        let mut nearest = Incompatible::Python;
        for abis in wheel.python_tags().iter().filter_map(|python| self.ranks.get(python)) {
            nearest = nearest.max(Incompatible::Abi);
            for ranks in wheel.abi_tags().iter().filter_map(|abi| abis.get(abi)) {
                nearest = Incompatible::Platform;
                best =
                    wheel.platform_tags().iter().filter_map(|platform| self.rank(*ranks, platform)).chain(best).min();
            }
        }
        best.map(|rank| TagPriority(Reverse(rank))).ok_or(nearest)
    }

    /// Every tag, best first.
    pub fn iter(&self) -> impl Iterator<Item = Tag> + '_ {
        let any = std::slice::from_ref(&ANY);
        self.pairs.iter().flat_map(move |pair| {
            let platforms = self.platforms.iter().map(String::as_str).filter(|_| !pair.any);
            platforms.chain(any.iter().copied().filter(|_| pair.any)).map(|platform| Tag {
                python: pair.python.clone(),
                abi: pair.abi.clone(),
                platform: platform.to_owned(),
            })
        })
    }

    /// The platforms native wheels may be for, best first: `manylinux_2_35_x86_64` down to `linux_x86_64`.
    pub fn platforms(&self) -> &[String] {
        &self.platforms
    }

    fn rank(&self, ranks: Ranks, platform: &str) -> Option<u32> {
        // Pairs come first, platforms decide within one; a million pairs times platforms are nowhere near 2^32.
        let width = u32::try_from(self.platforms.len()).ok()?.checked_add(1)?;
        if platform == ANY {
            return ranks.with_any?.checked_mul(width);
        }
        ranks.with_platform?.checked_mul(width)?.checked_add(*self.platform_ranks.get(platform)?)
    }
}

const ANY: &str = "any";
const NONE: &str = "none";
const ABI3: &str = "abi3";

fn pairs(python: &PythonFacts) -> Result<Vec<Pair>, FactsError> {
    let (major, minor) = match *python.version.release() {
        [major, minor, ..] if major < 10 && minor < 1000 => (major, minor),
        _ => {
            return Err(FactsError::Invalid {
                key: "python.version".to_owned(),
                found: format!("`{}`", python.version),
                expected: "a Python version such as \"3.12.9\"",
            });
        }
    };
    let pair = |python: String, abi: &str, any| Pair { python, abi: abi.to_owned(), any };
    let own = match python.implementation.as_str() {
        "cpython" => format!("cp{major}{minor}"),
        "pypy" => format!("pp{major}{minor}"),
        other => format!("{other}{major}{minor}"),
    };
    let mut pairs = Vec::new();
    let abi = python.abi.clone().or_else(|| python.derived_abi());
    for abi in abi.iter().filter(|abi| *abi != NONE) {
        pairs.push(pair(own.clone(), abi, false));
        // A debug build takes release wheels as well.
        if let Some(release) = abi.strip_suffix('d').filter(|_| python.implementation == "cpython") {
            pairs.push(pair(own.clone(), release, false));
        }
    }
    // The stable ABI starts at 3.2, and free-threaded builds have none.
    let stable = python.implementation == "cpython" && major == 3 && !python.free_threaded;
    if stable {
        pairs.push(pair(own.clone(), ABI3, false));
    }
    pairs.push(pair(own.clone(), NONE, false));
    if stable {
        pairs.extend((2..minor).rev().map(|minor| pair(format!("cp3{minor}"), ABI3, false)));
    }
    let generic = || {
        let older = (0..minor).rev().map(move |minor| format!("py{major}{minor}"));
        [format!("py{major}{minor}"), format!("py{major}")].into_iter().chain(older)
    };
    pairs.extend(generic().map(|python| pair(python, NONE, false)));
    pairs.push(pair(own, NONE, true));
    pairs.extend(generic().map(|python| pair(python, NONE, true)));
    Ok(pairs)
}

impl Machine {
    /// The processor as its Python sees it: a 32-bit Python takes wheels of its own, also on a 64-bit system.
    pub fn python_arch(&self) -> Arch {
        let bits = self.python.as_ref().map_or(64, |python| python.bits);
        match (&self.arch, bits) {
            (Arch::X86_64, 32) => Arch::Other("i686".to_owned()),
            (Arch::Aarch64, 32) => Arch::Other("armv7l".to_owned()),
            (arch, _) => arch.clone(),
        }
    }
}

fn platforms(machine: &Machine, bits: u8) -> Vec<String> {
    let arch = machine.python_arch().to_string();
    match machine.os {
        Os::Linux => linux(&arch, machine.glibc),
        Os::Windows => vec![
            match (&machine.arch, bits) {
                (Arch::X86_64, 64) => "win_amd64",
                (Arch::Aarch64, 64) => "win_arm64",
                _ => "win32",
            }
            .to_owned(),
        ],
        Os::Macos => macos(&machine.arch, machine.os_version.as_deref()),
    }
}

/// PEP 600, with the older names in the places it gives them.
fn linux(arch: &str, glibc: Option<GlibcVersion>) -> Vec<String> {
    let mut platforms = Vec::new();
    if let Some(glibc) = glibc.filter(|glibc| glibc.major == 2) {
        let oldest = if matches!(arch, "x86_64" | "i686") { 5 } else { 17 };
        for minor in (oldest..=glibc.minor).rev() {
            platforms.push(format!("manylinux_2_{minor}_{arch}"));
            let older = match minor {
                17 => Some("manylinux2014"),
                12 => Some("manylinux2010"),
                5 => Some("manylinux1"),
                _ => None,
            };
            platforms.extend(older.map(|name| format!("{name}_{arch}")));
        }
    } else {
        // PEP 656; which musl is not among the facts, and wheels are built for 1.1 and 1.2.
        platforms.extend([2, 1].map(|minor| format!("musllinux_1_{minor}_{arch}")));
    }
    platforms.push(format!("linux_{arch}"));
    platforms
}

/// From the macOS at hand down: one release a year since 11, before that 10.x.
fn macos(arch: &Arch, version: Option<&str>) -> Vec<String> {
    let mut numbers = version.unwrap_or("11.0").split('.').map(|number| number.parse::<u16>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(11), numbers.next().unwrap_or(0));
    let formats: &[&str] = match arch {
        Arch::Aarch64 => &["arm64", "universal2"],
        _ => &["x86_64", "intel", "fat64", "fat32", "universal2", "universal"],
    };
    let mut platforms = Vec::new();
    let mut add = |major: u16, minor: u16, formats: &[&str]| {
        platforms.extend(formats.iter().map(|format| format!("macosx_{major}_{minor}_{format}")));
    };
    for major in (11..=major.min(99)).rev() {
        add(major, 0, formats);
    }
    let newest_ten = if major >= 11 { 16 } else { minor.min(16) };
    for minor in (4..=newest_ten).rev() {
        match arch {
            // Arm Macs start at 11; a universal wheel may still call itself older.
            Arch::Aarch64 => add(10, minor, &["universal2"]),
            _ => add(10, minor, formats),
        }
    }
    platforms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(platform: &str, python: &str, abi: &str) -> Machine {
        let platform: crate::vocab::PlatformTag = platform.parse().unwrap();
        let python = PythonFacts {
            version: python.parse().unwrap(),
            implementation: "cpython".to_owned(),
            abi: Some(abi.to_owned()),
            free_threaded: abi.ends_with('t'),
            bits: 64,
        };
        let os_version = platform.macos.map(|(major, minor)| format!("{major}.{minor}"));
        Machine { glibc: platform.glibc, os_version, python: Some(python), ..Machine::bare(platform.os, platform.arch) }
    }

    fn tags(platform: &str, python: &str, abi: &str) -> CompatibleTags {
        CompatibleTags::of(&machine(platform, python, abi)).unwrap()
    }

    fn wheel(tags: &str) -> WheelName {
        format!("torch-2.9.1-{tags}.whl").parse().unwrap()
    }

    #[test]
    fn the_order_of_packaging_on_debian_12() {
        let tags = tags("manylinux_2_36_x86_64", "3.11.2", "cp311");
        let all: Vec<String> = tags.iter().map(|tag| tag.to_string()).collect();
        // From `packaging.tags.sys_tags()` on Debian 12.
        assert_eq!(all.len(), 914);
        assert_eq!(all[0], "cp311-cp311-manylinux_2_36_x86_64");
        assert_eq!(all[20], "cp311-cp311-manylinux2014_x86_64");
        assert_eq!(all[35], "cp311-cp311-linux_x86_64");
        assert_eq!(all[36], "cp311-abi3-manylinux_2_36_x86_64");
        assert_eq!(all[72], "cp311-none-manylinux_2_36_x86_64");
        assert_eq!(all[108], "cp310-abi3-manylinux_2_36_x86_64");
        assert!(all.contains(&"cp32-abi3-manylinux1_x86_64".to_owned()));
        assert_eq!(all.last().unwrap(), "py30-none-any");
    }

    #[test]
    fn the_best_tag_of_a_compressed_set_counts() {
        let tags = tags("manylinux_2_36_x86_64", "3.12.9", "cp312");
        let priority = |text: &str| tags.priority(&wheel(text)).unwrap();
        assert!(priority("cp312-cp312-manylinux_2_28_x86_64") > priority("cp312-cp312-manylinux_2_17_x86_64"));
        assert!(priority("cp312-cp312-linux_x86_64") > priority("cp312-abi3-manylinux_2_28_x86_64"));
        assert!(priority("cp39-abi3-manylinux_2_28_x86_64") > priority("py3-none-any"));
        assert_eq!(
            priority("cp312-cp312-manylinux2014_x86_64.manylinux_2_28_x86_64"),
            priority("cp312-cp312-manylinux_2_28_x86_64")
        );
        assert!(priority("py2.py3-none-any") < priority("py3-none-manylinux_2_28_x86_64"));
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let tags = tags("manylinux_2_28_x86_64", "3.13.1", "cp313t");
        for (name, why) in [
            ("cp312-cp312-manylinux_2_28_x86_64", Incompatible::Python),
            ("cp313-cp313-manylinux_2_28_x86_64", Incompatible::Abi),
            ("cp313-abi3-manylinux_2_28_x86_64", Incompatible::Abi),
            ("cp39-abi3-manylinux_2_28_x86_64", Incompatible::Python),
            ("cp313-cp313t-manylinux_2_34_x86_64", Incompatible::Platform),
            ("cp313-cp313t-win_amd64", Incompatible::Platform),
            ("py2-none-any", Incompatible::Python),
        ] {
            assert_eq!(tags.fit(&wheel(name)), Err(why), "{name}");
        }
        assert!(tags.priority(&wheel("cp313-cp313t-manylinux_2_28_x86_64")).is_some());
        assert!(tags.priority(&wheel("py3-none-any")).is_some());
        assert!(Incompatible::Platform > Incompatible::Abi && Incompatible::Abi > Incompatible::Python);
    }

    #[test]
    fn other_systems() {
        let fits = |platform: &str, name: &str| tags(platform, "3.12", "cp312").priority(&wheel(name)).is_some();
        assert!(fits("win_amd64", "cp312-cp312-win_amd64"));
        assert!(!fits("win_amd64", "cp312-cp312-win_arm64"));
        assert!(fits("macosx_14_0_arm64", "cp312-none-macosx_11_0_arm64"));
        assert!(fits("macosx_14_0_arm64", "cp312-cp312-macosx_10_9_universal2"));
        assert!(!fits("macosx_14_0_arm64", "cp312-cp312-macosx_15_0_arm64"));
        assert!(!fits("macosx_14_0_arm64", "cp312-cp312-macosx_10_9_x86_64"));
        assert!(!fits("manylinux_2_28_aarch64", "cp312-cp312-manylinux1_aarch64"));
        assert!(fits("manylinux_2_28_aarch64", "cp312-cp312-manylinux2014_aarch64"));
        assert!(!fits("linux_x86_64", "cp312-cp312-manylinux_2_28_x86_64"), "musl");
        assert!(fits("linux_x86_64", "cp312-cp312-musllinux_1_2_x86_64"));
    }

    #[test]
    fn absurd_versions_are_refused() {
        let mut machine = machine("win_amd64", "3.12", "cp312");
        machine.python.as_mut().unwrap().version = "3.4294967295".parse().unwrap();
        assert!(matches!(CompatibleTags::of(&machine), Err(FactsError::Invalid { .. })));
        machine.python = None;
        assert!(matches!(CompatibleTags::of(&machine), Err(FactsError::Missing { key: "python" })));
    }
}
