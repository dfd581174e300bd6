//! Whether `cuda.toml` agrees with itself.

use super::{at, twice};
use crate::catalog::manifest::cuda_line;
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::{Branch, CudaFile, Toolkit};
use crate::vocab::{DriverVersion, Os};

const SYSTEMS: [(Os, &str, &str); 2] = [(Os::Linux, "Linux", "linux"), (Os::Windows, "Windows", "windows")];

pub fn check(document: &mut Document, rows: &CudaFile) {
    twice(document, "toolkit", &rows.toolkit, |row| row.version.clone(), |row| format!("CUDA {}", row.version));
    twice(document, "family", &rows.family, |row| row.major, |row| format!("CUDA {}", row.major));
    twice(document, "branch", &rows.branch, |row| row.branch, |row| format!("driver branch {}", row.branch));
    twice(document, "target", &rows.target, |row| row.cuda, |row| format!("CUDA {}", row.cuda));
    for (os, system, key) in SYSTEMS {
        floors_rise(document, &rows.toolkit, os, system, key);
        branches_agree(document, rows, os, system, key);
        families_agree(document, rows, os, system, key);
    }
    branches_rise(document, &rows.branch);
    for (index, row) in rows.retired.iter().enumerate() {
        for (last, key) in [(row.last.linux, "linux"), (row.last.windows, "windows")] {
            if last >= row.from {
                let message = format!("branch {last} drives the cards still, and branches from {} on do not", row.from);
                document.at(at!["retired", index, "last", key], message);
            }
        }
    }
}

/// A newer toolkit never makes do with an older driver.
fn floors_rise(document: &mut Document, toolkits: &[Toolkit], os: Os, system: &str, key: &'static str) {
    let mut floors: Vec<(usize, &Toolkit, &DriverVersion)> =
        toolkits.iter().enumerate().filter_map(|(index, toolkit)| Some((index, toolkit, toolkit.floor(os)?))).collect();
    floors.sort_by(|a, b| a.1.version.cmp(&b.1.version));
    let mut highest: Option<(&Toolkit, &DriverVersion)> = None;
    for (index, toolkit, floor) in floors {
        match highest {
            Some((older, needs)) if floor < needs && older.version != toolkit.version => document.at(
                at!["toolkit", index, key],
                format!(
                    "CUDA {} makes do with {system} driver {floor}, and the older {} needs {needs}",
                    toolkit.version, older.version
                ),
            ),
            _ => highest = Some((toolkit, floor)),
        }
    }
}

/// The floor of a toolkit is of a driver branch that supports it.
fn branches_agree(document: &mut Document, rows: &CudaFile, os: Os, system: &str, key: &'static str) {
    for (index, toolkit) in rows.toolkit.iter().enumerate() {
        let (Some(floor), Some(line)) = (toolkit.floor(os), cuda_line(&toolkit.version)) else { continue };
        // A branch has several numbers on Windows: 570 of Linux is 570 to 574 there.
        let branch = rows.branch.iter().filter(|row| row.branch <= floor.branch()).max_by_key(|row| row.branch);
        if let Some(branch) = branch.filter(|branch| branch.cuda < line) {
            let message = format!(
                "{system} driver {floor} is of branch {}, which supports CUDA {} at most, not {line}",
                branch.branch, branch.cuda
            );
            document.at(at!["toolkit", index, key], message);
        }
    }
}

/// What runs a whole major version runs each toolkit after its first.
fn families_agree(document: &mut Document, rows: &CudaFile, os: Os, system: &str, key: &'static str) {
    for (index, family) in rows.family.iter().enumerate() {
        let floor = if os == Os::Windows { &family.windows } else { &family.linux };
        let of_family = rows.toolkit.iter().filter(|toolkit| {
            cuda_line(&toolkit.version).is_some_and(|line| line.major == family.major && line.minor > 0)
        });
        let native =
            of_family.filter_map(|toolkit| Some((toolkit.floor(os)?, toolkit))).min_by_key(|(floor, _)| *floor);
        if let Some((native, toolkit)) = native.filter(|(native, _)| *native < floor) {
            let message = format!(
                "{system} driver {floor} is said to be the lowest for CUDA {}, and {native} supports {} natively",
                family.major, toolkit.version
            );
            document.at(at!["family", index, key], message);
        }
    }
}

fn branches_rise(document: &mut Document, branches: &[Branch]) {
    for (index, pair) in branches.windows(2).enumerate() {
        if pair[1].branch < pair[0].branch || pair[1].cuda < pair[0].cuda {
            let message = format!(
                "branch {} with CUDA {} stands after branch {} with CUDA {}",
                pair[1].branch, pair[1].cuda, pair[0].branch, pair[0].cuda
            );
            document.at(at!["branch", index + 1], message);
        }
    }
}
