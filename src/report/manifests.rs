//! What the manifests say, as text and as JSON.

use serde_json::{Value, json};

use super::table::table;
use crate::catalog::Manifests;
use crate::catalog::manifest::{Build, Cubin, CudnnFloor, Fault, Release, Subject, Toolkit};
use crate::vocab::{DriverVersion, Variant};

/// A part of the manifests.
#[derive(Debug, Clone, Copy)]
pub enum ManifestView<'a> {
    /// How much there is of what.
    Overview,
    /// Every release of torch.
    Torch,
    /// The builds of one release.
    Release(&'a Release),
    /// CUDA toolkits and drivers.
    Cuda,
    /// cuDNN.
    Cudnn,
    /// DLLs.
    Dlls,
    /// GPUs.
    Gpus,
    /// Indexes.
    Indexes,
}

/// A part of the manifests, a line each.
pub fn manifest_lines(manifests: &Manifests, view: ManifestView) -> Vec<String> {
    match view {
        ManifestView::Overview => overview(manifests),
        ManifestView::Torch => torch(manifests),
        ManifestView::Release(release) => self::release(manifests, release),
        ManifestView::Cuda => cuda(manifests),
        ManifestView::Cudnn => cudnn(manifests),
        ManifestView::Dlls => dlls(manifests),
        ManifestView::Gpus => gpus(manifests),
        ManifestView::Indexes => indexes(manifests),
    }
}

/// A part of the manifests, the rows as they stand in the files.
pub fn manifest_json(manifests: &Manifests, view: ManifestView) -> Value {
    let mut object = json!({ "schema": "torchfix.manifests/1", "as_of": manifests.as_of() });
    let mut put = |key: &str, value: Value| object[key] = value;
    match view {
        ManifestView::Overview => {
            put("releases", manifests.releases().len().into());
            put("builds", builds(manifests).into());
            put("toolkits", manifests.toolkits().len().into());
            put("gpus", manifests.gpus().len().into());
        }
        ManifestView::Torch => {
            put("releases", json!(manifests.releases()));
            put("sources", json!(manifests.sources(Subject::Torch)));
        }
        ManifestView::Release(release) => {
            put("release", json!(release));
            put("builds", release.builds.iter().map(|build| build_json(manifests, release, build)).collect());
            put("extensions", json!(manifests.extensions(&release.version).collect::<Vec<_>>()));
            put("limits", json!(manifests.limits(&release.version).collect::<Vec<_>>()));
            put("sources", json!(manifests.sources(Subject::Torch)));
        }
        ManifestView::Cuda => {
            put("toolkits", json!(manifests.toolkits()));
            put("families", json!(manifests.families()));
            put("branches", json!(manifests.branches().collect::<Vec<_>>()));
            put("targets", json!(manifests.targets()));
            put("retired", json!(manifests.retirements()));
            put("faults", json!(manifests.library_faults()));
            put("cubin", json!(manifests.cubins()));
            put("joined", json!(manifests.joins()));
            let sources = [Subject::Cuda, Subject::Cubin].map(|subject| manifests.sources(subject));
            put("sources", sources.into_iter().flatten().map(|(key, text)| (key.clone(), json!(text))).collect());
        }
        ManifestView::Cudnn => {
            put("floors", json!(manifests.cudnn_floors()));
            put("sources", json!(manifests.sources(Subject::Cudnn)));
        }
        ManifestView::Dlls => put("dlls", json!(manifests.dlls())),
        ManifestView::Gpus => {
            put("gpus", json!(manifests.gpus()));
            put("sources", json!(manifests.sources(Subject::Gpus)));
        }
        ManifestView::Indexes => {
            put("default", json!(manifests.default_index()));
            put("torch", json!(manifests.torch_index()));
            put("family", json!(manifests.family_names()));
            put("sources", json!(manifests.sources(Subject::Indexes)));
        }
    }
    // The builds stand once, with what follows from them.
    if let Some(release) = object.get_mut("release").and_then(Value::as_object_mut) {
        release.shift_remove("builds");
    }
    object
}

/// What is wrong in manifests, a line each.
pub fn fault_lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// What is wrong in manifests.
pub fn fault_json(faults: &[Fault]) -> Value {
    json!({ "schema": "torchfix.manifests-check/1", "faults": faults })
}

fn builds(manifests: &Manifests) -> usize {
    manifests.releases().iter().map(|release| release.builds.len()).sum()
}

fn overview(manifests: &Manifests) -> Vec<String> {
    let releases = manifests.releases();
    let range = match (releases.first(), releases.last()) {
        (Some(first), Some(last)) => format!(", {} to {}", first.version, last.version),
        _ => String::new(),
    };
    vec![
        format!(
            "torch    {} releases{range}, {} builds, as of {}",
            releases.len(),
            builds(manifests),
            manifests.as_of()
        ),
        format!("cuda     {} toolkits, {} driver branches", manifests.toolkits().len(), manifests.branches().count()),
        format!("cudnn    {} rows", manifests.cudnn_floors().len()),
        format!("gpus     {} cards", manifests.gpus().len()),
        format!("indexes  {}, {}", manifests.default_index(), manifests.torch_index().url),
    ]
}

