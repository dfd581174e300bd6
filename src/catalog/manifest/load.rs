//! Manifests from the binary itself, or from a folder that replaces them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use super::document::Document;
use super::fault::Fault;
use super::file::ManifestFile;
use super::texts::{Subject, Texts};
use super::{Manifests, check};
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
        source: io::Error,
    },
    /// Code `manifest.invalid`, exit 2.
    #[error("{fault}")]
    Invalid {
        /// The first that is wrong.
        fault: Fault,
        /// How much else is.
        others: usize,
    },
}

impl Diagnostic for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            ManifestError::Unreadable { .. } => "manifest.unreadable",
            ManifestError::Invalid { .. } => "manifest.invalid",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            ManifestError::Unreadable { .. } => ExitStatus::FileSystem,
            ManifestError::Invalid { .. } => ExitStatus::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = vec!["leave out `--manifests` to use the facts that torchfix carries".to_owned()];
        if let ManifestError::Invalid { fault, others: 1.. } = self {
            let folder = fault.file.parent().unwrap_or(Path::new(".")).display();
            hints.insert(0, format!("`torchfix manifests check {folder}` lists everything that is wrong"));
        }
        hints
    }
}

impl Manifests {
    /// The manifests that torchfix was built with; each is read when it is first needed.
    pub fn embedded() -> &'static Manifests {
        static CARRIED: OnceLock<Manifests> = OnceLock::new();
        CARRIED.get_or_init(|| {
            let texts = Texts::carried();
            let text = |subject| texts.text(subject).text.clone();
            Manifests {
                torch: ManifestFile::unread(text(Subject::Torch)),
                cuda: ManifestFile::unread(text(Subject::Cuda)),
                cubin: ManifestFile::unread(text(Subject::Cubin)),
                cudnn: ManifestFile::unread(text(Subject::Cudnn)),
                dlls: ManifestFile::unread(text(Subject::Dlls)),
                gpus: ManifestFile::unread(text(Subject::Gpus)),
                indexes: ManifestFile::unread(text(Subject::Indexes)),
            }
        })
    }

    /// The manifests in a folder, fully checked; a file that is not there is taken from the embedded ones.
    pub fn load(folder: &Path) -> Result<Manifests, ManifestError> {
        let texts = Texts::read(folder)?;
        first(check::faults(&texts))?;
        Self::of(&texts)
    }

    /// Manifests of these texts, by file name; one that is not found is taken from the embedded ones.
    ///
    /// Errors name the files as if they lay in `folder`. The texts are held against the form that manifests have, not
    /// against each other and what else [`Manifests::load`] checks.
    pub fn from_texts(folder: &Path, text: impl Fn(&str) -> io::Result<String>) -> Result<Self, ManifestError> {
        Self::of(&Texts::of(folder, text)?)
    }

    fn of(texts: &Texts) -> Result<Self, ManifestError> {
        let carried = Self::embedded();
        Ok(Self {
            torch: file(texts, Subject::Torch, &carried.torch)?,
            cuda: file(texts, Subject::Cuda, &carried.cuda)?,
            cubin: file(texts, Subject::Cubin, &carried.cubin)?,
            cudnn: file(texts, Subject::Cudnn, &carried.cudnn)?,
            dlls: file(texts, Subject::Dlls, &carried.dlls)?,
            gpus: file(texts, Subject::Gpus, &carried.gpus)?,
            indexes: file(texts, Subject::Indexes, &carried.indexes)?,
        })
    }
}

fn file<T: DeserializeOwned + Clone>(
    texts: &Texts,
    subject: Subject,
    carried: &ManifestFile<T>,
) -> Result<ManifestFile<T>, ManifestError> {
    let text = texts.text(subject);
    if text.carried {
        return Ok(carried.clone());
    }
    let mut document = Document::of(text);
    let rows = document.rows();
    check::unknown_sources(&mut document);
    first(document.into_faults())?;
    Ok(rows.map_or_else(|| carried.clone(), ManifestFile::of))
}

fn first(faults: Vec<Fault>) -> Result<(), ManifestError> {
    let others = faults.len().saturating_sub(1);
    faults.into_iter().next().map_or(Ok(()), |fault| Err(ManifestError::Invalid { fault, others }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_binary_carries_is_valid() {
        let faults: Vec<String> = check::faults(&Texts::carried()).iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let manifests = Manifests::embedded();
        assert_eq!(manifests.releases().first().map(|release| release.version.to_string()).as_deref(), Some("1.11.0"));
        assert!(manifests.gpus.rows().gpu.len() >= 660);
        assert!(!manifests.torch.rows().rocm.is_empty() && !manifests.cubin.rows().cubin.is_empty());
        assert!(!manifests.cudnn.rows().floor.is_empty() && !manifests.cuda.rows().toolkit.is_empty());
        assert!(!manifests.indexes.rows().torch.channel.is_empty());
    }

    #[test]
    fn a_mistake_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(
            folder.path().join("cudnn.toml"),
            "schema = 1\nfloor = [\n  { form = \"9\", capability = \"5.0\", source = [\"m\"] },\n]\nsources = { m = \"x\" }\n",
        )
        .unwrap();
        let error = Manifests::load(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("cudnn.toml:3:5: `form` is no key here; did you mean `from`?"), "{error}");
        assert_eq!((error.code(), error.exit_status()), ("manifest.invalid", ExitStatus::Usage));
    }

    #[test]
    fn a_folder_replaces_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "schema = 1\nfloor = [{ from = \"9\", capability = \"8.0\", source = [\"m\"] }]\nsources = { m = \"x\" }";
        fs_err::write(folder.path().join("cudnn.toml"), text).unwrap();
        let manifests = Manifests::load(folder.path()).unwrap();
        assert_eq!(manifests.cudnn_floor(&"9.1".parse().unwrap()).unwrap().to_string(), "8.0");
        assert_eq!(manifests.releases().len(), Manifests::embedded().releases().len());
    }

    #[test]
    fn texts_are_held_against_their_form_alone() {
        let of = |text: &'static str| {
            Manifests::from_texts(Path::new("x"), move |name| match name {
                "cubin.toml" => Ok(text.to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            })
        };
        let hearsay = "schema = 1\nsources = {}\ncubin = [{ code = \"5.0\", source = [\"hearsay\"] }]\n";
        assert!(of(hearsay).unwrap_err().to_string().contains("cubin.toml:3:"));
        assert!(of("schema = 9\nsources = {}\ncubin = []\n").unwrap_err().to_string().contains("schema 9"));
        assert!(of("schema = 1\nsources = {}\ncubin = []\n").is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(Manifests::load(Path::new("/no/such/folder")), Err(ManifestError::Unreadable { .. })));
    }
}
