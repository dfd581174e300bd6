//! A scenario of the solver: machine, request, pages and what is expected, read from one TOML file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use torchfix::catalog::Manifests;
use torchfix::catalog::index::IndexError;
use torchfix::machine::Machine;
use torchfix::request::{FileRules, Request, VariantChoice};
use torchfix::resolve::{InstalledPin, Resolution, ResolveError, resolve};
use torchfix::vocab::Diagnostic as _;

use super::replica::{Replica, WheelRow, World, index_of, indexes};

/// One file of `scenarios/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub about: String,
    /// The facts of the machine.
    pub machine: Facts,
    /// What is asked for.
    #[serde(default)]
    pub request: Asked,
    /// What the indexes are like.
    #[serde(default)]
    pub indexes: Weather,
    /// What is installed: `torch 2.9.1+cu126`.
    #[serde(default)]
    pub installed: Vec<String>,
    /// What must come out.
    pub expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `linux-x86_64`.
    #[serde(default = "linux")]
    pub platform: String,
    #[serde(default = "recent_glibc")]
    pub glibc: String,
    #[serde(default)]
    pub wsl: bool,
    #[serde(default)]
    pub driver: Option<String>,
    /// `GeForce RTX 5090 12.0`.
    #[serde(default)]
    pub gpus: Vec<String>,
    #[serde(default)]
    pub gpus_unknown: bool,
    #[serde(default = "python_312")]
    pub python: String,
    #[serde(default = "sixty_four")]
    pub python_bits: u8,
    /// Of macOS and Windows.
    #[serde(default)]
    pub os_version: Option<String>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            platform: linux(),
            glibc: recent_glibc(),
            wsl: false,
            driver: None,
            gpus: Vec::new(),
            gpus_unknown: false,
            python: python_312(),
            python_bits: sixty_four(),
            os_version: None,
        }
    }
}

fn linux() -> String {
    "linux-x86_64".to_owned()
}
fn recent_glibc() -> String {
    "2.36".to_owned()
}
fn python_312() -> String {
    "3.12.9".to_owned()
}
fn sixty_four() -> u8 {
    64
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `torch` when absent.
    #[serde(default)]
    requirements: Option<Vec<String>>,
    #[serde(default)]
    constraints: Vec<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    upgrade: bool,
    #[serde(default)]
    pre_releases: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// Indexes that do not answer: `pypi`, `pytorch`.
    #[serde(default)]
    pub unreachable: BTreeSet<String>,
    /// Pages that are not there: `cpu/torch`.
    #[serde(default)]
    pub missing: BTreeSet<String>,
    /// What answers with a status, by the beginning of its URL without `http://`.
    #[serde(default)]
    pub faults: BTreeMap<String, u16>,
    /// Releases that are gone: `pypi/nvidia-cudnn-cu12 9.1.0.70`.
    #[serde(default)]
    pub removed: Vec<String>,
    /// Whether the replica is left out, for scenarios with wheels of their own.
    #[serde(default)]
    pub empty: bool,
    /// Whether there is an extra index, called `extra`.
    #[serde(default)]
    pub extra: bool,
    /// Whether there is a folder of links, called `links`.
    #[serde(default)]
    pub links: bool,
    /// More wheels.
    #[serde(default)]
    pub wheels: Vec<WheelRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Torch as it is chosen: `2.9.1+cu126`.
    #[serde(default)]
    torch: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    cuda: Option<String>,
    #[serde(default)]
    cudnn: Option<String>,
    /// Wheels that must be among those chosen: `triton 3.5.1`.
    #[serde(default)]
    with: Vec<String>,
    /// Names that must not be.
    #[serde(default)]
    without: Vec<String>,
    /// Everything that is chosen, in order.
    #[serde(default)]
    exactly: Option<Vec<String>>,
    /// The index each of these comes from: `numpy = "pypi"`.
    #[serde(default)]
    from: BTreeMap<String, String>,
    /// Parts of sentences that must be said.
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
    /// Newer builds that do not serve: `2.15.0+cu132` and part of the reason.
    #[serde(default)]
    unfit: BTreeMap<String, String>,
    /// The code of the error.
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    exit: Option<u8>,
    /// Parts of hints that must be given, and of ones that must not.
    #[serde(default)]
    hints: Vec<String>,
    #[serde(default)]
    no_hints: Vec<String>,
    /// The METADATA of torch that may be read: one by default.
    #[serde(default = "one")]
    torch_metadata_at_most: usize,
    /// Pages that must not be asked for: `cu118/torch`.
    #[serde(default)]
    unasked: Vec<String>,
    /// Pages that must be.
    #[serde(default)]
    asked: Vec<String>,
    /// How the URLs of some wheels end.
    #[serde(default)]
    files: Vec<String>,
    /// The wheels that the index gives no hash of.
    #[serde(default)]
    without_hash: Option<Vec<String>>,
}