fn torch(manifests: &Manifests) -> Vec<String> {
    let rows = manifests.releases().iter().rev().map(|release| {
        let mut variants: Vec<&Variant> = release.builds.iter().map(|build| &build.variant).collect();
        variants.sort();
        variants.dedup();
        let version = release.version.to_string();
        let triton = release.triton.as_ref().map(ToString::to_string).unwrap_or_default();
        let (vision, audio) = (release.torchvision.to_string(), release.torchaudio.to_string());
        vec![version, release.released.clone(), words(&release.pythons), vision, audio, triton, words(variants)]
    });
    let heading = ["torch", "released", "Python", "torchvision", "torchaudio", "triton", "variants"];
    table(&heading, &rows.collect::<Vec<_>>())
}

fn release(manifests: &Manifests, release: &Release) -> Vec<String> {
    let mut lines = vec![
        format!("torch {}, released {}, for Python {}", release.version, release.released, words(&release.pythons)),
        format!("goes with torchvision {} and torchaudio {}", release.torchvision, release.torchaudio),
    ];
    if let Some(triton) = &release.triton {
        lines.push(format!("needs triton {triton} where triton has wheels"));
    }
    for row in manifests.extensions(&release.version) {
        lines.push(format!("{} {} is built for it, for {}", row.name, row.version, words(&row.variants)));
    }
    for row in manifests.limits(&release.version) {
        let os = row.os.map(|os| format!(" on {os}")).unwrap_or_default();
        lines.push(format!("works with {} {}{os}", row.name, row.allowed));
    }
    let rows: Vec<Vec<String>> = release.builds.iter().map(|build| build_row(manifests, release, build)).collect();
    let heading =
        ["platform", "variant", "CUDA", "cuDNN", "NCCL", "code", "PTX", "driver", "at least", "glibc", "notes"];
    lines.extend(table(&heading, &rows));
    lines
}

fn build_row(manifests: &Manifests, release: &Release, build: &Build) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let (native, least) = drivers(manifests, build);
    let code = match (&build.sm, manifests.rocm(&build.variant)) {
        (Some(sm), _) => words(sm),
        (None, Some(rocm)) => words(&rocm.gfx),
        (None, None) if build.variant.cuda().is_some() => "?".to_owned(),
        (None, None) => String::new(),
    };
    let mut notes = Vec::new();
    if release.pypi.get(&build.platform) == Some(&build.variant) {
        notes.push("on PyPI".to_owned());
    }
    if !build.advertised {
        notes.push("only by name".to_owned());
    }
    if build.cxx11_abi == Some(false) {
        notes.push("old C++ ABI".to_owned());
    }
    if let Some(pythons) = &build.pythons {
        notes.push(format!("Python {}", words(pythons)));
    }
    vec![
        build.platform.to_string(),
        build.variant.to_string(),
        text(build.cuda.as_ref().map(ToString::to_string)),
        text(build.cudnn.as_ref().map(ToString::to_string)),
        text(build.nccl.as_ref().map(ToString::to_string)),
        code,
        words(&build.ptx),
        text(native.map(|driver| driver.to_string())),
        text(least.map(|driver| driver.to_string())),
        text(build.glibc.map(|glibc| glibc.to_string())),
        notes.join(", "),
    ]
}

fn build_json(manifests: &Manifests, release: &Release, build: &Build) -> Value {
    let (native, least) = drivers(manifests, build);
    let mut object = json!(build);
    object["pythons"] = json!(release.pythons_of(build));
    object["driver_native"] = json!(native);
    object["driver_at_least"] = json!(least);
    if let Some(rocm) = manifests.rocm(&build.variant) {
        object["gfx"] = json!(rocm.gfx);
    }
    object
}

/// The lowest driver that supports a build natively, and the lowest that runs it.
fn drivers(manifests: &Manifests, build: &Build) -> (Option<DriverVersion>, Option<DriverVersion>) {
    let Some(cuda) = build.variant.cuda() else { return (None, None) };
    let os = build.platform.os;
    // Where toolkits have no floor of their own, the branches of the driver say it.
    let branch = || manifests.branches().find(|row| row.cuda >= cuda)?.branch.to_string().parse().ok();
    let native = manifests.native_floor(cuda, os).cloned().or_else(branch);
    let least = manifests.family_floor(cuda.major, os).cloned();
    let least = least.or_else(|| native.clone());
    (native, least)
}

