//! Each kind of fault, with its line.

use std::io;
use std::path::Path;

use super::faults;
use crate::catalog::manifest::texts::Texts;

const TORCH: &str = r#"schema = 1
as_of = "2026-01-31"

[[release]]
version = "2.9.0"
released = "2025-10-15"
requires_python = ">=3.10"
pythons = ["3.10", "3.14t"]
torchvision = "0.24.0"
torchaudio = "2.9.0"
pypi = { linux-x86_64 = "cu128" }
source = ["wheel"]
builds = [
  { platform = "linux-x86_64", variant = "cu128", cuda = "12.8.1", sm = ["7.5"], ptx = ["12.0"], source = ["wheel"] },
  { platform = "windows-x86_64", variant = "cpu", source = ["wheel"] },
]

[[release]]
version = "2.9.1"
released = "2025-11-12"
requires_python = ">=3.10"
torchvision = "0.24.1"
torchaudio = "2.9.1"
triton = "==3.5.1"
pypi = { linux-x86_64 = "cpu" }
source = ["wheel"]
builds = [
  { platform = "linux-x86_64", variant = "cpu", glibc = "2.28", source = ["wheel"] },
]

[[extension]]
name = "xformers"
version = "0.0.33"
torch = "==2.9.0"
variants = ["cu128"]
source = ["wheel"]

[sources]
wheel = "the wheel"
"#;

const CUDA: &str = r#"schema = 1
toolkit = [
  { version = "12.9.0", linux = "575.51.03", windows = "576.02", source = ["table"] },
  { version = "12.8.1", linux = "570.124.06", windows = "572.61", source = ["table"] },
  { version = "12.8.0", linux = "570.26", windows = "570.65", source = ["table"] },
]
family = [
  { major = 12, linux = "525.60.13", windows = "528.33", source = ["table"] },
]
branch = [
  { branch = 570, cuda = "12.8", source = ["table"] },
  { branch = 575, cuda = "12.9", source = ["table"] },
]
target = [
  { cuda = "12.8", sm = ["7.5", "12.0"], source = ["table"] },
]
retired = [
  { below = "7.5", from = 590, last = { linux = 580, windows = 580 }, source = ["table"] },
]
sources = { table = "the table" }
"#;

