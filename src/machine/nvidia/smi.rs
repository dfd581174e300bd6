//! What the `nvidia-smi` program says; asked last, for it takes a second and its output is made for people.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::card::{self, Card, MAX_CARDS, Report};
use crate::machine::child::{self, NoAnswer};
use crate::machine::{Driver, Gpu};
use crate::vocab::{CudaVersion, DriverVersion};

/// A healthy one answers in a second or two; one on a hung driver never does.
const PATIENCE: Duration = Duration::from_secs(10);
const FIELDS: &str = "index,uuid,driver_version,memory.total,pci.device_id,name,compute_cap";
/// `compute_cap` came with 510.
const OLD_FIELDS: &str = "index,uuid,driver_version,memory.total,pci.device_id,name";

/// Driver and cards by `nvidia-smi`; `None` when it is not there or does not work, which the notes then say.
pub fn ask(candidates: &[PathBuf], notes: &mut Vec<String>) -> Option<Report> {
    let program = candidates.iter().find(|path| path.is_file())?;
    match report(program) {
        Ok(report) => Some(report),
        Err(reason) => {
            notes.push(format!("`{}` gives no answer: {reason}", program.display()));
            None
        }
    }
}

fn report(program: &Path) -> Result<Report, String> {
    let query = |fields: &str| run(program, &[&format!("--query-gpu={fields}"), "--format=csv,noheader,nounits"]);
    let answer = match query(FIELDS)? {
        Some(csv) => Some(csv),
        None => query(OLD_FIELDS)?,
    };
    let (driver_of_cards, cards) = answer.as_deref().map_or((None, None), |csv| {
        let (driver, cards) = parse_query(csv);
        (driver, Some(cards))
    });
    let table = run(program, &[])?.unwrap_or_default();
    let (driver_of_header, cuda) = parse_header(&table);
    let version = driver_of_cards.or(driver_of_header);
    if version.is_none() && cuda.is_none() && cards.as_ref().is_none_or(Vec::is_empty) {
        let said = table.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        return Err(format!("it says `{}`", said.trim().chars().take(120).collect::<String>()));
    }
    let driver = (version.is_some() || cuda.is_some()).then_some(Driver { version, cuda });
    Ok(Report { driver, cards })
}

/// What it printed; `None` when it ended badly, an error when it cannot be asked at all.
fn run(program: &Path, arguments: &[&str]) -> Result<Option<String>, String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    match child::answer(command, PATIENCE) {
        Ok(answer) if answer.status.success() => Ok(Some(answer.stdout)),
        // It says why on stdout; without arguments that is the answer.
        Ok(answer) if arguments.is_empty() => Ok(Some(answer.stdout)),
        Ok(_) => Ok(None),
        Err(error @ (NoAnswer::Io(_) | NoAnswer::TimedOut(_))) => Err(error.to_string()),
    }
}

/// One card a line, in the order of [`FIELDS`]; lines that are none are passed over.
fn parse_query(csv: &str) -> (Option<DriverVersion>, Vec<Card>) {
    let mut driver = None;
    let mut cards = Vec::new();
    for line in csv.lines().take(MAX_CARDS as usize) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [index, uuid, version, memory, pci, name, rest @ ..] = fields.as_slice() else { continue };
        let Ok(index) = index.parse() else { continue };
        let known = |field: &str| Some(field.to_owned()).filter(|field| !field.is_empty() && !field.starts_with('['));
        driver = driver.or_else(|| version.parse().ok());
        let pci = pci.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let gpu = Gpu {
            index,
            name: known(name),
            compute_capability: rest.first().and_then(|capability| capability.parse().ok()),
            memory_mib: memory.parse().ok().and_then(card::plausible_mebibytes),
            pci_id: pci.and_then(card::pci_id),
        };
        cards.push(Card { gpu, uuids: known(uuid).into_iter().collect() });
    }
    (driver, cards)
}

