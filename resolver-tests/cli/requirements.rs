//! Requirements files, hashes, bounds on upload times, channels and several indexes, through the binary.

use super::support::pages::Style;
use super::support::server::{Fault, Times};
use super::support::site::{Layout, Ran, Workplace, dependency, python_tag, torch};
use super::support::wheels::{BuiltWheel, WheelBuilder};

fn demo(version: &str) -> BuiltWheel {
    WheelBuilder::new("demo", version).file("demo/__init__.py", version).build()
}

/// A default index with `demo`, and torch for `cpu` and `cu126`.
fn layout() -> Option<Layout> {
    let tag = python_tag()?;
    let builds =
        |local: &str| vec![torch(&format!("2.9.0+{local}"), &tag, 1000), torch(&format!("2.9.1+{local}"), &tag, 1000)];
    let layout = Layout::default().torch("cpu", builds("cpu")).torch("cu126", builds("cu126"));
    Some(layout.simple(vec![dependency()]).simple(vec![demo("1.0"), demo("2.0")]))
}

fn workplace() -> Option<Workplace> {
    Workplace::new(layout()?.site())
}

impl Workplace {
    /// Writes a requirements file and plans what it asks for.
    fn plan(&self, text: &str, words: &[&str]) -> Ran {
        fs_err::write(self.folder().join("requirements.txt"), text).unwrap();
        let install = ["install", "--dry-run", "--json", "-r", "requirements.txt"];
        self.run(&[&install[..], words].concat())
    }

    fn asked(&self, path: &str) -> bool {
        self.server.requests().iter().any(|request| request.target.starts_with(path))
    }
}

/// What a plan brings: `demo 1.0 torch 2.9.1+cpu`.
fn titles(ran: &Ran) -> String {
    let plan = ran.assert_status(0).json();
    let steps = plan["steps"].as_array().unwrap().iter();
    let title =
        |step: &serde_json::Value| format!("{} {}", step["name"].as_str().unwrap(), step["version"].as_str().unwrap());
    steps.map(title).collect::<Vec<_>>().join(" ")
}

fn warnings(ran: &Ran) -> String {
    ran.json()["warnings"].to_string()
}

