//! What the files of `replica/` say: directories of an index, their projects, the wheels of these.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use torchfix::vocab::Sha256;

/// A project in one directory.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Its wheels, in no order.
    pub wheels: Vec<Wheel>,
    /// Its source distributions.
    pub sources: Vec<String>,
}

/// A wheel on a page.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The project as file names spell it.
    pub name: String,
    /// Its version, with the label.
    pub version: String,
    /// The file name from the version on: build tag and tags.
    pub tags: String,
    /// What it requires.
    pub requires: Arc<Requires>,
    /// Whether its METADATA lies beside it (PEP 658).
    pub beside: bool,
    /// Its hash, where the index says one.
    pub sha256: Option<Sha256>,
    /// When it was uploaded.
    pub uploaded: Option<String>,
    /// Its size.
    pub size: Option<u64>,
    /// Why it was yanked.
    pub yanked: Option<String>,
    /// Whether the page keeps silent about `Requires-Python`.
    pub python_hidden: bool,
    /// Whether its METADATA is none.
    pub broken: bool,
}

/// The requirements of a METADATA file.
#[derive(Debug, Default)]
pub struct Requires {
    /// `Requires-Python`.
    pub python: Option<String>,
    /// Each `Requires-Dist`.
    pub lines: Vec<String>,
    /// Each `Provides-Extra`.
    pub extras: Vec<String>,
}

impl Wheel {
    /// Its file name.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tags)
    }

    /// Its METADATA.
    pub fn metadata(&self) -> String {
        if self.broken {
            return "nothing of a METADATA file\n".to_owned();
        }
        let mut text = format!("Metadata-Version: 2.4\nName: {}\nVersion: {}\n", self.name, self.version);
        let mut add = |name: &str, values: &mut dyn Iterator<Item = &String>| {
            values.for_each(|value| text.push_str(&format!("{name}: {value}\n")));
        };
        add("Requires-Python", &mut self.requires.python.iter());
        add("Provides-Extra", &mut self.requires.extras.iter());
        add("Requires-Dist", &mut self.requires.lines.iter());
        text
    }
}

/// A project of a directory (`pypi`, `root`, `cu126`, `test/cu128`); `None` where the replica has none.
pub fn project(directory: &str, name: &str) -> Option<Arc<Project>> {
    static DIRECTORIES: Mutex<BTreeMap<String, Arc<Directory>>> = Mutex::new(BTreeMap::new());
    let mut directories = DIRECTORIES.lock().unwrap();
    let directory = directories.entry(directory.to_owned()).or_insert_with(|| Arc::new(Directory::read(directory)));
    let directory = Arc::clone(directory);
    drop(directories);
    directory.project(name)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("resolver-tests/replica")
}

/// One file, read, its projects found but not parsed: a scenario needs few of them.
#[derive(Default)]
struct Directory {
    /// Whether it has a hash of every wheel; one that is not known stands in.
    always_hashed: bool,
    text: String,
    places: BTreeMap<String, Range<usize>>,
    parsed: Mutex<BTreeMap<String, Arc<Project>>>,
}

impl Directory {
    fn read(name: &str) -> Self {
        let path = folder().join(format!("{}.txt", name.replace('/', "-")));
        let Ok(text) = fs_err::read_to_string(path) else { return Self::default() };
        let mut places: BTreeMap<String, Range<usize>> = BTreeMap::new();
        let mut last: Option<(String, usize)> = None;
        let mut position = 0;
        for line in text.split_inclusive('\n') {
            if !line.starts_with([' ', '#', '\n']) {
                if let Some((name, start)) = last.take() {
                    places.insert(name, start..position);
                }
                last = Some((line.trim_end().to_owned(), position + line.len()));
            }
            position += line.len();
        }
        if let Some((name, start)) = last {
            places.insert(name, start..position);
        }
        Self { always_hashed: name == "pypi", text, places, parsed: Mutex::default() }
    }

