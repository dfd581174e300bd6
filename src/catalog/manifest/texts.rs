//! The texts of the manifests: those of the binary itself, or of a folder that replaces them.

use std::borrow::Cow;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::ManifestError;
use super::fault::Fault;
use super::nearest::nearest;

/// One of the manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `torch.toml`
    Torch,
    /// `cuda.toml`
    Cuda,
    /// `cubin.toml`
    Cubin,
    /// `cudnn.toml`
    Cudnn,
    /// `dlls.toml`
    Dlls,
    /// `gpus.toml`
    Gpus,
    /// `indexes.toml`
    Indexes,
}

/// The files in the order of [`Subject`], and what the binary carries of each.
const CARRIED: [(&str, &str); 7] = [
    ("torch.toml", include_str!("../../../manifests/torch.toml")),
    ("cuda.toml", include_str!("../../../manifests/cuda.toml")),
    ("cubin.toml", include_str!("../../../manifests/cubin.toml")),
    ("cudnn.toml", include_str!("../../../manifests/cudnn.toml")),
    ("dlls.toml", include_str!("../../../manifests/dlls.toml")),
    ("gpus.toml", include_str!("../../../manifests/gpus.toml")),
    ("indexes.toml", include_str!("../../../manifests/indexes.toml")),
];

/// The text of one manifest.
#[derive(Debug, Clone)]
pub struct ManifestText {
    /// The file, as messages name it.
    pub path: PathBuf,
    /// What it says.
    pub text: Cow<'static, str>,
    /// Whether it is what the binary carries.
    pub carried: bool,
}

/// The texts of all manifests.
#[derive(Debug, Clone)]
pub struct Texts {
    files: Vec<ManifestText>,
    /// Files beside them that are none of them.
    pub strangers: Vec<Fault>,
}

impl Texts {
    /// What the binary carries.
    pub fn carried() -> Self {
        let files = CARRIED.iter().map(|(name, text)| ManifestText {
            path: Path::new("manifests").join(name),
            text: Cow::Borrowed(*text),
            carried: true,
        });
        Self { files: files.collect(), strangers: Vec::new() }
    }

    /// Texts by file name; one that is not found is what the binary carries.
    pub fn of(folder: &Path, text: impl Fn(&str) -> io::Result<String>) -> Result<Self, ManifestError> {
        let mut texts = Self::carried();
        for (file, (name, _)) in texts.files.iter_mut().zip(CARRIED) {
            file.path = folder.join(name);
            match text(name) {
                Ok(text) => (file.text, file.carried) = (Cow::Owned(text), false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ManifestError::Unreadable { path: file.path.clone(), source }),
            }
        }
        Ok(texts)
    }

    /// The texts in a folder.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let unreadable = |source| ManifestError::Unreadable { path: folder.to_owned(), source };
        let mut strangers = Vec::new();
        for entry in fs_err::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let known = CARRIED.iter().map(|(known, _)| *known);
            if path.extension().is_some_and(|extension| extension == "toml")
                && !known.clone().any(|known| known == name)
            {
                let meant = nearest(name, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
                let message = format!("no manifest has this name{meant}");
                strangers.push(Fault { file: path, line: 1, column: 1, message });
            }
        }
        strangers.sort_by(|a, b| a.file.cmp(&b.file));
        let texts = Self::of(folder, |name| read(&folder.join(name)))?;
        if strangers.is_empty() && texts.files.iter().all(|file| file.carried) {
            let names: Vec<&str> = CARRIED.iter().map(|(known, _)| *known).collect();
            let message = format!("no manifest is in this folder; they are called {}", names.join(", "));
            strangers.push(Fault { file: folder.to_owned(), line: 1, column: 1, message });
        }
        Ok(Self { strangers, ..texts })
    }

    /// The text of one of them.
    pub fn text(&self, subject: Subject) -> &ManifestText {
        &self.files[subject as usize]
    }
}

/// The text of a manifest; what goes on and on, as a device does, is none.
fn read(path: &Path) -> io::Result<String> {
    const LARGEST: u64 = 16 << 20;
    if !fs_err::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