/// The faults of one file after a change to it, without its folder.
fn found(file: &str, text: &str, from: &str, to: &str) -> Vec<String> {
    assert!(text.contains(from), "{from}");
    let changed = text.replacen(from, to, 1);
    let texts = Texts::of(Path::new("m"), |name| match name {
        _ if name == file => Ok(changed.clone()),
        "torch.toml" => Ok(TORCH.to_owned()),
        "cuda.toml" => Ok(CUDA.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    });
    faults(&texts.unwrap()).iter().map(|fault| fault.to_string().replace('\\', "/").replace("m/", "")).collect()
}

fn each(file: &str, text: &str, cases: &[(&str, &str, &[&str])]) {
    assert_eq!(found(file, text, "schema = 1", "schema = 1"), [""; 0], "the example has no fault");
    let wrong: Vec<_> = cases
        .iter()
        .map(|(from, to, expected)| (from, to, expected, found(file, text, from, to)))
        .filter(|(.., expected, found)| *found != **expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_form_of_a_file() {
    each(
        "torch.toml",
        TORCH,
        &[
            ("glibc =", "glbic =", &["torch.toml:28:49: `glbic` is no key here; did you mean `glibc`?"]),
            (
                "glibc =",
                "colour =",
                &[
                    "torch.toml:28:49: `colour` is no key here; the keys are platform, variant, cuda, cudnn, nccl, sm, ptx, \
               glibc, cxx11_abi, pythons, advertised, source",
                ],
            ),
            (
                "torchaudio =",
                "torchadio =",
                &["torch.toml:10:1: `torchadio` is no key here; did you mean `torchaudio`?"],
            ),
            ("as_of =", "as_off =", &["torch.toml:2:1: `as_off` is no key here; did you mean `as_of`?"]),
            ("torchaudio = \"2.9.0\"\n", "", &["torch.toml:4:1: missing field `torchaudio`"]),
            ("\"0.24.0\"", "0.24", &["torch.toml:9:15: invalid type: floating point `0.24`, expected a string"]),
            ("schema = 1", "schema = 2", &["torch.toml:1:10: this is schema 2, and this torchfix reads 1"]),
        ],
    );
    let several = TORCH.replacen("ptx =", "pxt =", 1);
    assert_eq!(found("torch.toml", &several, "variant = \"cpu\", glibc", "variant = \"cup\", glibc").len(), 2);
    let broken = found("torch.toml", TORCH, "as_of = \"2026-01-31\"", "as_of = ");
    assert!(broken[0].starts_with("torch.toml:2:"), "{broken:?}");
}

#[test]
fn companions_that_do_not_parse() {
    let audio = found("torch.toml", TORCH, "\"2.9.0\"\npypi", "\"2.9.o0\"\npypi");
    assert!(audio.len() == 1 && audio[0].starts_with("torch.toml:10:14: "), "{audio:?}");
    let triton = found("torch.toml", TORCH, "==3.5.1", "= 3.5.1");
    assert!(triton.len() == 1 && triton[0].starts_with("torch.toml:24:10: "), "{triton:?}");
}

#[test]
fn releases_and_their_builds() {
    each(
        "torch.toml",
        TORCH,
        &[
            (
                "version = \"2.9.1\"",
                "version = \"2.9.0\"",
                &["torch.toml:18:1: torch 2.9.0 stands twice; the first is in line 4"],
            ),
            (
                "version = \"2.9.1\"",
                "version = \"2.8.0\"",
                &["torch.toml:19:11: torch 2.8.0 stands after 2.9.0; releases ascend"],
            ),
            ("2025-11-12", "12.11.2025", &["torch.toml:20:12: `12.11.2025` is no day such as `2026-01-31`"]),
            (
                "  { platform = \"windows-x86_64\", variant = \"cpu\", ",
                "  { platform = \"linux-x86_64\", variant = \"cu128\", ",
                &[
                    "torch.toml:15:3: the build of torch 2.9.0 for cu128 on linux-x86_64 stands twice; the first is in line 14",
                ],
            ),
            (
                "linux-x86_64 = \"cu128\"",
                "linux-x86_64 = \"cu130\"",
                &["torch.toml:11:8: PyPI's wheel for linux-x86_64 is said to be cu130, and there is no such build"],
            ),
            ("\"3.14t\"", "\"3.9\"", &["torch.toml:8:11: Python 3.9 is not `>=3.10`, which the release asks for"]),
            ("glibc = \"2.28\"", "cudnn = \"9.1\"", &["torch.toml:28:57: cpu is not built with CUDA and has no cudnn"]),
            ("glibc = \"2.28\"", "cuda = \"12.8\"", &["torch.toml:28:56: cpu is not built with CUDA"]),
            (
                "variant = \"cpu\", source",
                "variant = \"cpu\", glibc = \"2.28\", source",
                &["torch.toml:15:59: a build for windows-x86_64 does not need glibc"],
            ),
        ],
    );
}

#[test]
fn variants_and_their_toolkits() {
    each(
        "torch.toml",
        TORCH,
        &[
            (
                "cuda = \"12.8.1\"",
                "cuda = \"12.9.0\"",
                &["torch.toml:14:58: cu128 is built with CUDA 12.8, not 12.9.0"],
            ),
            ("[\"7.5\"]", "[\"7.5\", \"5.0\"]", &["torch.toml:14:73: CUDA 12.8 cannot compile code for 5.0"]),
            ("[\"12.0\"]", "[\"12.1\"]", &["torch.toml:14:88: CUDA 12.8 cannot compile PTX for 12.1"]),
            (
                "\"windows-x86_64\", variant = \"cpu\"",
                "\"windows-x86_64\", variant = \"cu127\"",
                &[
                    "torch.toml:15:44: cuda.toml does not know CUDA 12.7, which cu127 is built with",
                    "torch.toml:15:44: the PyTorch index has no cu127, by the channel `stable` of indexes.toml",
                ],
            ),
            (
                "variants = [\"cu128\"]",
                "variants = [\"cu130\"]",
                &["torch.toml:35:13: torch `==2.9.0` has no build for cu130"],
            ),
            ("torch = \"==2.9.0\"", "torch = \"==2.7\"", &["torch.toml:34:9: no release of torch is `==2.7`"]),
            (
                "[sources]",
                "[[rocm]]\nversion = \"6.4\"\ngfx = [\"90a\"]\nsource = [\"wheel\"]\n\n[sources]",
                &["torch.toml:40:8: `90a` is no target such as `gfx1100`"],
            ),
        ],
    );
}

#[test]
fn sources_and_lists() {
    each(
        "torch.toml",
        TORCH,
        &[
            (
                "source = [\"wheel\"]",
                "source = [\"whel\"]",
                &["torch.toml:12:11: `[sources]` does not explain `whel`; did you mean `wheel`?"],
            ),
            ("the wheel\"", "the wheel\"\nhearsay = \"x\"", &["torch.toml:40:1: no row comes from `hearsay`"]),
            ("source = [\"wheel\"]", "source = []", &["torch.toml:12:10: the list is empty"]),
            ("[\"7.5\"]", "[\"7.5\", \"7.5\"]", &["torch.toml:14:81: `7.5` stands twice in this list"]),
        ],
    );
}

#[test]
fn toolkits_and_drivers() {
    each(
        "cuda.toml",
        CUDA,
        &[
            ("12.8.0", "12.8.1", &["cuda.toml:5:3: CUDA 12.8.1 stands twice; the first is in line 4"]),
            (
                "570.124.06",
                "570.25",
                &["cuda.toml:4:33: CUDA 12.8.1 makes do with Linux driver 570.25, and the older 12.8.0 needs 570.26"],
            ),
            (
                "linux = \"575.51.03\"",
                "linux = \"571.0\"",
                &["cuda.toml:3:33: Linux driver 571.0 is of branch 570, which supports CUDA 12.8 at most, not 12.9"],
            ),
            (
                "525.60.13",
                "572.1",
                &[
                    "cuda.toml:8:25: Linux driver 572.1 is said to be the lowest for CUDA 12, and 570.26 supports 12.8.0 natively",
                ],
            ),
            (
                "branch = 575",
                "branch = 565",
                &[
                    "cuda.toml:3:33: Linux driver 575.51.03 is of branch 570, which supports CUDA 12.8 at most, not 12.9",
                    "cuda.toml:3:56: Windows driver 576.02 is of branch 570, which supports CUDA 12.8 at most, not 12.9",
                    "cuda.toml:12:3: branch 565 with CUDA 12.9 stands after branch 570 with CUDA 12.8",
                ],
            ),
            (
                "linux = 580",
                "linux = 590",
                &["cuda.toml:18:49: branch 590 drives the cards still, and branches from 590 on do not"],
            ),
        ],
    );
}

#[test]
fn cards_code_and_cudnn() {
    let gpus = "schema = 1\ngpu = [\n  { name = \"A\", capability = \"8.0\", pci = [\"20b0\"], source = [\"s\"] },\n  \
                { name = \"B\", capability = \"8.6\", pci = [\"20b1\"], source = [\"s\"] },\n]\nsources = { s = \"x\" }\n";
    each(
        "gpus.toml",
        gpus,
        &[
            ("20b1", "20b0", &["gpus.toml:4:44: PCI id 20b0 is that of A already, in line 3"]),
            ("20b1", "20B1", &["gpus.toml:4:44: `20B1` is no PCI device id such as `1b06`"]),
            (
                "\"B\", capability = \"8.6\"",
                "\"A\", capability = \"8.0\"",
                &["gpus.toml:4:3: A stands twice; the first is in line 3"],
            ),
        ],
    );
    let cubin = "schema = 1\ncubin = [\n  { code = \"8.0\", except = [\"8.7\"], source = [\"s\"] },\n  \
                 { code = \"8.7\", only = [\"8.7\"], source = [\"s\"] },\n]\n\
                 joined = [\n  { device = \"8.7\", cuda = \"13.2\", source = [\"s\"] },\n]\nsources = { s = \"x\" }\n";
    each(
        "cubin.toml",
        cubin,
        &[
            (
                "except = [\"8.7\"]",
                "except = [\"8.7\", \"9.0\"]",
                &["cubin.toml:3:36: code 8.0 does not run on 9.0 anyway"],
            ),
            (
                "device = \"8.7\"",
                "device = \"8.8\"",
                &["cubin.toml:7:14: no code is excepted for 8.8, so there is nothing to join"],
            ),
            ("code = \"8.7\"", "code = \"8.0\"", &["cubin.toml:4:3: code 8.0 stands twice; the first is in line 3"]),
        ],
    );
    let faults = CUDA.replace(
        "sources = {",
        "fault = [\n  { name = \"nvidia-cublas\", versions = \"==1\", gpus = [\"GeForce RTX 5090\"], source = [\"table\"] },\n]\nsources = {",
    );
    each(
        "cuda.toml",
        &faults,
        &[("RTX 5090", "RTX 50900", &["cuda.toml:21:55: gpus.toml has no `GeForce RTX 50900`"])],
    );
    let cudnn = "schema = 1\nfloor = [\n  { from = \"9.0\", capability = \"5.0\", newest = \"9.0\", source = [\"s\"] },\n  \
                 { from = \"9.11\", capability = \"7.5\", source = [\"s\"] },\n]\nsources = { s = \"x\" }\n";
    each(
        "cudnn.toml",
        cudnn,
        &[
            ("from = \"9.11\"", "from = \"8.0\"", &["cudnn.toml:4:12: cuDNN 8.0 stands after 9.0"]),
            ("from = \"9.11\"", "from = \"9.0\"", &["cudnn.toml:4:3: cuDNN 9.0 stands twice; the first is in line 3"]),
            (
                "newest = \"9.0\"",
                "newest = \"3.7\"",
                &["cudnn.toml:3:48: the highest capability, 3.7, is below the lowest, 5.0"],
            ),
        ],
    );
}

#[test]
fn indexes_and_file_names() {
    let carried = Texts::carried();
    let text = &carried.text(crate::catalog::manifest::texts::Subject::Indexes).text;
    let faults = found("indexes.toml", text, "name = \"stable\"", "name = \"stabel\"");
    assert!(faults[0].contains("`stabel`"), "{faults:?}");
    let faults = found("indexes.toml", text, "name = \"nightly\"", "name = \"test\"");
    assert!(faults.iter().any(|fault| fault.contains("channel test stands twice")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("there is no channel `nightly`")), "{faults:?}");
    let faults = found("indexes.toml", text, "path = \"test\"", "path = \"test/\"");
    assert!(faults.len() == 1 && faults[0].contains("slash"), "{faults:?}");

    let faults = found("indexes.toml", text, "unlabelled = [\"xformers\"]", "unlabelled = [\"numpy\"]");
    assert!(faults.len() == 1 && faults[0].contains("numpy is not among those built for torch"), "{faults:?}");

    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("cudn.toml"), "").unwrap();
    let faults = faults_of(folder.path());
    assert!(faults[0].contains("cudn.toml:1:1: no manifest has this name; did you mean `cud"), "{faults:?}");
}

#[test]
fn what_is_looked_for_on_the_machine_has_a_whole_name() {
    let dlls = include_str!("../../../../manifests/dlls.toml");
    assert_eq!(found("dlls.toml", dlls, "schema = 1", "schema = 1"), [""; 0]);
    let name = r#"name = "libomp140.x86_64.dll", torch"#;
    let faults = found("dlls.toml", dlls, name, r#"name = "libomp140.*.dll", torch"#);
    assert!(matches!(&faults[..], [fault] if fault.contains("its whole name")), "{faults:?}");
}

fn faults_of(folder: &Path) -> Vec<String> {
    faults(&Texts::read(folder).unwrap()).iter().map(ToString::to_string).collect()
}
