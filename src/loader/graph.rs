//! The dynamic linker's search, replayed: which file each name means, in the order libraries are opened.
//!
//! For a bare name: what is loaded under it; `DT_RPATH` of the library that needs it and of those that loaded it, unless
//! it has a `DT_RUNPATH`; `LD_LIBRARY_PATH`; its `DT_RUNPATH`; `ld.so.cache`; the default folders (`man 8 ld.so`). Files
//! for another machine are passed over, damaged ones are not. Folders for newer processors (`glibc-hwcaps`) and
//! `LD_PRELOAD` are not modelled.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::elf::{ElfFault, ElfImage};
use super::load_report::{LibraryReport, Need};
use super::problem::Problem;
use super::search::SearchPaths;

/// More libraries than any process has.
const MOST_LIBRARIES: usize = 4096;

/// What the model asks of the file system.
pub trait LibraryFiles {
    /// The library at `path`; `None` when there is no file.
    fn image(&self, path: &Path) -> Option<Result<Rc<ElfImage>, ElfFault>>;

    /// The one path by which a file is told from others, links followed.
    fn identity(&self, path: &Path) -> PathBuf;
}

/// A process whose libraries are loaded in the model.
pub struct Process<'a, F> {
    files: &'a F,
    search: &'a SearchPaths,
    /// `EM_*`; `None` takes libraries of every machine.
    machine: Option<u16>,
    loaded: Vec<Loaded>,
    by_name: BTreeMap<String, usize>,
    by_identity: BTreeMap<PathBuf, usize>,
    reports: Vec<LibraryReport>,
}

#[derive(Debug)]
struct Loaded {
    /// Where it was found; `$ORIGIN` is this path's folder.
    path: PathBuf,
    image: Rc<ElfImage>,
    /// Who asked for it first.
    loader: Option<usize>,
    report: usize,
}

impl<'a, F: LibraryFiles> Process<'a, F> {
    /// A process that has loaded nothing yet; the first file opened is its program.
    pub fn new(files: &'a F, search: &'a SearchPaths, machine: Option<u16>) -> Self {
        Self {
            files,
            search,
            machine,
            loaded: Vec::new(),
            by_name: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            reports: Vec::new(),
        }
    }

    /// Opens a file by its path, with all that it needs.
    pub fn open(&mut self, path: &Path) {
        let identity = self.files.identity(path);
        if let Some(index) = self.by_identity.get(&identity) {
            let report = self.loaded[*index].report;
            self.reports[report].opened = true;
            return;
        }
        let image = match self.files.image(path) {
            Some(Ok(image)) if self.fits(&image) => image,
            Some(Ok(image)) => return self.refuse(path, wrong_machine(&image)),
            Some(Err(fault)) => return self.refuse(path, fault),
            None => return self.refuse(path, ElfFault::Unreadable { error: "no such file".to_owned() }),
        };
        let program = if self.loaded.is_empty() { None } else { Some(0) };
        let first = self.add(path.to_owned(), identity, image, program, true);
        let mut waiting = VecDeque::from([first]);
        let mut new = Vec::new();
        while let Some(index) = waiting.pop_front() {
            self.load_needs(index, &mut waiting);
            new.push(index);
        }
        // The linker looks at versions when all is mapped.
        for index in new {
            self.check_versions(index);
        }
    }

    /// Whether a library is loaded whose name begins so.
    pub fn has_loaded(&self, beginning: &str) -> bool {
        self.by_name.range(beginning.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(beginning))
    }

    /// What became of each library.
    pub fn into_reports(self) -> Vec<LibraryReport> {
        self.reports
    }

    fn fits(&self, image: &ElfImage) -> bool {
        self.machine.is_none_or(|machine| machine == image.machine)
    }

    fn refuse(&mut self, path: &Path, fault: ElfFault) {
        let problems = vec![Problem::Faulty { path: path.to_owned(), fault }];
        self.reports.push(LibraryReport { path: path.to_owned(), opened: true, needs: Vec::new(), problems });
    }

