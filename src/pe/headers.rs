//! The headers: what a DLL was made for, where its parts lie, and whether all of it is there.

use std::fmt;

use object::read::pe::{ImageNtHeaders, ImageOptionalHeader as _, optional_header_magic};
use object::{LittleEndian as LE, ReadRef, pe};
use serde::Serialize;

use super::fault::{PeFault, malformed};

/// No real DLL comes near it; a file that does is not worth the memory.
const MOST_SECTIONS: u16 = 1024;

/// The processor that a DLL was compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeMachine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit x86.
    X86,
    /// Any other, `IMAGE_FILE_MACHINE_*`.
    Other(u16),
}

impl fmt::Display for PeMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X86_64 => f.write_str("x86_64"),
            Self::Aarch64 => f.write_str("aarch64"),
            Self::X86 => f.write_str("32-bit x86"),
            Self::Other(machine) => write!(f, "PE machine {machine:#x}"),
        }
    }
}

impl From<u16> for PeMachine {
    fn from(machine: u16) -> Self {
        match pe::Machine(machine) {
            pe::IMAGE_FILE_MACHINE_AMD64 => Self::X86_64,
            pe::IMAGE_FILE_MACHINE_ARM64 => Self::Aarch64,
            pe::IMAGE_FILE_MACHINE_I386 => Self::X86,
            pe::Machine(other) => Self::Other(other),
        }
    }
}

/// The version of the linker that made a file, `14.42`: with Microsoft's it is that of the toolset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LinkerVersion {
    /// The generation.
    pub major: u8,
    /// The release.
    pub minor: u8,
}

impl fmt::Display for LinkerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A part of a file, and where it comes to lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    pub address: u32,
    pub offset: u32,
    /// The bytes that are both in the file and in memory.
    pub size: u32,
}

/// A range of memory that a header points to.
#[derive(Debug, Clone, Copy)]
pub struct Directory {
    pub address: u32,
    pub size: u32,
}

/// What the headers say.
#[derive(Debug)]
pub struct Headers {
    pub machine: PeMachine,
    pub is_dll: bool,
    pub is_64: bool,
    pub linker: LinkerVersion,
    pub sections: Vec<Section>,
    directories: Vec<Directory>,
}

impl Headers {
    /// Reads the headers of a file that is all there.
    pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Self, PeFault> {
        let length = data.len().map_err(|()| PeFault::Unreadable { error: "its size is not known".to_owned() })?;
        let magic: &[u8; 2] = data.read_at(0).map_err(|()| PeFault::NotPe)?;
        if magic != b"MZ" {
            return Err(PeFault::NotPe);
        }
        let truncated = |needs: u64| PeFault::Truncated { needs, has: length };
        let dos: &pe::ImageDosHeader =
            data.read_at(0).map_err(|()| truncated(size_of::<pe::ImageDosHeader>() as u64))?;
        let start = u64::from(dos.nt_headers_offset());
        let needs = start + size_of::<pe::ImageNtHeaders64>() as u64;
        if needs > length {
            return Err(truncated(needs));
        }
        match optional_header_magic(data) {
            Ok(pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC) => Self::parse::<pe::ImageNtHeaders64, R>(data, start, length),
            Ok(pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC) => Self::parse::<pe::ImageNtHeaders32, R>(data, start, length),
            Ok(_) | Err(_) => Err(PeFault::NotPe),
        }
    }

    /// Where a data directory lies, `IMAGE_DIRECTORY_ENTRY_*`.
    pub fn directory(&self, index: usize) -> Option<Directory> {
        self.directories.get(index).copied().filter(|directory| directory.address != 0)
    }

    fn parse<'data, Pe: ImageNtHeaders, R: ReadRef<'data>>(data: R, start: u64, length: u64) -> Result<Self, PeFault> {
        let mut offset = start;
        let file: &pe::ImageFileHeader = data.read_at(start + 4).map_err(|()| malformed("file header"))?;
        let needs = start + 24 + u64::from(file.size_of_optional_header.get(LE));
        if needs > length {
            return Err(PeFault::Truncated { needs, has: length });
        }
        let (headers, directories) = Pe::parse(data, &mut offset).map_err(|_| malformed("optional header"))?;
        let count = file.number_of_sections.get(LE);
        if count > MOST_SECTIONS {
            return Err(malformed("section headers"));
        }
        let table_end = offset + u64::from(count) * size_of::<pe::ImageSectionHeader>() as u64;
        let table = headers.sections(data, offset).map_err(|_| PeFault::Truncated { needs: table_end, has: length })?;
        let mut needs = table_end;
        let mut sections = Vec::with_capacity(usize::from(count));
        for section in table.iter() {
            let (pointer, raw) = (section.pointer_to_raw_data.get(LE), section.size_of_raw_data.get(LE));
            if pointer != 0 && raw != 0 {
                needs = needs.max(u64::from(pointer) + u64::from(raw));
            }
            let in_memory = section.virtual_size.get(LE);
            sections.push(Section {
                address: section.virtual_address.get(LE),
                offset: pointer,
                size: if in_memory == 0 { raw } else { raw.min(in_memory) },
            });
        }
        if needs > length {
            return Err(PeFault::Truncated { needs, has: length });
        }
        let optional = headers.optional_header();
        Ok(Self {
            machine: file.machine.get(LE).0.into(),
            is_dll: file.characteristics.get(LE).contains(pe::IMAGE_FILE_DLL),
            is_64: headers.is_type_64(),
            linker: LinkerVersion { major: optional.major_linker_version(), minor: optional.minor_linker_version() },
            sections,
            directories: directories
                .iter()
                .map(|entry| Directory { address: entry.virtual_address.get(LE), size: entry.size.get(LE) })
                .collect(),
        })
    }
}
