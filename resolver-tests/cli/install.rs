//! `install` on a loopback index: what it does, and what it leaves alone.

use super::support::platform::site_packages;
use super::support::server::{Fault, Server, Site, Times};
use super::support::site::{Layout, Ran, Workplace, dependency, file_path, python_tag, torch, tree};
use super::support::wheels::{BuiltWheel, WheelBuilder};

const INSTALL: [&str; 3] = ["install", "--check", "none"];

/// A machine without a GPU and an index that has `cpu` and `cu126` builds.
fn indexes() -> Option<Site> {
    let tag = python_tag()?;
    let builds =
        |local: &str| vec![torch(&format!("2.9.0+{local}"), &tag, 1000), torch(&format!("2.9.1+{local}"), &tag, 1000)];
    let layout = Layout::default().torch("cpu", builds("cpu")).torch("cu126", builds("cu126"));
    Some(layout.simple(vec![dependency()]).site())
}

fn workplace() -> Option<Workplace> {
    Workplace::new(indexes()?)
}

fn titles(ran: &Ran, action: &str) -> Vec<String> {
    let steps = ran.json()["steps"].as_array().unwrap().clone();
    let wanted = steps.iter().filter(|step| step["action"] == action);
    wanted.map(|step| format!("{} {}", step["name"].as_str().unwrap(), step["version"].as_str().unwrap())).collect()
}

#[test]
fn an_empty_folder_becomes_an_environment_and_stays_as_it_is() {
    let Some(place) = workplace() else { return };
    let ran = place.run(&INSTALL);
    ran.assert_status(0);
    assert!(ran.stderr.contains("2.9.1+cpu") && ran.stderr.contains("to download"), "{}", ran.stderr);
    assert_eq!(place.says("python", &["-c", "import torch; print(torch.answer)"]), "42");
    assert_eq!(place.says("demo-script", &[]), "hello from a script");

    let before = tree(place.folder());
    let requests = place.server.requests().len();
    let again = place.run(&INSTALL);
    assert!(again.assert_status(0).stdout.contains("nothing to do"), "{again:?}");
    let unchanged: Vec<_> = tree(place.folder()).into_iter().filter(|file| !before.contains(file)).collect();
    assert!(unchanged.iter().all(|(path, ..)| !path.to_ascii_lowercase().starts_with(".venv/lib/")), "{unchanged:#?}");
    assert_eq!(place.server.requests().len(), requests, "no index was asked");
}

#[test]
fn a_dry_run_writes_nothing_into_the_environment() {
    let Some(place) = workplace() else { return };
    let ran = place.run(&["install", "--dry-run", "--json"]);
    let plan = ran.assert_status(0).json();
    assert_eq!((&plan["schema"], &plan["variant"]), (&"torchfix.plan/1".into(), &"cpu".into()));
    assert_eq!(plan["torch"], "2.9.1+cpu");
    assert_eq!(plan["cuda"], serde_json::Value::Null);
    assert_eq!(titles(&ran, "add"), ["demo-dependency 1.2", "torch 2.9.1+cpu"]);
    assert!(plan["download_bytes"].as_u64().unwrap() > 1000);
    assert!(plan["steps"][1]["url"].as_str().unwrap().contains("/whl/cpu/files/torch-2.9.1"));
    assert!(!place.venv().exists());
}

#[test]
fn a_plan_says_how_much_room_its_files_take() {
    let Some(place) = workplace() else { return };
    let files = |wheel: BuiltWheel| {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel.bytes)).unwrap();
        (0..archive.len()).map(|index| archive.by_index_raw(index).unwrap().size()).sum::<u64>()
    };
    let expected = files(torch("2.9.1+cpu", place.tag(), 1000)) + files(dependency());
    let disk_bytes = |ran: &Ran| ran.assert_status(0).json()["disk_bytes"].clone();
    assert_eq!(disk_bytes(&place.run(&["install", "--dry-run", "--json"])), expected);
    // Again: from what the first run noted; then from the wheels in the cache.
    assert_eq!(disk_bytes(&place.run(&["install", "--dry-run", "--json", "--offline"])), expected);
    place.run(&INSTALL).assert_status(0);
    fs_err::remove_dir_all(place.venv()).unwrap();
    fs_err::remove_dir_all(place.cache().join("metadata-v1")).unwrap();
    place.server.forget_requests();
    assert_eq!(disk_bytes(&place.run(&["install", "--dry-run", "--json"])), expected);
    let requests = place.server.requests();
    assert!(
        requests.iter().all(|request| request.method == "HEAD"
            || request.target.contains(".metadata")
            || !request.target.contains(".whl")),
        "{requests:#?}"
    );
}

