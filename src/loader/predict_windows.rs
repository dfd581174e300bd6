//! The static check on Windows: what decides where DLLs are found is gathered, and the model run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::machine::Machine;
use crate::pe::PeMachine;
use crate::vocab::{Arch, Version};

use super::dll_files::DllsOnDisk;
use super::load_report::LoadReport;
use super::predict::StaticRequest;
use super::windows::{DllFiles as _, Setting, TorchBuild, predict};

/// What `venv` and torch write is a fraction of this.
const LARGEST_TEXT: u64 = 64 << 10;

/// Predicts what Windows will do with the DLLs of the torch in `folder`.
pub(super) fn check(request: &StaticRequest, torch: &Path, machine: &Machine, host: &Host) -> LoadReport {
    let files = DllsOnDisk::default();
    let mut setting = setting(request, host);
    // A Python for another processor runs too, under emulation.
    setting.machine = match files.image(&setting.program) {
        Some(Ok(program)) => program.machine,
        _ => match machine.arch {
            Arch::Aarch64 => PeMachine::Aarch64,
            Arch::X86_64 | Arch::Other(_) => PeMachine::X86_64,
        },
    };
    let build = torch_build(torch, &text(&torch.join("version.py")).unwrap_or_default());
    predict(request.manifests.dlls(), &setting, &build, &files)
}

fn setting(request: &StaticRequest, host: &Host) -> Setting {
    // Windows does not tell the names of variables apart by case.
    let variables: BTreeMap<String, PathBuf> = host
        .variables()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_string_lossy().to_ascii_uppercase(), PathBuf::from(value)))
        .collect();
    let variable = |name: &str, default: &str| variables.get(name).cloned().unwrap_or_else(|| PathBuf::from(default));
    let windows = variable("SYSTEMROOT", r"C:\Windows");
    let (prefix, base) = prefixes(request.python);
    Setting {
        machine: PeMachine::X86_64,
        program: base.join("python.exe"),
        user: variables.get("PYTHONUSERBASE").cloned().or_else(|| Some(variables.get("APPDATA")?.join("Python"))),
        site_packages: request.site_packages.to_vec(),
        system: windows.join("System32"),
        programs: variable("PROGRAMFILES", r"C:\Program Files"),
        working_directory: host.working_directory().to_owned(),
        path: variables.get("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default(),
        added_folders: request.added_folders.to_vec(),
        preloads: request.preloads.to_vec(),
        own: request.own.to_vec(),
        prefix,
        base,
        windows,
        variables,
    }
}

/// The environment of an interpreter, and the folder of the Python it was made from.
fn prefixes(python: &Path) -> (PathBuf, PathBuf) {
    let folder = python.parent().unwrap_or(Path::new("")).to_owned();
    for prefix in folder.ancestors().take(2) {
        if let Some(home) = text(&prefix.join("pyvenv.cfg")).as_deref().and_then(home) {
            return (prefix.to_owned(), home);
        }
    }
    (folder.clone(), folder)
}

/// `home` of a `pyvenv.cfg`.
fn home(configuration: &str) -> Option<PathBuf> {
    let settings = configuration.lines().filter_map(|line| line.split_once('='));
    let home =
        settings.filter(|(key, _)| key.trim().eq_ignore_ascii_case("home")).map(|(_, value)| value.trim()).next();
    home.filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// What torch's `version.py` says.
fn torch_build(folder: &Path, text: &str) -> TorchBuild {
    let value = |key: &str| {
        let lines = text.lines().filter(|line| line.split([':', '=', ' ']).next() == Some(key));
        let mut quoted = lines.filter_map(|line| line.split_once('=')).map(|(_, value)| value.trim());
        quoted.find_map(|value| value.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"']))
    };
    TorchBuild {
        folder: folder.to_owned(),
        version: value("__version__").and_then(|version| version.parse::<Version>().ok()),
        cuda: value("cuda").map(str::to_owned),
    }
}

fn text(path: &Path) -> Option<String> {
    let small = fs_err::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= LARGEST_TEXT);
    small.then(|| fs_err::read_to_string(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_file_of_torch_is_read_and_not_run() {
        let text = "__all__ = ['__version__', 'cuda']\n__version__ = '2.9.1+cu128'\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n";
        let build = torch_build(Path::new("torch"), text);
        assert_eq!((build.version, build.cuda.as_deref()), (Some("2.9.1+cu128".parse().unwrap()), Some("12.8")));
        let build = torch_build(Path::new("torch"), "__version__ = '2.9.1+cpu'\ncuda: Optional[str] = None\n");
        assert_eq!(build.cuda, None);
    }

    #[test]
    fn a_venv_names_the_python_it_was_made_from() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("mit Leerzeichen é");
        fs_err::create_dir_all(root.join("Scripts")).unwrap();
        let python = root.join("Scripts/python.exe");
        let scripts = root.join("Scripts");
        assert_eq!(prefixes(&python), (scripts.clone(), scripts));
        fs_err::write(root.join("pyvenv.cfg"), "home = /Programme/Python 3.12\r\nversion = 3.12.9\n").unwrap();
        assert_eq!(prefixes(&python), (root, PathBuf::from("/Programme/Python 3.12")));
    }

    #[test]
    fn variables_are_found_without_regard_to_case() {
        let manifests = crate::catalog::Manifests::embedded();
        let host = Host::with(
            Path::new("/"),
            Path::new("/work"),
            &[("SystemRoot", "/W"), ("Cuda_Path_V12_8", "/cuda"), ("AppData", "/me"), ("Path", "/a")],
        );
        let setting = setting(&StaticRequest::new(Path::new("/venv/python.exe"), &[], manifests), &host);
        assert_eq!((setting.system, setting.path), (PathBuf::from("/W/System32"), vec![PathBuf::from("/a")]));
        assert_eq!(setting.variables.get("CUDA_PATH_V12_8"), Some(&PathBuf::from("/cuda")));
        assert_eq!(setting.user, Some(PathBuf::from("/me/Python")));
        assert_eq!((setting.program, setting.prefix), (PathBuf::from("/venv/python.exe"), PathBuf::from("/venv")));
    }
}
