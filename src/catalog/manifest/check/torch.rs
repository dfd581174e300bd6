//! Whether `torch.toml` agrees with itself, with the toolkits and with the index.

use std::collections::BTreeMap;

use super::{at, twice};
use crate::catalog::manifest::cuda_line;
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::{Build, CudaFile, Extension, IndexFile, PythonAbi, Release, TorchFile};
use crate::vocab::{Channel, CudaVersion, Moment, Os, Variant, Version};

pub fn check(document: &mut Document, rows: &TorchFile, cuda: Option<&CudaFile>, indexes: Option<&IndexFile>) {
    if !is_day(&rows.as_of) {
        document.at(at!["as_of"], format!("`{}` is no day such as `2026-01-31`", rows.as_of));
    }
    let releases = &rows.release;
    twice(document, "release", releases, |row| row.version.clone(), |row| format!("torch {}", row.version));
    for (index, pair) in releases.windows(2).enumerate() {
        if pair[1].version < pair[0].version {
            let message = format!("torch {} stands after {}; releases ascend", pair[1].version, pair[0].version);
            document.at(at!["release", index + 1, "version"], message);
        }
    }
    for (number, release) in releases.iter().enumerate() {
        self::release(document, number, release);
        for (index, build) in release.builds.iter().enumerate() {
            let mut fault = |key: &'static str, message: String| {
                document.at(at!["release", number, "builds", index, key], message);
            };
            own_facts(&mut fault, build);
            if let Some(cuda) = cuda {
                toolkit(&mut fault, build, cuda);
            }
            if let Some(indexes) = indexes {
                on_the_index(&mut fault, &build.variant, indexes);
            }
        }
    }
    extensions(document, rows);
    rocm(document, rows);
    for (index, row) in rows.limit.iter().enumerate() {
        if !releases.iter().any(|release| row.torch.contains(&release.version)) {
            document.at(at!["limit", index, "torch"], format!("no release of torch is `{}`", row.torch));
        }
    }
}

fn release(document: &mut Document, number: usize, release: &Release) {
    if release.version.is_local() {
        document.at(at!["release", number, "version"], "a release has no local label");
    }
    if !is_day(&release.released) {
        document
            .at(at!["release", number, "released"], format!("`{}` is no day such as `2026-01-31`", release.released));
    }
    let mut seen = BTreeMap::new();
    for (index, build) in release.builds.iter().enumerate() {
        if let Some(first) = seen.insert((&build.platform, &build.variant), index) {
            let line = document.line_of(at!["release", number, "builds", first]);
            let message = format!(
                "the build of torch {} for {} on {} stands twice; the first is in line {line}",
                release.version, build.variant, build.platform
            );
            document.at(at!["release", number, "builds", index], message);
        }
        if let Some(python) = refused(release, build.pythons.iter().flatten()) {
            let message = format!("Python {python} is not `{}`, which the release asks for", release.requires_python);
            document.at(at!["release", number, "builds", index, "pythons"], message);
        }
    }
    if let Some(python) = refused(release, release.pythons.iter()) {
        let message = format!("Python {python} is not `{}`, which the release asks for", release.requires_python);
        document.at(at!["release", number, "pythons"], message);
    }
    for (platform, variant) in &release.pypi {
        if !seen.contains_key(&(platform, variant)) {
            let message = format!("PyPI's wheel for {platform} is said to be {variant}, and there is no such build");
            document.at(at!["release", number, "pypi"], message);
        }
    }
}

/// A Python that the release has wheels for, and refuses.
fn refused<'p>(release: &Release, mut pythons: impl Iterator<Item = &'p PythonAbi>) -> Option<&'p PythonAbi> {
    pythons.find(|python| !release.requires_python.contains(&Version::new([python.major, python.minor])))
}