fn one() -> usize {
    1
}

/// What a scenario came to, and what is wrong with it.
pub struct Outcome {
    /// The error's message, explanation and hints, for a snapshot.
    pub refusal: Option<String>,
    /// What differs from what was expected.
    pub faults: Vec<String>,
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    /// Solves it twice and holds the answers against each other and against what is expected.
    pub fn run(&self) -> Outcome {
        let replica = Replica::start(self.world());
        let client = replica.client();
        let (machine, request) = (self.machine.machine(), self.request());
        let installed: Vec<InstalledPin> = self.installed.iter().map(|text| pin(text)).collect();
        #[allow(clippy::result_large_err, reason = "as in the solver itself")]
        let solve = || resolve(&machine, &request, Manifests::embedded(), &client, &installed);
        let first = solve();
        let mut faults = Vec::new();
        self.check_asked(&replica, &mut faults);
        match (&first, solve()) {
            (Ok(first), Ok(second)) if *first == second => {}
            (Err(first), Err(second)) if refusal(first) == refusal(&second) => {}
            _ => faults.push("a second run gives another answer".to_owned()),
        }
        match &first {
            Ok(resolution) => self.check(resolution, &mut faults),
            Err(error) => self.check_error(error, &mut faults),
        }
        Outcome { refusal: first.err().as_ref().map(refusal), faults }
    }

    fn world(&self) -> World {
        let mut world = if self.indexes.empty { World::empty() } else { World::real() };
        self.indexes.wheels.iter().for_each(|row| world.add(row));
        self.indexes.removed.iter().for_each(|release| world.remove(release));
        self.indexes.missing.iter().for_each(|page| world.miss(page));
        self.indexes.faults.iter().for_each(|(below, status)| world.fault(below, *status));
        world
    }

    fn request(&self) -> Request {
        let parse = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let requirements = self.request.requirements.clone().unwrap_or_else(|| vec!["torch".to_owned()]);
        Request {
            requirements: parse(&requirements),
            constraints: parse(&self.request.constraints),
            variant: self
                .request
                .variant
                .as_ref()
                .map_or(VariantChoice::Auto, |variant| VariantChoice::Named(variant.parse().unwrap())),
            upgrade: self.request.upgrade,
            pre_releases: self.request.pre_releases,
            files: FileRules::default(),
            indexes: indexes(&self.indexes.unreachable, self.indexes.extra, self.indexes.links),
        }
    }

    fn check(&self, resolution: &Resolution, faults: &mut Vec<String>) {
        let expect = &self.expect;
        let titles: Vec<String> = resolution.wheels.iter().map(torchfix::lock::LockedWheel::title).collect();
        if let Some(code) = &expect.error {
            faults.push(format!("expected the error {code}, got {titles:?}"));
            return;
        }
        let torch = resolution.torch.as_ref();
        let mut same = |what: &str, wanted: &Option<String>, found: Option<String>| {
            if wanted.is_some() && *wanted != found {
                faults.push(format!("{what} is {found:?}, expected {wanted:?}"));
            }
        };
        same("torch", &expect.torch, torch.map(|torch| torch.version.to_string()));
        same("the variant", &expect.variant, torch.map(|torch| torch.variant.to_string()));
        same("CUDA", &expect.cuda, torch.and_then(|torch| torch.cuda).map(|cuda| cuda.to_string()));
        let cudnn = torch.and_then(|torch| torch.cudnn.as_ref()).map(ToString::to_string);
        same("cuDNN", &expect.cudnn, cudnn);
        for wanted in expect.with.iter().filter(|wanted| !titles.contains(wanted)) {
            faults.push(format!("`{wanted}` is not among {titles:?}"));
        }
        for name in &expect.without {
            if resolution.wheels.iter().any(|wheel| wheel.name.as_ref() == name) {
                faults.push(format!("`{name}` is among {titles:?}"));
            }
        }
        if let Some(exactly) = expect.exactly.as_ref().filter(|exactly| **exactly != titles) {
            faults.push(format!("expected exactly {exactly:?}, got {titles:?}"));
        }
        for (name, index) in &expect.from {
            let wheel = resolution.wheels.iter().find(|wheel| wheel.name.as_ref() == name);
            let found = wheel.map(|wheel| wheel.url.as_str()).unwrap_or_default();
            if index_of(found) != index {
                faults.push(format!("`{name}` comes from `{found}`, expected `{index}`"));
            }
        }
        for file in &expect.files {
            if !resolution.wheels.iter().any(|wheel| wheel.url.as_str().ends_with(file)) {
                let urls: Vec<&str> = resolution.wheels.iter().map(|wheel| wheel.url.as_str()).collect();
                faults.push(format!("no wheel's URL ends with `{file}`: {urls:?}"));
            }
        }
        if let Some(names) = &expect.without_hash {
            let without = resolution.wheels.iter().filter(|wheel| wheel.sha256.is_none());
            let without: Vec<&str> = without.map(|wheel| wheel.name.as_ref()).collect();
            if without != *names {
                faults.push(format!("without a hash are {without:?}, expected {names:?}"));
            }
        }
        said("reason", &expect.reasons, &resolution.reasons, faults);
        said("warning", &expect.warnings, &resolution.warnings, faults);
        for (build, reason) in &expect.unfit {
            let found = resolution.unfit.iter().find(|unfit| format!("{}+{}", unfit.version, unfit.variant) == *build);
            if !found.is_some_and(|unfit| unfit.reason.to_string().contains(reason)) {
                faults
                    .push(format!("{build} is unfit for {:?}, expected `{reason}`", found.map(|unfit| &unfit.reason)));
            }
        }
    }

