//! Programs in Python: their first line, and the text that calls an entry point.

use std::path::Path;

use super::entry_points::EntryPoint;
use crate::venv::Flavour;

/// The program that calls an entry point, run by `python`: for systems whose programs are scripts.
pub fn entry_point_script(entry_point: &EntryPoint, python: &Path) -> Vec<u8> {
    let mut script = shebang(python, "", Flavour::Posix);
    script.extend_from_slice(entry_point_text(entry_point, Flavour::Posix).as_bytes());
    script
}

/// What calls an entry point, in Python.
///
/// On Windows programs are called `tool.exe`, which is not what they should call themselves.
pub fn entry_point_text(entry_point: &EntryPoint, flavour: Flavour) -> String {
    let EntryPoint { module, object, .. } = entry_point;
    let first = object.split('.').next().unwrap_or(object);
    let own_name = match flavour {
        Flavour::Posix => "",
        Flavour::Windows => "    if sys.argv[0].lower().endswith(\".exe\"):\n        sys.argv[0] = sys.argv[0][:-4]\n",
    };
    format!(
        "import sys\n\nfrom {module} import {first}\n\nif __name__ == \"__main__\":\n{own_name}    sys.exit({object}())\n"
    )
}

/// A script of a wheel with its `#!python` line made to name the interpreter; `None` where it has no such line.
///
/// On Windows too it stays a script, which Python's own launcher `py` runs by that line: pip and uv put it there the
/// same way and make launchers of entry points alone, so that `pip uninstall` and a later `pip install` find the very
/// files they expect.
///
/// <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#recommended-installer-features>
pub fn rewritten(script: &[u8], python: &Path, flavour: Flavour) -> Option<Vec<u8>> {
    let rest = script.strip_prefix(b"#!python")?;
    let rest = rest.strip_prefix(b"w").unwrap_or(rest);
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = rest.split_at(end);
    // What follows the name directly is part of it (`#!python3`); what follows a space are arguments.
    let line = str::from_utf8(line).unwrap_or_default();
    let arguments = line.split_once([' ', '\t']).map_or("", |(_, arguments)| arguments).trim();
    let mut script = shebang(python, arguments, flavour);
    script.extend_from_slice(body.strip_prefix(b"\n").unwrap_or(body));
    Some(script)
}

/// Whether a script begins as `rewritten` wants it; its first bytes suffice.
pub fn is_python_script(start: &[u8]) -> bool {
    start.starts_with(b"#!python")
}

/// Linux reads 127 bytes of a first line before 5.1, 255 since; macOS 512.
const LONGEST_LINE: usize = 127;

/// A first line that runs `python`.
fn shebang(python: &Path, arguments: &str, flavour: Flavour) -> Vec<u8> {
    interpreter_line(&python.to_string_lossy(), arguments, flavour).into_bytes()
}

/// A first line, or three that do its work, that runs `python`.
///
/// On Windows, where launchers read it, a path with spaces stands in quotes. Elsewhere it goes through `/bin/sh`, as
/// one that is too long does: to the shell that is `exec` with the script as argument, to Python a string.
pub fn interpreter_line(python: &str, arguments: &str, flavour: Flavour) -> String {
    let separated = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
    let plain = format!("#!{python}{separated}\n");
    match flavour {
        Flavour::Windows if python.contains(' ') => return format!("#!\"{python}\"{separated}\n"),
        Flavour::Windows => return plain,
        Flavour::Posix if plain.len() <= LONGEST_LINE && !python.contains([' ', '\t']) => return plain,
        Flavour::Posix => {}
    }
    let mut quoted = String::new();
    for character in python.chars() {
        if matches!(character, '"' | '$' | '`' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    format!("#!/bin/sh\n'''exec' \"{quoted}\"{separated} \"$0\" \"$@\"\n' '''\n")
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
        let rewritten = |script: &[u8]| rewritten(script, python, Flavour::Posix);
        assert_eq!(text(rewritten(b"#!python\nx\n")), "#!/venv/bin/python\nx\n");
        assert_eq!(text(rewritten(b"#!pythonw -E\r\nx")), "#!/venv/bin/python -E\nx");
        assert_eq!(text(rewritten(b"#!python3")), "#!/venv/bin/python\n");
        assert_eq!(rewritten(b"#!/bin/sh\n"), None);
        assert_eq!(rewritten(b"\x7fELF"), None);
    }

    #[test]
    fn on_windows_spaces_are_in_quotes_and_nothing_goes_through_a_shell() {
        let rewritten = |python: &str| text(rewritten(b"#!python -u\nx\n", Path::new(python), Flavour::Windows));
        assert_eq!(rewritten(r"C:\v\python.exe"), "#!C:\\v\\python.exe -u\nx\n");
        assert_eq!(rewritten(r"C:\a b\python.exe"), "#!\"C:\\a b\\python.exe\" -u\nx\n");
        let long = format!(r"C:\{}\python.exe", "long".repeat(40));
        assert_eq!(rewritten(&long), format!("#!{long} -u\nx\n"));
    }

    #[test]
    fn a_program_of_windows_does_not_call_itself_exe() {
        let entry_point = EntryPoint {
            name: "tool".to_owned(),
            module: "a.b".to_owned(),
            object: "C.main".to_owned(),
            graphical: false,
        };
        let text = entry_point_text(&entry_point, Flavour::Windows);
        assert!(text.contains("from a.b import C\n") && text.ends_with("    sys.exit(C.main())\n"), "{text}");
        assert!(text.contains("sys.argv[0] = sys.argv[0][:-4]\n"), "{text}");
        assert!(!entry_point_text(&entry_point, Flavour::Posix).contains("argv"));
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
            for (content, expected) in
                [(rewritten(printing, &bin.join("python"), Flavour::Posix).unwrap(), "a b\n"), (called, "")]
            {
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
