//! `dlls.toml`.

use serde::{Deserialize, Serialize};

use super::SourceTexts;
use crate::vocab::{FileVersion, Version, VersionSpecifiers};

/// `dlls.toml`: how Windows and torch find DLLs, and what is known of them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DllFacts {
    /// The form of the file.
    #[allow(dead_code, reason = "held against `SCHEMA` before the rows are read")]
    #[serde(skip_serializing)]
    pub schema: u32,
    /// Where the facts come from.
    pub sources: SourceTexts,
    /// The folders that torch adds to the search path, in order.
    pub folder: Vec<DllFolder>,
    /// The folders that it adds where the others lack a file.
    pub fallback: Vec<FallbackFolder>,
    /// The C runtime that it opens first, in order.
    pub probe: Vec<RuntimeProbe>,
    /// What every Windows has.
    pub system: Vec<SystemDlls>,
    /// The parts of the C runtime.
    pub runtime: Vec<RuntimeDll>,
    /// What makes a C runtime too old.
    pub floor: Vec<RuntimeFloor>,
    /// What is looked up at run time.
    pub lookup: Vec<Lookup>,
    /// What must be of one version.
    pub alike: Vec<Alike>,
    /// What must not be loaded twice.
    pub alone: Vec<Alone>,
    /// What is in no wheel.
    pub absent: Vec<AbsentDll>,
}

/// A folder that torch adds to the search path.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DllFolder {
    /// The folder, with `{torch}`, `{prefix}`, `{base}` or `{user}` in front.
    pub path: String,
    /// The releases that add it, where not all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch: Option<VersionSpecifiers>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// A folder that torch adds where no other has a file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackFolder {
    /// The file.
    pub unless: String,
    /// The variable that names the folder.
    pub variable: String,
    /// The folder where the variable is not set.
    pub default: String,
    /// The folder in it.
    pub below: String,
    /// Whether only CUDA builds add it.
    #[serde(default)]
    pub needs_cuda: bool,
    /// The releases that add it, where not all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch: Option<VersionSpecifiers>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// A part of the C runtime that torch opens by plain name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeProbe {
    /// Its name.
    pub name: String,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// DLLs that every Windows has.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SystemDlls {
    /// Whether they are looked for in System32 alone.
    #[serde(default)]
    pub known: bool,
    /// Their names.
    pub names: Vec<String>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// A part of Microsoft's C runtime.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeDll {
    /// Its name.
    pub name: String,
    /// The distribution that brings it.
    pub wheel: String,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// When a part of the C runtime is too old for a DLL.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeFloor {
    /// The part.
    pub name: String,
    /// DLLs made by this linker or a later one.
    pub linker: FileVersion,
    /// Which import this function of it.
    pub imports: String,
    /// And not this one.
    pub unless: String,
    /// Crash with less than this version.
    pub need: FileVersion,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// What a DLL looks up by plain name when it runs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The DLL.
    pub by: String,
    /// What it looks up.
    pub names: Vec<String>,
    /// Whether it works without.
    #[serde(default)]
    pub optional: bool,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// DLLs that must be of one version.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alike {
    /// What they are together.
    pub title: String,
    /// Their names.
    pub names: Vec<String>,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// A DLL of which a process must not hold two.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alone {
    /// Its name.
    pub name: String,
    /// How such a process ends.
    pub says: String,
    /// Where the row comes from.
    pub source: Vec<String>,
}

/// A DLL that is in no wheel.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentDll {
    /// Its name.
    pub name: String,
    /// The releases of torch that this is true for, where not for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch: Option<VersionSpecifiers>,
    /// Whether only something else that is installed on the system brings it, so that torch loads on few.
    #[serde(default)]
    pub unobtainable: bool,
    /// Why, and what can be done.
    pub why: String,
    /// Where the row comes from.
    pub source: Vec<String>,
}

impl DllFacts {
    /// Whether every Windows has this DLL.
    pub fn is_system(&self, name: &str) -> bool {
        self.system.iter().any(|row| row.names.iter().any(|known| matches_name(known, name)))
    }

    /// Whether it is looked for in System32 alone.
    pub fn is_known(&self, name: &str) -> bool {
        self.system.iter().any(|row| row.known && row.names.iter().any(|known| matches_name(known, name)))
    }

    /// The part of the C runtime that this DLL is.
    pub fn runtime(&self, name: &str) -> Option<&RuntimeDll> {
        self.runtime.iter().find(|row| matches_name(&row.name, name))
    }

    /// What this DLL looks up at run time.
    pub fn lookups<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Lookup> {
        self.lookup.iter().filter(move |row| matches_name(&row.by, name))
    }

    /// The DLLs that this one must be of one version with.
    pub fn alike(&self, name: &str) -> Option<&Alike> {
        self.alike.iter().find(|row| row.names.iter().any(|known| matches_name(known, name)))
    }

    /// The DLLs that this release of torch needs and that no wheel brings.
    pub fn unobtainable(&self, torch: &Version) -> impl Iterator<Item = &AbsentDll> {
        self.absent.iter().filter(move |row| row.unobtainable && holds(row.torch.as_ref(), Some(torch)))
    }

    /// Why this DLL is in no wheel, if so.
    pub fn absent(&self, name: &str, torch: Option<&Version>) -> Option<&AbsentDll> {
        self.absent.iter().find(|row| matches_name(&row.name, name) && holds(row.torch.as_ref(), torch))
    }
}

/// Whether a row that may be for some releases is for this one; a row for all holds for an unknown one too.
pub fn holds(releases: Option<&VersionSpecifiers>, torch: Option<&Version>) -> bool {
    releases.is_none_or(|releases| torch.is_none_or(|torch| releases.contains(&torch.clone().without_local())))
}

/// Whether a DLL has a name, in which `*` stands for any text.
pub fn matches_name(pattern: &str, name: &str) -> bool {
    let Some((start, end)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(name) };
    let (Some(head), Some(tail)) =
        (name.get(..start.len()), name.len().checked_sub(end.len()).and_then(|at| name.get(at..)))
    else {
        return false;
    };
    name.len() >= start.len() + end.len() && head.eq_ignore_ascii_case(start) && tail.eq_ignore_ascii_case(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_without_regard_to_case() {
        assert!(matches_name("msvcp140.dll", "MSVCP140.DLL") && !matches_name("msvcp140.dll", "msvcp140_1.dll"));
        assert!(matches_name("cudnn_*64_9.dll", "cudnn_graph64_9.dll"));
        assert!(!matches_name("cudnn_*64_9.dll", "cudnn64_9.dll") && !matches_name("a*a", "a"));
        assert!(matches_name("*.dll", "é.DLL") && !matches_name("ab*", "é") && !matches_name("*ab", "é"));
    }
}