    fn check_error(&self, error: &ResolveError<IndexError>, faults: &mut Vec<String>) {
        if self.expect.error.as_deref() != Some(error.code()) {
            faults.push(format!("{}: {}", error.code(), refusal(error)));
            return;
        }
        if self.expect.exit.is_some_and(|exit| exit != error.exit_status() as u8) {
            faults.push(format!("the exit status is {:?}", error.exit_status()));
        }
        said("hint", &self.expect.hints, &error.hints(), faults);
        for unwanted in &self.expect.no_hints {
            if error.hints().iter().any(|hint| hint.contains(unwanted)) {
                faults.push(format!("a hint says `{unwanted}`: {:?}", error.hints()));
            }
        }
    }

    fn check_asked(&self, replica: &Replica, faults: &mut Vec<String>) {
        let read = replica.torch_metadata_read();
        if read.len() > self.expect.torch_metadata_at_most {
            faults.push(format!("the metadata of {} builds of torch was read: {read:?}", read.len()));
        }
        let asked = replica.pages_asked();
        for page in self.expect.unasked.iter().filter(|page| asked.contains(*page)) {
            faults.push(format!("the page {page} was asked for"));
        }
        for page in self.expect.asked.iter().filter(|page| !asked.contains(*page)) {
            faults.push(format!("the page {page} was not asked for: {asked:?}"));
        }
    }
}

impl Facts {
    /// The machine of these facts.
    pub fn machine(&self) -> Machine {
        let (os, arch) = self.platform.split_once('-').unwrap();
        let gpu = |(index, text): (usize, &String)| {
            let (name, capability) = text.rsplit_once(' ').unwrap();
            serde_json::json!({"index": index, "name": name, "compute_capability": capability})
        };
        let version = self.python.trim_end_matches('t');
        let digits: Vec<&str> = version.split('.').collect();
        let free_threaded = self.python.ends_with('t');
        let abi = format!("cp{}{}{}", digits[0], digits[1], if free_threaded { "t" } else { "" });
        serde_json::from_value(serde_json::json!({
            "os": os, "arch": arch, "glibc": (os == "linux").then_some(&self.glibc), "wsl": self.wsl,
            "os_version": self.os_version.as_deref().unwrap_or(if os == "macos" { "15.0" } else { "6.1" }),
            "driver": self.driver.as_ref().map(|driver| serde_json::json!({"version": driver})),
            "gpus": (!self.gpus_unknown).then(|| self.gpus.iter().enumerate().map(gpu).collect::<Vec<_>>()),
            "python": {"version": version, "implementation": "cpython", "abi": abi, "free_threaded": free_threaded,
                "bits": self.python_bits},
        }))
        .unwrap()
    }
}

fn said(what: &str, wanted: &[String], said: &[String], faults: &mut Vec<String>) {
    for part in wanted.iter().filter(|part| !said.iter().any(|sentence| sentence.contains(*part))) {
        faults.push(format!("no {what} says `{part}`: {said:?}"));
    }
}

fn pin(text: &str) -> InstalledPin {
    let (name, version) = text.split_once(' ').unwrap();
    InstalledPin { name: name.parse().unwrap(), version: version.parse().unwrap() }
}

fn refusal(error: &ResolveError<IndexError>) -> String {
    let lines = |title: &str, lines: Vec<String>| -> String {
        lines.into_iter().fold(String::new(), |text, line| text + title + ": " + &line + "\n")
    };
    let (because, hints) = (lines("because", error.explanation()), lines("hint", error.hints()));
    format!("error[{}]: {error}\n{because}{hints}", error.code())
}
