//! Explanations as a person sees them: each snapshot is a screen that was read and found plain.

use super::support::server::Site;
use super::support::site::{Layout, Ran, Workplace, python_tag, torch};
use super::support::wheels::{BuiltWheel, WheelBuilder};

/// A machine that is nowhere near: Linux and Windows, Python 3.12.
const LINUX: [&str; 4] = ["--platform", "manylinux_2_36_x86_64", "--python-version", "3.12"];
const WINDOWS: [&str; 4] = ["--platform", "win_amd64", "--python-version", "3.12"];

fn run(arguments: &[&str], machine: &[&str]) -> Option<Ran> {
    let place = Workplace::new(Site::new())?;
    let ran = place.run(&[arguments, machine].concat());
    assert!(place.server.requests().iter().all(|request| request.method == "GET"));
    Some(ran)
}

/// What a person sees: the command, its exit status, and both streams.
fn screen(arguments: &[&str], ran: &Ran) -> String {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() })
        .collect();
    // Which index the test asks is no part of what a person sees.
    let talk = ran.stderr.lines().filter(|line| !line.starts_with("TORCHFIX_"));
    let talk = talk.fold(String::new(), |text, line| text + line + "\n");
    format!("$ torchfix {}\n{}{talk}[exit {}]\n", words.join(" "), ran.stdout, ran.status)
}

macro_rules! assert_screen {
    ($name:expr, $arguments:expr, $ran:expr) => {
        insta::with_settings!({ snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, screen($arguments, $ran));
        });
    };
}

/// Refusals fit on a screen: message, explanation and hints.
#[track_caller]
fn assert_short(ran: &Ran) {
    ran.assert_status(10);
    let lines = ran.stderr.lines().filter(|line| !line.starts_with("TORCHFIX_"));
    let rows: usize = lines.map(|line| line.chars().count().div_ceil(110)).sum();
    assert!(rows <= 20, "{rows} rows:\n{}", ran.stderr);
    let hints = ran.stderr.lines().filter(|line| line.starts_with("hint:")).count();
    assert!((1..=4).contains(&hints), "{hints} hints:\n{}", ran.stderr);
}

macro_rules! refusals {
    ($($name:ident: $machine:expr, $arguments:expr;)*) => {$(
        #[test]
        fn $name() {
            let arguments: &[&str] = &$arguments;
            let command = [&["install", "--dry-run"], arguments].concat();
            let Some(ran) = run(&command, &$machine) else { return };
            assert_short(&ran);
            assert_screen!(stringify!($name), &command, &ran);
        }
    )*};
}

