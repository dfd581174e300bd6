//! The static check: the model run over a real environment. Nothing is executed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use object::{ReadCache, elf};

use crate::catalog::Manifests;
use crate::host::Host;
use crate::machine::Machine;
use crate::vocab::{Arch, Os};

use super::elf::{ElfFault, ElfImage};
use super::error::LoaderError;
use super::graph::{LibraryFiles, Process};
use super::load_report::LoadReport;
use super::optional::Optional;
use super::predict_windows;
use super::problem::Problem;
use super::search::{SearchPaths, default_folders, library_path, parse_cache};

/// A cache of some thousand libraries takes a fraction of this.
const LARGEST_CACHE: u64 = 32 << 20;

/// What to check without running it.
#[derive(Debug, Clone)]
pub struct StaticRequest<'a> {
    /// The environment's interpreter.
    pub python: &'a Path,
    /// The environment's site-packages folders, in the order of `sys.path`.
    pub site_packages: &'a [PathBuf],
    /// Folders that are added to the search path before torch's, as torchfix's own `.pth` does; on Windows only.
    pub added_folders: &'a [PathBuf],
    /// Libraries that are opened before torch's, as torchfix's own `.pth` does; on Windows only.
    pub preloads: &'a [PathBuf],
    /// Files that torchfix put into the environment, which no RECORD names; on Windows only.
    pub own: &'a [PathBuf],
    /// What is known of DLLs.
    pub manifests: &'a Manifests,
}

impl<'a> StaticRequest<'a> {
    /// The check of an environment in which nothing but torch changes where libraries are found.
    pub fn new(python: &'a Path, site_packages: &'a [PathBuf], manifests: &'a Manifests) -> Self {
        Self { python, site_packages, added_folders: &[], preloads: &[], own: &[], manifests }
    }
}

/// Predicts what the system's loader will do with torch's libraries and NVIDIA's beside them.
pub fn check_static(request: &StaticRequest, machine: &Machine, host: &Host) -> Result<LoadReport, LoaderError> {
    let mut report = LoadReport::default();
    let Some(torch) = request.site_packages.iter().map(|folder| folder.join("torch")).find(|torch| is_torch(torch))
    else {
        return Ok(report);
    };
    report.torch = Some(torch.clone());
    if machine.os == Os::Windows {
        return Ok(predict_windows::check(request, &torch, machine, host));
    }
    if machine.os != Os::Linux {
        report.notes.push(format!("the loader of {} is not modelled yet: the libraries were not checked", machine.os));
        return Ok(report);
    }
    let disk = Disk::default();
    let search = search_paths(machine, host)?;
    let mut process = Process::new(&disk, &search, elf_machine(&machine.arch));
    for library in opening_order(request, &torch, &mut process)? {
        process.open(&library);
    }
    report.libraries = process.into_reports();
    excuse(&mut report, machine.driver.is_some());
    Ok(report)
}

/// What is left of a torch that was removed by hand has neither.
fn is_torch(folder: &Path) -> bool {
    folder.join("__init__.py").is_file() || folder.join("lib").is_dir()
}

fn elf_machine(arch: &Arch) -> Option<u16> {
    match arch {
        Arch::X86_64 => Some(elf::EM_X86_64.0),
        Arch::Aarch64 => Some(elf::EM_AARCH64.0),
        Arch::Other(_) => None,
    }
}

