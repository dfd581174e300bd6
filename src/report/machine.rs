//! The facts of a machine, as text.

use super::output::{BOLD, DIM};
use crate::machine::{Gpu, Machine, Source, WindowsFacts};

/// The facts, a line each, with how they were learned.
pub fn machine_lines(machine: &Machine) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{BOLD}{name:8}{BOLD:#} {value}"));
    let version = machine.os_version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let wsl = if machine.wsl { ", inside Windows (WSL)" } else { "" };
    line("system", format!("{}{version} on {}{wsl}", machine.os, machine.arch));
    if let Some(glibc) = machine.glibc {
        line("glibc", glibc.to_string());
    }
    match &machine.driver {
        None => line("driver", format!("no NVIDIA driver{}", learned(machine.sources.driver))),
        Some(driver) => {
            let version = driver.version.as_ref().map_or("of unknown version".to_owned(), ToString::to_string);
            let cuda = driver.cuda.map(|cuda| format!(", CUDA {cuda} at most")).unwrap_or_default();
            line("driver", format!("NVIDIA {version}{cuda}{}", learned(machine.sources.driver)));
        }
    }
    match machine.gpus.as_deref() {
        None => line("GPU", "not known".to_owned()),
        Some([]) => line("GPU", format!("no NVIDIA GPU{}", learned(machine.sources.gpus))),
        Some(gpus) => gpus.iter().for_each(|gpu| line("GPU", gpu_text(gpu) + &learned(machine.sources.gpus))),
    }
    match &machine.python {
        None => line("Python", "not known".to_owned()),
        Some(python) => {
            let threads = if python.free_threaded { ", free-threaded" } else { "" };
            let interpreter = machine.sources.interpreter.as_ref();
            let place = interpreter.map(|path| format!(" {DIM}({}){DIM:#}", path.display())).unwrap_or_default();
            line(
                "Python",
                format!("{} {} ({}-bit{threads}){place}", python.implementation, python.version, python.bits),
            );
        }
    }
    if let Some(windows) = &machine.windows {
        for (name, value) in windows_facts(windows) {
            line(name, value);
        }
    }
    lines.extend(machine.notes.iter().map(|note| format!("{DIM}note:{DIM:#} {note}")));
    lines
}

/// What only Windows has, as far as it is known.
fn windows_facts(windows: &WindowsFacts) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let sources = &windows.sources;
    if let Some(build) = windows.build {
        facts.push(("build", format!("{build}{}", learned(sources.build))));
    }
    if let Some(long_paths) = windows.long_paths {
        let text = if long_paths { "beyond 260 characters" } else { "at most 260 characters" };
        facts.push(("paths", format!("{text}{}", learned(sources.long_paths))));
    }
    if let Some(runtime) = &windows.vc_runtime {
        let text = match (runtime.installed, runtime.version) {
            (false, _) => "none is registered".to_owned(),
            (true, None) => "registered, of unknown version".to_owned(),
            (true, Some(version)) => format!("{version} is registered"),
        };
        facts.push(("C++", format!("Microsoft's runtime: {text}{}", learned(sources.vc_runtime))));
    }
    for (name, library) in &windows.system_libraries {
        let text = match (library.present, library.version) {
            (false, _) => "is not there".to_owned(),
            (true, None) => "of unknown version".to_owned(),
            (true, Some(version)) => version.to_string(),
        };
        facts.push(("library", format!("{name} {text}{}", learned(sources.system_libraries))));
    }
    facts
}

fn gpu_text(gpu: &Gpu) -> String {
    let name = gpu.name.as_deref().unwrap_or("unnamed");
    let capability = gpu.compute_capability.map(|capability| format!(", compute capability {capability}"));
    let memory = gpu.memory_mib.map(|memory| format!(", {memory} MiB"));
    format!("{}: {name}{}{}", gpu.index, capability.unwrap_or_default(), memory.unwrap_or_default())
}

/// The source under the name it has in the JSON.
fn learned(source: Option<Source>) -> String {
    let name = source.and_then(|source| serde_json::to_value(source).ok());
    name.as_ref().and_then(|name| name.as_str()).map(|name| format!(" {DIM}({name}){DIM:#}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_a_line_and_its_source() {
        let json = r#"{"schema":"torchfix.facts/1","os":"linux","arch":"x86_64","glibc":"2.36","driver":{"version":"580.65.06","cuda":"13.0"},
            "gpus":[{"index":0,"name":"NVIDIA H100","compute_capability":"9.0","memory_mib":81559}],"sources":{"driver":"nvml","gpus":"nvml"},"notes":["a note"]}"#;
        let machine: Machine = serde_json::from_str(json).unwrap();
        let text = machine_lines(&machine).join("\n");
        for part in [
            "linux on x86_64",
            "2.36",
            "NVIDIA 580.65.06, CUDA 13.0 at most",
            "nvml",
            "0: NVIDIA H100, compute capability 9.0, 81559 MiB",
            "a note",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    fn plain_lines(json: &str) -> Vec<String> {
        let lines = machine_lines(&serde_json::from_str(json).unwrap());
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn that_there_is_nothing_has_a_source_too() {
        let lines = plain_lines(
            r#"{"os":"linux","arch":"x86_64","driver":null,"gpus":[],"sources":{"driver":"proc","gpus":"pci"}}"#,
        );
        assert!(lines.contains(&"driver   no NVIDIA driver (proc)".to_owned()), "{lines:?}");
        assert!(lines.contains(&"GPU      no NVIDIA GPU (pci)".to_owned()), "{lines:?}");
    }

    #[test]
    fn the_python_has_its_path() {
        let json = r#"{"os":"linux","arch":"x86_64","python":{"version":"3.12.9"}}"#;
        let mut machine: Machine = serde_json::from_str(json).unwrap();
        machine.sources.interpreter = Some("/usr/bin/python3".into());
        let text = machine_lines(&machine).join("\n");
        assert!(text.contains("cpython 3.12.9 (64-bit)") && text.contains("(/usr/bin/python3)"), "{text}");
        assert!(!machine.to_facts_json().to_string().contains("/usr/bin"), "the JSON may be shown to others");
    }

    #[test]
    fn windows_tells_more() {
        let lines = plain_lines(
            r#"{"os":"windows","os_version":"10.0.22631","arch":"x86_64","windows":{"build":22631,"long_paths":false,
                "vc_runtime":{"installed":true,"version":"14.38.33135.0"},"system_libraries":{
                "libomp140.x86_64.dll":{"present":false},"msvcp140.dll":{"present":true,"version":"14.38.33135.0"}},
                "sources":{"build":"registry","long_paths":"registry","system_libraries":"system-folder"}}}"#,
        );
        for line in [
            "build    22631 (registry)",
            "paths    at most 260 characters (registry)",
            "C++      Microsoft's runtime: 14.38.33135.0 is registered",
            "library  libomp140.x86_64.dll is not there (system-folder)",
            "library  msvcp140.dll 14.38.33135.0 (system-folder)",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
        }
    }
}
