//! What each URL of the replica answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use torchfix::vocab::Sha256;

use super::row::WheelRow;
use super::shelf::{self, Project, Wheel};
use crate::support::pages::{Listed, Style, page};
use crate::support::server::Resource;
use crate::support::wheels::WheelBuilder;

/// Where the PyTorch index says that the wheels of torch's family lie, whatever host the page came from.
const SECOND_HOST: &str = "http://download-r2.pytorch.org";
/// Directories with copies of the upstream pages of what torch needs.
const WITH_COPIES: [&str; 6] = ["cpu", "cu126", "cu128", "cu129", "cu130", "cu132"];
/// Projects whose pages there are copies of PyPI's.
const COPIED: [&str; 9] =
    ["filelock", "sympy", "mpmath", "pillow", "networkx", "numpy", "fsspec", "typing-extensions", "cuda-pathfinder"];

/// The indexes of one scenario.
#[derive(Default)]
pub struct World {
    replica: bool,
    own: BTreeMap<(String, String), Project>,
    removed: BTreeSet<String>,
    missing: BTreeSet<String>,
    faults: Vec<(String, u16)>,
}

impl World {
    /// The indexes as they are.
    pub fn real() -> Self {
        Self { replica: true, ..Self::default() }
    }

    /// Indexes without projects.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds wheels.
    pub fn add(&mut self, row: &WheelRow) {
        row.add_to(self.own.entry((row.index.clone(), row.project.clone())).or_default());
    }

    /// Takes a release away: `pypi/nvidia-cudnn-cu12 9.1.0.70`; `upstream` is what the PyTorch index copies its pages from.
    pub fn remove(&mut self, release: &str) {
        self.removed.insert(release.to_owned());
    }

    /// Takes a page away: `cu126/torch`.
    pub fn miss(&mut self, page: &str) {
        self.missing.insert(page.to_owned());
    }

    /// Answers everything below a URL, without its scheme, with a status.
    pub fn fault(&mut self, below: &str, status: u16) {
        self.faults.push((below.to_owned(), status));
    }

    /// The answer to a request for a whole URL.
    pub fn answer(&self, target: &str, accept: &str) -> Result<Resource, u16> {
        let url = target.strip_prefix("http://").ok_or(404_u16)?;
        if let Some((_, status)) = self.faults.iter().find(|(below, _)| url.starts_with(below)) {
            return Err(*status);
        }
        let (host, path) = url.split_once('/').ok_or(404_u16)?;
        let path = path.replace("%2B", "+");
        let style = if accept.contains("application/vnd.pypi.simple.v1+json") { Style::Json } else { Style::Html };
        match host {
            "pypi.org" => project_in(&path, "simple/").and_then(|name| self.page("pypi", name, style)).ok_or(404),
            "extra.example" if path.starts_with("simple/") => {
                project_in(&path, "simple/").and_then(|name| self.page("extra", name, Style::Html)).ok_or(404)
            }
            "extra.example" => self.file("extra", &path).ok_or(404),
            "links.example" if path == "wheels.html" => Ok(self.links()),
            "links.example" => self.file("links", &path).ok_or(404),
            "pypi.nvidia.com" => self.file("upstream", &path).ok_or(404),
            "files.pythonhosted.org" => self.file("pypi", &path).ok_or(404),
            // Without permission to list, what is not there is forbidden.
            "download.pytorch.org" | "download-r2.pytorch.org" => {
                path.strip_prefix("whl/").and_then(|path| self.pytorch(path)).ok_or(403)
            }
            _ => Err(404),
        }
    }

    fn pytorch(&self, path: &str) -> Option<Resource> {
        match path.strip_suffix('/') {
            Some(path) => {
                let (directory, name) = path.rsplit_once('/')?;
                self.page(directory, name, Style::Pytorch)
            }
            None => match path.rsplit_once('/') {
                Some((directory, _)) => self.file(directory, path),
                None => self.file("root", path),
            },
        }
    }

    /// A project page; those that no scenario has a part in are written once a process.
    fn page(&self, directory: &str, name: &str, style: Style) -> Option<Resource> {
        static WRITTEN: Mutex<BTreeMap<String, Option<Resource>>> = Mutex::new(BTreeMap::new());
        let page = format!("{directory}/{name}");
        if self.missing.contains(&page) {
            return None;
        }
        let touched = !self.replica
            || self.own.keys().any(|(_, own)| own == name)
            || self.removed.iter().any(|release| release.split_once(' ').is_some_and(|(page, _)| page.ends_with(name)));
        if touched {
            return self.write(directory, name, style);
        }
        let key = format!("{page} {style:?}");
        if let Some(written) = WRITTEN.lock().unwrap().get(&key) {
            return written.clone();
        }
        let written = self.write(directory, name, style);
        WRITTEN.lock().unwrap().insert(key, written.clone());
        written
    }

    fn write(&self, directory: &str, name: &str, style: Style) -> Option<Resource> {
        let (files, style) = match style {
            Style::Pytorch => self.pytorch_page(directory, name)?,
            Style::Html | Style::Json => (self.upstream(directory, name, &base(directory))?, style),
        };
        let content_type = match style {
            Style::Json => "application/vnd.pypi.simple.v1+json",
            Style::Html | Style::Pytorch => "text/html",
        };
        let text = page(&format!("/{name}/"), &files, style);
        let resource = Resource::new(text.into_bytes(), content_type);
        Some(resource.header("Cache-Control", "max-age=600, public, must-revalidate"))
    }

