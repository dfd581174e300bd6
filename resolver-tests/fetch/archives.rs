//! Archives that two readers could read in two ways, and an independent reader as the oracle.
#![allow(clippy::cast_possible_truncation, reason = "test archives are small")]

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use torchfix::vocab::{Diagnostic as _, ExitStatus, Sha256};
use torchfix::zip::{CentralDirectory, Entry, Method, ZipError, judge_descriptor, judge_local_header};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::setup::{Setup, large_wheel};
use crate::support::wheels::{BuiltWheel, WheelBuilder};

/// A member written byte by byte, so that anything can be wrong with it.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    local_name: Option<Vec<u8>>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    mode: u32,
    size: u32,
    /// The compressed size, where it is another.
    packed: Option<u32>,
    local_size: Option<u32>,
    crc32: u32,
    local_crc32: Option<u32>,
    extra: Vec<u8>,
    descriptor: Vec<u8>,
    /// Bytes before its local header.
    before: Vec<u8>,
}

fn raw(name: &str, data: &[u8]) -> Raw {
    Raw {
        name: name.into(),
        local_name: None,
        data: data.to_vec(),
        method: 0,
        flags: 0,
        mode: 0o100_644,
        size: data.len() as u32,
        packed: None,
        local_size: None,
        crc32: crc32fast::hash(data),
        local_crc32: None,
        extra: Vec::new(),
        descriptor: Vec::new(),
        before: Vec::new(),
    }
}

/// Local headers with data, the directory, and where it begins.
fn body(members: &[Raw]) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        bytes.extend(&member.before);
        let offset = bytes.len() as u32;
        let name = member.local_name.as_ref().unwrap_or(&member.name);
        let size = member.local_size.unwrap_or(member.size);
        let crc32 = member.local_crc32.unwrap_or(member.crc32);
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend([member.flags, member.method, 0, 0].iter().flat_map(|field| field.to_le_bytes()));
        let packed = member.packed.unwrap_or(size);
        bytes.extend([crc32, packed, size].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend([name.len() as u16, 0].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend(name);
        bytes.extend(&member.data);
        bytes.extend(&member.descriptor);
        directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        directory.extend([member.flags, member.method, 0, 0].iter().flat_map(|field| field.to_le_bytes()));
        let packed = member.packed.unwrap_or(member.size);
        directory.extend([member.crc32, packed, member.size].iter().flat_map(|field| field.to_le_bytes()));
        let lengths = [member.name.len() as u16, member.extra.len() as u16, 0, 0, 0];
        directory.extend(lengths.iter().flat_map(|field| field.to_le_bytes()));
        directory.extend([member.mode << 16, offset].iter().flat_map(|field| field.to_le_bytes()));
        directory.extend(&member.name);
        directory.extend(&member.extra);
    }
    let start = bytes.len();
    bytes.extend(directory);
    (bytes, start)
}