#[test]
fn a_file_with_all_that_pip_reads() {
    let Some(place) = workplace() else { return };
    fs_err::create_dir(place.folder().join("more")).unwrap();
    fs_err::write(place.folder().join("more/base.txt"), "demo \\\n  >=1 # any\n-c limits.txt\n").unwrap();
    fs_err::write(place.folder().join("more/limits.txt"), "demo<2\n").unwrap();
    let index = place.server.url("/simple").to_string().replace("http://", "http://user:${SECRET}@");
    let text = format!(
        "# coding: utf-8\n--index-url {index}\n-r more/base.txt\n--only-binary :all:\n--prefer-binary\n--trusted-host h\n"
    );
    fs_err::write(place.folder().join("requirements.txt"), text).unwrap();
    let mut command = place.command(&["install", "--dry-run", "--json", "-r", "requirements.txt"]);
    command.env("SECRET", "hunter2").env("TORCHFIX_INDEX_URL", "http://127.0.0.1:9/simple");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(titles(&ran), "demo 1.0");
    assert!(ran.stderr.contains("`--trusted-host h` is passed over"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`--index-url` in") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("hunter2"));
}

#[test]
fn what_asks_for_source_or_makes_no_sense_is_refused_by_file_and_line() {
    let Some(place) = workplace() else { return };
    for (line, code, part) in [
        ("-e ./src", "usage.requirement-source", "requirements.txt`, line 2"),
        ("git+https://host/a.git", "usage.requirement-source", "requirements.txt`, line 2"),
        ("./demo-1.0.tar.gz", "usage.requirement-source", "requirements.txt`, line 2"),
        ("--no-binary demo", "usage.requirement-source", "--no-binary demo"),
        ("--frobnicate", "usage.requirements-option", "`--frobnicate`"),
        ("demo\0", "usage.requirements-text", "NUL"),
        ("--find-links gone", "usage.index-url", "requirements.txt`, line 2"),
    ] {
        let ran = place.plan(&format!("demo\n{line}\n"), &[]);
        let error = ran.assert_status(2).json();
        assert_eq!(error["code"], code, "{line}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{line}: {error}");
    }
    assert!(place.server.requests().is_empty());
}

#[test]
fn a_wheel_must_have_a_hash_that_is_listed() {
    let Some(place) = workplace() else { return };
    let pin = |wheel: &BuiltWheel| format!("demo --hash=sha256:{}\n", wheel.sha256);
    // The newest is 2.0, and another is listed.
    assert_eq!(titles(&place.plan(&pin(&demo("1.0")), &[])), "demo 1.0");
    let both = format!("demo --hash=sha256:{} --hash=sha256:{}\n", demo("1.0").sha256, demo("2.0").sha256);
    assert_eq!(titles(&place.plan(&both, &[])), "demo 2.0");
    let error = place.plan(&pin(&dependency()), &[]).assert_status(10).json();
    assert!(error["explanation"].to_string().contains("has a hash that is listed"), "{error}");
    // A list in the constraints counts as well, and of two lists what both have.
    fs_err::write(place.folder().join("limits.txt"), pin(&demo("1.0"))).unwrap();
    assert_eq!(titles(&place.plan(&both, &["-c", "limits.txt"])), "demo 1.0");
    assert_eq!(titles(&place.plan("demo\n", &["-c", "limits.txt"])), "demo 1.0");
}

#[test]
fn one_hash_asks_for_hashes_of_everything() {
    let Some(place) = workplace() else { return };
    let text = format!("demo==1.0 --hash=sha256:{}\ndemo-dependency\n", demo("1.0").sha256);
    let error = place.plan(&text, &[]).assert_status(2).json();
    assert_eq!(error["code"], "resolve.no-hash-listed");
    assert!(error["message"].as_str().unwrap().contains("no hash of demo-dependency"), "{error}");
    assert_eq!(place.plan("--require-hashes\ndemo\n", &[]).assert_status(2).json()["code"], "resolve.no-hash-listed");
    // What comes along must be listed too.
    let build = torch("2.9.1+cpu", place.tag(), 1000).sha256;
    let text = format!("torch==2.9.1 --hash=sha256:{build}\n");
    let error = place.plan(&text, &[]).assert_status(10).json();
    assert!(error["explanation"].to_string().contains("no requirement lists one of it"), "{error}");
    let text = format!("{text}demo-dependency --hash=sha256:{}\n", dependency().sha256);
    let ran = place.plan(&text, &[]);
    assert_eq!(titles(&ran), "demo-dependency 1.2 torch 2.9.1+cpu");
    assert!(ran.stderr.contains("requirements.txt`, line 1"), "{}", ran.stderr);
}

#[test]
fn lists_for_other_machines_do_not_count() {
    let Some(place) = workplace() else { return };
    let text = format!(
        "demo==1.0 ; sys_platform == 'amiga' --hash=sha256:{}\ndemo==2.0 ; sys_platform != 'amiga' --hash=sha256:{}\n",
        demo("1.0").sha256,
        demo("2.0").sha256
    );
    assert_eq!(titles(&place.plan(&text, &[])), "demo 2.0");
}

#[test]
fn a_wheel_without_a_hash_on_its_index_is_held_against_the_list_when_it_has_come() {
    let unhashed = Layout::default().simple(vec![demo("1.0")]).unhashed();
    let Some(place) = Workplace::new(unhashed.site()) else { return };
    let install = |hashes: &[String]| {
        let listed: Vec<String> = hashes.iter().map(|hash| format!("--hash=sha256:{hash}")).collect();
        fs_err::write(place.folder().join("requirements.txt"), format!("demo {}\n", listed.join(" "))).unwrap();
        place.run(&["install", "--json", "--check", "none", "-r", "requirements.txt"])
    };
    let (right, one, other) = (demo("1.0").sha256.to_string(), "a".repeat(64), "b".repeat(64));
    assert_eq!(install(std::slice::from_ref(&one)).assert_status(24).json()["code"], "fetch.hash-mismatch");
    assert_eq!(install(&[one.clone(), other]).assert_status(24).json()["code"], "fetch.hash-not-listed");
    assert!(!place.venv().exists());
    let ran = install(&[one, right]);
    ran.assert_status(0);
    assert!(!ran.json()["plan"]["warnings"].to_string().contains("no index states a hash"), "{ran:?}");
}

#[test]
fn a_wheel_by_path_is_held_against_its_hash() {
    let Some(place) = workplace() else { return };
    let wheel = demo("3.0");
    fs_err::write(place.folder().join(&wheel.file_name), &wheel.bytes).unwrap();
    let install = |hash: &str| {
        let text = format!("./{} --hash=sha256:{hash}\n", wheel.file_name);
        fs_err::write(place.folder().join("requirements.txt"), text).unwrap();
        place.run(&["install", "--json", "--check", "none", "-r", "requirements.txt"])
    };
    assert_eq!(install(&"a".repeat(64)).assert_status(24).json()["code"], "fetch.hash-mismatch");
    install(&wheel.sha256.to_string()).assert_status(0);
    assert!(place.server.requests().is_empty());
}

#[test]
fn an_index_line_is_like_the_flag() {
    let Some(place) = workplace() else { return };
    let cu126 = place.server.url("/whl/cu126").to_string();
    let ran = place.plan(&format!("-i {cu126}\ntorch\n"), &[]);
    assert_eq!(ran.assert_status(0).json()["torch"], "2.9.1+cu126");
    assert!(ran.stderr.contains("line 1 names the PyTorch index, so the variant is cu126"), "{}", ran.stderr);
    let ran = place.plan(&format!("--extra-index-url {cu126}\ntorch\n"), &[]);
    assert_eq!(ran.assert_status(0).json()["variant"], "cpu");
    assert!(ran.stderr.contains("`--variant cu126` takes that one"), "{}", ran.stderr);
}

#[test]
fn without_an_index_only_links_count() {
    let Some(place) = workplace() else { return };
    let wheels = place.folder().join("wheels");
    fs_err::create_dir(&wheels).unwrap();
    for wheel in [demo("1.5"), torch("2.9.0+cpu", place.tag(), 1000), dependency()] {
        fs_err::write(wheels.join(&wheel.file_name), &wheel.bytes).unwrap();
    }
    let ran = place.plan("--no-index\n-f wheels\ndemo\ntorch\n", &[]);
    assert_eq!(titles(&ran), "demo 1.5 demo-dependency 1.2 torch 2.9.0+cpu");
    assert_eq!(titles(&place.plan("demo\n", &["--no-index", "--find-links", "wheels"])), "demo 1.5");
    assert!(place.server.requests().is_empty());
    place.plan("numpy\n", &["--no-index"]).assert_status(10);
}

#[test]
fn files_that_are_too_new_do_not_exist() {
    let Some(tag) = python_tag() else { return };
    let layout = Layout::default()
        .simple(vec![demo("1.0"), demo("2.0")])
        .uploaded(&["2025-01-01T10:00:00Z", "2025-03-01T10:00:00.5+00:00"])
        .simple(vec![dependency()])
        .uploaded(&["2020-01-01T00:00:00Z"])
        .torch("cpu", vec![torch("2.8.0+cpu", &tag, 1000), torch("2.9.1+cpu", &tag, 1000)]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let plan = |bound: &str| titles(&place.plan("demo\n", &["--exclude-newer", bound]));
    assert_eq!(plan("2025-03-01"), "demo 2.0");
    assert_eq!(plan("2025-03-01T10:00:00.5Z"), "demo 1.0");
    assert_eq!(plan("2025-01-01"), "demo 1.0");
    let none = place.plan("demo\n", &["--exclude-newer", "2025-01-01T10:00:00Z"]);
    assert!(none.assert_status(10).json()["explanation"].to_string().contains("too late"), "{none:?}");
    // torch's page does not say; 2.8.0 appeared on 2025-08-06, 2.9.1 on 2025-11-12.
    let ran = place.plan("torch\n", &["--exclude-newer", "2025-10-01"]);
    assert_eq!(titles(&ran), "demo-dependency 1.2 torch 2.8.0+cpu");
    let mut command = place.command(&["install", "--dry-run", "--json"]);
    command.env("UV_EXCLUDE_NEWER", "2025-12-24");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(titles(&ran), "demo-dependency 1.2 torch 2.9.1+cpu");
    assert!(ran.stderr.contains("UV_EXCLUDE_NEWER leaves out"), "{}", ran.stderr);
    let bad = place.run(&["install", "--exclude-newer", "last week", "--json"]);
    assert_eq!(bad.assert_status(2).json()["code"], "usage.exclude-newer");
}

#[test]
fn files_without_a_date_are_passed_over_with_one_warning_a_project() {
    let layout =
        Layout::default().simple(vec![demo("1.0"), demo("2.0"), demo("3.0")]).uploaded(&["2025-01-01T10:00:00Z"]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let ran = place.plan("demo\n", &["--exclude-newer", "2026-01-01"]);
    assert_eq!(titles(&ran), "demo 1.0");
    assert_eq!(warnings(&ran).matches("demo").count(), 1, "{ran:?}");
}

#[test]
fn a_channel_is_asked_for_by_name_and_nothing_stands_in_for_it() {
    let Some(tag) = python_tag() else { return };
    let nightly = vec![torch("2.16.0.dev20260901+cpu", &tag, 1000), torch("2.16.0.dev20260902+cpu", &tag, 1000)];
    let layout = Layout::default()
        .torch("cpu", vec![torch("2.9.1+cpu", &tag, 1000)])
        .torch("nightly/cpu", nightly)
        .unhashed()
        .simple(vec![torch("2.9.1", &tag, 1000)])
        .simple(vec![dependency()]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let plan = |words: &[&str]| place.run(&[&["install", "--dry-run", "--json"][..], words].concat());
    // What PyPI has for Windows is built for the CPU.
    let stable = if cfg!(windows) { "2.9.1" } else { "2.9.1+cpu" };
    assert_eq!(plan(&[]).assert_status(0).json()["torch"], stable);
    let ran = plan(&["--channel", "nightly"]);
    assert_eq!(ran.assert_status(0).json()["torch"], "2.16.0.dev20260902+cpu");
    assert!(ran.json()["reasons"].to_string().contains("nightly/cpu directory"), "{ran:?}");
    assert!(warnings(&ran).contains("no index states a hash of torch"), "{ran:?}");
    assert_eq!(plan(&["--channel", "nightly", "--require-hashes"]).assert_status(24).json()["code"], "fetch.unhashed");
    let url = place.server.url("/whl/nightly/cpu").to_string();
    assert_eq!(plan(&["--index-url", &url]).assert_status(0).json()["torch"], "2.16.0.dev20260902+cpu");
    // There is no such directory, and a stable torch on the default index is no candidate.
    let ran = plan(&["--channel", "test"]);
    let error = ran.assert_status(10).json();
    assert!(error["explanation"].to_string().contains("no page of torch for cpu in its test channel"), "{error}");
    // A stable torch that is there is not what was asked for.
    place.run(&["install", "--check", "none"]).assert_status(0);
    place.run(&["install", "--channel", "nightly", "--check", "none"]).assert_status(0);
    let again = place.run(&["install", "--channel", "nightly", "--check", "none"]);
    assert!(again.assert_status(0).stdout.contains("nothing to do"), "{again:?}");
}

#[test]
fn rocm_and_xpu_are_taken_by_name() {
    let Some(tag) = python_tag() else { return };
    let built = |version: &str, needs: &str| {
        WheelBuilder::new("torch", version).tag(&tag).requires(needs).file("torch/__init__.py", "").build()
    };
    let triton = |name: &str| WheelBuilder::new(name, "3.5.1").tag(&tag).file("triton/__init__.py", "").build();
    let layout = Layout::default()
        .torch("rocm6.4", vec![built("2.9.1+rocm6.4", "triton-rocm==3.5.1")])
        .torch("rocm6.4", vec![triton("triton_rocm")])
        .torch("xpu", vec![built("2.9.1+xpu", "pytorch-triton-xpu==3.5.1")])
        .torch("xpu", vec![triton("pytorch_triton_xpu")])
        .torch("cpu", vec![built("2.9.1+cpu", "triton-cpu; sys_platform == 'amiga'")]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let card = ["--gpu", "RTX 4090", "--driver", "580.95.05"];
    for (variant, expected) in
        [("rocm6.4", "torch 2.9.1+rocm6.4 triton-rocm 3.5.1"), ("xpu", "pytorch-triton-xpu 3.5.1 torch 2.9.1+xpu")]
    {
        let plan = |words: &[&str]| {
            place.run(&[&["install", "--dry-run", "--json", "--variant", variant][..], words].concat())
        };
        assert_eq!(titles(&plan(&["--gpu", "none"])), expected);
        let ran = plan(&card);
        assert_eq!(titles(&ran), expected);
        assert!(warnings(&ran).contains(&format!("will not be used: the {variant} variant was named")), "{ran:?}");
    }
    let ran = place.run(&["install", "--dry-run", "--json", "--gpu", "none"]);
    assert_eq!(titles(&ran), "torch 2.9.1+cpu", "never chosen unless named");
    let unchecked = place.run(&["install", "--variant", "rocm6.4", "--check", "none"]);
    unchecked.assert_status(0);
}

#[test]
fn a_name_on_two_indexes_gets_a_clear_word() {
    let Some(layout) = layout() else { return };
    let layout = layout.at("/extra", Style::Html, vec![demo("9.0")]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let extra = place.server.url("/extra").to_string();
    let ran = place.plan("demo\ndemo-dependency\n", &["--extra-index-url", &extra]);
    assert_eq!(titles(&ran), "demo 2.0 demo-dependency 1.2");
    assert!(warnings(&ran).contains("demo comes from") && warnings(&ran).contains("adds no versions"), "{ran:?}");
    assert_eq!(warnings(&ran).matches("demo-dependency").count(), 0, "{ran:?}");
    // A version that only the extra index has is not taken, and the way to it is told.
    let error = place.plan("demo==9.0\n", &["--extra-index-url", &extra]).assert_status(10).json();
    assert!(error["hints"].to_string().contains("--index-url"), "{error}");
    // An extra index that does not answer has no say, and that is told.
    place.server.add_fault("/extra/demo/", Fault::status(403), Times::Always);
    let ran = place.plan("demo\n", &["--extra-index-url", &extra]);
    assert_eq!(titles(&ran), "demo 2.0");
    assert!(warnings(&ran).contains("is not known"), "{ran:?}");
    // Without extra indexes nothing more is asked.
    place.server.forget_requests();
    place.plan("demo\n", &[]).assert_status(0);
    assert!(!place.asked("/extra"));
}

#[test]
fn links_count_beside_the_home_and_that_is_told() {
    let Some(place) = workplace() else { return };
    let wheels = place.folder().join("wheels");
    fs_err::create_dir(&wheels).unwrap();
    fs_err::write(wheels.join(demo("3.0").file_name), demo("3.0").bytes).unwrap();
    let ran = place.plan("demo\n", &["--find-links", "wheels"]);
    assert_eq!(titles(&ran), "demo 3.0");
    assert!(warnings(&ran).contains("demo comes from the links of"), "{ran:?}");
}

#[test]
fn old_and_free_threaded_pythons_get_their_torch_in_few_pages() {
    let builds = |variant: &str, versions: &[&str], tag: &str| -> Vec<BuiltWheel> {
        versions.iter().map(|version| torch(&format!("{version}+{variant}"), tag, 100)).collect()
    };
    let both = |variant: &str, old: &[&str], new: &[&str]| {
        let old = builds(variant, old, "cp39-cp39-manylinux_2_28_x86_64");
        [old, builds(variant, new, "cp313-cp313t-manylinux_2_28_x86_64")].concat()
    };
    let layout = Layout::default()
        .torch("cu126", both("cu126", &["2.8.0"], &["2.9.1", "2.12.0"]))
        .torch("cu128", both("cu128", &["2.8.0"], &["2.9.1"]))
        .torch("cu130", both("cu130", &[], &["2.9.1", "2.12.0"]))
        .simple(vec![dependency()]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    let plan = |python: &str| {
        place.server.forget_requests();
        let machine = ["--platform", "manylinux_2_28_x86_64", "--gpu", "RTX 4090", "--driver", "580.95.05"];
        let words = ["install", "--dry-run", "--json", "--no-progress", "--python-version", python];
        let ran = place.run(&[&words[..], &machine].concat());
        let pages = place.server.requests().into_iter().filter(|request| request.target.ends_with("/torch/"));
        let pages: Vec<String> = pages.map(|request| request.target).collect();
        assert!(pages.len() <= 6, "{pages:?}");
        ran.assert_status(0).json()["torch"].as_str().unwrap().to_owned()
    };
    assert_eq!(plan("3.9"), "2.8.0+cu128");
    assert_eq!(plan("3.13t"), "2.12.0+cu130");
    let words = ["install", "torch==2.9.1", "--dry-run", "--json", "--gpu", "RTX 4090", "--driver", "580.95.05"];
    let ran = place.run(&[&words[..], &["--platform", "manylinux_2_28_x86_64", "--python-version", "3.9"]].concat());
    let error = ran.assert_status(10).json();
    assert!(error["explanation"].to_string().contains("has a wheel for Python 3.9"), "{error}");
}
