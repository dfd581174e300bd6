//! RECORD: the list of an installed distribution's files.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

use crate::vocab::{RecordRows, RecordSyntaxError};

/// One line of a RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEntry {
    /// The file: absolute, or relative to the folder that holds the `dist-info`; `/` between components.
    pub path: String,
    /// Its hash, `sha256=…`; empty where none is given.
    pub hash: String,
    /// Its size in bytes, where given.
    pub size: Option<u64>,
}

/// A RECORD that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is no CSV.
    #[error(transparent)]
    Syntax(#[from] RecordSyntaxError),
    /// A size is not a number.
    #[error("`{path}` has the size `{size}`")]
    Size {
        /// The file.
        path: String,
        /// What stands where its size should.
        size: String,
    },
}

/// Parses a RECORD; lines without a path, and fields beyond the third, are passed over.
pub fn parse_record(bytes: &[u8]) -> Result<Vec<RecordEntry>, RecordError> {
    let mut entries = Vec::new();
    for row in RecordRows::of(bytes)? {
        let [path, hash, size] = row?.fields;
        if path.is_empty() {
            continue;
        }
        let size = match size.trim() {
            "" => None,
            digits => match digits.parse() {
                Ok(size) => Some(size),
                Err(_) => return Err(RecordError::Size { path, size }),
            },
        };
        entries.push(RecordEntry { path, hash, size });
    }
    Ok(entries)
}

/// Writes a RECORD, in the order given.
pub fn write_record<'a>(entries: impl IntoIterator<Item = &'a RecordEntry>) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for RecordEntry { path, hash, size } in entries {
        push_field(&mut text, path);
        text.push(',');
        push_field(&mut text, hash);
        text.push(',');
        if let Some(size) = size {
            // Writing to a string cannot fail.
            let _ = write!(text, "{size}");
        }
        text.push('\n');
    }
    text
}

fn push_field(text: &mut String, field: &str) {
    if field.contains(['"', ',', '\n', '\r']) {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &str, hash: &str, size: Option<u64>) -> RecordEntry {
        RecordEntry { path: path.to_owned(), hash: hash.to_owned(), size }
    }

    #[test]
    fn lines_as_pip_and_as_wheel_write_them() {
        let text = b"a/b.py,sha256=x,12\r\n\"odd, \"\"name\"\".py\",sha256=y,0\n\n../../../bin/t,,\na-1.dist-info/RECORD,,\nlast,sha256=z,3";
        assert_eq!(
            parse_record(text).unwrap(),
            [
                entry("a/b.py", "sha256=x", Some(12)),
                entry("odd, \"name\".py", "sha256=y", Some(0)),
                entry("../../../bin/t", "", None),
                entry("a-1.dist-info/RECORD", "", None),
                entry("last", "sha256=z", Some(3)),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse_record(b"a,,\n\"b,,\n"), Err(RecordError::Syntax(RecordSyntaxError::OpenQuote { line: 2 })));
        assert_eq!(parse_record(b"\xff,,\n"), Err(RecordError::Syntax(RecordSyntaxError::Encoding)));
        assert!(matches!(parse_record(b"a,,many\n"), Err(RecordError::Size { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(rows in prop::collection::vec(("[^\0]{1,12}", "[a-z=\",]{0,9}", any::<Option<u64>>()), 0..8)) {
            let entries: Vec<_> = rows.iter().filter(|row| !row.0.starts_with('\u{feff}')).map(|(path, hash, size)| entry(path, hash, *size)).collect();
            prop_assert_eq!(parse_record(write_record(&entries).as_bytes()).unwrap(), entries);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_record(&bytes);
        }

        #[test]
        fn any_text_is_survived(text in "[a,\"\r\n0-9é]{0,40}") {
            let _ = parse_record(text.as_bytes());
        }
    }
}
