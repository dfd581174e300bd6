//! The wheels that are served, with what their pages say of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use torchfix::vocab::Sha256;

/// Hashes already computed, beside the wheels.
const SIDECAR: &str = ".loopback-index.json";

/// One wheel.
pub struct Wheel {
    /// Where it lies.
    pub path: PathBuf,
    /// Its file name.
    pub file_name: String,
    /// Its path on this server, without the leading slash.
    pub url_path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its sha256.
    pub sha256: Sha256,
    /// Its METADATA.
    pub metadata: Vec<u8>,
    /// The sha256 of its METADATA.
    pub metadata_sha256: Sha256,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
}

/// The projects of one index and their wheels.
pub type Projects = BTreeMap<String, Vec<Wheel>>;

/// All folders of wheels.
pub struct Shelf {
    /// What `/simple/` lists.
    pub simple: Projects,
    /// What `/whl/<variant>/` lists, by variant.
    pub pytorch: BTreeMap<String, Projects>,
}

impl Shelf {
    /// Reads the folders, hashing what was not hashed before.
    pub fn open(wheels: &Path, pytorch: Option<&Path>) -> io::Result<Self> {
        let mut shelf = Self { simple: read_folder(wheels, "simple")?, pytorch: BTreeMap::new() };
        if let Some(pytorch) = pytorch {
            for entry in fs::read_dir(pytorch)? {
                let entry = entry?;
                let variant = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() {
                    let projects = read_folder(&entry.path(), &variant)?;
                    shelf.pytorch.insert(variant, projects);
                }
            }
        }
        Ok(shelf)
    }

    /// The wheel at this path of the server.
    pub fn wheel(&self, url_path: &str) -> Option<&Wheel> {
        let mut wheels = self.pytorch.values().chain([&self.simple]).flat_map(BTreeMap::values).flatten();
        wheels.find(|wheel| wheel.url_path == url_path)
    }
}

/// What the sidecar keeps of a wheel.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Noted {
    size: u64,
    modified_ns: u128,
    sha256: Sha256,
}

fn read_folder(folder: &Path, label: &str) -> io::Result<Projects> {
    let sidecar = folder.join(SIDECAR);
    // A sidecar that is absent or damaged is written anew.
    let noted: BTreeMap<String, Noted> =
        fs::read(&sidecar).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let mut now = BTreeMap::new();
    let mut projects = Projects::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(file_name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        let Some((distribution, _)) = file_name.split_once('-') else { continue };
        if path.extension().is_none_or(|extension| extension != "whl") {
            continue;
        }
        let note = note(&path, noted.get(&file_name))?;
        let metadata = read_metadata(&path)?;
        let wheel = Wheel {
            url_path: format!("files/{label}/{file_name}"),
            size: note.size,
            sha256: note.sha256,
            metadata_sha256: Sha256::of(&metadata),
            requires_python: requires_python(&metadata),
            metadata,
            path,
            file_name: file_name.clone(),
        };
        projects.entry(normalized(distribution)).or_default().push(wheel);
        now.insert(file_name, note);
    }
    if now != noted {
        fs::write(&sidecar, serde_json::to_vec(&now)?)?;
    }
    Ok(projects)
}

fn note(path: &Path, known: Option<&Noted>) -> io::Result<Noted> {
    let metadata = fs::metadata(path)?;
    let modified_ns = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    match known {
        Some(known) if known.size == metadata.len() && known.modified_ns == modified_ns => Ok(known.clone()),
        _ => Ok(Noted { size: metadata.len(), modified_ns, sha256: hash(path)? }),
    }
}

fn hash(path: &Path) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256::from_bytes(hasher.finalize().into())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

fn read_metadata(path: &Path) -> io::Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(fs::File::open(path)?))?;
    let name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| name.ends_with(".dist-info/METADATA") && name.matches('/').count() == 1)
        .map(Cow::into_owned)
        .ok_or_else(|| io::Error::other(format!("`{}` has no METADATA", path.display())))?;
    let mut metadata = Vec::new();
    archive.by_name(&name)?.read_to_end(&mut metadata)?;
    Ok(metadata)
}

fn requires_python(metadata: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(metadata);
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| Some(line.strip_prefix("Requires-Python:")?.trim().to_owned()))
}

/// A project's name as PEP 503 compares it.
fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_folder_becomes_projects_and_its_hashes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Some_Dist-1.0-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        archive.start_file("some_dist-1.0.dist-info/METADATA", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"Name: Some_Dist\nRequires-Python: >=3.8\n\nRequires-Python: no\n").unwrap();
        archive.finish().unwrap();

        let shelf = Shelf::open(folder.path(), None).unwrap();
        let wheel = &shelf.simple["some-dist"][0];
        assert_eq!(wheel.requires_python.as_deref(), Some(">=3.8"));
        assert_eq!(wheel.sha256, Sha256::of(&fs::read(&path).unwrap()));
        assert!(shelf.wheel("files/simple/Some_Dist-1.0-py3-none-any.whl").is_some());
        assert!(shelf.wheel("files/simple/../secret").is_none());

        fs::write(&path, [fs::read(&path).unwrap(), vec![]].concat()).unwrap();
        assert_eq!(Shelf::open(folder.path(), None).unwrap().simple["some-dist"][0].sha256, wheel.sha256);
    }
}
