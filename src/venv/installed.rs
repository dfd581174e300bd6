//! What an environment holds.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde::Deserialize;

use super::{RecordEntry, Scheme, VenvError, parse_record};
use crate::vocab::{CoreMetadata, PackageName, Version};

/// What an environment holds, in the order of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// The distributions; one name can be there twice.
    pub distributions: Vec<InstalledDistribution>,
    /// What looks like one and is none.
    pub broken: Vec<BrokenDistribution>,
}

/// An installed distribution, known by the name of its folder; what is in it is read when asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledDistribution {
    /// Its normalised name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// Its `*.dist-info` folder, or what an old installer left in its place.
    pub dist_info: PathBuf,
    /// Which of the two.
    pub format: MetadataFormat,
}

/// How a distribution's metadata is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataFormat {
    /// A `*.dist-info` folder, as every installer of today writes it.
    DistInfo,
    /// A `*.egg-info` folder or file, without RECORD: such a distribution can be seen but not removed.
    EggInfo,
}

/// Something in site-packages that looks like a distribution and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenDistribution {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it, in a few words.
    pub reason: String,
}

/// `direct_url.json`: the distribution was installed from this URL, not by name from an index (PEP 610).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DirectUrl {
    /// The URL, without credentials.
    pub url: String,
    /// Of an archive: its hashes.
    #[serde(default)]
    pub archive_info: Option<ArchiveInfo>,
}

/// What `direct_url.json` says of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ArchiveInfo {
    /// Digests by algorithm.
    #[serde(default)]
    pub hashes: std::collections::BTreeMap<String, String>,
}

/// Lists what the environment holds; only names of folders are read.
pub fn list(scheme: &Scheme) -> Result<Installed, VenvError> {
    let mut installed = Installed::default();
    for folder in scheme.site_packages() {
        let entries = match fs_err::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let path = entry?.path();
            match recognise(path) {
                Some(Ok(distribution)) => installed.distributions.push(distribution),
                Some(Err(broken)) => installed.broken.push(broken),
                None => {}
            }
        }
    }
    installed
        .distributions
        .sort_by(|a, b| (&a.name, &a.version, &a.dist_info).cmp(&(&b.name, &b.version, &b.dist_info)));
    installed.broken.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(installed)
}

fn recognise(path: PathBuf) -> Option<Result<InstalledDistribution, BrokenDistribution>> {
    let file_name = path.file_name()?.to_str()?;
    if file_name.starts_with('~') && path.is_dir() {
        // pip renames a folder so while it uninstalls, and a pip that was killed leaves it.
        return Some(Err(BrokenDistribution { path, reason: "left by an interrupted uninstall".to_owned() }));
    }
    let (stem, format) = match file_name.strip_suffix(".dist-info") {
        Some(stem) => (stem, MetadataFormat::DistInfo),
        None => (file_name.strip_suffix(".egg-info")?, MetadataFormat::EggInfo),
    };
    let named = name_and_version(stem, format);
    let broken = |reason: &str| Some(Err(BrokenDistribution { path: path.clone(), reason: reason.to_owned() }));
    if format == MetadataFormat::DistInfo && !path.join("METADATA").is_file() {
        return broken("it has no METADATA");
    }
    let (name, version) = match named {
        Some(named) => named,
        // The specification allows no other name, but old tools wrote some: the file itself decides.
        None if format == MetadataFormat::DistInfo => match read_metadata(&path, "METADATA") {
            Ok(metadata) => (metadata.name, metadata.version),
            Err(_) => return broken("neither its name nor its METADATA tells what it is"),
        },
        None => return broken("its name does not tell what it is"),
    };
    Some(Ok(InstalledDistribution { name, version, dist_info: path, format }))
}

/// `torch-2.9.1+cu128`; for eggs `six-1.16.0-py3.12`.
fn name_and_version(stem: &str, format: MetadataFormat) -> Option<(PackageName, Version)> {
    let (name, version) = stem.split_once('-')?;
    let version = match format {
        MetadataFormat::DistInfo => version,
        MetadataFormat::EggInfo => version.split_once("-py").map_or(version, |(version, _)| version),
    };
    // A version's own hyphens stand as underscores in the name of the folder.
    let version = Version::from_str(version).or_else(|_| Version::from_str(&version.replace('_', "-"))).ok()?;
    Some((PackageName::from_str(name).ok()?, version))
}

/// Real ones are below 200 KB and 2 MB.
const METADATA_LIMIT: u64 = 16 << 20;
const RECORD_LIMIT: u64 = 64 << 20;

impl InstalledDistribution {
    /// Name and version as messages write them: `torch 2.9.1+cu128`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Reads its METADATA.
    pub fn metadata(&self) -> Result<CoreMetadata, VenvError> {
        match self.format {
            MetadataFormat::DistInfo => read_metadata(&self.dist_info, "METADATA"),
            MetadataFormat::EggInfo if self.dist_info.is_dir() => read_metadata(&self.dist_info, "PKG-INFO"),
            MetadataFormat::EggInfo => read_metadata(&self.dist_info, ""),
        }
    }

