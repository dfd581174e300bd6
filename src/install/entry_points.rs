//! `entry_points.txt`: the programs a distribution brings.
//!
//! <https://packaging.python.org/en/latest/specifications/entry-points/>

use super::Refusal;
use crate::vocab::is_windows_device;

/// A program: a file name, and the Python object it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The file name, one safe component.
    pub name: String,
    /// The module, dotted.
    pub module: String,
    /// The object in it, dotted.
    pub object: String,
    /// Whether it has windows of its own (`gui_scripts`), which matters on Windows alone.
    pub graphical: bool,
}

/// Reads the `console_scripts` and `gui_scripts` of an `entry_points.txt`; other groups are passed over.
pub fn parse_entry_points(text: &str) -> Result<Vec<EntryPoint>, Refusal> {
    let mut graphical = None;
    let mut entry_points: Vec<EntryPoint> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(group) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            graphical = match group.trim() {
                "console_scripts" => Some(false),
                "gui_scripts" => Some(true),
                _ => None,
            };
            continue;
        }
        let (Some(graphical), Some((name, object))) = (graphical, line.split_once('=')) else { continue };
        let entry_point = parse_one(name.trim(), object.trim(), graphical)?;
        entry_points.retain(|known| known.name != entry_point.name);
        entry_points.push(entry_point);
    }
    Ok(entry_points)
}

/// `package.module:object.attribute [extra]`; what extras it wants is of no matter to the file.
fn parse_one(name: &str, reference: &str, graphical: bool) -> Result<EntryPoint, Refusal> {
    if !is_safe_component(name) {
        return Err(Refusal::EntryPointName { name: name.chars().take(120).collect() });
    }
    let without_extras = reference.split_once('[').map_or(reference, |(reference, _)| reference).trim();
    match without_extras.split_once(':').map(|(module, object)| (module.trim(), object.trim())) {
        Some((module, object)) if is_dotted_name(module) && is_dotted_name(object) => {
            Ok(EntryPoint { name: name.to_owned(), module: module.to_owned(), object: object.to_owned(), graphical })
        }
        _ => Err(Refusal::EntryPointObject { name: name.to_owned(), object: reference.chars().take(120).collect() }),
    }
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|character| character.is_alphanumeric() || character == '_')
    })
}

/// Whether a name is one component on every system: no separator, no stream, no device, nothing hidden at its ends.
fn is_safe_component(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name != "."
        && name != ".."
        && !name.ends_with(['.', ' '])
        && !name.contains(|character: char| character.is_control() || r#"/\:*?"<>|"#.contains(character))
        && !is_windows_device(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn programs_of_both_kinds_are_read_and_other_groups_not() {
        let text = "[other]\nx = y\n[console_scripts]\n# a comment\ntorchrun = torch.distributed.run:main\n\
            a-b.c=m:f.g [extra, more]\n\n[gui_scripts]\nwin = w : start\n";
        let programs: Vec<_> = parse_entry_points(text)
            .unwrap()
            .into_iter()
            .map(|program| format!("{} {} {} {}", program.name, program.module, program.object, program.graphical))
            .collect();
        assert_eq!(programs, ["torchrun torch.distributed.run main false", "a-b.c m f.g false", "win w start true"]);
    }

    #[test]
    fn names_that_only_begin_like_devices_are_none() {
        let programs = parse_entry_points("[console_scripts]\ncoma = m:f\nlptx.py = m:f\ncom0 = m:f\n").unwrap();
        assert_eq!(programs.len(), 3);
    }

    #[test]
    fn what_could_escape_or_inject_is_refused() {
        for name in ["../evil", "a/b", r"a\b", "..", "C:evil", "nul", "COM1.txt", "lpt³", "x.", "a\u{7}", ""] {
            let parsed = parse_entry_points(&format!("[console_scripts]\n{name} = m:f\n"));
            assert!(matches!(parsed, Err(Refusal::EntryPointName { .. })), "{name}: {parsed:?}");
        }
        for object in ["m", "m:", ":f", "m:f()", "m;import os:f", "m:f g", "1m:f"] {
            let parsed = parse_entry_points(&format!("[console_scripts]\nx = {object}\n"));
            assert!(matches!(parsed, Err(Refusal::EntryPointObject { .. })), "{object}: {parsed:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(\\[console_scripts\\]\n)?[a-z=:.\\[\\] \n/é]{0,60}") {
            let _ = parse_entry_points(&text);
        }
    }
}
