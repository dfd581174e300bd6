//! A DLL, as the loader sees it.

use std::io;
use std::path::Path;

use object::{ReadCache, ReadRef, pe};

use super::exports::Exports;
use super::fault::{PeFault, malformed};
use super::headers::{Headers, LinkerVersion, PeMachine};
use super::imports::{ImportReader, ImportedLibrary};
use super::ranges::Ranges;
use super::version::file_version;
use crate::vocab::FileVersion;

/// torch's largest export table is 8 MiB.
const LARGEST_EXPORTS: u32 = 64 << 20;

/// A DLL, or a program, as the loader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeImage {
    /// What it was compiled for.
    pub machine: PeMachine,
    /// Whether it is a DLL rather than a program.
    pub is_dll: bool,
    /// The linker that made it.
    pub linker: LinkerVersion,
    /// What it needs when it is loaded, in order.
    pub imports: Vec<ImportedLibrary>,
    /// What it needs when that is first called, in order.
    pub delayed: Vec<ImportedLibrary>,
    /// What others may import of it.
    pub exports: Exports,
    /// The version that its resources state.
    pub file_version: Option<FileVersion>,
}

impl PeImage {
    /// Reads an image out of a file that is read in ranges, such as a [`ReadCache`].
    pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Self, PeFault> {
        let headers = Headers::read(data)?;
        let ranges = Ranges::new(data, &headers.sections).ok_or(malformed("size"))?;
        let mut reader = ImportReader::new(&ranges, &headers);
        let imports = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT);
        let delayed = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT);
        let exports = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT).and_then(|directory| {
            Some(Exports::new(ranges.whole(directory, LARGEST_EXPORTS)?.to_owned(), directory.address))
        });
        Ok(Self {
            machine: headers.machine,
            is_dll: headers.is_dll,
            linker: headers.linker,
            imports: imports.map(|directory| reader.at_load(directory)).transpose()?.unwrap_or_default(),
            delayed: delayed.map(|directory| reader.delayed(directory)).unwrap_or_default(),
            exports: exports.unwrap_or_default(),
            file_version: file_version(&headers, &ranges),
        })
    }

    /// Reads the image of the file at `path`; `None` where there is no file.
    pub fn open(path: &Path) -> Option<Result<Self, PeFault>> {
        Some(match open(path) {
            Ok(file) => Self::read(&ReadCache::new(file?)),
            Err(error) => Err(unreadable(&error)),
        })
    }

    /// The memory that it takes, in bytes, about.
    pub fn weight(&self) -> usize {
        let libraries = self.imports.iter().chain(&self.delayed);
        size_of::<Self>() + self.exports.weight() + libraries.map(ImportedLibrary::weight).sum::<usize>()
    }

    /// What it imports of the DLL `name` when it is loaded.
    pub fn imported(&self, name: &str) -> Option<&ImportedLibrary> {
        self.imports.iter().find(|library| library.name.eq_ignore_ascii_case(name))
    }
}

/// The version that the file at `path` states, read without the rest; `None` where it states none or is not there.
pub fn file_version_of(path: &Path) -> Result<Option<FileVersion>, PeFault> {
    let Some(file) = open(path).map_err(|error| unreadable(&error))? else { return Ok(None) };
    let data = ReadCache::new(file);
    let headers = Headers::read(&data)?;
    let ranges = Ranges::new(&data, &headers.sections).ok_or(malformed("size"))?;
    Ok(file_version(&headers, &ranges))
}

/// The file at `path`, if it is one: opening a pipe or a device could wait for ever.
fn open(path: &Path) -> io::Result<Option<fs_err::File>> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs_err::File::open(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(error: &io::Error) -> PeFault {
    PeFault::Unreadable { error: error.kind().to_string() }
}

#[cfg(test)]
mod tests;
