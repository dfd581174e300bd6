//! The solver against scenarios and grids, each a test of its own, on a replica of the PyTorch index and PyPI.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on ends, and the output says how many there are"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::grid;
use support::scenario::Scenario;

/// Scenarios and the rows of grids are only ever added.
const SCENARIOS: usize = 280;
const ROWS: usize = 930;

fn main() -> ExitCode {
    let scenarios = files("scenarios", "toml").into_iter().map(|path| {
        let name = stem(&path);
        Trial::test(format!("scenario/{name}"), move || scenario(&name, &path))
    });
    let grids = files("grids", "txt").into_iter().flat_map(|path| match grid::rows(&path) {
        Ok(rows) => rows.into_iter().map(row).collect(),
        Err(error) => vec![Trial::test(format!("grid/{}", stem(&path)), move || Err(error.into()))],
    });
    let (scenarios, rows): (Vec<Trial>, Vec<Trial>) = (scenarios.collect(), grids.collect());
    let (files, lines) = (scenarios.len(), rows.len());
    let mut trials: Vec<Trial> = scenarios.into_iter().chain(rows).collect();
    trials.push(Trial::test("the_scenarios_are_all_there", move || {
        println!("{files} scenarios and {lines} rows of grids");
        if files < SCENARIOS || lines < ROWS {
            return Err(format!("only {files} scenarios and {lines} rows of grids").into());
        }
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn scenario(name: &str, path: &Path) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let outcome = scenario.run();
    failed(&outcome.faults)?;
    if let Some(refusal) = outcome.refusal {
        insta::with_settings!({ description => scenario.about, omit_expression => true }, {
            insta::assert_snapshot!(name, refusal);
        });
    }
    Ok(())
}

fn row(row: grid::Row) -> Trial {
    Trial::test(format!("grid/{}", row.name), move || failed(&row.faults()))
}

fn failed(faults: &[String]) -> Result<(), Failed> {
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// The files of a folder, in the order of their names.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("resolver-tests").join(folder);
    let entries = fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
