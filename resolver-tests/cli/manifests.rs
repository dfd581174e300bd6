//! What torchfix knows, shown and checked.

use super::support::server::Site;
use super::support::site::Workplace;

fn workplace() -> Option<Workplace> {
    Workplace::new(Site::new())
}

#[test]
fn parts_of_the_manifests_are_shown() {
    let Some(place) = workplace() else { return };
    let show = |what: &str| place.run(&["manifests", "show", what]).assert_status(0).stdout.clone();
    assert!(place.run(&["manifests", "show"]).assert_status(0).stdout.contains("releases, 1.11.0 to "));
    let release = show("2.9.1");
    for part in
        ["torchvision 0.24.1", "xformers 0.0.33.post2", "9.10.2.21", "560.28.03", "525.60.13", "gfx1100", "on PyPI"]
    {
        assert!(release.contains(part), "{part} in {release}");
    }
    for (what, part) in [
        ("torch", "1.11.0  2022-03-10"),
        ("cuda", "cards below 7.5: driver branches from 590 on"),
        ("cudnn", "9.11.0"),
        ("gpus", "GeForce GTX 1080 Ti"),
        ("indexes", "channel nightly at `nightly/`: cpu"),
    ] {
        assert!(show(what).contains(part), "{part} in {}", show(what));
    }
    let unknown = place.run(&["manifests", "show", "2.9.7"]);
    assert!(unknown.assert_status(2).stderr.contains("`2.9.7` is no part of the manifests"), "{unknown:?}");
}

#[test]
fn the_manifests_are_shown_to_programs() {
    let Some(place) = workplace() else { return };
    let show = |what: &str| place.run(&["manifests", "show", what, "--json"]).assert_status(0).json();
    let release = show("2.7.1");
    assert_eq!(release["schema"], "torchfix.manifests/1");
    assert_eq!(
        (&release["release"]["version"], &release["release"]["builds"]),
        (&"2.7.1".into(), &serde_json::Value::Null)
    );
    let builds = release["builds"].as_array().unwrap();
    let build =
        builds.iter().find(|build| build["platform"] == "windows-x86_64" && build["variant"] == "cu128").unwrap();
    assert_eq!((&build["driver_native"], &build["driver_at_least"]), (&"570.65".into(), &"528.33".into()));
    assert!(build["sm"].as_array().unwrap().contains(&"6.1".into()) && build["advertised"] == true, "{build}");
    assert!(show("gpus")["gpus"].as_array().unwrap().len() >= 660);
    assert_eq!(show("indexes")["torch"]["channel"][0]["name"], "stable");
}

#[test]
fn manifests_are_checked() {
    let Some(place) = workplace() else { return };
    let carried = place.run(&["manifests", "check"]);
    assert!(carried.assert_status(0).stdout.is_empty(), "{carried:?}");

    let folder = place.folder().join("facts");
    fs_err::create_dir(&folder).unwrap();
    let rows = "schema = 1\nfloor = [\n  { form = \"9\", capability = \"5.0\", source = [\"m\"] },\n  \
                { from = \"9.11\", capability = \"7.5\", source = [\"n\"] },\n]\nsources = { m = \"x\" }\n";
    fs_err::write(folder.join("cudnn.toml"), rows).unwrap();
    let checked = place.run(&["manifests", "check", "facts"]);
    let lines: Vec<&str> = checked.assert_status(1).stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{checked:?}");
    assert!(lines[0].ends_with("cudnn.toml:3:5: `form` is no key here; did you mean `from`?"), "{checked:?}");
    assert!(lines[1].contains("cudnn.toml:4:"), "{checked:?}");
    let json = place.run(&["manifests", "check", "--json", "--manifests", "facts"]).assert_status(1).json();
    assert_eq!((&json["schema"], &json["faults"][0]["line"]), (&"torchfix.manifests-check/1".into(), &3.into()));

    let used = place.run(&["install", "--dry-run", "--manifests", "facts"]);
    assert!(used.assert_status(2).stderr.contains("cudnn.toml:3:5"), "{used:?}");
    assert!(used.stderr.contains("torchfix manifests check"), "{used:?}");
}
