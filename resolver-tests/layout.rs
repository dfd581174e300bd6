//! The import rules: which module may use which, read from the `crate::` paths of every source file.
#![allow(clippy::unwrap_used, clippy::match_same_arms, reason = "a test fails where it panics; rules read one a line")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The stages in the order data flows; each may use the ones before it. `lock` stands before `resolve`, whose answer is
/// made of its wheels.
const STAGES: [&str; 10] =
    ["machine", "request", "catalog", "lock", "resolve", "fetch", "wheel", "venv", "install", "loader"];
/// What every module may use.
const EVERYWHERE: [&str; 3] = ["vocab", "progress", "variables"];
/// What every stage may use that is not pure.
const SURROUNDINGS: [&str; 3] = ["host", "zip", "pe"];
/// The stages, or parts of them, that take values and return values.
const PURE: [&str; 7] = ["request", "resolve", "lock", "install/plan", "loader/graph", "loader/windows", "loader/fix"];
/// Who may use `http`.
const NETWORKED: [&str; 3] = ["catalog/index", "fetch", "wheel"];

/// `src/catalog/index/html.rs` is `catalog/index/html`; `mod` is dropped.
fn module_of(path: &Path) -> String {
    let path = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let text = path.to_str().unwrap().replace('\\', "/");
    text.strip_suffix("/mod").unwrap_or(&text).to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules that a file names after `crate::`, tests left out.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("\nmod tests {").next().unwrap();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let group = part.strip_prefix('{').map(|rest| rest.split('}').next().unwrap_or(rest));
        for item in group.map_or_else(|| vec![part], |group| group.split(',').collect()) {
            let name: String = item.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.chars().next().is_some_and(char::is_lowercase) {
                names.insert(name);
            }
        }
    }
    names
}

fn within(module: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| module == *parent || module.starts_with(&format!("{parent}/")))
}

fn allowed(module: &str, other: &str) -> bool {
    let top = module.split('/').next().unwrap();
    if top == other || EVERYWHERE.contains(&other) {
        return true;
    }
    match top {
        "vocab" | "variables" | "cli" => false,
        "host" | "progress" | "zip" | "pe" => false,
        "http" => ["host", "zip"].contains(&other),
        "commands" => true,
        // `error` and `report` show what stages return.
        "error" => STAGES.contains(&other) || other == "http",
        "report" => STAGES.contains(&other) || other == "error",
        "request" if other == "cli" => true,
        _ => {
            let place = STAGES.iter().position(|stage| *stage == top);
            let place = place.unwrap_or_else(|| panic!("`{module}` has no place in the layout"));
            if other == "http" {
                return within(module, &NETWORKED);
            }
            if SURROUNDINGS.contains(&other) {
                return !(other == "host" && within(module, &PURE));
            }
            STAGES.iter().position(|stage| *stage == other).is_some_and(|other| other < place)
        }
    }
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut violations = Vec::new();
    for path in files {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        for other in used(&fs_err::read_to_string(&path).unwrap()) {
            if !allowed(&module, &other) {
                violations.push(format!("{module} uses {other}"));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn the_rules_refuse_what_they_should() {
    for (module, other) in [
        ("machine", "venv"),
        ("resolve/provider", "host"),
        ("venv", "http"),
        ("fetch", "report"),
        ("vocab/tag", "host"),
    ] {
        assert!(!allowed(module, other), "{module} uses {other}");
    }
    for (module, other) in
        [("resolve", "catalog"), ("loader", "host"), ("fetch/ranges", "http"), ("commands/install", "loader")]
    {
        assert!(allowed(module, other), "{module} uses {other}");
    }
    assert_eq!(used("use crate::{host, vocab::Tag};\nlet x = crate::zip::y();").len(), 3);
}
