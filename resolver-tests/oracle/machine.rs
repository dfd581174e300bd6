//! The machine of a case, as plain as its facts.

use serde_json::{Value, json};
use torchfix::catalog::Manifests;

use super::facts::Pair;
use super::version::{Spec, Version};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Linux,
    Windows,
    Macos,
}

#[derive(Debug, Clone)]
pub struct Machine {
    pub system: System,
    pub arm: bool,
    /// The minor version of glibc 2.
    pub glibc: u64,
    pub wsl: bool,
    pub driver: Option<Version>,
    /// The CUDA that the driver says of itself; mostly it follows from its version.
    pub driver_cuda: Option<Pair>,
    /// The capability of each visible card.
    pub cards: Vec<Pair>,
    /// 12 is Python 3.12.
    pub python: u64,
    pub free_threaded: bool,
}

impl Machine {
    /// As manifests name it.
    pub fn platform(&self) -> String {
        let system = match self.system {
            System::Linux => "linux",
            System::Windows => "windows",
            System::Macos => "macos",
        };
        format!("{system}-{}", if self.arm { "aarch64" } else { "x86_64" })
    }

    /// Whether the driver is the one of Windows, as in WSL.
    pub fn windows_driver(&self) -> bool {
        self.wsl || self.system == System::Windows
    }

    /// Whether its Python satisfies a `Requires-Python`.
    pub fn python_satisfies(&self, spec: &Spec) -> bool {
        spec.holds(&Version { numbers: vec![3, self.python, 4], label: None })
    }

    /// The facts as `detect --json` prints them, each card by `card`.
    pub fn facts(&self, cards: &[Value]) -> String {
        let platform = self.platform();
        let (os, arch) = platform.split_once('-').unwrap();
        let driver = self.driver.as_ref().map(|version| {
            let cuda = self.driver_cuda.map(|(major, minor)| format!("{major}.{minor}"));
            json!({"version": version.to_string(), "cuda": cuda})
        });
        let abi = format!("cp3{}{}", self.python, if self.free_threaded { "t" } else { "" });
        json!({
            "schema": "torchfix.facts/1",
            "os": os, "arch": arch, "wsl": self.wsl,
            "os_version": (self.system == System::Macos).then_some("15.1"),
            "glibc": (self.system == System::Linux).then(|| format!("2.{}", self.glibc)),
            "driver": driver,
            "gpus": cards,
            "python": {"version": format!("3.{}.4", self.python), "implementation": "cpython", "abi": abi},
        })
        .to_string()
    }

    /// The machine as the commands make it of facts.
    pub fn read(facts: &str, manifests: &Manifests) -> torchfix::machine::Machine {
        let machine = torchfix::machine::Machine::read_facts(facts).unwrap();
        machine.overridden(&torchfix::machine::Overrides::default(), manifests).unwrap()
    }

    /// The machine as the solver takes it.
    pub fn solved_for(&self, manifests: &Manifests) -> torchfix::machine::Machine {
        let cards: Vec<Value> =
            self.cards.iter().map(|(major, minor)| json!({"compute_capability": format!("{major}.{minor}")})).collect();
        Self::read(&self.facts(&cards), manifests)
    }
}