refusals! {
    pascal_and_a_variant_without_code_for_it:
        LINUX, ["--gpu", "GTX 1080 Ti", "--driver", "580.95.05", "--variant", "cu128"];
    pascal_and_a_driver_that_left_it: LINUX, ["--gpu", "GTX 1080 Ti", "--driver", "595.71.05"];
    pascal_and_a_torch_too_new: LINUX, ["--gpu", "GTX 1080 Ti", "--driver", "580.95.05", "torch==2.15.0"];
    blackwell_and_pascal_side_by_side:
        LINUX, ["--gpu", "RTX 5090", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    kepler: LINUX, ["--gpu", "Tesla K80", "--driver", "470.256.02", "torch>=2.7"];
    blackwell_and_an_old_torch: LINUX, ["--gpu", "RTX 5090", "--driver", "570.124.06", "torch==2.6.0"];
    blackwell_on_windows_and_a_variant_too_old:
        WINDOWS, ["--gpu", "RTX 5090", "--driver", "551.61", "--variant", "cu126"];
    no_driver_at_all: LINUX, ["--gpu", "RTX 4090", "--driver", "none"];
    a_torch_that_nobody_has: LINUX, ["--gpu", "none", "torch==9.9"];
}

#[test]
fn an_old_c_library() {
    let machine = ["--platform", "manylinux_2_17_x86_64", "--python-version", "3.12"];
    let arguments = ["install", "--dry-run", "--gpu", "RTX 3090", "--driver", "580.95.05", "torch>=2.9"];
    let Some(ran) = run(&arguments, &machine) else { return };
    assert_short(&ran);
    assert_screen!("an_old_c_library", &arguments, &ran);
}

/// Projects whose needs of numpy exclude each other, version by version.
fn numpy_in_dispute() -> Option<Site> {
    let needs = |name: &str, rows: &[(&str, &str)]| -> Vec<BuiltWheel> {
        let wheel = |(version, numpy): &(&str, &str)| WheelBuilder::new(name, version).requires(numpy).build();
        rows.iter().map(wheel).collect()
    };
    let numpy = ["1.21.6", "1.22.4", "1.23.5", "1.26.4", "2.2.6"];
    let layout = Layout::default()
        .torch("cpu", vec![torch("2.9.1+cpu", &python_tag()?, 1000)])
        .simple(needs("numba", &[("0.55.0", "numpy>=1.18,<1.22"), ("0.55.2", "numpy>=1.18,<1.23")]))
        .simple(needs(
            "opencv_python",
            &[("4.10.0", "numpy>=1.23.5"), ("4.11.0", "numpy>=1.24"), ("4.12.0", "numpy>=2,<2.3")],
        ))
        .simple(numpy.iter().map(|version| WheelBuilder::new("numpy", version).build()).collect())
        .simple(vec![super::support::site::dependency()]);
    Some(layout.site())
}

#[test]
fn a_pins_conflict() {
    let Some(place) = numpy_in_dispute().and_then(Workplace::new) else { return };
    let machine = ["--gpu", "none", "--driver", "none"];
    let command = ["install", "--dry-run", "torch", "numba", "opencv-python"];
    let ran = place.run(&[&command[..], &machine].concat());
    ran.assert_status(10);
    assert_screen!("numpy_in_dispute", &command, &ran);

    fs_err::write(place.folder().join("pins.txt"), "numpy<1.24\n").unwrap();
    let command = ["install", "--dry-run", "numpy>=1.26", "-c", "pins.txt"];
    let ran = place.run(&[&command[..], &machine].concat());
    ran.assert_status(10);
    assert_screen!("numpy_that_constraints_exclude", &command, &ran);

    let command = ["install", "--dry-run", "numpy<1.20"];
    let ran = place.run(&[&command[..], &machine].concat());
    ran.assert_status(10);
    assert_screen!("numpy_older_than_all", &command, &ran);
}

/// `explain --why` and `matrix` ask no index.
fn asked(arguments: &[&str], machine: &[&str]) -> Option<Ran> {
    let place = Workplace::new(Site::new())?;
    let ran = place.run(&[arguments, machine].concat());
    assert!(place.server.requests().is_empty(), "an index was asked");
    Some(ran)
}

macro_rules! answers {
    ($($name:ident: $status:literal, $machine:expr, $arguments:expr;)*) => {$(
        #[test]
        fn $name() {
            let arguments: &[&str] = &$arguments;
            let Some(ran) = asked(arguments, &$machine) else { return };
            ran.assert_status($status);
            assert_screen!(stringify!($name), arguments, &ran);
        }
    )*};
}

answers! {
    why_not_a_build_without_code:
        10, LINUX, ["explain", "--why", "torch==2.11.0+cu128", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    why_not_a_variant: 10, LINUX, ["explain", "--why", "cu128", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    why_a_release: 0, LINUX, ["explain", "--why", "torch==2.14.1", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    why_blackwell_on_an_old_windows_driver:
        0, WINDOWS, ["explain", "--why", "torch==2.11.0+cu128", "--gpu", "RTX 5090", "--driver", "551.61"];
    why_the_chosen_one:
        0, LINUX, ["explain", "--why", "torch==2.14.1+cu126", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    why_not_the_other_cuda:
        0, LINUX, ["explain", "--why", "2.14.1+cu126", "--gpu", "RTX 4090", "--driver", "580.95.05"];
    why_not_a_companion: 0, LINUX, ["explain", "--why", "torchvision==0.24", "--gpu", "RTX 4090", "--driver", "535.54.03"];
    why_a_driver_too_old: 10, LINUX, ["explain", "--why", "torch==2.14.1+cu130", "--gpu", "RTX 4090", "--driver", "535.54.03"];
    why_one_that_nobody_knows: 10, LINUX, ["explain", "--why", "torch==2.9.7", "--gpu", "none", "--driver", "none"];
    why_a_cuda_build_without_a_card: 0, LINUX, ["explain", "--why", "torch==2.14.1+cu130", "--gpu", "none", "--driver", "none"];
    matrix_of_pascal: 0, LINUX, ["matrix", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    matrix_of_mixed_cards: 0, LINUX, ["matrix", "--gpu", "RTX 5090", "--gpu", "GTX 1080 Ti", "--driver", "580.95.05"];
    matrix_of_blackwell_on_windows: 0, WINDOWS, ["matrix", "--gpu", "RTX 5090", "--driver", "551.61"];
    matrix_without_a_card: 0, LINUX, ["matrix", "--gpu", "none", "--driver", "none"];
}

#[test]
fn the_json_has_every_reason() {
    let question =
        ["explain", "--json", "--why", "torch==2.14.1+cu130", "--gpu", "GTX 1080 Ti", "--driver", "470.82.01"];
    let Some(ran) = asked(&question, &LINUX) else { return };
    let why = ran.assert_status(10).json();
    assert_eq!((&why["schema"], &why["fits"]), (&"torchfix.why/1".into(), &false.into()));
    assert_eq!(why["builds"][0]["verdict"], "no");
    let reasons = why["builds"][0]["reasons"].to_string();
    for part in ["no code for", "cuDNN", "driver 580"] {
        assert!(reasons.contains(part), "{part} in {reasons}");
    }
}

#[test]
fn the_matrix_as_json_has_a_cell_for_every_build() {
    let question = ["matrix", "--json", "--all", "--gpu", "RTX 4090", "--driver", "580.95.05"];
    let Some(ran) = asked(&question, &LINUX) else { return };
    let matrix = ran.assert_status(0).json();
    assert_eq!(matrix["schema"], "torchfix.matrix/1");
    let cells = matrix["cells"].as_array().unwrap();
    let cell = |torch: &str, variant: &str| {
        cells.iter().find(|cell| cell["torch"] == torch && cell["variant"] == variant).unwrap().clone()
    };
    assert_eq!(cell("2.14.1", "cu130")["verdict"], "native");
    assert_eq!(cell("2.14.1", "cu132")["verdict"], "compatible");
    assert_eq!(cell("2.14.1", "cpu")["verdict"], "cpu");
    assert!(cell("2.14.1", "cu130")["reasons"].as_array().unwrap().is_empty());
    let chosen = (matrix["chosen"]["torch"].as_str().unwrap(), matrix["chosen"]["variant"].as_str().unwrap());
    assert_eq!(cell(chosen.0, chosen.1)["verdict"], matrix["chosen"]["verdict"]);
}

#[test]
fn questions_that_name_no_build_are_wrong_usage() {
    for spec in ["numpy==2", "torch @ https://host/torch.whl", "torch==2.9+abc", "what?"] {
        let Some(ran) = asked(&["explain", "--why", spec, "--gpu", "none"], &LINUX) else { return };
        assert!(ran.assert_status(2).stderr.contains("names no build of torch"), "{spec}: {ran:?}");
    }
    let Some(ran) = asked(&["explain"], &LINUX) else { return };
    assert!(ran.assert_status(2).stderr.contains("--why <SPEC>"), "{ran:?}");
}

#[test]
fn two_arguments_that_meet_are_told_one_by_one() {
    let wheels = |name: &str, rows: &[(&str, &str)]| -> Vec<BuiltWheel> {
        rows.iter().map(|(version, needs)| WheelBuilder::new(name, version).requires(needs).build()).collect()
    };
    let bare = |name: &str, versions: &[&str]| -> Vec<BuiltWheel> {
        versions.iter().map(|version| WheelBuilder::new(name, version).build()).collect()
    };
    let layout = Layout::default()
        .simple(wheels("app", &[("1.0", "tokens")]))
        .simple(wheels("tokens", &[("1.0", "protocol<2"), ("2.0", "wire")]))
        .simple(wheels("wire", &[("1.0", "protocol<3")]))
        .simple(wheels("board", &[("1.0", "events")]))
        .simple(wheels("events", &[("1.0", "protocol>=4"), ("2.0", "stream")]))
        .simple(wheels("stream", &[("1.0", "protocol>=5")]))
        .simple(bare("protocol", &["1.0", "2.0", "3.0", "4.0", "5.0"]));
    let Some(place) = Workplace::new(layout.site()) else { return };
    let command = ["install", "--dry-run", "app", "board", "--gpu", "none"];
    let ran = place.run(&command);
    ran.assert_status(10);
    assert_screen!("two_arguments_that_meet", &command, &ran);
}

#[test]
fn all_of_a_long_explanation_is_told_when_asked() {
    let tag = python_tag().unwrap_or_default();
    let mut layout = Layout::default().torch("cpu", vec![torch("2.9.1+cpu", &tag, 1000)]);
    // Each link of the chain needs the next; the last is held down by a pin.
    for link in 0..30 {
        let wheel = WheelBuilder::new(&format!("link{link}"), "1.0").requires(&format!("link{}==1.0", link + 1));
        layout = layout.simple(vec![wheel.build()]);
    }
    let ends = ["1.0", "2.0"].map(|version| WheelBuilder::new("link30", version).build());
    let Some(place) = Workplace::new(layout.simple(ends.to_vec()).site()) else { return };
    let command = ["install", "--dry-run", "link0", "link30==2.0", "--gpu", "none"];
    let ran = place.run(&command);
    assert_short_without_hints(&ran);
    assert_screen!("a_long_chain", &command, &ran);
    let whole = place.run(&[&command[..], &["-v"]].concat());
    assert!(whole.stderr.contains("link17 1.0 needs link18==1.0"), "{}", whole.stderr);
    let json = place.run(&[&command[..], &["--json"]].concat()).json();
    assert!(json["explanation"].as_array().unwrap().len() <= 20, "{json}");
}

#[track_caller]
fn assert_short_without_hints(ran: &Ran) {
    ran.assert_status(10);
    assert!(ran.stderr.lines().count() <= 20, "{}", ran.stderr);
    assert!(ran.stderr.contains("you ask for") && ran.stderr.contains("more facts"), "{}", ran.stderr);
}
