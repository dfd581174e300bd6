//! Core metadata: the METADATA file of a wheel or an installed distribution.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::{ExtraName, PackageName};

use super::{Requirement, vet_requirement};

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
    /// What it takes in memory, in units of at most a few hundred bytes.
    pub weight: usize,
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
        /// Its value, or as much of it as fits a message.
        value: String,
        /// What the parser said, in one line.
        reason: String,
    },
    /// It has more of something than any real distribution.
    #[error("the metadata has more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
}

/// The longest value of a field that is read; the longest real requirement has some 300 bytes.
const LONGEST_VALUE: usize = 4096;
/// The longest name or version; no file name, and so no wheel, has room for a longer one.
const LONGEST_NAME: usize = 255;
/// The most extras and specifiers in one value: sets of versions are cut with each other one by one.
const MOST_COMMAS: usize = 128;
/// The most `Requires-Dist` fields, and the most `Provides-Extra`; the largest real file has some 900.
const MOST_FIELDS: usize = 10_000;
/// The most that the requirements of one file may weigh, markers included; the largest real file weighs some 5,000.
const HEAVIEST: usize = 1 << 17;
/// The bytes of text that weigh one unit.
const BYTES_A_UNIT: usize = 16;

impl CoreMetadata {
    /// Parses the headers of a METADATA file; what follows the first empty line is its description.
    ///
    /// Time and memory are bounded by the file's size, whatever it says.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut fields = Fields::default();
        let mut open: Option<(Field, Vec<u8>)> = None;
        for line in bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                // The rest of a value is kept only where the value is, and only as far as it may go.
                if let Some((_, value)) = open.as_mut().filter(|(_, value)| value.len() <= LONGEST_VALUE) {
                    value.push(b'\n');
                    value.extend_from_slice(line.trim_ascii());
                }
                continue;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            if let Some((field, value)) = open.take() {
                fields.take(field, &value)?;
            }
            open = Field::named(name).map(|field| (field, value.to_owned()));
        }
        if let Some((field, value)) = open {
            fields.take(field, &value)?;
        }
        Ok(Self {
            name: fields.name.ok_or(MetadataError::Missing("Name"))?,
            version: fields.version.ok_or(MetadataError::Missing("Version"))?,
            requires_dist: fields.requires_dist,
            requires_python: fields.requires_python,
            provides_extra: fields.provides_extra,
            weight: fields.weight,
        })
    }
}

/// A field that is read; others may say what they like, in any encoding.
#[derive(Debug, Clone, Copy)]
enum Field {
    Name,
    Version,
    RequiresDist,
    RequiresPython,
    ProvidesExtra,
}

impl Field {
    const ALL: [Field; 5] =
        [Field::Name, Field::Version, Field::RequiresDist, Field::RequiresPython, Field::ProvidesExtra];

    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|field| name.eq_ignore_ascii_case(field.name().as_bytes()))
    }

    fn name(self) -> &'static str {
        match self {
            Field::Name => "Name",
            Field::Version => "Version",
            Field::RequiresDist => "Requires-Dist",
            Field::RequiresPython => "Requires-Python",
            Field::ProvidesExtra => "Provides-Extra",
        }
    }

    fn longest(self) -> usize {
        match self {
            Field::Name | Field::Version | Field::ProvidesExtra => LONGEST_NAME,
            Field::RequiresDist | Field::RequiresPython => LONGEST_VALUE,
        }
    }

    /// What is shown of a value holds nothing that a terminal would obey.
    fn invalid(self, value: &str, reason: &str) -> MetadataError {
        let shown = |text: &str| text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
        MetadataError::Invalid { field: self.name(), value: shown(value), reason: shown(reason) }
    }

    fn parse<T: FromStr<Err: ToString>>(self, value: &str) -> Result<T, MetadataError> {
        value.parse().map_err(|error: T::Err| self.invalid(value, error.to_string().lines().next().unwrap_or_default()))
    }
}

#[derive(Default)]
struct Fields {
    name: Option<PackageName>,
    version: Option<Version>,
    requires_dist: Vec<Requirement>,
    requires_python: Option<VersionSpecifiers>,
    provides_extra: Vec<ExtraName>,
    weight: usize,
}