    fn add(
        &mut self,
        path: PathBuf,
        identity: PathBuf,
        image: Rc<ElfImage>,
        loader: Option<usize>,
        opened: bool,
    ) -> usize {
        let index = self.loaded.len();
        if let Some(soname) = &image.soname {
            self.by_name.entry(soname.clone()).or_insert(index);
        }
        self.by_identity.insert(identity, index);
        let report = self.reports.len();
        self.reports.push(LibraryReport { path: path.clone(), opened, needs: Vec::new(), problems: Vec::new() });
        self.loaded.push(Loaded { path, image, loader, report });
        index
    }

    fn load_needs(&mut self, index: usize, waiting: &mut VecDeque<usize>) {
        let image = Rc::clone(&self.loaded[index].image);
        for name in &image.needed {
            let before = self.loaded.len();
            let found = self.resolve(name, index);
            if self.loaded.len() > before {
                waiting.push_back(before);
            }
            let path = found.as_ref().ok().map(|found| self.loaded[*found].path.clone());
            let by = &self.loaded[index];
            let problem = found.err().map(|fault| match fault {
                NotFound::Nowhere => Problem::Missing { name: name.clone(), by: by.path.clone() },
                NotFound::Faulty(path, fault) => Problem::Faulty { path, fault },
            });
            let report = &mut self.reports[by.report];
            report.needs.push(Need { name: name.clone(), path });
            report.problems.extend(problem);
        }
    }

    /// The library that `name` means to the library at `index`; it is loaded if it was not.
    fn resolve(&mut self, name: &str, index: usize) -> Result<usize, NotFound> {
        if let Some(found) = self.by_name.get(name) {
            return Ok(*found);
        }
        let mut passed_over = None;
        for path in self.candidates(name, index) {
            let image = match self.files.image(&path) {
                None => continue,
                Some(Ok(image)) if self.fits(&image) => image,
                Some(Ok(image)) => {
                    passed_over.get_or_insert(NotFound::Faulty(self.plain(path), wrong_machine(&image)));
                    continue;
                }
                Some(Err(fault @ ElfFault::WrongMachine { .. })) => {
                    passed_over.get_or_insert(NotFound::Faulty(self.plain(path), fault));
                    continue;
                }
                Some(Err(fault)) => return Err(NotFound::Faulty(self.plain(path), fault)),
            };
            let identity = self.files.identity(&path);
            let found = match self.by_identity.get(&identity) {
                Some(found) => *found,
                None if self.loaded.len() >= MOST_LIBRARIES => return Err(NotFound::Nowhere),
                None => self.add(self.plain(path), identity, image, Some(index), false),
            };
            self.by_name.insert(name.to_owned(), found);
            return Ok(found);
        }
        Err(passed_over.unwrap_or(NotFound::Nowhere))
    }

    /// The files that `name` may mean, in the linker's order.
    fn candidates(&self, name: &str, index: usize) -> Vec<PathBuf> {
        if name.contains('/') {
            return vec![PathBuf::from(name)];
        }
        let by = &self.loaded[index];
        let mut folders = Vec::new();
        if by.image.runpath.is_none() {
            let mut asked = Some(index);
            while let Some(at) = asked {
                let library = &self.loaded[at];
                if library.image.runpath.is_none() {
                    folders.extend(library.image.rpath.iter().filter_map(|entry| expand(entry, &library.path)));
                }
                asked = library.loader;
            }
        }
        folders.extend(self.search.library_path.iter().cloned());
        folders.extend(by.image.runpath.iter().flatten().filter_map(|entry| expand(entry, &by.path)));
        let mut files: Vec<PathBuf> = folders.into_iter().map(|folder| folder.join(name)).collect();
        files.extend(self.search.cache.get(name).into_iter().flatten().cloned());
        files.extend(self.search.defaults.iter().map(|folder| folder.join(name)));
        files
    }

