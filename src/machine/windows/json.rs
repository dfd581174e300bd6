//! The facts of Windows, read from a facts file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{SystemLibrary, VcRuntime, WindowsFacts, WindowsSources};
use crate::machine::FactsError;
use crate::machine::facts_keys::Keys;
use crate::vocab::FileVersion;

const FILE_VERSION: &str = "a file version such as \"14.40.33810.0\"";
/// More libraries than anyone asks about.
const MAX_LIBRARIES: usize = 4096;

/// Reads the object `windows`: any value may be null or absent, which is not known.
pub fn read(windows: &Keys) -> Result<WindowsFacts, FactsError> {
    let build = windows.number("build", u64::from(u32::MAX))?.and_then(|build| u32::try_from(build).ok());
    let runtime = |runtime: Keys| {
        let version = version(&runtime)?;
        Ok(VcRuntime { installed: runtime.flag("installed")?.unwrap_or(version.is_some()), version })
    };
    let sources = match windows.object("sources")? {
        Some(sources) => WindowsSources {
            build: sources.source("build")?,
            long_paths: sources.source("long_paths")?,
            vc_runtime: sources.source("vc_runtime")?,
            system_libraries: sources.source("system_libraries")?,
        },
        None => WindowsSources::default(),
    };
    Ok(WindowsFacts {
        build,
        long_paths: windows.flag("long_paths")?,
        vc_runtime: windows.object("vc_runtime")?.map(runtime).transpose()?,
        system_libraries: windows.object("system_libraries")?.as_ref().map(libraries).transpose()?.unwrap_or_default(),
        sources,
    })
}

/// A library that is null is not known; one with a version is there.
fn libraries(libraries: &Keys) -> Result<BTreeMap<String, SystemLibrary>, FactsError> {
    let map: &Map<String, Value> = libraries.map;
    let mut read = BTreeMap::new();
    for name in map.keys().take(MAX_LIBRARIES) {
        let Some(library) = libraries.object(name)? else { continue };
        let version = version(&library)?;
        if let Some(present) = library.flag("present")?.or(version.map(|_| true)) {
            read.insert(name.to_ascii_lowercase(), SystemLibrary { present, version: version.filter(|_| present) });
        }
    }
    Ok(read)
}

fn version(keys: &Keys) -> Result<Option<FileVersion>, FactsError> {
    keys.parsed("version", FILE_VERSION)
}
