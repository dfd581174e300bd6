//! The facts of a machine, as text.

use super::output::{BOLD, DIM};
use crate::machine::{Gpu, Machine, Source};

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
        None => line("driver", "no NVIDIA driver".to_owned()),
        Some(driver) => {
            let version = driver.version.as_ref().map_or("of unknown version".to_owned(), ToString::to_string);
            let cuda = driver.cuda.map(|cuda| format!(", CUDA {cuda} at most")).unwrap_or_default();
            line("driver", format!("NVIDIA {version}{cuda}{}", learned(machine.sources.driver)));
        }
    }
    match machine.gpus.as_deref() {
        None => line("GPU", "not known".to_owned()),
        Some([]) => line("GPU", "no NVIDIA GPU".to_owned()),
        Some(gpus) => gpus.iter().for_each(|gpu| line("GPU", gpu_text(gpu) + &learned(machine.sources.gpus))),
    }
    match &machine.python {
        None => line("Python", "not known".to_owned()),
        Some(python) => {
            let threads = if python.free_threaded { ", free-threaded" } else { "" };
            line("Python", format!("{} {} ({}-bit{threads})", python.implementation, python.version, python.bits));
        }
    }
    lines.extend(machine.notes.iter().map(|note| format!("{DIM}note:{DIM:#} {note}")));
    lines
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
}