    /// The path as one would write it: without the `..` that `$ORIGIN/../lib` leaves, where that is the same file.
    fn plain(&self, path: PathBuf) -> PathBuf {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => _ = plain.pop(),
                part => plain.push(part),
            }
        }
        if self.files.identity(&plain) == self.files.identity(&path) { plain } else { path }
    }

    fn check_versions(&mut self, index: usize) {
        let by = &self.loaded[index];
        let mut problems = Vec::new();
        for need in by.image.version_needs.iter().filter(|need| !need.weak) {
            let Some(provider) = self.by_name.get(&need.library).map(|provider| &self.loaded[*provider]) else {
                continue; // told as missing already
            };
            // A provider without any versions is taken as it is.
            if !provider.image.versions.is_empty() && !provider.image.versions.contains(&need.version) {
                problems.push(Problem::VersionMissing {
                    version: need.version.clone(),
                    provider: provider.path.clone(),
                    by: by.path.clone(),
                });
            }
        }
        let report = by.report;
        self.reports[report].problems.append(&mut problems);
    }
}

enum NotFound {
    Nowhere,
    Faulty(PathBuf, ElfFault),
}

fn wrong_machine(image: &ElfImage) -> ElfFault {
    ElfFault::WrongMachine { machine: machine_name(image.machine) }
}

fn machine_name(machine: u16) -> String {
    match machine {
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        3 => "i386".to_owned(),
        40 => "arm".to_owned(),
        21 => "ppc64".to_owned(),
        22 => "s390x".to_owned(),
        243 => "riscv".to_owned(),
        other => format!("ELF machine {other}"),
    }
}

