//! Core metadata: the METADATA file of a wheel or an installed distribution.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::{ExtraName, PackageName};

use super::Requirement;

/// What the solver needs of a METADATA file.
///
/// <https://packaging.python.org/en/latest/specifications/core-metadata/>
#[derive(Debug, Clone, PartialEq)]
pub struct CoreMetadata {
    /// `Name`, normalised.
    pub name: PackageName,
    /// `Version`.
    pub version: Version,
    /// `Requires-Dist`, in the order of the file.
    pub requires_dist: Vec<Requirement>,
    /// `Requires-Python`.
    pub requires_python: Option<VersionSpecifiers>,
    /// `Provides-Extra`, in the order of the file.
    pub provides_extra: Vec<ExtraName>,
}

/// A METADATA file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not UTF-8 where it matters.
    #[error("the metadata is not UTF-8")]
    Encoding,
    /// A field that must be there is not.
    #[error("the metadata has no `{0}` field")]
    Missing(&'static str),
    /// A field does not parse.
    #[error("the metadata's `{field}: {value}` is not valid: {reason}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// What the parser said, in one line.
        reason: String,
    },
}

impl CoreMetadata {
    /// Parses the headers of a METADATA file; what follows the first empty line is its description.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut fields = Fields::default();
        for (name, value) in headers(bytes)? {
            fields.take(&name, &value)?;
        }
        Ok(Self {
            name: fields.name.ok_or(MetadataError::Missing("Name"))?,
            version: fields.version.ok_or(MetadataError::Missing("Version"))?,
            requires_dist: fields.requires_dist,
            requires_python: fields.requires_python,
            provides_extra: fields.provides_extra,
        })
    }
}

#[derive(Default)]
struct Fields {
    name: Option<PackageName>,
    version: Option<Version>,
    requires_dist: Vec<Requirement>,
    requires_python: Option<VersionSpecifiers>,
    provides_extra: Vec<ExtraName>,
}

impl Fields {
    fn take(&mut self, name: &str, value: &str) -> Result<(), MetadataError> {
        match name.to_ascii_lowercase().as_str() {
            "name" => self.name = Some(parse("Name", value)?),
            "version" => self.version = Some(parse("Version", value)?),
            "requires-dist" => self.requires_dist.push(parse("Requires-Dist", value)?),
            "requires-python" => self.requires_python = Some(parse("Requires-Python", value)?),
            "provides-extra" => self.provides_extra.push(parse("Provides-Extra", value)?),
            _ => {}
        }
        Ok(())
    }
}

fn parse<T: FromStr<Err: ToString>>(field: &'static str, value: &str) -> Result<T, MetadataError> {
    value.parse().map_err(|error: T::Err| MetadataError::Invalid {
        field,
        value: value.chars().take(200).collect(),
        reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
    })
}

/// The header block of an RFC 822 message, continuation lines joined.
fn headers(bytes: &[u8]) -> Result<Vec<(String, String)>, MetadataError> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let line = str::from_utf8(line).map_err(|_| MetadataError::Encoding)?;
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_spellings_of_requirements() {
        let text = b"Metadata-Version: 2.1\nName: Torch\nVersion: 2.9.1+cu126\nRequires-Python: >=3.10\n\
            Provides-Extra: optree\nRequires-Dist: sympy (==1.13.1)\n\
            Requires-Dist: cuda-toolkit[cublas,cudart]==13.0.2; platform_system == \"Linux\"\n\nRequires-Dist: no\n";
        let metadata = CoreMetadata::parse(text).unwrap();
        assert_eq!((metadata.name.as_ref(), metadata.version.to_string().as_str()), ("torch", "2.9.1+cu126"));
        assert_eq!(metadata.requires_dist.len(), 2);
        assert_eq!(metadata.requires_dist[1].extras.len(), 2);
        assert_eq!(metadata.provides_extra.len(), 1);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert_eq!(CoreMetadata::parse(b"Version: 1\n"), Err(MetadataError::Missing("Name")));
        let error = CoreMetadata::parse(b"Name: a\nVersion: one\n").unwrap_err();
        assert!(error.to_string().contains("`Version: one`"), "{error}");
        assert_eq!(CoreMetadata::parse(b"Name: \xff\n"), Err(MetadataError::Encoding));
    }
}
