//! `torchfix.facts/1`, read leniently and written exactly.

use serde_json::{Map, Value};

use super::facts::SCHEMA;
use super::facts_keys::{Keys, plain, shown};
use super::platform::MUSL_NOTE;
use super::{Driver, FactsError, Gpu, Machine, PythonFacts, Sources, windows};
use crate::vocab::{Arch, GlibcVersion, Os, Version};

/// What a Linux machine is taken to have when facts do not name its C library: the oldest that torch's wheels run on.
const ASSUMED_GLIBC: GlibcVersion = GlibcVersion { major: 2, minor: 28 };
/// More than any machine holds; facts come from anywhere.
const MAX_GPUS: usize = 1024;

impl Machine {
    /// Reads facts as `detect --json` prints them: any value may be null, absent keys are null, unknown ones pass.
    ///
    /// What is null and follows from something else (`driver.cuda`, a capability, `abi`) is derived by
    /// [`Machine::derived`].
    pub fn read_facts(json: &str) -> Result<Self, FactsError> {
        let json = json.strip_prefix('\u{feff}').unwrap_or(json);
        let document: Value =
            serde_json::from_str(json).map_err(|error| FactsError::NotJson { reason: error.to_string() })?;
        let Value::Object(document) = &document else {
            return Err(FactsError::NotJson { reason: format!("it is {}", shown(&document)) });
        };
        match document.get("schema") {
            Some(Value::String(schema)) if schema == SCHEMA => {}
            found => return Err(FactsError::Schema { found: found.map_or("none".to_owned(), plain) }),
        }
        let facts = Keys { map: document, path: String::new() };
        let mut machine = Self::bare(
            facts.read("os", "`linux`, `windows` or `macos`", os)?.ok_or(FactsError::Missing { key: "os" })?,
            facts
                .text("arch", "a processor such as `x86_64`")?
                .map(|arch| Arch::from(arch.as_str()))
                .ok_or(FactsError::Missing { key: "arch" })?,
        );
        machine.os_version = facts.text("os_version", "a text")?;
        machine.glibc = facts.parsed("glibc", "a version such as \"2.35\"")?;
        machine.wsl = facts.flag("wsl")?.unwrap_or(false);
        machine.driver = facts.object("driver")?.map(|driver| read_driver(&driver)).transpose()?;
        machine.gpus = facts.list("gpus")?.map(read_gpus).transpose()?;
        machine.python = facts.object("python")?.map(|python| read_python(&python)).transpose()?.flatten();
        machine.sources = match facts.object("sources")? {
            Some(sources) => {
                Sources { driver: sources.source("driver")?, gpus: sources.source("gpus")?, interpreter: None }
            }
            None => Sources::default(),
        };
        machine.notes = facts.texts("notes")?;
        if let Some(facts) = facts.object("windows")?.as_ref().map(windows::json::read).transpose()? {
            machine.windows = Some(facts).filter(|_| machine.os == Os::Windows);
        }
        machine.assume_glibc();
        Ok(machine)
    }

    /// The facts as `detect --json` prints them, `schema` first.
    pub fn to_facts_json(&self) -> Value {
        let mut facts = Map::new();
        facts.insert("schema".to_owned(), Value::from(SCHEMA));
        // Maps with text keys and finite numbers always serialise.
        if let Ok(Value::Object(rest)) = serde_json::to_value(self) {
            facts.extend(rest);
        }
        Value::Object(facts)
    }

    /// A machine that was detected as one on musl says so in its notes and keeps its null.
    fn assume_glibc(&mut self) {
        if self.os == Os::Linux && self.glibc.is_none() && !self.notes.iter().any(|note| note == MUSL_NOTE) {
            self.glibc = Some(ASSUMED_GLIBC);
            self.notes.push(format!("the facts name no glibc; {ASSUMED_GLIBC} is assumed"));
        }
    }
}

fn os(text: &str) -> Option<Os> {
    match text {
        "linux" => Some(Os::Linux),
        "windows" => Some(Os::Windows),
        "macos" => Some(Os::Macos),
        _ => None,
    }
}

fn read_driver(driver: &Keys) -> Result<Driver, FactsError> {
    Ok(Driver {
        version: driver.parsed("version", "a driver version such as \"570.124.06\"")?,
        cuda: driver.parsed("cuda", "a CUDA version such as \"12.8\"")?,
    })
}