/// What a build says of itself goes together.
fn own_facts(fault: &mut impl FnMut(&'static str, String), build: &Build) {
    let (variant, platform) = (&build.variant, &build.platform);
    match (variant.cuda(), build.cuda.as_ref()) {
        (Some(line), Some(cuda)) if cuda_line(cuda) != Some(line) => {
            fault("cuda", format!("{variant} is built with CUDA {line}, not {cuda}"));
        }
        (None, Some(_)) => fault("cuda", format!("{variant} is not built with CUDA")),
        _ => {}
    }
    let facts = [
        ("cudnn", build.cudnn.is_some()),
        ("nccl", build.nccl.is_some()),
        ("sm", build.sm.is_some()),
        ("ptx", !build.ptx.is_empty()),
    ];
    if variant.cuda().is_none() {
        for (key, _) in facts.into_iter().filter(|(_, there)| *there) {
            fault(key, format!("{variant} is not built with CUDA and has no {key}"));
        }
    }
    if platform.os != Os::Linux && build.glibc.is_some() {
        fault("glibc", format!("a build for {platform} does not need glibc"));
    }
    if platform.os != Os::Linux && build.cxx11_abi.is_some() {
        fault("cxx11_abi", format!("a build for {platform} does not use GNU's C++ library"));
    }
}

/// The toolkit can compile what the build has, and its drivers are known.
fn toolkit(fault: &mut impl FnMut(&'static str, String), build: &Build, cuda: &CudaFile) {
    let Some(line) = build.variant.cuda() else { return };
    if !is_known(cuda, line) {
        fault("variant", format!("cuda.toml does not know CUDA {line}, which {} is built with", build.variant));
    }
    let Some(target) = cuda.target.iter().find(|target| target.cuda == line) else { return };
    for code in build.sm.iter().flatten().filter(|code| !target.sm.contains(&code.capability)) {
        fault("sm", format!("CUDA {line} cannot compile code for {code}"));
    }
    for code in build.ptx.iter().filter(|code| !target.sm.contains(code)) {
        fault("ptx", format!("CUDA {line} cannot compile PTX for {code}"));
    }
}

fn is_known(cuda: &CudaFile, line: CudaVersion) -> bool {
    cuda.toolkit.iter().any(|toolkit| cuda_line(&toolkit.version) == Some(line))
        || cuda.branch.iter().any(|branch| branch.cuda == line)
}

fn on_the_index(fault: &mut impl FnMut(&'static str, String), variant: &Variant, indexes: &IndexFile) {
    let stable = indexes.torch.channel.iter().find(|channel| channel.name == Channel::Stable);
    if stable.is_some_and(|stable| !stable.variants.contains(variant)) {
        fault("variant", format!("the PyTorch index has no {variant}, by the channel `stable` of indexes.toml"));
    }
}

fn extensions(document: &mut Document, rows: &TorchFile) {
    let key = |row: &Extension| (row.name.clone(), row.version.clone());
    twice(document, "extension", &rows.extension, key, |row| format!("{} {}", row.name, row.version));
    for (index, row) in rows.extension.iter().enumerate() {
        let of_torch: Vec<&Release> = rows.release.iter().filter(|of| row.torch.contains(&of.version)).collect();
        if of_torch.is_empty() {
            document.at(at!["extension", index, "torch"], format!("no release of torch is `{}`", row.torch));
            continue;
        }
        for (place, variant) in row.variants.iter().enumerate() {
            if !of_torch.iter().flat_map(|release| &release.builds).any(|build| build.variant == *variant) {
                let message = format!("torch `{}` has no build for {variant}", row.torch);
                document.at(at!["extension", index, "variants", place], message);
            }
        }
    }
}

/// What ROCm builds carry code for.
fn rocm(document: &mut Document, rows: &TorchFile) {
    twice(document, "rocm", &rows.rocm, |row| row.version.clone(), |row| format!("ROCm {}", row.version));
    for (index, row) in rows.rocm.iter().enumerate() {
        for (place, target) in row.gfx.iter().enumerate() {
            let number = target.strip_prefix("gfx").unwrap_or_default();
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let message = format!("`{target}` is no target such as `gfx1100`");
                document.at(at!["rocm", index, "gfx", place], message);
            }
        }
    }
}

/// `2026-01-31`.
fn is_day(text: &str) -> bool {
    Moment::of_day(text).is_some()
}
