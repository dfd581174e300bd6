//! What the dynamic linker reads of an ELF file, read in ranges: headers, the dynamic section, symbol versions.

use object::elf::{self, DynamicTag, FileHeader64, ProgramHeader64, ProgramType};
use object::{Endianness, Pod, ReadRef};

/// No real library comes near these; a file that does is not worth the memory.
const MOST_SEGMENTS: usize = 256;
const MOST_DYNAMIC_ENTRIES: usize = 4096;
const MOST_VERSIONS: u64 = 4096;

/// A shared library, as the dynamic linker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfImage {
    /// What it was compiled for, `EM_*`.
    pub machine: u16,
    /// The name it goes by once loaded.
    pub soname: Option<String>,
    /// The libraries it needs, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`, its entries as written; passed over where there is a `DT_RUNPATH`.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, its entries as written.
    pub runpath: Option<Vec<String>>,
    /// The symbol versions it needs of others.
    pub version_needs: Vec<VersionNeed>,
    /// The symbol versions it defines.
    pub versions: Vec<String>,
}

/// A symbol version that a library needs of another: `GLIBC_2.28` of `libc.so.6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionNeed {
    /// The other library, as `DT_NEEDED` names it.
    pub library: String,
    /// The version.
    pub version: String,
    /// Whether it may be absent.
    pub weak: bool,
}

/// Why a file cannot be loaded, whatever surrounds it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ElfFault {
    /// It is something else.
    #[error("is no ELF library")]
    NotElf,
    /// It is for another kind of machine.
    #[error("is for another processor ({machine})")]
    WrongMachine {
        /// Which.
        machine: String,
    },
    /// Its end is missing.
    #[error("is truncated: {has} bytes of at least {needs}")]
    Truncated {
        /// The bytes its headers promise.
        needs: u64,
        /// The bytes there are.
        has: u64,
    },
    /// Its headers contradict themselves.
    #[error("has damaged headers: {what}")]
    Malformed {
        /// Where.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot be read: {error}")]
    Unreadable {
        /// What the system says.
        error: String,
    },
}

const fn malformed(what: &'static str) -> ElfFault {
    ElfFault::Malformed { what }
}

