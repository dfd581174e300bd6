//! Facts stated by hand, and what follows from them.

use std::str::FromStr;

use super::{Driver, FactsError, Gpu, HardwareTable, Machine, PythonFacts, Source};
use crate::vocab::{ComputeCapability, DriverVersion, PlatformTag, Version};

/// Single facts stated on the command line; each replaces what was detected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--driver`: `Some(None)` states that there is none.
    pub driver: Option<Option<DriverVersion>>,
    /// `--gpu`: an empty list states that there is none.
    pub gpus: Option<Vec<GpuStatement>>,
    /// `--python-version`.
    pub python_version: Option<PythonStatement>,
    /// `--platform`.
    pub platform: Option<PlatformTag>,
}

/// A GPU as it is stated: by marketing name or by compute capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuStatement {
    /// `RTX 4090`; looked up in the manifests.
    Name(String),
    /// `8.9` or `sm_89`.
    Capability(ComputeCapability),
}

/// A Python as it is stated: `3.12`, `3.12.9`, `3.13t`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonStatement {
    /// The version, as precise as it was stated.
    pub version: Version,
    /// Whether it is the free-threaded build.
    pub free_threaded: bool,
}

impl Overrides {
    /// The value of `--driver`: a version, or `none`.
    pub fn parse_driver(text: &str) -> Result<Option<DriverVersion>, FactsError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| statement(text, "an NVIDIA driver version such as `570.124.06`, or `none`"))
    }

    /// The values of `--gpu`: names or compute capabilities, or `none` alone.
    pub fn parse_gpus(texts: &[String]) -> Result<Vec<GpuStatement>, FactsError> {
        match texts {
            [none] if none.eq_ignore_ascii_case("none") => Ok(Vec::new()),
            _ => texts.iter().map(|text| text.parse()).collect(),
        }
    }
}

impl FromStr for GpuStatement {
    type Err = FactsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("none") {
            return Err(statement(text, "a GPU's name or compute capability"));
        }
        let code = text.strip_prefix("sm_").and_then(|digits| {
            let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
            format!("{major}.{minor}").parse().ok()
        });
        match code.or_else(|| text.parse().ok()) {
            Some(capability) => Ok(Self::Capability(capability)),
            // A number that is no capability is no name either.
            None if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                Err(statement(text, "a GPU's name or a compute capability such as `8.6`"))
            }
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl FromStr for PythonStatement {
    type Err = FactsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || statement(text, "a Python version such as `3.12`, `3.12.9` or `3.13t`");
        let (digits, free_threaded) = match text.strip_suffix('t') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let version: Version = digits.parse().map_err(|_| error())?;
        if !(2..=3).contains(&version.release().len()) || version.is_local() || version.epoch() != 0 {
            return Err(error());
        }
        Ok(Self { version, free_threaded })
    }
}

impl Machine {
    /// Replaces what is stated, and derives anew what hangs on it.
    pub fn overridden(mut self, overrides: &Overrides, table: &dyn HardwareTable) -> Result<Self, FactsError> {
        let driver_os = self.driver_os();
        if let Some(platform) = &overrides.platform {
            self.take_platform(platform);
        }
        if let Some(python) = &overrides.python_version {
            self.take_python(python);
        }
        if let Some(driver) = &overrides.driver {
            self.driver = driver.clone().map(|version| Driver { version: Some(version), cuda: None });
            self.sources.driver = Some(Source::Override);
        } else if self.driver_os() != driver_os
            && let Some(driver) = &mut self.driver
            && driver.version.is_some()
        {
            driver.cuda = None;
        }
        if let Some(gpus) = &overrides.gpus {
            let gpu = |(index, gpu)| stated_gpu(index, gpu, table);
            self.gpus = Some((0..).zip(gpus).map(gpu).collect::<Result<_, _>>()?);
            self.sources.gpus = Some(Source::Override);
        }
        self.note_contradiction(table);
        Ok(self.derived(table))
    }

