//! RECORD: what a distribution says its files are.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use crate::vocab::{RecordFields, RecordRows, RecordSyntaxError, Sha256};

/// A RECORD file, its rows in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The rows.
    pub rows: Vec<RecordRow>,
}

/// A row of RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The file's path, as it is written.
    pub path: String,
    /// Its hash; `None` where the field is empty.
    pub hash: Option<RecordHash>,
    /// Its size; `None` where the field is empty.
    pub size: Option<u64>,
}

/// A hash as RECORD writes it: `sha256=` and URL-safe base64 without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHash {
    algorithm: Algorithm,
    digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// A RECORD that is not valid, or that does not say what the wheel holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not UTF-8, or a row that is no row.
    #[error("line {line} of its RECORD is not valid: {reason}")]
    Invalid {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The wheel has none.
    #[error("it has no RECORD")]
    Missing,
    /// A file of the wheel is in no row.
    #[error("its RECORD does not list `{0}`")]
    Unlisted(String),
    /// A row is for a file that the wheel does not have.
    #[error("its RECORD lists `{0}`, which it does not hold")]
    Absent(String),
    /// A file has two rows that differ.
    #[error("its RECORD lists `{0}` twice")]
    Twice(String),
    /// A file's row has no hash.
    #[error("its RECORD has no hash for `{0}`")]
    NoHash(String),
    /// A file has another size.
    #[error("`{path}` has {actual} bytes, its RECORD says {expected}")]
    Size {
        /// The file.
        path: String,
        /// What RECORD says.
        expected: u64,
        /// What it has.
        actual: u64,
    },
    /// A file has another hash.
    #[error("`{0}` does not match its hash in RECORD")]
    Hash(String),
}

impl From<RecordSyntaxError> for RecordError {
    fn from(error: RecordSyntaxError) -> Self {
        match error {
            RecordSyntaxError::Encoding => Self::Invalid { line: 1, reason: "it is not UTF-8" },
            RecordSyntaxError::OpenQuote { line } => Self::Invalid { line, reason: "a quote is not closed" },
        }
    }
}

impl Record {
    /// Parses the file; only empty lines are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut rows = Vec::new();
        for row in RecordRows::of(bytes)? {
            let row = row?;
            if row.count == 1 && row.fields[0].is_empty() {
                continue;
            }
            let line = row.line;
            rows.push(RecordRow::judge(row).map_err(|reason| RecordError::Invalid { line, reason })?);
        }
        Ok(Self { rows })
    }

    /// Holds the rows against the files of a wheel, both ways: names and sizes. Gives each file its hash field.
    ///
    /// `files` are paths with their sizes, `folders` paths of folders, `record` the path of RECORD itself.
    pub(super) fn judge(
        &self,
        files: &[(&str, u64)],
        folders: &[&str],
        record: &str,
    ) -> Result<Vec<Option<RecordHash>>, RecordError> {
        let mut rows: HashMap<&str, &RecordRow> = HashMap::with_capacity(self.rows.len());
        for row in &self.rows {
            if rows.insert(&row.path, row).is_some_and(|other| other != row) {
                return Err(RecordError::Twice(row.path.clone()));
            }
        }
        let is_signature =
            |path: &str| path.strip_prefix(record).is_some_and(|suffix| matches!(suffix, "" | ".jws" | ".p7s"));
        let mut hashes = Vec::with_capacity(files.len());
        for (path, size) in files {
            let row = rows.remove(path);
            if is_signature(path) {
                hashes.push(None);
                continue;
            }
            let row = row.ok_or_else(|| RecordError::Unlisted((*path).to_owned()))?;
            if let Some(expected) = row.size.filter(|expected| expected != size) {
                return Err(RecordError::Size { path: (*path).to_owned(), expected, actual: *size });
            }
            let hash = row.hash.clone().ok_or_else(|| RecordError::NoHash((*path).to_owned()))?;
            hashes.push(Some(hash));
        }
        let stray = self.rows.iter().find(|row| {
            let path = row.path.strip_suffix('/').unwrap_or(&row.path);
            rows.contains_key(row.path.as_str()) && !folders.contains(&path)
        });
        match stray {
            Some(row) => Err(RecordError::Absent(row.path.clone())),
            None => Ok(hashes),
        }
    }
}