fn cuda(manifests: &Manifests) -> Vec<String> {
    let text = |driver: Option<&DriverVersion>| driver.map(ToString::to_string).unwrap_or_default();
    let toolkit = |row: &Toolkit| vec![row.version.to_string(), text(row.linux.as_ref()), text(row.windows.as_ref())];
    let mut lines = table(
        &["toolkit", "Linux driver", "Windows driver"],
        &manifests.toolkits().iter().map(toolkit).collect::<Vec<_>>(),
    );
    let families = manifests.families().iter();
    let families = families.map(|row| vec![format!("{}.x", row.major), row.linux.to_string(), row.windows.to_string()]);
    lines.push(String::new());
    lines.extend(table(&["any of", "Linux driver", "Windows driver"], &families.collect::<Vec<_>>()));
    let branches = manifests.branches().map(|row| vec![row.branch.to_string(), row.cuda.to_string()]);
    lines.push(String::new());
    lines.extend(table(&["driver branch", "newest CUDA"], &branches.collect::<Vec<_>>()));
    let targets = manifests.targets().iter().map(|row| vec![row.cuda.to_string(), words(&row.sm)]);
    lines.push(String::new());
    lines.extend(table(&["CUDA", "compiles code for"], &targets.collect::<Vec<_>>()));
    lines.push(String::new());
    lines.extend(table(&["code for", "runs on"], &manifests.cubins().iter().map(cubin_row).collect::<Vec<_>>()));
    lines.push(String::new());
    for row in manifests.retirements() {
        let (below, from, linux, windows) = (row.below, row.from, row.last.linux, row.last.windows);
        lines.push(format!(
            "cards below {below}: driver branches from {from} on do not drive them; the last is {linux} on Linux, {windows} on Windows"
        ));
    }
    lines
}

fn cubin_row(row: &Cubin) -> Vec<String> {
    let devices = match &row.only {
        Some(only) => format!("{} alone", words(only)),
        None if row.except.is_empty() => format!("{}.x from {}", row.code.major, row.code),
        None => format!("{}.x from {}, not {}", row.code.major, row.code, words(&row.except)),
    };
    vec![row.code.to_string(), devices]
}

fn cudnn(manifests: &Manifests) -> Vec<String> {
    let row = |row: &CudnnFloor| {
        let driver = |driver: &Option<DriverVersion>| driver.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![
            row.from.to_string(),
            row.cuda.as_ref().map(ToString::to_string).unwrap_or_default(),
            row.capability.to_string(),
            row.newest.map(|newest| newest.to_string()).unwrap_or_default(),
            driver(&row.linux),
            driver(&row.windows),
        ]
    };
    let rows: Vec<Vec<String>> = manifests.cudnn_floors().iter().map(row).collect();
    table(&["cuDNN from", "CUDA", "lowest card", "highest card", "Linux driver", "Windows driver"], &rows)
}

fn dlls(manifests: &Manifests) -> Vec<String> {
    let facts = manifests.dlls();
    let row = |name: &str, what: String| vec![name.to_owned(), what];
    let runtimes = facts.runtime.iter().map(|it| row(&it.name, format!("part of the C runtime, in `{}`", it.wheel)));
    let floors = facts.floor.iter().map(|it| {
        row(
            &it.name,
            format!(
                "{} or newer for what linker {} or newer made, unless it imports {}",
                it.need, it.linker, it.unless
            ),
        )
    });
    let lookups = facts.lookup.iter().map(|it| {
        let how = if it.optional { "may look up" } else { "looks up" };
        row(&it.by, format!("{how} {}", it.names.join(", ")))
    });
    let absent = facts.absent.iter().map(|it| row(&it.name, it.why.clone()));
    table(&["DLL", "what is known"], &runtimes.chain(floors).chain(lookups).chain(absent).collect::<Vec<_>>())
}

fn gpus(manifests: &Manifests) -> Vec<String> {
    let rows = manifests.gpus().iter().map(|row| {
        vec![row.name.clone(), row.capability.to_string(), row.chip.clone().unwrap_or_default(), row.pci.join(" ")]
    });
    table(&["GPU", "capability", "chip", "PCI ids"], &rows.collect::<Vec<_>>())
}

fn indexes(manifests: &Manifests) -> Vec<String> {
    let torch = manifests.torch_index();
    let mut lines = vec![
        format!("default index: {}", manifests.default_index()),
        format!("PyTorch index: {}, served by {}", torch.url, torch.hosts.join(" and ")),
    ];
    for channel in &torch.channel {
        let path = if channel.path.is_empty() { String::new() } else { format!(" at `{}/`", channel.path) };
        lines.push(format!("channel {}{path}: {}", channel.name, words(&channel.variants)));
    }
    let family = manifests.family_names();
    lines.push(format!("built for one torch: {}", family.built_for_torch.join(", ")));
    lines.push(format!("for any variant of it: {}", family.shared.join(", ")));
    lines
}

fn words<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}