impl ElfImage {
    /// Reads an image out of a file that is read in ranges.
    pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Self, ElfFault> {
        let length = data.len().map_err(|()| ElfFault::Unreadable { error: "its size is not known".to_owned() })?;
        let ident: &[u8; 6] = data.read_at(0).map_err(|()| ElfFault::NotElf)?;
        let endian = match *ident {
            [0x7f, b'E', b'L', b'F', 2, 1] => Endianness::Little,
            [0x7f, b'E', b'L', b'F', 2, 2] => Endianness::Big,
            [0x7f, b'E', b'L', b'F', 1, _] => return Err(ElfFault::WrongMachine { machine: "32-bit".to_owned() }),
            [0x7f, b'E', b'L', b'F', ..] => return Err(malformed("class and byte order")),
            _ => return Err(ElfFault::NotElf),
        };
        let truncated = |needs: u64| ElfFault::Truncated { needs, has: length };
        let header_size = size_of::<FileHeader64<Endianness>>() as u64;
        let header = data.read_at::<FileHeader64<Endianness>>(0).map_err(|()| truncated(header_size))?;
        let file = File { data, length, endian, segments: segments(data, header, endian, length)? };
        let needs = file.segments.iter().map(Segment::end).max().unwrap_or(0);
        if needs > length {
            return Err(truncated(needs));
        }
        file.image(header.e_machine.get(endian).0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    kind: ProgramType,
    offset: u64,
    address: u64,
    size: u64,
}

impl Segment {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

fn segments<'data, R: ReadRef<'data>>(
    data: R,
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    length: u64,
) -> Result<Vec<Segment>, ElfFault> {
    let count = usize::from(header.e_phnum.get(endian));
    let entry_size = usize::from(header.e_phentsize.get(endian));
    if count == 0 || count > MOST_SEGMENTS || entry_size != size_of::<ProgramHeader64<Endianness>>() {
        return Err(malformed("program headers"));
    }
    let offset = header.e_phoff.get(endian);
    let headers: &[ProgramHeader64<Endianness>] = data
        .read_slice_at(offset, count)
        .map_err(|()| ElfFault::Truncated { needs: offset.saturating_add((count * entry_size) as u64), has: length })?;
    let segment = |header: &ProgramHeader64<Endianness>| Segment {
        kind: header.p_type.get(endian),
        offset: header.p_offset.get(endian),
        address: header.p_vaddr.get(endian),
        size: header.p_filesz.get(endian),
    };
    Ok(headers.iter().map(segment).filter(|it| matches!(it.kind, elf::PT_LOAD | elf::PT_DYNAMIC)).collect())
}

struct File<R> {
    data: R,
    length: u64,
    endian: Endianness,
    segments: Vec<Segment>,
}

/// The values of the dynamic section that matter here; several of them are addresses.
#[derive(Debug, Default)]
struct Dynamic {
    needed: Vec<u64>,
    soname: Option<u64>,
    rpath: Option<u64>,
    runpath: Option<u64>,
    strings: Option<u64>,
    strings_size: u64,
    definitions: Option<u64>,
    definitions_count: u64,
    needs: Option<u64>,
    needs_count: u64,
}

impl<'data, R: ReadRef<'data>> File<R> {
    fn image(&self, machine: u16) -> Result<ElfImage, ElfFault> {
        let dynamic = self.dynamic()?;
        let strings = Strings {
            file: self,
            start: match dynamic.strings {
                Some(address) => self.offset_of(address).ok_or(malformed("string table"))?,
                None => 0,
            },
            size: dynamic.strings_size,
        };
        let list = |offset: u64| -> Result<Vec<String>, ElfFault> {
            Ok(strings.at(offset)?.split(':').filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
        };
        Ok(ElfImage {
            machine,
            soname: dynamic.soname.map(|offset| strings.at(offset)).transpose()?,
            needed: dynamic.needed.iter().map(|offset| strings.at(*offset)).collect::<Result<_, _>>()?,
            rpath: dynamic.rpath.map(list).transpose()?.unwrap_or_default(),
            runpath: dynamic.runpath.map(list).transpose()?,
            version_needs: self.version_needs(&dynamic, &strings)?,
            versions: self.versions(&dynamic, &strings)?,
        })
    }

    fn dynamic(&self) -> Result<Dynamic, ElfFault> {
        let mut dynamic = Dynamic::default();
        let Some(segment) = self.segments.iter().find(|segment| segment.kind == elf::PT_DYNAMIC) else {
            return Ok(dynamic); // linked statically: it needs nothing
        };
        let entry_size = size_of::<elf::Dyn64<Endianness>>() as u64;
        let count = usize::try_from(segment.size / entry_size).unwrap_or(usize::MAX).min(MOST_DYNAMIC_ENTRIES);
        let entries: &[elf::Dyn64<Endianness>] =
            self.data.read_slice_at(segment.offset, count).map_err(|()| malformed("dynamic section"))?;
        for entry in entries {
            let value = entry.d_val.get(self.endian);
            let tag: DynamicTag = entry.d_tag.get(self.endian);
            match tag {
                elf::DT_NULL => break,
                elf::DT_NEEDED => dynamic.needed.push(value),
                elf::DT_SONAME => dynamic.soname = Some(value),
                elf::DT_RPATH => dynamic.rpath = Some(value),
                elf::DT_RUNPATH => dynamic.runpath = Some(value),
                elf::DT_STRTAB => dynamic.strings = Some(value),
                elf::DT_STRSZ => dynamic.strings_size = value,
                elf::DT_VERDEF => dynamic.definitions = Some(value),
                elf::DT_VERDEFNUM => dynamic.definitions_count = value,
                elf::DT_VERNEED => dynamic.needs = Some(value),
                elf::DT_VERNEEDNUM => dynamic.needs_count = value,
                _ => {}
            }
        }
        Ok(dynamic)
    }

    fn versions(&self, dynamic: &Dynamic, strings: &Strings<'_, R>) -> Result<Vec<String>, ElfFault> {
        let Some(mut at) = self.table(dynamic.definitions, "version definitions")? else { return Ok(Vec::new()) };
        let mut versions = Vec::new();
        for _ in 0..dynamic.definitions_count.min(MOST_VERSIONS) {
            let definition: &elf::Verdef<Endianness> = self.at(at, "version definitions")?;
            let name: &elf::Verdaux<Endianness> =
                self.at(after(at, definition.vd_aux.get(self.endian)), "version definitions")?;
            versions.push(strings.at(name.vda_name.get(self.endian).into())?);
            match definition.vd_next.get(self.endian) {
                0 => break,
                next => at = after(at, next),
            }
        }
        Ok(versions)
    }

    fn version_needs(&self, dynamic: &Dynamic, strings: &Strings<'_, R>) -> Result<Vec<VersionNeed>, ElfFault> {
        let Some(mut at) = self.table(dynamic.needs, "version needs")? else { return Ok(Vec::new()) };
        let mut needs = Vec::new();
        for _ in 0..dynamic.needs_count.min(MOST_VERSIONS) {
            let need: &elf::Verneed<Endianness> = self.at(at, "version needs")?;
            let library = strings.at(need.vn_file.get(self.endian).into())?;
            let mut version_at = after(at, need.vn_aux.get(self.endian));
            for _ in 0..need.vn_cnt.get(self.endian) {
                if needs.len() as u64 >= MOST_VERSIONS {
                    return Err(malformed("version needs"));
                }
                let version: &elf::Vernaux<Endianness> = self.at(version_at, "version needs")?;
                needs.push(VersionNeed {
                    library: library.clone(),
                    version: strings.at(version.vna_name.get(self.endian).into())?,
                    weak: version.vna_flags.get(self.endian).0 & elf::VER_FLG_WEAK.0 != 0,
                });
                match version.vna_next.get(self.endian) {
                    0 => break,
                    next => version_at = after(version_at, next),
                }
            }
            match need.vn_next.get(self.endian) {
                0 => break,
                next => at = after(at, next),
            }
        }
        Ok(needs)
    }

    fn table(&self, address: Option<u64>, what: &'static str) -> Result<Option<u64>, ElfFault> {
        address.map(|address| self.offset_of(address).ok_or(malformed(what))).transpose()
    }

    fn at<T: Pod>(&self, offset: u64, what: &'static str) -> Result<&'data T, ElfFault> {
        self.data.read_at(offset).map_err(|()| malformed(what))
    }

    /// Where in the file the byte lies that is loaded at `address`.
    fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments.iter().filter(|segment| segment.kind == elf::PT_LOAD).find_map(|segment| {
            let within = address.checked_sub(segment.address)?;
            (within < segment.size).then(|| segment.offset.saturating_add(within))
        })
    }
}

fn after(offset: u64, step: u32) -> u64 {
    offset.saturating_add(u64::from(step))
}

struct Strings<'file, R> {
    file: &'file File<R>,
    start: u64,
    size: u64,
}

impl<'data, R: ReadRef<'data>> Strings<'_, R> {
    fn at(&self, offset: u64) -> Result<String, ElfFault> {
        let start = self.start.saturating_add(offset);
        let end = self.start.saturating_add(self.size).min(self.file.length);
        if offset >= self.size || start >= end {
            return Err(malformed("string table"));
        }
        let bytes = self.file.data.read_bytes_at_until(start..end, 0).map_err(|()| malformed("string table"))?;
        // Names that are not UTF-8 name no file of a wheel; what replaces them is found nowhere.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A library without sections: one segment over the whole file, the dynamic section, strings.
    fn library() -> Vec<u8> {
        let strings = b"\0libc10.so\0libx.so.1\0$ORIGIN:$ORIGIN/../lib\0";
        let dynamic: [(u64, u64); 7] =
            [(1, 1), (14, 11), (15, 21), (5, 0x200), (10, strings.len() as u64), (0, 0), (0, 0)];
        let mut bytes = vec![0; 0x200];
        bytes[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
        bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
        bytes[32] = 64; // e_phoff
        bytes[52..60].copy_from_slice(&[64, 0, 56, 0, 2, 0, 64, 0]);
        let total = (0x200 + strings.len()) as u64;
        for (index, (kind, offset, size)) in [(1u32, 0u64, total), (2, 0x100, 7 * 16)].into_iter().enumerate() {
            let at = 64 + index * 56;
            bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            for (field, value) in [(8, offset), (16, offset), (32, size), (40, size)] {
                bytes[at + field..at + field + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        for (index, (tag, value)) in dynamic.into_iter().enumerate() {
            let at = 0x100 + index * 16;
            bytes[at..at + 8].copy_from_slice(&tag.to_le_bytes());
            bytes[at + 8..at + 16].copy_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(strings);
        bytes
    }

    #[test]
    fn names_and_paths_are_read_without_sections() {
        let image = ElfImage::read(library().as_slice()).unwrap();
        assert_eq!(image.needed, ["libc10.so"]);
        assert_eq!(image.soname.as_deref(), Some("libx.so.1"));
        assert_eq!(image.rpath, ["$ORIGIN", "$ORIGIN/../lib"]);
        assert_eq!((image.runpath, image.machine), (None, 62));
    }

    #[test]
    fn damage_has_a_name() {
        let whole = library();
        assert!(matches!(ElfImage::read(&whole[..whole.len() - 1]), Err(ElfFault::Truncated { .. })));
        assert!(matches!(ElfImage::read(&whole[..40]), Err(ElfFault::Truncated { .. })));
        assert_eq!(ElfImage::read(b"".as_slice()), Err(ElfFault::NotElf));
        assert_eq!(ElfImage::read([0u8; 4096].as_slice()), Err(ElfFault::NotElf));
        let mut other = whole;
        other[4] = 1;
        assert!(matches!(ElfImage::read(other.as_slice()), Err(ElfFault::WrongMachine { .. })));
    }

    proptest! {
        #[test]
        fn damaged_headers_never_panic(changes in prop::collection::vec((0usize..0x230, any::<u8>()), 1..24), cut in 0usize..0x230) {
            let mut bytes = library();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = ElfImage::read(bytes.as_slice());
            let _ = ElfImage::read(&bytes[..cut.min(bytes.len())]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
            elf.extend(bytes);
            let _ = ElfImage::read(elf.as_slice());
        }
    }
}
