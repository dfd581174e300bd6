//! Why an archive is refused.

use crate::vocab::{Diagnostic, ExitStatus};

/// An archive that is not read, because it is damaged or because two readers could read it in two ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    /// Code `zip.need-more`, exit 24: the tail at hand is too short to judge; ask again with the bytes from `from`.
    #[error("the archive's directory begins at byte {from}, before what was read")]
    NeedMore {
        /// Where the tail must begin.
        from: u64,
    },
    /// Code `zip.no-end-record`, exit 24.
    #[error("not a ZIP archive: it has no end of central directory record")]
    NoEndRecord,
    /// Code `zip.trailing-bytes`, exit 24.
    #[error("{0} bytes follow the archive's end record")]
    TrailingBytes(u64),
    /// Code `zip.two-end-records`, exit 24.
    #[error("the archive has more than one end record")]
    TwoEndRecords,
    /// Code `zip.hidden-in-comment`, exit 24.
    #[error("the archive's comment holds ZIP records")]
    HiddenInComment,
    /// Code `zip.bad-end-record`, exit 24.
    #[error("the archive's end record is not valid: {0}")]
    BadEndRecord(&'static str),
    /// Code `zip.bad-directory`, exit 24.
    #[error("the archive's central directory is not valid at entry {index}: {reason}")]
    BadDirectory {
        /// The entry, counted from 0.
        index: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Code `zip.too-large`, exit 24.
    #[error("the archive declares {what} of {declared}, more than the {limit} torchfix accepts")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What it declares.
        declared: u64,
        /// The limit.
        limit: u64,
    },
    /// Code `zip.bad-name`, exit 24.
    #[error("the archive's entry `{name}` is refused: {reason}")]
    BadName {
        /// The name, made printable.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Code `zip.duplicate-name`, exit 24.
    #[error("the archive holds `{0}` more than once")]
    DuplicateName(String),
    /// Code `zip.case-clash`, exit 24.
    #[error("the archive holds both `{first}` and `{second}`, which are one file on this system")]
    CaseClash {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// Code `zip.file-as-folder`, exit 24.
    #[error("the archive's entry `{name}` lies below `{parent}`, which is a file")]
    FileAsFolder {
        /// The entry.
        name: String,
        /// The file it would lie in.
        parent: String,
    },
    /// Code `zip.unsupported`, exit 24.
    #[error("the archive's entry `{name}` is {what}")]
    Unsupported {
        /// The entry.
        name: String,
        /// What it is: encrypted, a symbolic link, compressed by another method.
        what: &'static str,
    },
    /// Code `zip.bad-entry`, exit 24.
    #[error("the archive's entry `{name}` is not valid: {reason}")]
    BadEntry {
        /// The entry.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Code `zip.overlap`, exit 24.
    #[error("the archive's entry `{name}` overlaps what follows it")]
    Overlap {
        /// The entry.
        name: String,
    },
    /// Code `zip.hidden-bytes`, exit 24.
    #[error("the archive has {count} bytes at {offset} that belong to no entry")]
    HiddenBytes {
        /// Where they begin.
        offset: u64,
        /// How many.
        count: u64,
    },
    /// Code `zip.headers-differ`, exit 24.
    #[error("the archive's entry `{name}` has another {field} in its local header than in the directory")]
    HeadersDiffer {
        /// The entry.
        name: String,
        /// What differs.
        field: &'static str,
    },
}

impl Diagnostic for ZipError {
    fn code(&self) -> &'static str {
        match self {
            Self::NeedMore { .. } => "zip.need-more",
            Self::NoEndRecord => "zip.no-end-record",
            Self::TrailingBytes(_) => "zip.trailing-bytes",
            Self::TwoEndRecords => "zip.two-end-records",
            Self::HiddenInComment => "zip.hidden-in-comment",
            Self::BadEndRecord(_) => "zip.bad-end-record",
            Self::BadDirectory { .. } => "zip.bad-directory",
            Self::TooLarge { .. } => "zip.too-large",
            Self::BadName { .. } => "zip.bad-name",
            Self::DuplicateName(_) => "zip.duplicate-name",
            Self::CaseClash { .. } => "zip.case-clash",
            Self::FileAsFolder { .. } => "zip.file-as-folder",
            Self::Unsupported { .. } => "zip.unsupported",
            Self::BadEntry { .. } => "zip.bad-entry",
            Self::Overlap { .. } => "zip.overlap",
            Self::HiddenBytes { .. } => "zip.hidden-bytes",
            Self::HeadersDiffer { .. } => "zip.headers-differ",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Refused
    }
}