#[test]
fn room_that_nobody_knows_is_null_and_no_error() {
    let Some(place) = workplace() else { return };
    place.server.add_fault(&file_path("/simple", &dependency()), Fault::status(404), Times::Always);
    let plan = place.run(&["install", "--dry-run", "--json"]);
    assert!(plan.assert_status(0).json()["disk_bytes"].is_null(), "{plan:?}");
}

#[test]
fn facts_of_another_machine_are_planned_for_and_never_written() {
    let Some(place) = workplace() else { return };
    let facts = format!(
        r#"{{"schema":"torchfix.facts/1","os":"linux","arch":"x86_64","glibc":"2.36","driver":{{"version":"580.65.06"}},
        "gpus":[{{"name":"GTX 1080 Ti"}}],"python":{{"version":"{}"}}}}"#,
        "3.11.7"
    );
    fs_err::write(place.folder().join("facts.json"), facts).unwrap();
    let plan = place.run(&["install", "--dry-run", "--json", "--facts", "facts.json"]);
    if place.tag().starts_with("cp311-") {
        assert_eq!(plan.assert_status(0).json()["variant"], "cu126");
    }
    let os = if cfg!(windows) { "linux" } else { "windows" };
    let foreign = format!(
        r#"{{"schema":"torchfix.facts/1","os":"{os}","arch":"x86_64","driver":null,"gpus":[],"python":{{"version":"3.12.9"}}}}"#
    );
    fs_err::write(place.folder().join("foreign.json"), foreign).unwrap();
    let refused = place.run(&["install", "--json", "--facts", "foreign.json"]);
    assert_eq!(refused.assert_status(2).json()["code"], "usage.foreign-facts");
    assert!(!place.venv().exists());
}

#[test]
fn a_named_variant_replaces_the_build_that_is_there() {
    let Some(place) = workplace() else { return };
    place.run(&INSTALL).assert_status(0);
    let plan = place.run(&["install", "--variant", "cu126", "--dry-run", "--json"]);
    assert_eq!(titles(plan.assert_status(0), "replace"), ["torch 2.9.1+cu126"]);
    place.run(&["install", "--variant", "cu126", "--check", "none"]).assert_status(0);
    let site = site_packages(&place.venv());
    let names: Vec<String> =
        fs_err::read_dir(site).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.contains(&"torch-2.9.1+cu126.dist-info".to_owned()), "{names:?}");
    assert!(!names.contains(&"torch-2.9.1+cpu.dist-info".to_owned()), "{names:?}");
}

/// On Windows NVML is taken from System32 alone, where no stub can be put; `--gpu` is the same to what follows.
#[cfg(unix)]
#[test]
fn a_card_that_appears_gets_the_build_that_serves_it() {
    use super::support::stubs::{StubCard, has_stubs, nvml};

    let Some(place) = workplace() else { return };
    if !has_stubs("a_card_that_appears_gets_the_build_that_serves_it") {
        return;
    }
    place.run(&INSTALL).assert_status(0);
    let stubs = place.folder().join("stubs");
    nvml(&stubs, "580.65.06", 13000, &[StubCard::GTX_1080_TI]);
    let with_card =
        |arguments: &[&str]| Ran::of(&place.command(arguments).env("LD_LIBRARY_PATH", &stubs).output().unwrap());
    let ran = with_card(&INSTALL);
    assert!(ran.assert_status(0).stderr.contains("2.9.1+cpu → 2.9.1+cu126"), "{}", ran.stderr);
    assert!(with_card(&INSTALL).assert_status(0).stdout.contains("nothing to do"));
}

#[test]
fn what_is_built_for_torch_moves_with_it() {
    let Some(tag) = python_tag() else { return };
    let vision = |version: &str, torch: &str| {
        let requirement = format!("torch=={torch}");
        WheelBuilder::new("torchvision", version)
            .tag(&tag)
            .requires(&requirement)
            .file("torchvision/__init__.py", "")
            .build()
    };
    let layout = Layout::default()
        .torch("cpu", vec![torch("2.9.0+cpu", &tag, 1000), torch("2.9.1+cpu", &tag, 1000)])
        .torch("cpu", vec![vision("0.24.0+cpu", "2.9.0"), vision("0.24.1+cpu", "2.9.1")])
        .simple(vec![dependency()]);
    let Some(place) = Workplace::new(layout.site()) else { return };
    place.run(&["install", "torch==2.9.0", "torchvision", "--check", "none"]).assert_status(0);
    let plan = place.run(&["install", "torch==2.9.1", "--dry-run", "--json"]);
    assert_eq!(titles(plan.assert_status(0), "replace"), ["torch 2.9.1+cpu", "torchvision 0.24.1+cpu"]);
    let upgrade = place.run(&["install", "--upgrade", "demo-dependency", "--check", "none"]);
    assert!(upgrade.assert_status(0).stdout.contains("nothing to do"), "{upgrade:?}");
}

