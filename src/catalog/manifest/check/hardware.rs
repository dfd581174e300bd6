//! Whether the rows about cards, their code and cuDNN agree with themselves.

use std::collections::BTreeMap;

use super::{at, twice};
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::{CubinFile, CudaFile, CudnnFile, CudnnFloor, GpuFile, GpuRow};

pub fn cubin(document: &mut Document, rows: &CubinFile) {
    twice(document, "cubin", &rows.cubin, |row| row.code, |row| format!("code {}", row.code));
    for (index, row) in rows.cubin.iter().enumerate() {
        if row.only.is_some() && !row.except.is_empty() {
            document.at(at!["cubin", index], "`only` and `except` exclude each other");
        }
        for (place, device) in row.except.iter().enumerate() {
            if device.major != row.code.major || device.minor < row.code.minor {
                let message = format!("code {} does not run on {device} anyway", row.code);
                document.at(at!["cubin", index, "except", place], message);
            }
        }
    }
}

pub fn joined(document: &mut Document, rows: &CubinFile) {
    twice(document, "joined", &rows.joined, |row| row.device, |row| format!("device {}", row.device));
    for (index, row) in rows.joined.iter().enumerate() {
        if !rows.cubin.iter().any(|code| code.except.contains(&row.device)) {
            let message = format!("no code is excepted for {}, so there is nothing to join", row.device);
            document.at(at!["joined", index, "device"], message);
        }
    }
}

pub fn cudnn(document: &mut Document, rows: &CudnnFile) {
    let title = |row: &CudnnFloor| {
        let cuda = row.cuda.as_ref().map(|cuda| format!(" with CUDA {cuda}")).unwrap_or_default();
        format!("cuDNN {}{cuda}", row.from)
    };
    let key = |row: &CudnnFloor| (row.from.clone(), row.cuda.as_ref().map(ToString::to_string));
    twice(document, "floor", &rows.floor, key, title);
    for (index, pair) in rows.floor.windows(2).enumerate() {
        if pair[1].from < pair[0].from {
            let message = format!("cuDNN {} stands after {}", pair[1].from, pair[0].from);
            document.at(at!["floor", index + 1, "from"], message);
        }
    }
    for (index, row) in rows.floor.iter().enumerate() {
        if let Some(newest) = row.newest.filter(|newest| *newest < row.capability) {
            let message = format!("the highest capability, {newest}, is below the lowest, {}", row.capability);
            document.at(at!["floor", index, "newest"], message);
        }
    }
}

pub fn gpus(document: &mut Document, rows: &GpuFile) {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, row) in rows.gpu.iter().enumerate() {
        for (place, id) in row.pci.iter().enumerate() {
            let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if id.len() != 4 || !id.bytes().all(hexadecimal) {
                let message = format!("`{id}` is no PCI device id such as `1b06`");
                document.at(at!["gpu", index, "pci", place], message);
            }
            match owners.insert(id, index) {
                Some(owner) if owner != index => {
                    let other = &rows.gpu[owner].name;
                    let line = document.line_of(at!["gpu", owner]);
                    let message = format!("PCI id {id} is that of {other} already, in line {line}");
                    document.at(at!["gpu", index, "pci", place], message);
                }
                _ => {}
            }
        }
    }
    let key = |row: &GpuRow| (row.name.clone(), row.chip.clone(), row.capability);
    twice(document, "gpu", &rows.gpu, key, |row| row.name.clone());
}

/// A fault that names a card which no row has would never be found.
pub fn faults(document: &mut Document, rows: &CudaFile, gpus: &GpuFile) {
    for (index, row) in rows.fault.iter().enumerate() {
        for (place, name) in row.gpus.iter().enumerate() {
            if !gpus.gpu.iter().any(|gpu| gpu.name == *name) {
                document.at(at!["fault", index, "gpus", place], format!("gpus.toml has no `{name}`"));
            }
        }
    }
}
