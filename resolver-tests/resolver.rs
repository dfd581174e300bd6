//! The solver against scenarios and an in-memory catalog.

mod support;

use std::path::Path;

use support::scenario::Scenario;

/// Scenarios are only ever added.
const AT_LEAST: usize = 40;

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("resolver-tests/scenarios");
    let mut files: Vec<_> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut failures = Vec::new();
    for path in &files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let faults = match Scenario::read(path) {
            Ok(scenario) => {
                let outcome = scenario.run();
                if let Some(refusal) = outcome.refusal.filter(|_| outcome.faults.is_empty()) {
                    insta::with_settings!({ description => scenario.about, omit_expression => true }, {
                        insta::assert_snapshot!(name, refusal);
                    });
                }
                outcome.faults
            }
            Err(error) => vec![error],
        };
        for fault in faults {
            failures.push(format!("{name}: {fault}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(files.len() >= AT_LEAST, "only {} scenarios", files.len());
}
