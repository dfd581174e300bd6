//! Programs in Python: their first line, and the text that calls an entry point.

use std::path::Path;

use super::entry_points::EntryPoint;

/// The text of a program that calls an entry point, run by `python`.
pub fn entry_point_script(entry_point: &EntryPoint, python: &Path) -> Vec<u8> {
    let EntryPoint { module, object, .. } = entry_point;
    let first = object.split('.').next().unwrap_or(object);
    let mut script = shebang(python, "");
    script.extend_from_slice(
        format!(
            "import sys\n\nfrom {module} import {first}\n\nif __name__ == \"__main__\":\n    sys.exit({object}())\n"
        )
        .as_bytes(),
    );
    script
}

/// A script of a wheel with its `#!python` line made to name the interpreter; `None` where it has no such line.
///
/// <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#recommended-installer-features>
pub fn rewritten(script: &[u8], python: &Path) -> Option<Vec<u8>> {
    let rest = script.strip_prefix(b"#!python")?;
    let rest = rest.strip_prefix(b"w").unwrap_or(rest);
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = rest.split_at(end);
    // What follows the name directly is part of it (`#!python3`); what follows a space are arguments.
    let line = str::from_utf8(line).unwrap_or_default();
    let arguments = line.split_once([' ', '\t']).map_or("", |(_, arguments)| arguments).trim();
    let mut script = shebang(python, arguments);
    script.extend_from_slice(body.strip_prefix(b"\n").unwrap_or(body));
    Some(script)
}

/// Whether a script begins as `rewritten` wants it; its first bytes suffice.
pub fn is_python_script(start: &[u8]) -> bool {
    start.starts_with(b"#!python")
}

/// Linux reads 127 bytes of a first line before 5.1, 255 since; macOS 512.
const LONGEST_LINE: usize = 127;

/// A first line that runs `python`; a path with spaces, or too long for one, goes through `/bin/sh`.
///
/// The second form is two things at once: to the shell `exec` with the script as argument, to Python a string.
fn shebang(python: &Path, arguments: &str) -> Vec<u8> {
    let path = python.to_string_lossy();
    let separated = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
    let plain = format!("#!{path}{separated}\n");
    if cfg!(windows) || (plain.len() <= LONGEST_LINE && !path.contains([' ', '\t'])) {
        return plain.into_bytes();
    }
    let mut quoted = String::new();
    for character in path.chars() {
        if matches!(character, '"' | '$' | '`' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    format!("#!/bin/sh\n'''exec' \"{quoted}\"{separated} \"$0\" \"$@\"\n' '''\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn the_first_line_names_the_interpreter() {
        let python = Path::new("/venv/bin/python");
        assert_eq!(text(rewritten(b"#!python\nx\n", python)), "#!/venv/bin/python\nx\n");
        assert_eq!(text(rewritten(b"#!pythonw -E\r\nx", python)), "#!/venv/bin/python -E\nx");
        assert_eq!(text(rewritten(b"#!python3", python)), "#!/venv/bin/python\n");
        assert_eq!(rewritten(b"#!/bin/sh\n", python), None);
        assert_eq!(rewritten(b"\x7fELF", python), None);
    }

    #[cfg(unix)]
    #[test]
    fn awkward_paths_run_all_the_same() {
        use std::os::unix::fs::PermissionsExt as _;

        let Some(python) = python() else { return };
        let folder = tempfile::tempdir().unwrap();
        for name in ["plain", "with space and $HOME \"quote\"", &"long".repeat(40)] {
            let bin = folder.path().join(name);
            fs_err::create_dir(&bin).unwrap();
            fs_err::os::unix::fs::symlink(&python, bin.join("python")).unwrap();
            let script = bin.join("script");
            let entry_point = EntryPoint {
                name: "x".to_owned(),
                module: "platform".to_owned(),
                object: "sys.exit".to_owned(),
                graphical: false,
            };
            let called = entry_point_script(&entry_point, &bin.join("python"));
            let printing = b"#!python\nimport sys; print(sys.argv[1])\n";
            for (content, expected) in [(rewritten(printing, &bin.join("python")).unwrap(), "a b\n"), (called, "")] {
                fs_err::write(&script, content).unwrap();
                fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
                let output = std::process::Command::new(&script).arg("a b").output().unwrap();
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{name}: {error}");
                assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name}: {error}");
            }
        }
    }

    #[cfg(unix)]
    fn python() -> Option<std::path::PathBuf> {
        let output =
            std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
        let found = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().into());
        if found.is_none() {
            println!("skipped: no python3 here");
        }
        found
    }
}
