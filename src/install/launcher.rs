//! Launchers: the `.exe` files that stand for Python scripts on Windows.
//!
//! A launcher is a program, behind it a line that names the interpreter, and behind that a ZIP archive with the script
//! in it as `__main__.py`: the layout of pip's launchers, so that what reads those reads these. What the program does
//! is told in `launcher/launcher.c`.
//!
//! The programs are kept in the repository as `scripts/build-launchers` made them. So torchfix builds without a C
//! compiler, with MSVC's tools, with GNU's and from another system, and every torchfix makes the same launchers. They
//! are for x86-64; Windows on ARM64 runs them by emulation, and they run its ARM64 Python all the same.

use super::entry_points::EntryPoint;
use super::scripts::interpreter_line;
use crate::venv::Flavour;

const CONSOLE: &[u8] = include_bytes!("launcher/console.exe");
const GRAPHICAL: &[u8] = include_bytes!("launcher/graphical.exe");

/// Whether a launcher belongs to a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LauncherKind {
    /// It has one, or opens one.
    Console,
    /// It has windows of its own, and a message box for its errors.
    Graphical,
}

impl LauncherKind {
    /// That of an entry point.
    pub(super) fn of(entry_point: &EntryPoint) -> Self {
        if entry_point.graphical { Self::Graphical } else { Self::Console }
    }

    fn program(self) -> &'static [u8] {
        match self {
            Self::Console => CONSOLE,
            Self::Graphical => GRAPHICAL,
        }
    }
}

/// The launcher that runs `script` with the interpreter at `python`, which may be relative to the launcher's folder.
pub fn launcher(kind: LauncherKind, python: &str, script: &str) -> Vec<u8> {
    let line = interpreter_line(python, "", Flavour::Windows);
    let mut launcher = kind.program().to_vec();
    launcher.extend_from_slice(line.trim_end().as_bytes());
    launcher.extend_from_slice(b"\r\n");
    launcher.extend_from_slice(&archive("__main__.py", script.as_bytes()));
    launcher
}

/// What the launcher of an entry point is called: as pip calls it, but for a name that ends in `.exe` already.
pub fn launcher_name(entry_point: &str) -> String {
    let (stem, extension) = entry_point.rsplit_once('.').unwrap_or((entry_point, ""));
    match extension.to_ascii_lowercase().as_str() {
        "exe" if !stem.is_empty() => entry_point.to_owned(),
        "py" | "pyw" if !stem.is_empty() => format!("{stem}.exe"),
        _ => format!("{entry_point}.exe"),
    }
}

/// A ZIP archive of one file, stored, with the earliest time there is: equal input gives equal bytes.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    // Files of an entry point's size are far from what these fields can hold.
    let long = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
    // What both headers say: version 1.0 needed, no flags, stored, 1980-01-01 00:00:00, CRC, sizes, lengths.
    let mut about = Vec::new();
    about.extend([10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
    about.extend(crc32fast::hash(content).to_le_bytes());
    about.extend(long(content.len()));
    about.extend(long(content.len()));
    about.extend(short(name.len()));
    about.extend(short(0));

    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&about);
    archive.extend(name.as_bytes());
    archive.extend(content);
    let directory = archive.len();
    // Made by version 2.0 for DOS; no comment, first disk, no attributes, the entry at the beginning.
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&about);
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let size = archive.len() - directory;
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    archive.extend(long(size));
    archive.extend(long(directory));
    archive.extend(short(0));
    archive
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use object::read::pe::PeFile64;
    use object::{LittleEndian as LE, pe};

    use super::*;

    const SCRIPT: &str = "import sys\nprint('ran', *sys.argv[1:])\nsys.exit(3)\n";

    fn split(launcher: &[u8]) -> (String, String) {
        let program = [CONSOLE, GRAPHICAL].into_iter().find(|program| launcher.starts_with(program)).unwrap();
        let rest = &launcher[program.len()..];
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&rest[end + 2..])).unwrap();
        assert_eq!(archive.len(), 1);
        let mut script = String::new();
        archive.by_name("__main__.py").unwrap().read_to_string(&mut script).unwrap();
        (String::from_utf8(rest[..end].to_vec()).unwrap(), script)
    }

    #[test]
    fn a_program_a_line_and_an_archive() {
        let plain = launcher(LauncherKind::Console, r"C:\venv\Scripts\python.exe", SCRIPT);
        assert_eq!(split(&plain), (r"#!C:\venv\Scripts\python.exe".to_owned(), SCRIPT.to_owned()));
        let spaced = launcher(LauncherKind::Graphical, r"C:\é venv\Scripts\pythonw.exe", SCRIPT);
        assert_eq!(split(&spaced).0, r#"#!"C:\é venv\Scripts\pythonw.exe""#);
        assert_eq!(plain, launcher(LauncherKind::Console, r"C:\venv\Scripts\python.exe", SCRIPT));
    }

    #[test]
    fn the_programs_are_what_they_are_taken_for() {
        for (kind, subsystem) in [
            (LauncherKind::Console, pe::IMAGE_SUBSYSTEM_WINDOWS_CUI),
            (LauncherKind::Graphical, pe::IMAGE_SUBSYSTEM_WINDOWS_GUI),
        ] {
            let program = kind.program();
            let file = PeFile64::parse(program).unwrap();
            assert_eq!(file.nt_headers().file_header.machine.get(LE), pe::IMAGE_FILE_MACHINE_AMD64);
            assert_eq!(file.nt_headers().file_header.time_date_stamp.get(LE), 0, "the same bytes every time");
            assert_eq!(file.nt_headers().optional_header.subsystem.get(LE), subsystem);
            // The program looks for its line behind its last section.
            let ends = file.section_table().iter().map(|section| {
                section.pointer_to_raw_data.get(LE) as usize + section.size_of_raw_data.get(LE) as usize
            });
            assert_eq!(ends.max(), Some(program.len()));
            let mut imported = Vec::new();
            let table = file.import_table().unwrap().unwrap();
            let mut descriptors = table.descriptors().unwrap();
            while let Some(descriptor) = descriptors.next().unwrap() {
                imported.push(String::from_utf8(table.name(descriptor.name.get(LE)).unwrap().to_vec()).unwrap());
            }
            let expected: &[&str] = match kind {
                LauncherKind::Console => &["KERNEL32.dll"],
                LauncherKind::Graphical => &["KERNEL32.dll", "USER32.dll"],
            };
            assert_eq!(imported, expected);
        }
    }

    #[test]
    fn names_as_pip_has_them() {
        for (name, expected) in [
            ("torchrun", "torchrun.exe"),
            ("a.b", "a.b.exe"),
            ("tool.exe", "tool.exe"),
            ("Tool.EXE", "Tool.EXE"),
            ("tool.py", "tool.exe"),
            (".exe", ".exe.exe"),
        ] {
            assert_eq!(launcher_name(name), expected);
        }
    }

    #[test]
    fn python_runs_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.exe");
        fs_err::write(&path, launcher(LauncherKind::Console, "python.exe", SCRIPT)).unwrap();
        let python = if cfg!(windows) { "python" } else { "python3" };
        let Ok(output) = std::process::Command::new(python).arg(&path).args(["a b", ""]).output() else {
            println!("skipped: no {python} here");
            return;
        };
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end_matches(['\r', '\n']), "ran a b ");
    }
}