fn read_gpus(gpus: &[Value]) -> Result<Vec<Gpu>, FactsError> {
    if gpus.len() > MAX_GPUS {
        return Err(FactsError::Invalid {
            key: "gpus".to_owned(),
            found: format!("a list of {}", gpus.len()),
            expected: "the GPUs of one machine",
        });
    }
    let mut read = Vec::new();
    for (position, gpu) in gpus.iter().enumerate() {
        let path = format!("gpus[{position}]");
        let Value::Object(map) = gpu else {
            return Err(FactsError::Invalid { key: path, found: shown(gpu), expected: "an object" });
        };
        let gpu = Keys { map, path: path + "." };
        let index = gpu.number("index", u64::from(u32::MAX))?.unwrap_or(position as u64);
        let index = index.try_into().unwrap_or(u32::MAX);
        // `--visible` and CUDA_VISIBLE_DEVICES choose by it.
        if read.iter().any(|other: &Gpu| other.index == index) {
            return Err(FactsError::Invalid {
                key: format!("{}index", gpu.path),
                found: format!("`{index}`"),
                expected: "a number that no other GPU has",
            });
        }
        read.push(Gpu {
            index,
            name: gpu.text("name", "a text")?,
            compute_capability: gpu.parsed("compute_capability", "a text such as \"8.6\"")?,
            memory_mib: gpu.number("memory_mib", u64::MAX)?,
            pci_id: gpu.read("pci_id", "a PCI id such as \"10de:1b06\"", pci_id)?,
        });
    }
    Ok(read)
}

/// Vendor and device, four hexadecimal digits each, in lower case.
fn pci_id(text: &str) -> Option<String> {
    let (vendor, device) = text.split_once(':')?;
    let hexadecimal = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal(vendor) && hexadecimal(device)).then(|| text.to_ascii_lowercase())
}

fn read_python(python: &Keys) -> Result<Option<PythonFacts>, FactsError> {
    let Some(version) = python.parsed::<Version>("version", "a Python version such as \"3.12.9\"")? else {
        return Ok(None);
    };
    if version.release().len() < 2 {
        return Err(python.invalid("version", "a Python version such as \"3.12.9\""));
    }
    let implementation = python.text("implementation", "a text")?.unwrap_or_else(|| "cpython".to_owned());
    let abi = python.text("abi", "an ABI tag such as \"cp312\"")?;
    let free_threaded = python
        .flag("free_threaded")?
        .unwrap_or_else(|| implementation == "cpython" && abi.as_ref().is_some_and(|abi| abi.ends_with('t')));
    let bits = match python.number("bits", 64)? {
        None | Some(64) => 64,
        Some(32) => 32,
        Some(_) => return Err(python.invalid("bits", "64 or 32")),
    };
    let mut facts = PythonFacts { version, implementation, abi, free_threaded, bits };
    facts.abi = facts.abi.take().or_else(|| facts.derived_abi());
    Ok(Some(facts))
}