#[test]
fn a_version_that_is_there_is_kept_and_upgraded_when_asked() {
    let Some(place) = workplace() else { return };
    place.run(&["install", "torch==2.9.0", "--check", "none"]).assert_status(0);
    assert!(place.run(&INSTALL).assert_status(0).stdout.contains("nothing to do"));
    let plan = place.run(&["install", "--upgrade", "--dry-run", "--json"]);
    assert_eq!(titles(plan.assert_status(0), "replace"), ["torch 2.9.1+cpu"]);
}

#[test]
fn no_solution_is_10_with_reasons_and_ways_out() {
    let Some(place) = workplace() else { return };
    let ran = place.run(&["install", "torch==9.9", "--json"]);
    let error = ran.assert_status(10).json();
    assert_eq!((&error["schema"], &error["code"]), (&"torchfix.error/1".into(), &"resolve.no-solution".into()));
    assert!(!error["explanation"].as_array().unwrap().is_empty(), "{error}");
    assert!(!place.venv().exists());
}

#[test]
fn offline_serves_from_the_cache_and_says_what_is_missing() {
    let Some(place) = workplace() else { return };
    let ran = place.run(&["install", "--offline", "--json"]);
    ran.assert_status(20);
    assert!(place.server.requests().is_empty());
    place.run(&INSTALL).assert_status(0);
    fs_err::remove_dir_all(place.venv()).unwrap();
    place.server.forget_requests();
    place.run(&["install", "--offline", "--check", "none"]).assert_status(0);
    assert!(place.server.requests().is_empty());
}

#[test]
fn an_unreachable_pytorch_index_is_said_and_the_default_index_serves() {
    let Some(tag) = python_tag() else { return };
    let Some(place) =
        Workplace::new(Layout::default().simple(vec![torch("2.9.1", &tag, 1000)]).simple(vec![dependency()]).site())
    else {
        return;
    };
    let mut command = place.command(&["install", "--check", "none"]);
    command.env("TORCHFIX_TORCH_INDEX", "http://127.0.0.1:9/whl");
    let ran = Ran::of(&command.output().unwrap());
    ran.assert_status(0);
    assert!(ran.stderr.contains("127.0.0.1:9") || ran.stderr.contains("PyTorch index"), "{}", ran.stderr);
}

#[test]
fn every_environment_that_is_none_of_ours_is_left_alone() {
    let Some(place) = workplace() else { return };
    let other = place.folder().join("other");
    fs_err::create_dir(&other).unwrap();
    fs_err::write(other.join("precious"), "data").unwrap();
    let ran = place.run(&["install", "--venv", "other", "--json"]);
    ran.assert_status(40);
    assert_eq!(fs_err::read_to_string(other.join("precious")).unwrap(), "data");
    let nowhere = place.run(&["install", "--python", "/nowhere/python", "--json"]);
    nowhere.assert_status(40);
}

#[test]
fn a_local_wheel_is_installed_with_its_origin() {
    let Some(place) = workplace() else { return };
    let wheel = dependency();
    fs_err::write(place.folder().join(&wheel.file_name), &wheel.bytes).unwrap();
    place.run(&["install", &wheel.file_name, "--check", "none"]).assert_status(0);
    let text: String = tree(&place.venv())
        .iter()
        .filter(|file| file.0.ends_with("direct_url.json"))
        .map(|file| file.0.clone())
        .collect();
    assert!(text.contains("demo_dependency-1.2.dist-info"), "{text}");
}

#[test]
fn a_server_that_is_not_there_is_20() {
    let Some(place) = Workplace::new(Site::new()) else { return };
    let address = { Server::start(Site::new()).url("/simple") };
    let mut command = place.command(&["install", "demo", "--json", "--check", "none"]);
    command.env("TORCHFIX_INDEX_URL", address.as_str());
    Ran::of(&command.output().unwrap()).assert_status(20);
}