impl RecordRow {
    fn judge(row: RecordFields) -> Result<Self, &'static str> {
        let RecordFields { fields: [path, hash, size], count, exact, .. } = row;
        if count > 3 {
            return Err("it has more than three fields");
        }
        if !exact || path.contains('\n') {
            return Err("its fields cannot be told apart");
        }
        let text = |field: String| Some(field).filter(|text| !text.is_empty());
        Ok(Self {
            path,
            hash: text(hash).map(|hash| hash.parse()).transpose()?,
            size: text(size).map(|size| size.parse().map_err(|_| "its size is not a number")).transpose()?,
        })
    }
}

impl RecordHash {
    /// The SHA-256 of a file.
    pub fn of_sha256(digest: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, digest: digest.to_record() }
    }

    /// Whether what `reader` holds hashes to this.
    pub fn matches(&self, reader: &mut dyn Read) -> io::Result<bool> {
        let digest = match self.algorithm {
            Algorithm::Sha256 => digest::<sha2::Sha256>(reader)?,
            Algorithm::Sha384 => digest::<sha2::Sha384>(reader)?,
            Algorithm::Sha512 => digest::<sha2::Sha512>(reader)?,
        };
        Ok(digest == self.digest)
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        };
        write!(f, "{algorithm}={}", self.digest)
    }
}

impl FromStr for RecordHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, digest) = text.split_once('=').ok_or("its hash has no algorithm")?;
        let (algorithm, length) = match algorithm {
            "sha256" => (Algorithm::Sha256, 43),
            "sha384" => (Algorithm::Sha384, 64),
            "sha512" => (Algorithm::Sha512, 86),
            _ => return Err("its hash is not sha256 or stronger"),
        };
        // Some writers leave the padding in.
        let digest = digest.trim_end_matches('=');
        if digest.len() != length || !digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err("its hash is not valid");
        }
        Ok(Self { algorithm, digest: digest.to_owned() })
    }
}

fn digest<D: sha2::Digest>(reader: &mut dyn Read) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(base64(&hasher.finalize()))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 1);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|at| char::from(ALPHABET[(bits >> (18 - 6 * at) & 0x3f) as usize])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    fn judge(rows: &str) -> Result<usize, RecordError> {
        let files = [("a.py", 0), ("b, c.py", 0), ("d/RECORD", 9), ("d/RECORD.jws", 3)];
        Ok(Record::parse(rows.as_bytes())?.judge(&files, &["e"], "d/RECORD")?.iter().flatten().count())
    }

    #[test]
    fn names_and_sizes_agree_both_ways() {
        let good = format!("a.py,{HASH},0\r\n\"b, c.py\",{HASH},\nd/RECORD,,\ne/,,\n");
        assert_eq!(judge(&good), Ok(2));
        let path = |name: &str| name.to_owned();
        assert_eq!(judge(&format!("a.py,{HASH},0\n")), Err(RecordError::Unlisted(path("b, c.py"))));
        assert_eq!(judge(&format!("{good}x,{HASH},0\n")), Err(RecordError::Absent(path("x"))));
        assert_eq!(judge(&format!("{good}a.py,{HASH},\n")), Err(RecordError::Twice(path("a.py"))));
        assert_eq!(judge(&good.replace("a.py,sha256", "../a.py,sha256")), Err(RecordError::Unlisted(path("a.py"))));
        assert!(matches!(judge(&good.replace(",0", ",1")), Err(RecordError::Size { expected: 1, actual: 0, .. })));
        assert_eq!(judge(&good.replacen(HASH, "", 1)), Err(RecordError::NoHash(path("a.py"))));
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        for bad in ["a,md5=x,1", "a,sha256=short,1", "a,,1,2", "\"a,,", "a,,-1", "\"a\"b,,", "\"a\nb\",,"] {
            assert!(matches!(Record::parse(bad.as_bytes()), Err(RecordError::Invalid { line: 1, .. })), "{bad}");
        }
        assert!(Record::parse(b"\xff").is_err());
    }

    #[test]
    fn hashes_are_held_against_contents() {
        let hash: RecordHash = HASH.parse().unwrap();
        assert!(hash.matches(&mut io::empty()).unwrap());
        assert!(!hash.matches(&mut &b"x"[..]).unwrap());
        assert_eq!(hash, RecordHash::of_sha256(Sha256::of(b"")));
        assert_eq!(hash.to_string(), HASH);
    }
}