/// The header of the table: since 610 it says `KMD Version` and `CUDA UMD Version`.
///
/// In WSL the number after `NVIDIA-SMI` is the Linux program's; the one after the label is the Windows driver's.
fn parse_header(table: &str) -> (Option<DriverVersion>, Option<CudaVersion>) {
    let after = |labels: [&str; 2]| {
        let (_, rest) = labels.iter().find_map(|label| table.split_once(label))?;
        Some(rest.trim_start().trim_start_matches(':').trim_start().split([' ', '|', '\n', '\r']).next()?.to_owned())
    };
    let driver = after(["Driver Version", "KMD Version"]).and_then(|version| version.parse().ok());
    let cuda = after(["CUDA Version", "CUDA UMD Version"]).and_then(|version| version.parse().ok());
    (driver, cuda)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> (Option<String>, Option<String>) {
        let (driver, cuda) = parse_header(line);
        (driver.map(|driver| driver.to_string()), cuda.map(|cuda| cuda.to_string()))
    }

    fn both(driver: &str, cuda: &str) -> (Option<String>, Option<String>) {
        (Some(driver.to_owned()), Some(cuda.to_owned()))
    }

    #[test]
    fn headers_old_and_new() {
        let old = "Mon Jan  1\n+---+\n| NVIDIA-SMI 535.54.03              Driver Version: 535.54.03    CUDA Version: 12.2     |";
        assert_eq!(header(old), both("535.54.03", "12.2"));
        let new = "| NVIDIA-SMI 610.12    KMD Version: 610.12.01   CUDA UMD Version: 13.3 |";
        assert_eq!(header(new), both("610.12.01", "13.3"));
        let wsl = "| NVIDIA-SMI 545.29.06    Driver Version: 576.02    CUDA Version: 12.9 |";
        assert_eq!(header(wsl), both("576.02", "12.9"));
        let without_libcuda = "| NVIDIA-SMI 470.82.01    Driver Version: 470.82.01    CUDA Version: N/A |";
        assert_eq!(header(without_libcuda), (Some("470.82.01".to_owned()), None));
        let ancient = "| NVIDIA-SMI 340.108    Driver Version: 340.108       |";
        assert_eq!(header(ancient), (Some("340.108".to_owned()), None));
        let failed = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
        assert_eq!(header(failed), (None, None));
    }

    #[test]
    fn every_line_of_a_query_is_a_card() {
        let csv = "0, GPU-1a, 570.124.06, 24564, 0x268410DE, NVIDIA GeForce RTX 4090, 8.9\n\
                   1, GPU-2b, 570.124.06, [N/A], 0x1B0610DE, NVIDIA GeForce GTX 1080 Ti, 6.1\n\
                   garbage\n\
                   2, GPU-3c, 570.124.06, 81559, 0x12341002, [Unknown Error], [Not Supported]\n";
        let (driver, cards) = parse_query(csv);
        assert_eq!(driver.unwrap().to_string(), "570.124.06");
        assert_eq!(cards.len(), 3);
        assert_eq!(cards[0].gpu.pci_id.as_deref(), Some("10de:2684"));
        assert_eq!((cards[0].gpu.memory_mib, cards[1].gpu.memory_mib), (Some(24564), None));
        assert_eq!(cards[1].gpu.compute_capability.unwrap().to_string(), "6.1");
        assert_eq!((&cards[2].gpu.name, cards[2].gpu.compute_capability, &cards[2].gpu.pci_id), (&None, None, &None));
        assert_eq!(cards[2].uuids, ["GPU-3c"]);
    }

    #[test]
    fn a_query_without_the_capability_still_names_cards() {
        let (_, cards) = parse_query("0, GPU-1a, 470.82.01, 11264, 0x1B0610DE, NVIDIA GeForce GTX 1080 Ti\r\n");
        assert_eq!(cards[0].gpu.name.as_deref(), Some("NVIDIA GeForce GTX 1080 Ti"));
        assert_eq!(cards[0].gpu.compute_capability, None);
    }

    proptest::proptest! {
        #[test]
        fn no_output_panics(text in "(.|\n|Driver Version|CUDA Version:| 0x|, ){0,60}") {
            let _ = parse_header(&text);
            let _ = parse_query(&text);
        }
    }
}
