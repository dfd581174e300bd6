use proptest::prelude::*;

use super::*;
use crate::pe::builder::{Dll, I386};
use crate::pe::{Symbol, Target};

fn name(name: &str) -> Symbol {
    Symbol::Name(name.to_owned())
}

fn library() -> Dll {
    Dll::new()
        .linker(14, 42)
        .version([14, 38, 33135, 0])
        .imports("MSVCP140.dll", &["_Mtx_lock", "#7"])
        .imports("c10.dll", &["b"])
        .delays("nvcuda.dll", &["cuInit"])
        .exports(&["zeta", "alpha", "#9"])
        .forwards("mid", "other.inner")
        .forwards("numbered", "other.#12")
}

fn read(dll: &Dll) -> PeImage {
    PeImage::read(dll.build().as_slice()).unwrap()
}

#[test]
fn imports_exports_and_versions_are_read() {
    let image = read(&library());
    assert_eq!((image.machine, image.is_dll, image.linker.to_string().as_str()), (PeMachine::X86_64, true, "14.42"));
    let names: Vec<&str> = image.imports.iter().map(|library| library.name.as_str()).collect();
    assert_eq!(names, ["MSVCP140.dll", "c10.dll"]);
    assert_eq!(image.imported("msvcp140.DLL").unwrap().symbols, [name("_Mtx_lock"), Symbol::Ordinal(7)]);
    assert_eq!(image.delayed[0].name, "nvcuda.dll");
    assert_eq!(image.delayed[0].symbols, [name("cuInit")]);
    assert_eq!(image.file_version, Some(FileVersion::new([14, 38, 33135, 0])));
}

#[test]
fn exports_are_found_by_name_and_number() {
    let exports = read(&library()).exports;
    assert_eq!(exports.find(&name("alpha")), Some(Target::Here));
    assert_eq!(exports.find(&name("Alpha")), None, "names are told apart by case");
    assert_eq!(exports.find(&Symbol::Ordinal(9)), Some(Target::Here));
    assert_eq!((exports.find(&Symbol::Ordinal(5)), exports.find(&Symbol::Ordinal(0))), (None, None));
    let forwarded = |symbol| Some(Target::Forwarded { library: "other.dll".to_owned(), symbol });
    assert_eq!(exports.find(&name("mid")), forwarded(name("inner")));
    assert_eq!(exports.find(&name("numbered")), forwarded(Symbol::Ordinal(12)));
    let all: Vec<(Option<String>, u32)> = exports.iter().map(|export| (export.name, export.ordinal)).collect();
    let named = |name: &str, ordinal| (Some(name.to_owned()), ordinal);
    assert_eq!(all, [named("alpha", 2), named("mid", 10), named("numbered", 11), named("zeta", 1), (None, 9)]);
}

#[test]
fn other_machines_are_read_and_named() {
    let image = read(&Dll::new().machine(I386).imports("KERNEL32.dll", &["Sleep", "#3"]));
    assert_eq!(image.machine, PeMachine::X86);
    assert_eq!(image.imports[0].symbols, [name("Sleep"), Symbol::Ordinal(3)]);
    assert_eq!(read(&Dll::new().machine(0xaa64)).machine, PeMachine::Aarch64);
}

#[test]
fn damage_has_a_name() {
    let whole = library().build();
    for length in [0x41, 0x100, 0x3ff, whole.len() - 1] {
        assert!(matches!(PeImage::read(&whole[..length]), Err(PeFault::Truncated { .. })), "{length}");
    }
    for other in [&b""[..], b"M", b"\x7fELF\x02\x01\x01\0", &[0; 4096]] {
        assert_eq!(PeImage::read(other), Err(PeFault::NotPe));
    }
    let mut damaged = whole.clone();
    damaged[0x40] = b'N';
    assert_eq!(PeImage::read(damaged.as_slice()), Err(PeFault::NotPe));
    // The import table lies outside of the file.
    let mut damaged = whole;
    damaged[0x40 + 24 + 112 + 8 + 3] = 0x70;
    assert_eq!(PeImage::read(damaged.as_slice()), Err(malformed("import table")));
}

#[test]
fn a_file_is_read_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dll");
    fs_err::write(&path, library().build()).unwrap();
    assert_eq!(PeImage::open(&path).unwrap().unwrap(), read(&library()));
    assert_eq!(file_version_of(&path), Ok(Some(FileVersion::new([14, 38, 33135, 0]))));
    assert_eq!(file_version_of(&folder.path().join("none.dll")), Ok(None));
    assert!(PeImage::open(folder.path()).is_none());
    fs_err::write(&path, Dll::new().build()).unwrap();
    assert_eq!(file_version_of(&path), Ok(None));
    fs_err::write(&path, "text").unwrap();
    assert_eq!(file_version_of(&path), Err(PeFault::NotPe));
}

#[test]
fn names_that_lie_over_each_other_are_bounded() {
    let mut bytes = library().exports(&[&"n".repeat(8000)]).build();
    // A million names, all of them at the place of the long one, would be eight gigabytes.
    let long = bytes.windows(8).position(|window| window == b"nnnnnnnn").unwrap();
    let pointer = u32::try_from(long - HEADERS + 0x1000).unwrap().to_le_bytes();
    let exports = HEADERS;
    let end = u32::try_from(bytes.len() - HEADERS + 0x1000).unwrap();
    let numbers = vec![0; 1 << 19];
    bytes[exports + 24..exports + 28].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[exports + 32..exports + 36].copy_from_slice(&(end + (1 << 19)).to_le_bytes());
    bytes[exports + 36..exports + 40].copy_from_slice(&end.to_le_bytes());
    bytes.extend(numbers);
    bytes.extend(pointer.repeat(1 << 18));
    let size = u32::try_from(bytes.len() - HEADERS).unwrap().to_le_bytes();
    let section = 0x40 + 24 + 240;
    bytes[section + 8..section + 12].copy_from_slice(&size);
    bytes[section + 16..section + 20].copy_from_slice(&size);
    let directory = 0x40 + 24 + 112 + 4;
    bytes[directory..directory + 4].copy_from_slice(&size);
    let exports = PeImage::read(bytes.as_slice()).unwrap().exports;
    let names: usize = exports.iter().filter_map(|export| export.name).map(|name| name.len()).sum();
    assert!(names > 1 << 20 && names <= crate::pe::MOST_NAME_BYTES, "{names}");
}

fn exercise(bytes: &[u8]) {
    let Ok(image) = PeImage::read(bytes) else { return };
    let _ = image.exports.iter().count();
    for symbol in image.imports.iter().chain(&image.delayed).flat_map(|library| &library.symbols) {
        let _ = image.exports.find(symbol);
    }
    let _ = image.exports.find(&name("alpha"));
}

proptest! {
    #[test]
    fn damaged_dlls_never_panic(changes in prop::collection::vec((0usize..0xa00, any::<u8>()), 1..24), cut in 0usize..0xa00) {
        let mut bytes = library().build();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        exercise(&bytes);
        exercise(&bytes[..cut.min(bytes.len())]);
    }

    #[test]
    fn damaged_tables_never_panic(changes in prop::collection::vec((0usize..0x600, any::<u32>()), 1..12)) {
        let mut bytes = library().build();
        for (at, value) in changes {
            let at = HEADERS + at / 4 * 4;
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&value.to_le_bytes());
            }
        }
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let mut file = library().build();
        file.truncate(HEADERS);
        file.extend(&bytes);
        exercise(&file);
        let mut file = b"MZ".to_vec();
        file.extend(bytes);
        exercise(&file);
    }
}

const HEADERS: usize = 0x400;