    /// Files of the directory and those of the root, in the order of their keys as text; or a copy of another index's page.
    fn pytorch_page(&self, directory: &str, name: &str) -> Option<(Vec<Listed>, Style)> {
        let copied = name.starts_with("nvidia-") || name.starts_with("cuda-") || COPIED.contains(&name);
        if copied && self.replica && WITH_COPIES.contains(&directory) {
            let from_nvidia = name.starts_with("nvidia-") || name.starts_with("cuda-");
            let base = if from_nvidia { format!("http://pypi.nvidia.com/{name}") } else { base("pypi") };
            return self.upstream("upstream", name, &base).map(|files| (files, Style::Html));
        }
        let of = |place: &str, directory: &str| -> Vec<(String, Listed)> {
            let project = self.project(directory, name);
            let wheels = project.iter().flat_map(|project| &project.wheels);
            let place = if directory.starts_with("test/") { place.to_owned() } else { host_of(name) + place };
            wheels.map(|wheel| (wheel.file_name(), listed(wheel, &place))).collect()
        };
        let mut files = of(&format!("/whl/{directory}"), directory);
        files.extend(of("/whl", "root"));
        if files.is_empty() {
            return None;
        }
        let key = |href: &str| href.split_once("/whl/").map_or_else(String::new, |(_, key)| key.to_owned());
        files.sort_by_cached_key(|(_, file)| key(&file.href));
        let mut files: Vec<Listed> = files.into_iter().map(|(_, file)| file).collect();
        // The index never says these.
        for file in &mut files {
            (file.requires_python, file.yanked) = (None, None);
        }
        Some((files, Style::Pytorch))
    }

    fn upstream(&self, directory: &str, name: &str, base: &str) -> Option<Vec<Listed>> {
        let project = self.project(directory, name)?;
        let mut files: Vec<Listed> = project.wheels.iter().map(|wheel| listed(wheel, base)).collect();
        files.extend(project.sources.iter().map(|source| Listed::new(source, &format!("{base}/{source}"), b"")));
        Some(files)
    }

    /// One page of links to everything.
    fn links(&self) -> Resource {
        let own = self.own.iter().filter(|((index, _), _)| index == "links");
        let files: Vec<_> = own
            .flat_map(|(_, project)| &project.wheels)
            .map(|wheel| listed(wheel, "http://links.example/files"))
            .collect();
        Resource::new(page("/wheels/", &files, Style::Html).into_bytes(), "text/html")
    }

    /// A wheel, made as it is asked for, or the METADATA beside it.
    fn file(&self, directory: &str, path: &str) -> Option<Resource> {
        let name = path.rsplit('/').next()?;
        let (name, metadata) = name.strip_suffix(".metadata").map_or((name, false), |name| (name, true));
        let project = self.project(directory, &name.split_once('-')?.0.replace('_', "-"))?;
        let wheel = project.wheels.iter().find(|wheel| wheel.file_name() == name)?;
        let bytes = match metadata {
            true if !wheel.beside => return None,
            true => wheel.metadata().into_bytes(),
            false => {
                let builder = WheelBuilder::new(&wheel.name, &wheel.version).tag(&wheel.tags);
                builder.metadata(&wheel.metadata()).build().bytes
            }
        };
        Some(Resource::new(bytes, "application/octet-stream"))
    }

    fn project(&self, directory: &str, name: &str) -> Option<Arc<Project>> {
        let source = if directory == "upstream" { "pypi" } else { directory };
        let replica = if self.replica { shelf::project(source, name) } else { None };
        let own = self.own.get(&(directory.to_owned(), name.to_owned()));
        let removed = |wheel: &Wheel| self.removed.contains(&format!("{directory}/{name} {}", wheel.version));
        if own.is_none() && !replica.iter().flat_map(|project| &project.wheels).any(removed) {
            return replica;
        }
        let mut all = replica.as_deref().cloned().unwrap_or_default();
        all.wheels.retain(|wheel| !removed(wheel));
        if let Some(own) = own {
            all.wheels.extend(own.wheels.iter().cloned());
            all.sources.extend(own.sources.iter().cloned());
        }
        Some(Arc::new(all))
    }
}

fn project_in<'a>(path: &'a str, below: &str) -> Option<&'a str> {
    path.strip_prefix(below)?.strip_suffix('/')
}

/// Where the files of an index lie, without the slash.
fn base(directory: &str) -> String {
    match directory {
        "pypi" => "http://files.pythonhosted.org/packages".to_owned(),
        other => format!("http://{other}.example/files"),
    }
}

/// The host that the PyTorch index links to; links to itself are relative to its root.
fn host_of(name: &str) -> String {
    let family = ["torch", "torchvision", "torchaudio", "triton"].contains(&name);
    let second = family || name.starts_with("triton-") || name.starts_with("pytorch-triton");
    if second { SECOND_HOST.to_owned() } else { String::new() }
}

fn listed(wheel: &Wheel, place: &str) -> Listed {
    let file_name = wheel.file_name();
    Listed {
        href: format!("{place}/{file_name}"),
        file_name,
        sha256: wheel.sha256,
        size: wheel.size,
        requires_python: wheel.requires.python.clone().filter(|_| !wheel.python_hidden),
        yanked: wheel.yanked.clone(),
        core_metadata: wheel.beside.then(|| Sha256::of(wheel.metadata().as_bytes())),
        upload_time: wheel.uploaded.clone(),
    }
}
