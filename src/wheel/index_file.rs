//! The list of a cached wheel's files, with what they were when they were unpacked; read on every hit.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::UnpackedFile;
use crate::vocab::Sha256;

/// The name of the file in a cached wheel's folder.
pub(super) const FILE: &str = "index";
const HEADER: &str = "torchfix wheel 1";

/// What a cached wheel was when it was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexFile {
    pub(super) sha256: Sha256,
    pub(super) dist_info: String,
    pub(super) files: Vec<UnpackedFile>,
    /// The modification time of each file, in nanoseconds since 1970.
    pub(super) modified: Vec<i64>,
}

impl IndexFile {
    /// As text: a header, a line a file, and a checksum over all of it.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\t{}\t{}\n", self.sha256, self.dist_info);
        for (file, modified) in self.files.iter().zip(&self.modified) {
            let mode = if file.executable { 'x' } else { '-' };
            // Writing to a string cannot fail; paths hold neither tabs nor line ends.
            let _ = writeln!(text, "{}\t{modified}\t{mode}\t{}\t{}", file.size, file.record_hash, file.path);
        }
        let checksum = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "end\t{checksum:08x}");
        text
    }

    /// Reads what [`IndexFile::to_text`] wrote; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('\n')?;
        let end = body.rfind('\n')? + 1;
        let checksum = u32::from_str_radix(body[end..].strip_prefix("end\t")?, 16).ok()?;
        if crc32fast::hash(&text.as_bytes()[..end]) != checksum {
            return None;
        }
        let mut lines = text[..end].lines();
        let mut header = lines.next()?.split('\t');
        let (HEADER, sha256, dist_info, None) = (header.next()?, header.next()?, header.next()?, header.next()) else {
            return None;
        };
        let mut index = Self {
            sha256: sha256.parse().ok()?,
            dist_info: dist_info.to_owned(),
            files: Vec::new(),
            modified: Vec::new(),
        };
        for line in lines {
            let mut fields = line.splitn(5, '\t');
            let (size, modified, mode) = (fields.next()?, fields.next()?, fields.next()?);
            let (record_hash, path) = (fields.next()?.to_owned(), fields.next()?.to_owned());
            let executable = mode == "x";
            index.files.push(UnpackedFile { path, size: size.parse().ok()?, executable, record_hash });
            index.modified.push(modified.parse().ok()?);
        }
        Some(index)
    }

    /// The index of the wheel cached in `folder`; `None` when it cannot be used.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        Self::parse(&fs_err::read_to_string(folder.join(FILE)).ok()?)
    }

    /// Writes it beside its place and renames it.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("index.new");
        fs_err::write(&new, self.to_text())?;
        fs_err::rename(new, folder.join(FILE))
    }
}

/// A modification time in nanoseconds since 1970.
pub(super) fn nanoseconds(time: SystemTime) -> i64 {
    let signed = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => signed(after),
        Err(before) => -signed(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_and_nothing_else() {
        let file = |path: &str, executable| UnpackedFile {
            path: path.to_owned(),
            size: 7,
            executable,
            record_hash: "sha256=x".to_owned(),
        };
        let index = IndexFile {
            sha256: Sha256::of(b"wheel"),
            dist_info: "demo-1.dist-info".to_owned(),
            files: vec![file("demo/__init__.py", false), file("demo/a b", true)],
            modified: vec![-5, 1_700_000_000_123_456_789],
        };
        let text = index.to_text();
        assert_eq!(IndexFile::parse(&text), Some(index));
        for cut in 0..text.len() {
            assert_eq!(IndexFile::parse(&text[..cut]), None, "cut at {cut}");
        }
        assert_eq!(IndexFile::parse(&text.replace('7', "8")), None);
    }
}