    fn project(&self, name: &str) -> Option<Arc<Project>> {
        let place = self.places.get(name)?.clone();
        let mut parsed = self.parsed.lock().unwrap();
        let project = parsed.entry(name.to_owned()).or_insert_with(|| {
            let mut project = parse(name, &self.text[place]);
            if self.always_hashed {
                for wheel in project.wheels.iter_mut().filter(|wheel| wheel.sha256.is_none()) {
                    wheel.sha256 = Some(Sha256::of(wheel.file_name().as_bytes()));
                }
            }
            Arc::new(project)
        });
        Some(Arc::clone(project))
    }
}

/// A release line has one space before it, a wheel line two.
fn parse(name: &str, text: &str) -> Project {
    let mut project = Project::default();
    let mut release: Option<Wheel> = None;
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("  ") {
            let release = release.as_ref().unwrap_or_else(|| panic!("a wheel of {name} before a release"));
            match line.strip_prefix("~ ") {
                Some(line) => derived(release, line, &mut project.wheels),
                None => project.wheels.push(seen(release, line)),
            }
        } else {
            let mut words = line.split_whitespace();
            let (Some(version), Some(list)) = (words.next(), words.next()) else { panic!("{name}: {line}") };
            release = Some(Wheel {
                name: name.replace('-', "_"),
                version: version.to_owned(),
                tags: String::new(),
                requires: REQUIRES.get(list).cloned().unwrap_or_else(|| panic!("no requirements {list}")),
                beside: words.next() == Some("beside"),
                sha256: None,
                uploaded: None,
                size: None,
                yanked: None,
                python_hidden: false,
                broken: false,
            });
        }
    }
    project
}

fn seen(release: &Wheel, line: &str) -> Wheel {
    let mut words = line.split(' ').map(|word| Some(word).filter(|word| *word != "-"));
    let tags = words.next().flatten().unwrap_or_default().to_owned();
    let sha256 = words.next().flatten().map(|hash| hash.parse().unwrap());
    let uploaded = words.next().flatten().map(str::to_owned);
    let size = words.next().flatten().map(|size| size.parse().unwrap());
    Wheel { tags, sha256, uploaded, size, ..release.clone() }
}

/// `cp312,cp313t,py3-none win_amd64 manylinux_2_28_x86_64`: each Python for each platform.
fn derived(release: &Wheel, line: &str, wheels: &mut Vec<Wheel>) {
    let mut words = line.split(' ');
    let pythons = words.next().unwrap_or_default();
    for platform in words {
        for python in pythons.split(',') {
            let python = match python.strip_suffix('t') {
                _ if python.contains('-') => python.to_owned(),
                Some(plain) => format!("{plain}-{python}"),
                None => format!("{python}-{python}"),
            };
            wheels.push(Wheel { tags: format!("{python}-{platform}"), ..release.clone() });
        }
    }
}

static REQUIRES: LazyLock<BTreeMap<String, Arc<Requires>>> = LazyLock::new(|| {
    let text = fs_err::read_to_string(folder().join("requires.txt")).unwrap();
    let mut lists: BTreeMap<String, Arc<Requires>> = BTreeMap::new();
    let mut open: Option<(String, Requires)> = None;
    let mut marker = "";
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match (line.strip_prefix(' '), line.strip_prefix("  ")) {
            (None, _) => {
                lists.extend(open.take().map(|(name, requires)| (name, Arc::new(requires))));
                let (name, python) = line.split_once(' ').map_or((line, None), |(name, python)| (name, Some(python)));
                open = Some((name.to_owned(), Requires { python: python.map(str::to_owned), ..Requires::default() }));
            }
            (_, Some(requirement)) => open.as_mut().unwrap().1.add(&format!("{requirement} {marker}")),
            (Some(line), None) if line.starts_with(';') => marker = line,
            (Some(requirement), None) => open.as_mut().unwrap().1.add(requirement),
        }
    }
    lists.extend(open.map(|(name, requires)| (name, Arc::new(requires))));
    lists
});

impl Requires {
    fn add(&mut self, requirement: &str) {
        self.lines.push(requirement.to_owned());
        let extra = requirement.split_once("extra == ").map(|(_, extra)| extra.trim_matches(['"', '\'', ')', ' ']));
        self.extras.extend(extra.filter(|extra| !self.extras.iter().any(|known| known == extra)).map(str::to_owned));
    }
}