    /// Reads its RECORD: paths as they stand there, not to be trusted.
    pub fn files(&self) -> Result<Vec<RecordEntry>, VenvError> {
        let no_record = || VenvError::NoRecord { dist_info: self.dist_info.clone() };
        if self.format == MetadataFormat::EggInfo {
            return Err(no_record());
        }
        let bytes = read(&self.dist_info.join("RECORD"), RECORD_LIMIT)?.ok_or_else(no_record)?;
        parse_record(&bytes).map_err(|source| VenvError::Record { dist_info: self.dist_info.clone(), source })
    }

    /// The folder that its RECORD's paths start from.
    pub fn site_packages(&self) -> &Path {
        self.dist_info.parent().unwrap_or(&self.dist_info)
    }

    /// Whether the user asked for it by name (PEP 376).
    pub fn is_requested(&self) -> bool {
        self.dist_info.join("REQUESTED").is_file()
    }

    /// Which tool installed it.
    pub fn installer(&self) -> Option<String> {
        let bytes = read(&self.dist_info.join("INSTALLER"), 4096).ok()??;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.lines().next()?.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Where it was installed from, where that was a URL; what cannot be read counts as not there.
    pub fn direct_url(&self) -> Option<DirectUrl> {
        let bytes = read(&self.dist_info.join("direct_url.json"), 1 << 20).ok()??;
        serde_json::from_slice(&bytes).ok()
    }
}

fn read_metadata(dist_info: &Path, file: &str) -> Result<CoreMetadata, VenvError> {
    let path = if file.is_empty() { dist_info.to_owned() } else { dist_info.join(file) };
    let bytes = read(&path, METADATA_LIMIT)?.unwrap_or_default();
    CoreMetadata::parse(&bytes).map_err(|source| VenvError::Metadata { dist_info: dist_info.to_owned(), source })
}

/// Reads a file of at most `limit` bytes; `None` where there is none.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, VenvError> {
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let bytes = file.metadata()?.len();
    if bytes > limit {
        return Err(VenvError::TooLarge { path: path.to_owned(), bytes });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default() + 1);
    file.take(limit).read_to_end(&mut content)?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venv::Flavour;

    fn site_packages(folders: &[(&str, &str)]) -> (tempfile::TempDir, Scheme) {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("site-packages");
        fs_err::create_dir_all(&site).unwrap();
        for (name, metadata) in folders {
            fs_err::create_dir(site.join(name)).unwrap();
            if !metadata.is_empty() {
                fs_err::write(site.join(name).join("METADATA"), metadata).unwrap();
            }
        }
        let scheme = Scheme {
            root: root.path().to_owned(),
            purelib: site.clone(),
            platlib: site,
            scripts: root.path().join("bin"),
            headers: root.path().join("include"),
            data: root.path().to_owned(),
            flavour: Flavour::Posix,
        };
        (root, scheme)
    }

    #[test]
    fn names_of_folders_tell_what_is_there() {
        let (_root, scheme) = site_packages(&[
            ("torch-2.9.1+cu128.dist-info", "Name: torch\nVersion: 2.9.1+cu128\n"),
            ("torch-2.8.0.dist-info", "Name: torch\nVersion: 2.8.0\n"),
            ("typing_extensions-4.15.0.dist-info", "Name: typing_extensions\nVersion: 4.15.0\n"),
            ("odd.dist-info", "Name: odd\nVersion: 1\n"),
            ("six-1.16.0-py3.12.egg-info", ""),
            ("half-1.0.dist-info", ""),
            ("~orch", ""),
            ("torch", ""),
        ]);
        let installed = list(&scheme).unwrap();
        let titles: Vec<_> = installed.distributions.iter().map(InstalledDistribution::title).collect();
        assert_eq!(titles, ["odd 1", "six 1.16.0", "torch 2.8.0", "torch 2.9.1+cu128", "typing-extensions 4.15.0"]);
        let broken: Vec<_> = installed.broken.iter().map(|broken| broken.path.file_name().unwrap()).collect();
        assert_eq!(broken, ["half-1.0.dist-info", "~orch"]);
        assert!(matches!(installed.distributions[0].files(), Err(VenvError::NoRecord { .. })));
        assert!(matches!(installed.distributions[1].files(), Err(VenvError::NoRecord { .. })));
    }

    #[test]
    fn what_is_in_the_folder_is_read_when_asked_for() {
        let (_root, scheme) = site_packages(&[("a-1.dist-info", "Name: a\nVersion: 1\nRequires-Dist: b\n")]);
        let dist_info = scheme.purelib.join("a-1.dist-info");
        fs_err::write(dist_info.join("RECORD"), "a.py,sha256=x,1\n").unwrap();
        fs_err::write(dist_info.join("INSTALLER"), "pip\n").unwrap();
        let json = r#"{"url":"file:///a.whl","archive_info":{"hashes":{"sha256":"00"}}}"#;
        fs_err::write(dist_info.join("direct_url.json"), json).unwrap();
        let distribution = &list(&scheme).unwrap().distributions[0];
        assert_eq!(distribution.metadata().unwrap().requires_dist.len(), 1);
        assert_eq!(distribution.files().unwrap().len(), 1);
        assert_eq!(distribution.installer().as_deref(), Some("pip"));
        assert_eq!(distribution.direct_url().unwrap().url, "file:///a.whl");
        assert!(!distribution.is_requested());
        fs_err::write(dist_info.join("METADATA"), "Name: a\n").unwrap();
        assert!(matches!(distribution.metadata(), Err(VenvError::Metadata { .. })));
    }
}