    /// A facts file may say of a driver what the manifests do not know of it; it is believed, and that is said.
    ///
    /// A library can know better than the manifests, and one of another version in a container does know another.
    fn note_contradiction(&mut self, table: &dyn HardwareTable) {
        let Some(Driver { version: Some(version), cuda: Some(cuda) }) = &self.driver else { return };
        let Some(known) = table.cuda_of_driver(version, self.driver_os()).filter(|known| known != cuda) else { return };
        let note = format!(
            "driver {version} is said to support CUDA {cuda} at most, and by the manifests it is {known}: what is said counts"
        );
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Fills in what is not known and follows from something that is: the driver's CUDA from its version, a GPU's
    /// capability from its PCI id or name.
    #[must_use]
    pub fn derived(mut self, table: &dyn HardwareTable) -> Self {
        let os = self.driver_os();
        if let Some(Driver { version: Some(version), cuda: cuda @ None }) = &mut self.driver {
            *cuda = table.cuda_of_driver(version, os);
        }
        for gpu in self.gpus.iter_mut().flatten() {
            let by_id = || gpu.pci_id.as_deref().and_then(|id| table.gpu_by_pci_id(id));
            if gpu.compute_capability.is_none() {
                let model = by_id().or_else(|| gpu.name.as_deref().and_then(|name| table.gpu_by_name(name)));
                if let Some(model) = model {
                    gpu.compute_capability = Some(model.compute_capability);
                    gpu.name.get_or_insert(model.name);
                }
            }
        }
        self
    }

    fn take_platform(&mut self, platform: &PlatformTag) {
        let same = self.os == platform.os && self.arch == platform.arch;
        if self.os != platform.os {
            self.os_version = None;
            self.wsl = false;
        }
        if !same {
            self.windows = None;
        }
        self.glibc = platform.glibc.or(self.glibc.filter(|_| same));
        if let Some((major, minor)) = platform.macos {
            self.os_version = Some(format!("{major}.{minor}"));
        }
        self.os = platform.os;
        self.arch = platform.arch.clone();
        if let Some(python) = self.python.as_mut().filter(|_| !same) {
            python.bits = 64;
        }
    }

    fn take_python(&mut self, stated: &PythonStatement) {
        let mut python = PythonFacts {
            version: stated.version.clone(),
            implementation: "cpython".to_owned(),
            abi: None,
            free_threaded: stated.free_threaded,
            bits: 64,
        };
        python.abi = python.derived_abi();
        self.python = Some(python);
    }
}

fn stated_gpu(index: u32, stated: &GpuStatement, table: &dyn HardwareTable) -> Result<Gpu, FactsError> {
    let (name, compute_capability) = match stated {
        GpuStatement::Capability(capability) => (None, *capability),
        GpuStatement::Name(name) => {
            let model = table.gpu_by_name(name).ok_or_else(|| FactsError::UnknownGpu { name: name.clone() })?;
            (Some(model.name), model.compute_capability)
        }
    };
    Ok(Gpu { index, name, compute_capability: Some(compute_capability), memory_mib: None, pci_id: None })
}

fn statement(text: &str, expected: &'static str) -> FactsError {
    FactsError::Statement { text: text.chars().take(80).collect(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::GpuModel;
    use crate::vocab::{Arch, CudaVersion, GlibcVersion, Os};

    struct Table;

    impl HardwareTable for Table {
        fn gpu_by_pci_id(&self, pci_id: &str) -> Option<GpuModel> {
            (pci_id == "10de:1b06").then(|| model("GeForce GTX 1080 Ti", "6.1"))
        }
        fn gpu_by_name(&self, name: &str) -> Option<GpuModel> {
            name.contains("5090").then(|| model("GeForce RTX 5090", "12.0"))
        }
        fn cuda_of_driver(&self, driver: &DriverVersion, os: Os) -> Option<CudaVersion> {
            let major = if driver.branch() >= 580 && os == Os::Linux { 13 } else { 12 };
            Some(CudaVersion { major, minor: 0 })
        }
    }

    fn model(name: &str, capability: &str) -> GpuModel {
        GpuModel { name: name.to_owned(), compute_capability: capability.parse().unwrap() }
    }

    fn linux() -> Machine {
        Machine {
            glibc: Some(GlibcVersion { major: 2, minor: 35 }),
            driver: Some(Driver { version: "580.65.06".parse().ok(), cuda: "13.0".parse().ok() }),
            ..Machine::bare(Os::Linux, Arch::X86_64)
        }
    }

    #[test]
    fn what_hangs_on_a_stated_driver_is_derived_anew() {
        let overrides = Overrides { driver: Some(Overrides::parse_driver("550.10").unwrap()), ..Overrides::default() };
        let machine = linux().overridden(&overrides, &Table).unwrap();
        assert_eq!(machine.driver.unwrap().cuda.unwrap().to_string(), "12.0");
        assert_eq!(machine.sources.driver, Some(Source::Override));

        let none = Overrides { driver: Some(Overrides::parse_driver("none").unwrap()), ..Overrides::default() };
        assert_eq!(linux().overridden(&none, &Table).unwrap().driver, None);
    }

    #[test]
    fn a_cuda_that_is_not_the_drivers_is_noted_once() {
        let stated = |version: &str, cuda: &str| Machine {
            driver: Some(Driver { version: version.parse().ok(), cuda: cuda.parse().ok() }),
            ..linux()
        };
        let notes = |machine: Machine| {
            let machine = machine.overridden(&Overrides::default(), &Table).unwrap();
            machine.overridden(&Overrides::default(), &Table).unwrap().notes
        };
        assert!(notes(stated("580.65.06", "13.0")).is_empty());
        let contradicted = notes(stated("550.54.14", "13.0"));
        let [note] = &contradicted[..] else { panic!("{contradicted:?}") };
        assert!(note.contains("550.54.14") && note.contains("CUDA 13.0") && note.contains("12.0"), "{note}");
        let overridden = Overrides { driver: Some("580.10".parse().ok()), ..Overrides::default() };
        assert!(stated("550.54.14", "13.0").overridden(&overridden, &Table).unwrap().notes.is_empty());
    }

    #[test]
    fn cards_are_stated_by_name_or_capability() {
        let stated = |texts: &[&str]| {
            Overrides::parse_gpus(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
                .map(|gpus| linux().overridden(&Overrides { gpus: Some(gpus), ..Overrides::default() }, &Table))
        };
        let gpus = stated(&["RTX 5090", "sm_86", "6.1"]).unwrap().unwrap().gpus.unwrap();
        let capabilities: Vec<_> = gpus.iter().map(|gpu| gpu.compute_capability.unwrap().to_string()).collect();
        assert_eq!(capabilities, ["12.0", "8.6", "6.1"]);
        assert_eq!(gpus[2].index, 2);
        assert_eq!(stated(&["none"]).unwrap().unwrap().gpus, Some(Vec::new()));
        let error = stated(&["Voodoo 2"]).unwrap().unwrap_err();
        assert!(error.to_string().contains("Voodoo 2"), "{error}");
        assert!(stated(&["none", "8.6"]).is_err());
        assert!(stated(&["86"]).is_err());
    }

    #[test]
    fn another_platform_drops_what_belonged_to_the_old_one() {
        let platform = |text: &str| Overrides { platform: text.parse().ok(), ..Overrides::default() };
        let machine = linux().overridden(&platform("win_amd64"), &Table).unwrap();
        assert_eq!((machine.os, machine.glibc), (Os::Windows, None));
        assert_eq!(machine.driver.unwrap().cuda.unwrap().major, 12, "the same driver number means less on Windows");
        let machine = linux().overridden(&platform("manylinux_2_28_x86_64"), &Table).unwrap();
        assert_eq!(machine.glibc.unwrap().minor, 28);
        assert_eq!(machine.driver.unwrap().cuda.unwrap().major, 13);
        let machine = linux().overridden(&platform("linux_x86_64"), &Table).unwrap();
        assert_eq!(machine.glibc.unwrap().minor, 35);
    }

    #[test]
    fn a_python_version_gives_its_abi() {
        let python = |text: &str| {
            let overrides = Overrides { python_version: Some(text.parse().unwrap()), ..Overrides::default() };
            linux().overridden(&overrides, &Table).unwrap().python.unwrap()
        };
        assert_eq!(python("3.12").abi.as_deref(), Some("cp312"));
        let free_threaded = python("3.13t");
        assert_eq!((free_threaded.abi.as_deref(), free_threaded.free_threaded), (Some("cp313t"), true));
        for bad in ["", "3", "python3.12", "3.12.1.2", "3.12+x", "t"] {
            assert!(bad.parse::<PythonStatement>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_capability_follows_from_the_pci_id() {
        let gpu =
            Gpu { index: 0, name: None, compute_capability: None, memory_mib: None, pci_id: Some("10de:1b06".into()) };
        let machine = Machine { gpus: Some(vec![gpu]), ..linux() }.derived(&Table);
        let gpu = &machine.gpus.unwrap()[0];
        assert_eq!(gpu.compute_capability.unwrap().to_string(), "6.1");
        assert_eq!(gpu.name.as_deref(), Some("GeForce GTX 1080 Ti"));
    }
}