fn end(entries: u16, size: usize, offset: usize, comment: &[u8]) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
    bytes.extend([entries, entries].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([size as u32, offset as u32].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend((comment.len() as u16).to_le_bytes());
    bytes.extend(comment);
    bytes
}

fn archive(members: &[Raw]) -> Vec<u8> {
    let (mut bytes, start) = body(members);
    bytes.extend(end(members.len() as u16, bytes.len() - start, start, b""));
    bytes
}

/// Judges the directory, and every local header and descriptor.
fn judge(bytes: &[u8]) -> Result<CentralDirectory, ZipError> {
    let directory = CentralDirectory::judge(bytes, 0, bytes.len() as u64)?;
    for entry in &directory.entries {
        let place = &bytes[entry.local_header_offset as usize..entry.end as usize];
        let Ok(local) = judge_local_header(entry, place)? else { panic!("the whole entry is there") };
        judge_descriptor(entry, &place[place.len() - local.descriptor as usize..])?;
    }
    Ok(directory)
}

fn code(bytes: &[u8]) -> &'static str {
    judge(bytes).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn an_ordinary_archive_is_accepted() {
    let directory = judge(&archive(&[raw("a/b.py", b"text"), Raw { mode: 0o040_755, ..raw("c/", b"") }])).unwrap();
    let names: Vec<_> = directory.entries.iter().map(|entry| (entry.path.as_str(), entry.is_dir)).collect();
    assert_eq!(names, [("a/b.py", false), ("c", true)]);
    assert_eq!(directory.total_size, 4);
}

#[test]
fn names_that_are_refused() {
    for name in ["../a", "/a", "a\\b", "c:a", "a//b", "a/./b", "a\0b", "a ", "a.", ""] {
        assert_eq!(code(&archive(&[raw(name, b"")])), "zip.bad-name", "{name:?}");
    }
    assert_eq!(code(&archive(&[raw("é", b"")])), "zip.bad-name");
    assert_eq!(code(&archive(&[Raw { flags: 1 << 11, ..raw("é", b"") }])), "accepted");
    assert_eq!(code(&archive(&[raw("a", b"1"), raw("a", b"2")])), "zip.duplicate-name");
    assert_eq!(code(&archive(&[raw("a", b"1"), Raw { mode: 0o040_755, ..raw("a/", b"") }])), "zip.duplicate-name");
    assert_eq!(code(&archive(&[raw("a", b"1"), raw("a/b", b"2")])), "zip.file-as-folder");
    assert_eq!(code(&archive(&[raw("a/b/c", b"1"), raw("a/b", b"2")])), "zip.file-as-folder");
}

#[test]
fn names_that_trouble_windows() {
    let trouble = |names: &[&str]| {
        let members: Vec<Raw> = names.iter().map(|name| raw(name, b"")).collect();
        judge(&archive(&members)).unwrap().trouble_on_windows().map(|error| error.code())
    };
    assert_eq!(trouble(&["a/x.py", "a/y.py", "b/x.py"]), None);
    assert_eq!(trouble(&["a/x.py", "a/X.py"]), Some("zip.case-clash"));
    assert_eq!(trouble(&["a/x.py", "A/y.py"]), Some("zip.case-clash"));
    assert_eq!(trouble(&["a/aux.py"]), Some("zip.bad-name"));
    assert_eq!(trouble(&["a/what?.py"]), Some("zip.bad-name"));
}

#[test]
fn entries_that_are_refused() {
    let file = || raw("a", b"text");
    let table: Vec<(&str, Raw)> = vec![
        ("zip.unsupported", Raw { mode: 0o120_777, ..file() }),
        ("zip.unsupported", Raw { mode: 0o020_644, ..file() }),
        ("zip.unsupported", Raw { flags: 1, ..file() }),
        ("zip.unsupported", Raw { flags: 1 << 6, ..file() }),
        ("zip.unsupported", Raw { method: 12, ..file() }),
        ("zip.bad-entry", Raw { mode: 0o040_755, ..file() }),
        ("zip.bad-entry", Raw { name: b"a/".into(), mode: 0, ..file() }),
        ("zip.bad-entry", Raw { flags: 8, ..file() }),
        ("zip.bad-entry", Raw { extra: b"\x01\0\xff\0".into(), ..file() }),
        ("zip.bad-entry", Raw { extra: b"up\x06\0\x01\0\0\0\0b".into(), ..file() }),
        ("zip.headers-differ", Raw { local_name: Some(b"b".into()), ..file() }),
        ("zip.headers-differ", Raw { local_size: Some(3), ..file() }),
        ("zip.headers-differ", Raw { local_crc32: Some(1), ..file() }),
        ("zip.headers-differ", Raw { flags: 8, descriptor: vec![0; 12], ..file() }),
        ("zip.hidden-bytes", Raw { descriptor: vec![0; 12], ..file() }),
        ("zip.hidden-bytes", Raw { before: vec![0; 5], ..file() }),
        ("zip.overlap", Raw { size: 400, ..file() }),
    ];
    for (number, (expected, member)) in table.into_iter().enumerate() {
        assert_eq!(code(&archive(&[member])), expected, "row {number}");
    }
    let mut good = file();
    good.descriptor = [b"PK\x07\x08".to_vec(), good.crc32.to_le_bytes().into(), vec![4, 0, 0, 0, 4, 0, 0, 0]].concat();
    assert_eq!(code(&archive(&[Raw { flags: 8, ..good }])), "accepted");
    // A member between two others that the directory does not know.
    let hidden = archive(&[raw("hidden", b"x")]);
    assert_eq!(code(&archive(&[file(), Raw { before: hidden, ..raw("b", b"") }])), "zip.hidden-bytes");
    let bomb = Raw { method: 8, data: vec![3, 0], size: 1 << 20, packed: Some(2), ..file() };
    assert_eq!(code(&archive(&[bomb])), "zip.bad-entry");
    let mut spoiled = archive(&[file(), raw("b", b"")]);
    let second = spoiled.len() - 22 - 47;
    spoiled[second] = b'Q';
    assert_eq!(code(&spoiled), "zip.bad-directory");
}

#[test]
fn ends_that_are_refused() {
    let (bytes, start) = body(&[raw("a", b"text"), raw("b", b"")]);
    let size = bytes.len() - start;
    let with = |end: Vec<u8>| [bytes.clone(), end].concat();
    assert_eq!(code(&with(end(2, size, start, b"a comment"))), "accepted");
    assert_eq!(code(&with(end(2, size, start, b"PK\x03\x04"))), "zip.hidden-in-comment");
    assert_eq!(code(&with(end(2, size, start, &end(0, 0, 0, b"")))), "zip.two-end-records");
    assert_eq!(code(&with([end(2, size, start, b""), vec![0; 3]].concat())), "zip.trailing-bytes");
    assert_eq!(code(&with(end(1, size, start, b""))), "zip.bad-end-record");
    assert_eq!(code(&with(end(3, size, start, b""))), "zip.bad-end-record");
    assert_eq!(code(&with(end(2, size - 1, start, b""))), "zip.bad-end-record");
    assert_eq!(code(&with(end(2, size, start + 1, b""))), "zip.bad-end-record");
    assert_eq!(code(&bytes), "zip.no-end-record");
    assert_eq!(code(b"<html>log in first</html>"), "zip.no-end-record");
    // Something before the first member, as self-extracting archives have it.
    let shifted = [b"#!/bin/sh\n".to_vec(), archive(&[raw("a", b"text")])].concat();
    assert_eq!(code(&shifted), "zip.bad-end-record");
}

/// The records of zip64 for a directory at `offset`, as they stand before the end record.
fn end_64(entries: u64, size: usize, offset: usize, extensible: &[u8]) -> Vec<u8> {
    let at = (offset + size) as u64;
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend((44 + extensible.len() as u64).to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([entries, entries, size as u64, offset as u64].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend(extensible);
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(at.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes
}

#[test]
fn zip64_ends() {
    let (bytes, start) = body(&[raw("a", b"text")]);
    let size = bytes.len() - start;
    let with = |wide: Vec<u8>, end: Vec<u8>| [bytes.clone(), wide, end].concat();
    let unset = |mut end: Vec<u8>| {
        end[8..20].fill(0xff);
        end
    };
    let narrow = || end(1, size, start, b"");
    assert_eq!(code(&with(end_64(1, size, start, b""), unset(narrow()))), "accepted");
    assert_eq!(code(&with(end_64(1, size, start, b""), narrow())), "accepted");
    assert_eq!(code(&with(end_64(1, size, start, b""), end(2, size, start, b""))), "zip.bad-end-record");
    assert_eq!(code(&with(end_64(1, size, start, b"more"), unset(narrow()))), "zip.bad-end-record");
    let mut elsewhere = end_64(1, size, start, b"");
    elsewhere[56 + 8] ^= 1;
    assert_eq!(code(&with(elsewhere, unset(narrow()))), "zip.bad-end-record");
}

#[test]
fn a_short_tail_asks_for_more_until_it_is_enough() {
    let wheel = large_wheel().bytes;
    let size = wheel.len() as u64;
    let mut from = size - 30;
    let mut asked = 0;
    let directory = loop {
        match CentralDirectory::judge(&wheel[from as usize..], from, size) {
            Err(ZipError::NeedMore { from: earlier }) => {
                assert!(earlier < from);
                (from, asked) = (earlier, asked + 1);
            }
            result => break result.unwrap(),
        }
    };
    assert!(asked > 0 && directory == judge(&wheel).unwrap());
}

#[test]
fn refused_wheels_leave_the_cache_as_it_was() {
    let table = [
        ("zip.trailing-bytes", [WheelBuilder::new("demo", "1.0").build().bytes, vec![0]].concat()),
        ("zip.bad-name", archive(&[raw("../evil", b"x")])),
        ("zip.unsupported", archive(&[Raw { mode: 0o120_777, ..raw("demo-1.0.dist-info/RECORD", b"x") }])),
        (
            "zip.headers-differ",
            archive(&[Raw {
                local_name: Some(b"demo-1.0.dist-info/RECORX".into()),
                ..raw("demo-1.0.dist-info/RECORD", b"x")
            }]),
        ),
        ("zip.no-end-record", b"<html>log in first</html>".to_vec()),
        ("zip.no-end-record", Vec::new()),
        ("wheel.dist-info", archive(&[raw("demo.py", b"x")])),
        ("wheel.dist-info", archive(&[raw("other-1.0.dist-info/RECORD", b"")])),
        ("wheel.dist-info", archive(&[raw("demo-1.0.dist-info/RECORD", b""), raw("demo-2.0.dist-info/RECORD", b"")])),
        ("wheel.record", archive(&[raw("demo-1.0.dist-info/WHEEL", b"")])),
        ("wheel.record", archive(&[raw("demo.py", b"x"), raw("demo-1.0.dist-info/RECORD", b"")])),
        ("wheel.record", archive(&[raw("demo-1.0.dist-info/RECORD", b"demo.py,,\n")])),
        ("wheel.damaged", archive(&[Raw { crc32: 5, ..raw("demo-1.0.dist-info/RECORD", b"") }])),
        ("wheel.damaged", archive(&[Raw { method: 8, ..raw("demo-1.0.dist-info/RECORD", b"\xff\xff") }])),
    ];
    for (number, (expected, bytes)) in table.into_iter().enumerate() {
        let wheel = BuiltWheel {
            file_name: "demo-1.0-py3-none-any.whl".to_owned(),
            sha256: Sha256::of(&bytes),
            bytes,
            metadata: String::new(),
        };
        let setup = Setup::new(&[&wheel], |site| site);
        let error = setup.obtain_one(&wheel).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), (expected, ExitStatus::Refused), "row {number}: {error}");
        assert_eq!((setup.names("wheels-v1").len(), setup.names("staging-v1").len()), (0, 0), "row {number}");
    }
}

/// An archive of an independent writer.
fn written(members: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data, stored) in members {
        let method = if *stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default().compression_method(method).large_file(name.len() % 2 == 0);
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn members() -> impl Strategy<Value = Vec<(String, Vec<u8>, bool)>> {
    let member = ("[a-z]{1,8}(/[a-z]{1,8}){0,2}", prop::collection::vec(any::<u8>(), 0..300), any::<bool>());
    prop::collection::vec(member, 1..12).prop_map(|mut members| {
        // Names that cannot lie beside each other are another test's matter.
        for (index, (name, ..)) in members.iter_mut().enumerate() {
            *name = format!("{index}{name}");
        }
        members
    })
}

fn agrees(entry: &Entry, member: &(String, Vec<u8>, bool)) -> bool {
    let (name, data, stored) = member;
    let method = if *stored { Method::Stored } else { Method::Deflate };
    entry.path == *name
        && entry.size == data.len() as u64
        && entry.crc32 == crc32fast::hash(data)
        && entry.method == method
        && !entry.is_dir
}

proptest! {
    #[test]
    fn an_independent_writer_is_understood(members in members()) {
        let directory = judge(&written(&members)).unwrap();
        prop_assert_eq!(directory.entries.len(), members.len());
        for (entry, member) in directory.entries.iter().zip(&members) {
            prop_assert!(agrees(entry, member), "{:?} {:?}", entry, member);
        }
    }

    #[test]
    fn nothing_makes_it_panic(
        members in members(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        tail in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&members);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = judge(&bytes);
        let _ = judge(&bytes[..cut.index(bytes.len())]);
        let from = tail.index(bytes.len());
        let _ = CentralDirectory::judge(&bytes[from..], from as u64, bytes.len() as u64);
        let _ = CentralDirectory::judge(&bytes, u64::MAX, bytes.len() as u64);
    }
}
