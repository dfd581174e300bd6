//! Manifests from the binary itself, or from a folder that replaces them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use super::Manifests;
use super::rows::{CubinFile, CudaFile, CudnnFile, GpuFile, IndexFile, SCHEMA, SourceTexts, TorchFile};
use crate::vocab::{Diagnostic, ExitStatus};

/// Manifests that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Code `manifest.unreadable`, exit 30.
    #[error("the manifest `{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Code `manifest.invalid`, exit 2.
    #[error("{path}:{line}:{column}: {message}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there, in one line.
        message: String,
    },
    /// Code `manifest.schema`, exit 2.
    #[error("the manifest `{path}` has schema {found}, this torchfix reads {SCHEMA}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema it states.
        found: u32,
    },
    /// Code `manifest.source`, exit 2.
    #[error("the manifest `{path}` names the source `{key}`, which its `[sources]` does not explain")]
    UnknownSource {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
}

impl Diagnostic for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            ManifestError::Unreadable { .. } => "manifest.unreadable",
            ManifestError::Invalid { .. } => "manifest.invalid",
            ManifestError::Schema { .. } => "manifest.schema",
            ManifestError::UnknownSource { .. } => "manifest.source",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            ManifestError::Unreadable { .. } => ExitStatus::FileSystem,
            _ => ExitStatus::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        vec!["leave out `--manifests` to use the facts that torchfix carries".to_owned()]
    }
}

const EMBEDDED: [(&str, &str); 6] = [
    ("torch.toml", include_str!("../../../manifests/torch.toml")),
    ("cuda.toml", include_str!("../../../manifests/cuda.toml")),
    ("cubin.toml", include_str!("../../../manifests/cubin.toml")),
    ("cudnn.toml", include_str!("../../../manifests/cudnn.toml")),
    ("gpus.toml", include_str!("../../../manifests/gpus.toml")),
    ("indexes.toml", include_str!("../../../manifests/indexes.toml")),
];

impl Manifests {
    /// The manifests that torchfix was built with, parsed once a process.
    #[allow(clippy::expect_used, clippy::missing_panics_doc, reason = "part of the build, and a test parses them")]
    pub fn embedded() -> &'static Manifests {
        static PARSED: OnceLock<Manifests> = OnceLock::new();
        PARSED.get_or_init(|| {
            let text = |name: &str| {
                let file = EMBEDDED.iter().find(|(file, _)| *file == name);
                Ok(file.map_or_else(String::new, |(_, text)| (*text).to_owned()))
            };
            Self::from_texts(Path::new("manifests"), text).expect("the embedded manifests are valid")
        })
    }

    /// The manifests in a folder; a file that is not there is taken from the embedded ones.
    pub fn load(folder: &Path) -> Result<Manifests, ManifestError> {
        if !folder.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(ManifestError::Unreadable { path: folder.to_owned(), source });
        }
        Self::from_texts(folder, |name| match fs_err::read_to_string(folder.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(EMBEDDED
                .iter()
                .find(|(file, _)| *file == name)
                .map_or_else(String::new, |(_, text)| (*text).to_owned())),
            read => read,
        })
    }

    /// Manifests of these texts, by file name; errors name the files as if they lay in `folder`.
    ///
    /// Their form and their sources are held against what they must be, not yet what they say.
    pub fn from_texts(folder: &Path, text: impl Fn(&str) -> std::io::Result<String>) -> Result<Self, ManifestError> {
        let read = |name: &str| {
            let path = folder.join(name);
            match text(name) {
                Ok(text) => Ok((path, text)),
                Err(source) => Err(ManifestError::Unreadable { path, source }),
            }
        };
        let torch: TorchFile = file(read("torch.toml")?, |file: &TorchFile| {
            let builds = file.release.iter().flat_map(|release| &release.builds).map(|build| &build.source);
            let keys = file.release.iter().map(|release| &release.source).chain(builds);
            (file.schema, Some(&file.sources), keys.flatten().collect())
        })?;
        let cuda: CudaFile = file(read("cuda.toml")?, |file: &CudaFile| {
            let keys = file.toolkit.iter().map(|row| &row.source).chain(file.family.iter().map(|row| &row.source));
            let keys = keys.chain(file.branch.iter().map(|row| &row.source));
            let keys = keys.chain(file.retired.iter().map(|row| &row.source));
            (file.schema, Some(&file.sources), keys.flatten().collect())
        })?;
        let cubin: CubinFile = file(read("cubin.toml")?, |file: &CubinFile| {
            (file.schema, Some(&file.sources), file.cubin.iter().flat_map(|row| &row.source).collect())
        })?;
        let cudnn: CudnnFile = file(read("cudnn.toml")?, |file: &CudnnFile| {
            (file.schema, Some(&file.sources), file.floor.iter().flat_map(|row| &row.source).collect())
        })?;
        let gpus: GpuFile = file(read("gpus.toml")?, |file: &GpuFile| {
            (file.schema, Some(&file.sources), file.gpu.iter().flat_map(|row| &row.source).collect())
        })?;
        let indexes: IndexFile = file(read("indexes.toml")?, |file: &IndexFile| (file.schema, None, Vec::new()))?;
        Ok(Self { torch, cuda, cubin, cudnn, gpus, indexes })
    }
}

/// Parses one file and holds its schema and source keys against what they must be.
fn file<T: DeserializeOwned>(
    (path, text): (PathBuf, String),
    facts: impl Fn(&T) -> (u32, Option<&SourceTexts>, Vec<&String>),
) -> Result<T, ManifestError> {
    let parsed: T = toml::from_str(&text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text.as_bytes()[..offset];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        ManifestError::Invalid { path: path.clone(), line, column, message }
    })?;
    let (found, sources, keys) = facts(&parsed);
    if found != SCHEMA {
        return Err(ManifestError::Schema { path, found });
    }
    let unknown = sources.and_then(|sources| keys.into_iter().find(|key| !sources.contains_key(*key)));
    match unknown.cloned() {
        Some(key) => Err(ManifestError::UnknownSource { path, key }),
        None => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_files_are_valid() {
        let manifests = Manifests::embedded();
        assert_eq!(manifests.releases().first().map(|release| release.version.to_string()).as_deref(), Some("2.6.0"));
        assert!(manifests.releases().is_sorted_by_key(|release| release.version.clone()));
    }

    #[test]
    fn a_mistake_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(
            folder.path().join("cudnn.toml"),
            "schema = 1\nsources = {}\nfloor = [\n  { form = \"9\" },\n]\n",
        )
        .unwrap();
        let error = Manifests::load(folder.path()).unwrap_err();
        assert!(error.to_string().contains("cudnn.toml:4:"), "{error}");
        assert!(error.to_string().contains("form"), "{error}");
        assert_eq!(error.code(), "manifest.invalid");
    }

    #[test]
    fn sources_must_be_explained_and_the_schema_known() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| fs_err::write(folder.path().join("cubin.toml"), text).unwrap();
        write("schema = 1\nsources = {}\ncubin = [{ code = \"5.0\", source = [\"hearsay\"] }]\n");
        assert!(matches!(Manifests::load(folder.path()), Err(ManifestError::UnknownSource { .. })));
        write("schema = 9\nsources = {}\ncubin = []\n");
        assert!(matches!(Manifests::load(folder.path()), Err(ManifestError::Schema { found: 9, .. })));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(Manifests::load(Path::new("/no/such/folder")), Err(ManifestError::Unreadable { .. })));
    }
}