/// Opens what Python and torch's `_load_global_deps` open before all else, and lists the rest in order.
fn opening_order(
    request: &StaticRequest,
    torch: &Path,
    process: &mut Process<Disk>,
) -> Result<Vec<PathBuf>, LoaderError> {
    let mut nvidia = Vec::new();
    for folder in request.site_packages {
        for wheel in folders_in(&folder.join("nvidia"))? {
            nvidia.extend(libraries_in(&wheel.join("lib"))?);
        }
    }
    // The file that runs: `$ORIGIN` of a program is where it lies, not where a link to it does.
    if let Ok(program) = fs_err::canonicalize(request.python) {
        process.open(&program);
    }
    let lib = libraries_in(&torch.join("lib"))?;
    if let Some(global_deps) = lib.iter().find(|path| path.ends_with("libtorch_global_deps.so")) {
        process.open(global_deps);
        if process.has_loaded("libcudart.so") {
            // Compilers of kernels, by their paths, so that older ones elsewhere are not met first. Newer releases of
            // torch open all of NVIDIA's libraries here.
            nvidia
                .iter()
                .filter(|path| is_named(path, &["libnvrtc", "libnvJitLink"]))
                .for_each(|path| process.open(path));
        }
    }
    let mut order: Vec<PathBuf> = libraries_in(torch)?.into_iter().filter(|path| is_named(path, &["_C."])).collect();
    order.extend(lib);
    order.extend(nvidia);
    Ok(order)
}

fn is_named(path: &Path, beginnings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// The shared libraries directly in `folder`, sorted; none when there is no such folder.
fn libraries_in(folder: &Path) -> Result<Vec<PathBuf>, LoaderError> {
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let after_so = name.rsplit_once(".so").map(|(_, version)| version);
        after_so.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.')) && path.is_file()
    };
    Ok(entries(folder)?.into_iter().filter(is_library).collect())
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, LoaderError> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LoaderError> {
    let listed = fs_err::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>());
    match listed {
        Ok(mut paths) => {
            paths.sort();
            Ok(paths)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(source) => Err(LoaderError::Unreadable { source }),
    }
}

fn search_paths(machine: &Machine, host: &Host) -> Result<SearchPaths, LoaderError> {
    let cache = host.system_path("/etc/ld.so.cache");
    let readable = fs_err::metadata(&cache).is_ok_and(|metadata| metadata.len() <= LARGEST_CACHE);
    let cache =
        if readable { fs_err::read(&cache).map_err(|source| LoaderError::Unreadable { source })? } else { Vec::new() };
    let in_system = |paths: Vec<String>| paths.iter().map(|path| host.system_path(path)).collect();
    Ok(SearchPaths {
        library_path: host
            .text_variable("LD_LIBRARY_PATH")
            .map(|value| library_path(value, host.working_directory()))
            .unwrap_or_default(),
        cache: parse_cache(&cache).into_iter().map(|(name, paths)| (name, in_system(paths))).collect(),
        defaults: in_system(default_folders(&machine.arch)),
    })
}

/// Turns what may be missing on this machine from problems into notes.
fn excuse(report: &mut LoadReport, has_driver: bool) {
    for library in &mut report.libraries {
        library.problems.retain(|problem| {
            let Problem::Missing { name, .. } = problem else { return true };
            let reason = match Optional::of(name) {
                Some(Optional::Driver) if has_driver => None,
                optional => optional.map(Optional::reason),
            };
            report.notes.extend(reason.map(|reason| format!("{problem}; {reason}")));
            reason.is_none()
        });
    }
}

/// Libraries on disk, each read once.
#[derive(Default)]
struct Disk {
    images: RefCell<BTreeMap<PathBuf, Option<Read>>>,
}

/// What reading a file came to.
type Read = Result<Rc<ElfImage>, ElfFault>;

impl LibraryFiles for Disk {
    fn image(&self, path: &Path) -> Option<Read> {
        self.images.borrow_mut().entry(path.to_owned()).or_insert_with(|| read_image(path)).clone()
    }

    fn identity(&self, path: &Path) -> PathBuf {
        fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }
}

fn read_image(path: &Path) -> Option<Read> {
    // Opening a pipe or a device could wait for ever.
    if !path.is_file() {
        return None;
    }
    Some(match fs_err::File::open(path) {
        Ok(file) => ElfImage::read(&ReadCache::new(file)).map(Rc::new),
        Err(error) => Err(ElfFault::Unreadable { error: error.kind().to_string() }),
    })
}