impl Fields {
    fn take(&mut self, field: Field, value: &[u8]) -> Result<(), MetadataError> {
        let value = str::from_utf8(value).map_err(|_| MetadataError::Encoding)?;
        if value.len() > field.longest() {
            return Err(field.invalid(value, &format!("it is longer than {} bytes", field.longest())));
        }
        if value.matches(',').count() > MOST_COMMAS {
            return Err(field.invalid(value, &format!("it lists more than {MOST_COMMAS} extras and versions")));
        }
        self.weigh(1 + value.len() / BYTES_A_UNIT)?;
        let room = |taken: usize, what| {
            if taken < MOST_FIELDS { Ok(()) } else { Err(MetadataError::TooMuch { what, limit: MOST_FIELDS }) }
        };
        match field {
            Field::Name => self.name = Some(field.parse(value)?),
            Field::Version => self.version = Some(field.parse(value)?),
            Field::RequiresDist => {
                room(self.requires_dist.len(), "requirements")?;
                let nodes = vet_requirement(value).map_err(|reason| field.invalid(value, reason))?;
                self.weigh(nodes)?;
                self.requires_dist.push(field.parse(value)?);
            }
            Field::RequiresPython => self.requires_python = Some(field.parse(value)?),
            Field::ProvidesExtra => {
                room(self.provides_extra.len(), "extras")?;
                self.provides_extra.push(field.parse(value)?);
            }
        }
        Ok(())
    }

    fn weigh(&mut self, units: usize) -> Result<(), MetadataError> {
        self.weight += units;
        if self.weight > HEAVIEST {
            return Err(MetadataError::TooMuch { what: "units of requirements and markers", limit: HEAVIEST });
        }
        Ok(())
    }
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

    fn reason(text: &str) -> String {
        CoreMetadata::parse(format!("Name: a\nVersion: 1\n{text}\n").as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn other_fields_may_be_in_any_encoding() {
        let text = b"\xef\xbb\xbfName: a\nAuthor: Andr\xe9\n  and \xe9\nVersion: 1\nRequires-Dist:\n b\n >=1\n";
        let metadata = CoreMetadata::parse(text).unwrap();
        assert_eq!(metadata.requires_dist[0].to_string(), "b>=1");
        let utf_16: Vec<u8> = "Name: a\nVersion: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(CoreMetadata::parse(&utf_16), Err(MetadataError::Missing("Name")));
    }

    #[test]
    fn what_no_real_file_has_is_refused() {
        let many = |line: &str, times| line.repeat(times);
        let deep = format!("Requires-Dist: a; {}os_name == 'a'{}", many("(", 50_000), many(")", 50_000));
        assert!(reason(&deep).contains("longer than 4096 bytes"), "{}", reason(&deep));
        let deep = format!("Requires-Dist: a; {}os_name == 'a'{}", many("(", 1000), many(")", 1000));
        assert!(reason(&deep).contains("parentheses"), "{}", reason(&deep));
        let pairs = "(extra=='aN' and extra=='zN') or ";
        let pairs: String = (0..40).map(|number: u8| pairs.replace('N', &number.to_string())).collect();
        let wide = format!("Requires-Dist: a; {pairs}os_name=='a'");
        assert!(reason(&wide).contains("too complex"), "{}", reason(&wide));
        let listed = format!("Requires-Dist: a{}", many("!=1,", 200));
        assert!(reason(&listed).contains("more than 128"), "{}", reason(&listed));
        assert!(reason(&many("Requires-Dist: a\n", MOST_FIELDS + 1)).contains("more than 10000 requirements"));
        assert!(reason(&many("Provides-Extra: a\n", MOST_FIELDS + 1)).contains("more than 10000 extras"));
        let heavy = format!("Requires-Dist: a @ https://h/{}\n", many("a", 3000));
        assert!(reason(&many(&heavy, 1000)).contains("units of requirements"));
        for version in [many("1.", 1_000_000), many("9", 1000), "1+a.".repeat(1000), format!("{}!1", u128::MAX)] {
            let error = CoreMetadata::parse(format!("Name: a\nVersion: {version}\n").as_bytes()).unwrap_err();
            assert!(matches!(error, MetadataError::Invalid { field: "Version", .. }), "{error}");
            assert!(error.to_string().len() < 1000);
        }
    }
}
