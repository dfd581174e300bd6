//! What only Windows tells: of the running system, held against what its Python says.

use std::path::{Path, PathBuf};
use std::process::Command;

use torchfix::host::Host;
use torchfix::machine::{DetectOptions, HardwareTable, Interpreter, Machine, PythonRequest, Source};
use torchfix::machine::{detect, markers_of};
use torchfix::vocab::{Arch, Os};

use crate::support::skipped;

/// Manifests that know two libraries and no card.
struct TwoLibraries;

impl HardwareTable for TwoLibraries {
    fn system_libraries(&self) -> Vec<String> {
        ["msvcp140.dll", "libomp140.x86_64.dll"].map(str::to_owned).into()
    }
}

fn here() -> Machine {
    detect(&Host::of_process().unwrap(), &TwoLibraries, &DetectOptions::default())
}

/// The Python of the rig, or else the machine's own; says so aloud when a test is skipped for want of one.
fn python(test: &str, cache: &Path) -> Option<Interpreter> {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let of_rig = std::env::var_os("WINDOWS_RIG").map(|rig| Path::new(&rig).join("python").join("python.exe"));
    let asked = of_rig.filter(|path| path.exists()).map(PythonRequest::Path);
    let found = Interpreter::find(&Host::of_process().unwrap(), asked.as_ref(), cache).ok();
    if found.is_none() {
        skipped(&format!("{test} needs a Python"));
    }
    found
}

fn said(python: &Interpreter, script: &str) -> String {
    let output = Command::new(&python.executable).args(["-I", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_version_is_what_python_says() {
    let cache = tempfile::tempdir().unwrap();
    let Some(python) = python("the_version_is_what_python_says", cache.path()) else { return };
    let machine = here();
    let version = said(&python, "import sys; print('%d.%d.%d' % sys.getwindowsversion()[:3])");
    assert_eq!(machine.os_version.as_deref(), Some(version.as_str()));
    let facts = machine.windows.as_ref().unwrap();
    assert_eq!(facts.build.map(|build| build.to_string()).as_deref(), version.rsplit('.').next());
    assert_eq!(facts.sources.build, Some(Source::Registry));
    assert_eq!((machine.os, machine.arch.clone()), (Os::Windows, Arch::X86_64));
    let markers = markers_of(&machine.with_interpreter(&python)).unwrap();
    assert_eq!(markers.platform_machine(), python.markers().platform_machine());
    assert_eq!(markers.platform_system(), python.markers().platform_system());
    assert_eq!(markers.platform_release(), python.markers().platform_release());
    assert_eq!(markers.platform_version(), python.markers().platform_version());
}

#[test]
fn libraries_of_system32_are_there_or_not() {
    let machine = here();
    let host = Host::of_process().unwrap();
    let system32 = PathBuf::from(host.variable("SystemRoot").unwrap()).join("System32");
    let facts = machine.windows.as_ref().unwrap();
    assert_eq!(facts.system_libraries.len(), 2, "{facts:?}");
    for (name, library) in &facts.system_libraries {
        assert_eq!(library.present, system32.join(name).exists(), "{name}");
        assert!(library.present || library.version.is_none(), "{name}");
    }
    assert_eq!(machine.has_system_library("nothing.dll"), None);
}

#[test]
fn the_python_runs_and_its_tags_are_windows() {
    let cache = tempfile::tempdir().unwrap();
    let Some(python) = python("the_python_runs_and_its_tags_are_windows", cache.path()) else { return };
    assert_eq!(python.version.to_string(), said(&python, "import platform; print(platform.python_version())"));
    assert_eq!(python.prefix.display().to_string(), said(&python, "import sys; print(sys.prefix)"));
    let machine = here().with_interpreter(&python);
    assert_eq!(machine.sources.interpreter.as_ref(), Some(&python.executable));
    let tags = torchfix::machine::CompatibleTags::of(&machine).unwrap();
    assert_eq!(tags.platforms(), ["win_amd64"]);
}

#[test]
fn facts_of_this_machine_survive_the_round_trip() {
    let machine = here();
    let again = Machine::read_facts(&machine.to_facts_json().to_string()).unwrap();
    assert_eq!((again.windows, again.os_version), (machine.windows, machine.os_version));
}