impl PythonFacts {
    /// The ABI tag that follows from version and threading; `None` for other implementations than `CPython`.
    pub(super) fn derived_abi(&self) -> Option<String> {
        let threading = if self.free_threaded { "t" } else { "" };
        match self.version.release() {
            [major, minor, ..] if self.implementation == "cpython" => Some(format!("cp{major}{minor}{threading}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Source, WindowsFacts};

    const DESIGN: &str = r#"{"schema":"torchfix.facts/1","os":"windows","os_version":"10.0.22631","arch":"x86_64","glibc":null,"wsl":false,"driver":{"version":"572.83","cuda":"12.8"},"gpus":[{"index":0,"name":"NVIDIA GeForce GTX 1080 Ti","compute_capability":"6.1","memory_mib":11264,"pci_id":"10de:1b06"}],"python":{"version":"3.12.9","implementation":"cpython","abi":"cp312","free_threaded":false,"bits":64},"sources":{"driver":"nvml","gpus":"nvml"},"notes":[]}"#;

    #[test]
    fn facts_round_trip_byte_for_byte() {
        let machine = Machine::read_facts(DESIGN).unwrap();
        assert_eq!(machine.to_facts_json().to_string(), DESIGN);
        assert_eq!(machine.sources.driver, Some(Source::Nvml));
    }

    #[test]
    fn anything_may_be_null_or_absent_but_system_and_processor() {
        let machine = Machine::read_facts(
            r#"{"schema":"torchfix.facts/1","os":"linux","arch":"amd64","new":1,"driver":{"version":null},"gpus":[{}],
               "python":{"version":"3.13","abi":"cp313t"},"sources":{"gpus":"crystal ball"},"notes":null}"#,
        )
        .unwrap();
        assert_eq!((machine.arch, machine.glibc), (Arch::X86_64, Some(ASSUMED_GLIBC)));
        assert_eq!(machine.driver, Some(Driver { version: None, cuda: None }));
        assert_eq!(machine.gpus.unwrap()[0].index, 0);
        assert!(machine.python.unwrap().free_threaded);
        assert_eq!(machine.sources.gpus, Some(Source::Unknown));
        assert!(machine.notes[0].contains("2.28"));

        let machine =
            Machine::read_facts(r#"{"schema":"torchfix.facts/1","os":"linux","arch":"aarch64","gpus":[]}"#).unwrap();
        assert_eq!((machine.driver, machine.gpus), (None, Some(Vec::new())));
    }

    const WINDOWS: &str = r#""windows":{"build":22631,"long_paths":false,"vc_runtime":{"installed":true,"version":"14.38.33135.0"},"system_libraries":{"libomp140.x86_64.dll":{"present":false,"version":null},"msvcp140.dll":{"present":true,"version":"14.38.33135.0"}},"sources":{"build":"registry","long_paths":"registry","vc_runtime":"registry","system_libraries":"system-folder"}}"#;

    #[test]
    fn what_only_windows_has_comes_last_and_round_trips() {
        let text = DESIGN.replace(r#""notes":[]"#, &format!(r#""notes":[],{WINDOWS}"#));
        let machine = Machine::read_facts(&text).unwrap();
        assert_eq!(machine.to_facts_json().to_string(), text);
        assert_eq!(machine.has_system_library("MSVCP140.dll"), Some(true));
        assert_eq!(machine.has_system_library("libomp140.x86_64.dll"), Some(false));
        assert_eq!(machine.has_system_library("vcomp140.dll"), None, "of which nothing is said");
        assert_eq!(machine.system_library("msvcp140.dll").unwrap().version, "14.38.33135.0".parse().ok());
        assert_eq!(Machine::read_facts(DESIGN).unwrap().has_system_library("msvcp140.dll"), None);
        let elsewhere = text.replace(r#""os":"windows""#, r#""os":"linux""#);
        assert_eq!(Machine::read_facts(&elsewhere).unwrap().windows, None);
    }

    #[test]
    fn facts_of_windows_may_be_null_or_absent_as_others() {
        let read = |windows: &str| {
            let text = format!(r#"{{"schema":"torchfix.facts/1","os":"windows","arch":"x86_64","windows":{windows}}}"#);
            Machine::read_facts(&text).unwrap().windows
        };
        assert_eq!((read("null"), read("{}")), (None, Some(WindowsFacts::default())));
        let facts =
            read(r#"{"build":null,"new":1,"system_libraries":{"A.dll":null,"B.DLL":{"version":"1.2"},"c.dll":{}}}"#);
        let facts = facts.unwrap();
        assert_eq!(facts.system_libraries.keys().collect::<Vec<_>>(), ["b.dll"]);
        assert!(facts.system_libraries["b.dll"].present);
    }

    #[test]
    fn a_musl_machine_keeps_having_no_glibc() {
        let machine = Machine { notes: vec![MUSL_NOTE.to_owned()], ..Machine::bare(Os::Linux, Arch::X86_64) };
        assert_eq!(Machine::read_facts(&machine.to_facts_json().to_string()).unwrap(), machine);
    }

    #[test]
    fn errors_name_the_key() {
        let base = r#""schema":"torchfix.facts/1","os":"linux","arch":"x86_64""#;
        for (rest, key) in [
            (r#""gpus":[{},{"compute_capability":8.6}]"#, "`gpus[1].compute_capability` in the facts is `8.6`"),
            (r#""driver":{"version":"new"}"#, "`driver.version`"),
            (r#""driver":"570"#, "not a JSON object"),
            (r#""driver":"570""#, "`driver` in the facts is `\"570\"`, not an object"),
            (r#""python":{"version":"3.12","bits":16}"#, "`python.bits`"),
            (r#""python":{"version":"3"}"#, "`python.version`"),
            (r#""wsl":"no""#, "`wsl`"),
            (r#""gpus":[{"pci_id":"1b06"}]"#, "`gpus[0].pci_id`"),
            (r#""gpus":[{"index":3},{"index":3}]"#, "`gpus[1].index` in the facts is `3`, not a number that no other"),
            (r#""gpus":[{"index":1},{}]"#, "`gpus[1].index` in the facts is `1`"),
            (r#""windows":{"long_paths":1}"#, "`windows.long_paths`"),
            (r#""windows":{"vc_runtime":{"version":14}}"#, "`windows.vc_runtime.version`"),
            (
                r#""windows":{"system_libraries":{"a.dll":{"version":"new"}}}"#,
                "`windows.system_libraries.a.dll.version`",
            ),
        ] {
            let error = Machine::read_facts(&format!("{{{base},{rest}}}")).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        for (text, part) in [
            ("[]", "a list"),
            ("{}", "schema `none`"),
            (r#"{"schema":"torchfix.facts/2"}"#, "facts/2"),
            (r#"{"schema":"torchfix.facts/1","os":"linux"}"#, "`arch`"),
        ] {
            let error = Machine::read_facts(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(text in ".*") {
            let _ = Machine::read_facts(&text);
            let _ = Machine::read_facts(&format!(
                r#"{{"schema":"torchfix.facts/1","os":"linux","arch":"x86_64","gpus":[{{"compute_capability":{}}}]}}"#,
                Value::from(text)
            ));
        }
    }
}
