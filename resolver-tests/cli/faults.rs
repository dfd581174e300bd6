//! Servers and wheels that misbehave: an error that says so with the right status, or a recovery, and never
//! something half-installed.

use super::support::pages::{Listed, Style};
use super::support::server::{Fault, Resource, Site, Times};
use super::support::site::{Layout, Ran, Workplace, dependency, file_path, python_tag, torch, tree};
use super::support::wheels::BuiltWheel;

/// Large enough to come in several ranges.
const SIZE: usize = 12_000_000;

/// A workplace with a large wheel.
pub(super) struct Faulty {
    pub place: Workplace,
    /// Where the wheel is served.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "of the disks"))]
    pub path: String,
}

impl Faulty {
    /// torch and what it needs; `fault` strikes torch's wheel.
    pub fn new(fault: Option<(Fault, Times)>) -> Option<Self> {
        let wheel = torch("2.9.1+cpu", &python_tag()?, SIZE);
        let path = file_path("/whl/cpu", &wheel);
        let layout = Layout::default().torch("cpu", vec![wheel]).simple(vec![dependency()]);
        let mut site = layout.site();
        if let Some((fault, times)) = fault {
            site = site.fault(&path, fault, times);
        }
        Some(Self { place: Workplace::new(site)?, path })
    }

    /// Installs torch.
    pub fn install(&self) -> Ran {
        let mut command = self.place.command(&["install", "--check", "none", "--json"]);
        command.env("TORCHFIX_HTTP_TIMEOUT", "2");
        Ran::of(&command.output().unwrap())
    }

    #[track_caller]
    fn recovers(fault: Fault, times: Times) {
        let Some(faulty) = Self::new(Some((fault, times))) else { return };
        faulty.install().assert_status(0);
        faulty.is_installed();
    }

    #[track_caller]
    fn fails(fault: Fault, status: i32, code: &str) {
        let Some(faulty) = Self::new(Some((fault, Times::Always))) else { return };
        let ran = faulty.install();
        let error = ran.assert_status(status).json();
        assert_eq!(error["code"], code, "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("torch-2.9.1"), "the wheel is named: {error:#}");
        faulty.has_nothing_installed();
        // The same command goes on where the fault is gone.
        faulty.place.server.clear_faults();
        faulty.install().assert_status(0);
        faulty.is_installed();
    }

    #[track_caller]
    fn is_installed(&self) {
        let script = "import torch, pathlib; print((pathlib.Path(torch.__file__).parent / 'lib/libtorch_cpu.so').stat().st_size)";
        assert_eq!(self.place.says("python", &["-c", script]), SIZE.to_string());
    }

    #[track_caller]
    fn has_nothing_installed(&self) {
        assert!(!self.place.venv().exists(), "no environment was made");
        let cached = tree(&self.place.cache().join("wheels-v1"));
        assert!(!cached.iter().any(|file| file.0.contains("/tree/torch")), "no torch is in the cache");
    }
}

#[test]
fn a_flipped_byte_is_refused() {
    Faulty::fails(Fault::FlipByte(3_000_000), 24, "fetch.hash-mismatch");
}

#[test]
fn a_flipped_byte_at_first_is_fetched_again() {
    let Some(faulty) = Faulty::new(Some((Fault::FlipByte(3_000_000), Times::Always))) else { return };
    faulty.install().assert_status(24);
    faulty.place.server.clear_faults();
    faulty.install().assert_status(0);
    faulty.is_installed();
}

#[test]
fn truncated_answers_are_gone_on_with() {
    Faulty::recovers(Fault::Truncate(1_000_000), Times::First(5));
}

#[test]
fn a_server_that_always_breaks_off_is_20() {
    Faulty::fails(Fault::Truncate(0), 20, "fetch.broken");
}

#[test]
fn a_server_in_trouble_is_waited_for() {
    Faulty::recovers(Fault::status(503), Times::First(2));
}

#[test]
fn a_server_that_stays_in_trouble_is_20() {
    Faulty::fails(Fault::status(503), 20, "http.status");
}

#[test]
fn a_wheel_that_is_gone_is_20() {
    Faulty::fails(Fault::status(404), 20, "http.status");
}

#[test]
fn a_server_without_ranges_serves_as_well() {
    Faulty::recovers(Fault::IgnoreRanges, Times::Always);
}

#[test]
fn a_server_without_ranges_from_the_end_serves_as_well() {
    Faulty::recovers(Fault::RefuseSuffixRanges, Times::Always);
}

#[test]
fn a_server_that_sends_other_ranges_than_it_says_is_20() {
    Faulty::fails(Fault::WrongContentRange, 20, "http.wrong-range");
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    Faulty::recovers(Fault::Stall(100_000, std::time::Duration::from_secs(6)), Times::First(1));
}

#[test]
fn a_server_that_tells_no_versions_serves_as_well() {
    Faulty::recovers(Fault::NoValidators, Times::Always);
}

#[test]
fn pages_of_garbage_end_in_an_error_and_nothing_else() {
    for (status, body) in [(20, &b"{\"files\": [}"[..]), (20, b"{\"meta\":{\"api-version\":\"9.0\"},\"files\":[]}")] {
        let json = Resource::new(body.to_vec(), "application/vnd.pypi.simple.v1+json");
        let Some(place) = Workplace::new(Site::new().resource("/simple/demo/", json)) else { return };
        let ran = place.run(&["install", "demo", "--json"]);
        let error = ran.assert_status(status).json();
        assert!(error["message"].as_str().unwrap().contains("/simple/demo"), "the page is named: {error:#}");
        assert!(!place.venv().exists());
    }
    let html = Resource::new(vec![b'<'; 100_000], "text/html");
    let Some(place) = Workplace::new(Site::new().resource("/simple/demo/", html)) else { return };
    place.run(&["install", "demo", "--json"]).assert_status(10);
}

#[test]
fn a_page_without_hashes_is_said_and_refused_where_hashes_are_required() {
    let wheel = dependency();
    let listed = Listed { sha256: None, ..Listed::new(&wheel.file_name, "/files/demo.whl", &wheel.bytes) };
    let listed = Listed { href: format!("/files/{}", wheel.file_name), ..listed };
    let site = Site::new().file(&format!("/files/{}", wheel.file_name), wheel.bytes.clone()).simple_page(
        "/simple/demo-dependency/",
        &[listed],
        Style::Html,
    );
    let Some(place) = Workplace::new(site) else { return };
    let refused = place.run(&["install", "demo-dependency", "--require-hashes", "--json"]);
    assert_eq!(refused.assert_status(24).json()["code"], "fetch.unhashed");
    let ran = place.run(&["install", "demo-dependency", "--check", "none"]);
    assert!(ran.assert_status(0).stderr.contains("no index states a hash of demo_dependency"), "{}", ran.stderr);
}

#[test]
fn a_wheel_whose_metadata_lies_is_not_chosen() {
    let Some(tag) = python_tag() else { return };
    let liar: BuiltWheel = torch("2.9.0", &tag, 1000);
    let name = format!("torch-2.9.1-{tag}.whl");
    let listed = Listed::new(&name, &format!("/files/{name}"), &liar.bytes);
    let site = Site::new().file(&format!("/files/{name}"), liar.bytes.clone()).simple_page(
        "/simple/torch/",
        &[listed],
        Style::Json,
    );
    let Some(place) = Workplace::new(site) else { return };
    // It is no release that could be chosen, and there is no other.
    let error = place.run(&["install", "torch", "--json"]).assert_status(10).json();
    assert!(error["explanation"].to_string().contains("says Version `2.9.0`"), "{error:#}");
    assert!(!place.venv().exists());
}