/// An entry of a search path for the library at `path`; `None` where it holds a token that depends on the processor.
fn expand(entry: &str, path: &Path) -> Option<PathBuf> {
    let origin = path.parent()?.to_str()?;
    let expanded = entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    (!expanded.contains('$')).then(|| PathBuf::from(expanded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Files(BTreeMap<PathBuf, Result<Rc<ElfImage>, ElfFault>>);

    impl LibraryFiles for Files {
        fn image(&self, path: &Path) -> Option<Result<Rc<ElfImage>, ElfFault>> {
            self.0.get(&self.identity(path)).cloned()
        }

        fn identity(&self, path: &Path) -> PathBuf {
            let mut clean = PathBuf::new();
            for part in path.components() {
                if part.as_os_str() == ".." {
                    clean.pop();
                } else {
                    clean.push(part);
                }
            }
            clean
        }
    }

    fn image(needed: &[&str]) -> ElfImage {
        ElfImage {
            machine: 62,
            soname: None,
            needed: needed.iter().map(|&name| name.to_owned()).collect(),
            rpath: Vec::new(),
            runpath: None,
            version_needs: Vec::new(),
            versions: Vec::new(),
        }
    }

    fn files<const N: usize>(images: [(&str, ElfImage); N]) -> Files {
        Files(images.into_iter().map(|(path, image)| (path.into(), Ok(Rc::new(image)))).collect())
    }

    /// The words, in which Windows joins paths another way.
    fn as_on_linux(problem: &Problem) -> String {
        problem.to_string().replace('\\', "/")
    }

    fn problems(files: &Files, search: &SearchPaths, open: &[&str]) -> Vec<String> {
        let mut process = Process::new(files, search, Some(62));
        for path in open {
            process.open(Path::new(path));
        }
        process.into_reports().iter().flat_map(|report| &report.problems).map(as_on_linux).collect()
    }

    fn found(files: &Files, search: &SearchPaths, open: &[&str], name: &str) -> Option<PathBuf> {
        let mut process = Process::new(files, search, Some(62));
        for path in open {
            process.open(Path::new(path));
        }
        let reports = process.into_reports();
        reports
            .iter()
            .flat_map(|report| &report.needs)
            .find(|need| need.name == name)
            .and_then(|need| need.path.clone())
    }

    #[test]
    fn rpath_beats_the_library_path_which_beats_runpath() {
        let origin = || vec!["$ORIGIN".to_owned()];
        let search = SearchPaths { library_path: vec!["/ld".into()], ..SearchPaths::default() };
        let with_rpath = files([
            ("/t/a.so", ElfImage { rpath: origin(), ..image(&["x.so"]) }),
            ("/t/x.so", image(&[])),
            ("/ld/x.so", image(&[])),
        ]);
        assert_eq!(found(&with_rpath, &search, &["/t/a.so"], "x.so"), Some("/t/x.so".into()));
        let with_runpath = files([
            ("/t/a.so", ElfImage { rpath: origin(), runpath: Some(origin()), ..image(&["x.so"]) }),
            ("/t/x.so", image(&[])),
            ("/ld/x.so", image(&[])),
        ]);
        assert_eq!(found(&with_runpath, &search, &["/t/a.so"], "x.so"), Some("/ld/x.so".into()));
    }

    #[test]
    fn rpath_is_inherited_from_loaders_and_runpath_is_not() {
        let tree = |a: ElfImage| files([("/t/a.so", a), ("/t/b.so", image(&["c.so"])), ("/t/c.so", image(&[]))]);
        let search = SearchPaths::default();
        let inherited = tree(ElfImage { rpath: vec!["/t".to_owned()], ..image(&["b.so"]) });
        assert_eq!(found(&inherited, &search, &["/t/a.so"], "c.so"), Some("/t/c.so".into()));
        let own = tree(ElfImage { runpath: Some(vec!["/t".to_owned()]), ..image(&["b.so"]) });
        assert_eq!(
            problems(&own, &search, &["/t/a.so"]),
            ["`/t/b.so` needs `c.so`, which is nowhere on its search path"]
        );
    }

    #[test]
    fn what_is_loaded_under_the_name_serves() {
        let libraries = files([
            ("/old/libx.so.1", ElfImage { soname: Some("libx.so.1".to_owned()), ..image(&[]) }),
            ("/t/a.so", ElfImage { rpath: vec!["$ORIGIN".to_owned()], ..image(&["libx.so.1"]) }),
            ("/t/libx.so.1", image(&[])),
        ]);
        let search = SearchPaths::default();
        let open = ["/old/libx.so.1", "/t/a.so"];
        assert_eq!(found(&libraries, &search, &open, "libx.so.1"), Some("/old/libx.so.1".into()));
    }

    #[test]
    fn another_machines_file_is_passed_over_and_a_damaged_one_is_not() {
        let other = ElfImage { machine: 183, ..image(&[]) };
        let mut libraries = files([("/t/a.so", image(&["x.so"])), ("/1/x.so", other), ("/2/x.so", image(&[]))]);
        let mut search = SearchPaths { library_path: vec!["/1".into(), "/2".into()], ..SearchPaths::default() };
        assert_eq!(found(&libraries, &search, &["/t/a.so"], "x.so"), Some("/2/x.so".into()));
        search.library_path.pop();
        assert_eq!(problems(&libraries, &search, &["/t/a.so"]), ["`/1/x.so` is for another processor (aarch64)"]);
        search.library_path.push("/2".into());
        libraries.0.insert("/1/x.so".into(), Err(ElfFault::Truncated { needs: 9, has: 4 }));
        assert_eq!(problems(&libraries, &search, &["/t/a.so"]), ["`/1/x.so` is truncated: 4 bytes of at least 9"]);
    }

    #[test]
    fn a_version_that_the_provider_lacks_is_a_problem() {
        use crate::loader::elf::VersionNeed;
        let need =
            |version: &str, weak| VersionNeed { library: "libc.so.6".to_owned(), version: version.to_owned(), weak };
        let needs = vec![need("GLIBC_2.17", false), need("GLIBC_2.34", false), need("GLIBC_2.99", true)];
        let libraries = files([
            ("/t/a.so", ElfImage { version_needs: needs, ..image(&["libc.so.6"]) }),
            ("/lib/libc.so.6", ElfImage { versions: vec!["GLIBC_2.17".to_owned()], ..image(&[]) }),
        ]);
        let search = SearchPaths { defaults: vec!["/lib".into()], ..SearchPaths::default() };
        assert_eq!(
            problems(&libraries, &search, &["/t/a.so"]),
            ["`/t/a.so` needs version `GLIBC_2.34` of `/lib/libc.so.6`, which does not have it"]
        );
    }

    #[test]
    fn libraries_that_need_each_other_end() {
        let libraries = files([("/t/a.so", image(&["b.so"])), ("/t/b.so", image(&["a.so", "b.so"]))]);
        let search = SearchPaths { defaults: vec!["/t".into()], ..SearchPaths::default() };
        assert!(problems(&libraries, &search, &["/t/a.so", "/t/b.so"]).is_empty());
    }
}
