//! The launchers of Python scripts, run on Windows by a real Python: `TORCHFIX_TEST_PYTHON`, else the first on PATH.
#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it panics, and says when it is skipped"
)]

use std::io::{Read as _, Write as _};
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use torchfix::host::Host;
use torchfix::install::{LauncherKind, launcher};
use torchfix::machine::Interpreter;
use torchfix::venv::{CreateOptions, Created, Environment, create};

/// An environment in a folder whose name has spaces and letters of several alphabets.
struct Venv {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl Venv {
    /// `None` where there is no Python, which is said.
    fn new() -> Option<Self> {
        Self::at(Path::new("my é 日本 venv"))
    }

    fn at(name: &Path) -> Option<Self> {
        let host = Host::of_process().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let found = match host.variable("TORCHFIX_TEST_PYTHON") {
            Some(python) => Interpreter::ask(&host, Path::new(python), &cache),
            None => Interpreter::find(&host, None, &cache),
        };
        let base = found.inspect_err(|error| eprintln!("skipped: {error}")).ok()?;
        let root = folder.path().join(name);
        match create(&root, &base, &CreateOptions::default()).unwrap() {
            Created::New(new) => new.keep(),
            Created::AlreadyThere => panic!("{} is there already", root.display()),
        }
        let environment = Environment::open(&host, &root, &cache).unwrap();
        Some(Self { folder, environment })
    }

    /// A program of the environment that runs this script.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let python = self.environment.scheme.python();
        self.program_for(name, LauncherKind::Console, python.to_str().unwrap(), script)
    }

    fn program_for(&self, name: &str, kind: LauncherKind, python: &str, script: &str) -> PathBuf {
        let path = self.environment.scheme.scripts.join(name);
        fs_err::write(&path, launcher(kind, python, script)).unwrap();
        path
    }
}

/// Runs it with nothing on stdin; what it prints is UTF-8.
fn run(command: &mut Command) -> Output {
    command.env("PYTHONUTF8", "1").stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap().replace('\r', "")
}

/// Prints its arguments, a line each.
const ECHO: &str = "import sys\nprint(*(f'[{argument}]' for argument in sys.argv[1:]), sep='\\n')\n";

#[test]
fn arguments_arrive_as_they_were_meant() {
    let Some(venv) = Venv::new() else { return };
    let program = venv.program("echo.exe", ECHO);
    let arguments = [
        "plain",
        "two words",
        "",
        r#"a "quoted" word"#,
        r"trailing\",
        r"with space and trailing\\",
        r#"\"back\\"slashes\"#,
        "é 日本 \u{1f600}",
        "tab\there",
        "%PATH% ^ & | < > !",
        "*",
        "--option=a b",
    ];
    let expected: String = arguments.iter().map(|argument| format!("[{argument}]\n")).collect();
    assert_eq!(text(&run(Command::new(&program).args(arguments))), expected);
    assert_eq!(text(&run(&mut Command::new(&program))), "\n");
}

#[test]
fn a_command_line_is_passed_on_as_it_was_typed() {
    let Some(venv) = Venv::new() else { return };
    let program = venv.program("echo.exe", ECHO);
    let script = venv.folder.path().join("echo.py");
    fs_err::write(&script, ECHO).unwrap();
    for typed in [r#"  a  "b c"d \\\"e "" "f\\" g\"#, r#""unfinished  x"#, "\ta\tb ", r#"a""b "c""d""#] {
        let direct = text(&run(Command::new(venv.environment.scheme.python()).arg(&script).raw_arg(typed)));
        assert_eq!(text(&run(Command::new(&program).raw_arg(typed))), direct, "{typed}");
    }
}

#[test]
fn python_finds_itself_in_the_environment_and_the_script_its_name() {
    let Some(venv) = Venv::new() else { return };
    let script = "import sys\nprint(sys.prefix, sys.executable, sys.argv[0], __name__, sep='\\n')\n";
    let program = venv.program("where-am-i.exe", script);
    let scheme = &venv.environment.scheme;
    let expected =
        format!("{}\n{}\n{}\n__main__\n", scheme.root.display(), scheme.python().display(), program.display());
    assert!(!expected.contains(r"\\?\"), "{expected}");
    assert_eq!(text(&run(&mut Command::new(&program))), expected);
    // By its bare name, through PATH, as a shell runs it.
    let search_path = Host::of_process().unwrap().text_variable("PATH").unwrap_or_default().to_owned();
    let search_path = format!("{};{search_path}", scheme.scripts.display());
    let output = run(Command::new("cmd").args(["/d", "/c", "where-am-i x"]).env("PATH", search_path));
    assert_eq!(text(&output), expected);
    // And by a path in the form for long ones.
    let verbatim = PathBuf::from(format!(r"\\?\{}", program.display()));
    assert_eq!(text(&run(&mut Command::new(verbatim))), expected);
}

#[test]
fn the_exit_code_is_pythons() {
    let Some(venv) = Venv::new() else { return };
    let program = venv.program("code.exe", "import os, sys\nos._exit(int(sys.argv[1]))\n");
    // The last is 0xC0000005, an access violation.
    for code in [0, 1, 3, 255, 256, 0x7fff_ffff, -1, -1_073_741_819] {
        assert_eq!(run(Command::new(&program).arg(code.to_string())).status.code(), Some(code));
    }
    let raised = run(&mut Command::new(venv.program("raise.exe", "raise SystemExit('said aloud')\n")));
    assert_eq!(raised.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&raised.stderr).trim(), "said aloud");
}

#[test]
fn standard_streams_pass_through() {
    let Some(venv) = Venv::new() else { return };
    let script = "import sys\nsys.stdout.write(sys.stdin.read().upper())\nsys.stderr.write('done')\n";
    let mut command = Command::new(venv.program("upper.exe", script));
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"some text\nmore").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output), "SOME TEXT\nMORE");
    assert_eq!(output.stderr, b"done");
    // Who reads a pipe is done when Python has closed it, not when the launcher ends. The environment's own Python is a
    // launcher too, which keeps the pipe.
    let script = "import os, time\nos.write(1, b'x')\nos.close(1)\ntime.sleep(20)\n";
    let base = venv.environment.interpreter.base_executable.to_str().unwrap();
    let program = venv.program_for("close.exe", LauncherKind::Console, base, script);
    let mut child = Command::new(program).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let mut read = String::new();
    child.stdout.take().unwrap().read_to_string(&mut read).unwrap();
    let waited = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(read, "x");
    assert!(waited < Duration::from_secs(18), "{waited:?}");
}

#[test]
fn python_ends_with_its_launcher() {
    let Some(venv) = Venv::new() else { return };
    let beat = venv.folder.path().join("beat");
    let script = "import sys, time\nwhile True:\n    open(sys.argv[1], 'a').write('x')\n    time.sleep(0.1)\n";
    let mut child = Command::new(venv.program("beat.exe", script)).arg(&beat).stdin(Stdio::null()).spawn().unwrap();
    let size = || fs_err::metadata(&beat).map_or(0, |metadata| metadata.len());
    let begun = Instant::now();
    while size() == 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(size() > 0, "it runs");
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let before = size();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(size(), before, "Python goes on without its launcher");
}

#[test]
fn a_path_may_be_relative_to_the_launcher() {
    let Some(venv) = Venv::new() else { return };
    let script = "import sys\nprint(sys.executable)\n";
    for python in ["python.exe", r".\python.exe", r"..\Scripts\python.exe", "../Scripts/python.exe"] {
        let program = venv.program_for("relative.exe", LauncherKind::Console, python, script);
        let output = run(Command::new(&program).current_dir(venv.folder.path()));
        assert_eq!(text(&output).trim(), venv.environment.scheme.python().display().to_string(), "{python}");
    }
}

#[test]
fn a_program_without_console_runs_too() {
    let Some(venv) = Venv::new() else { return };
    let python = venv.environment.scheme.windowed_python();
    assert!(python.ends_with("pythonw.exe"), "{}", python.display());
    let script = "import sys\nopen(sys.argv[1], 'w', encoding='utf-8').write(sys.executable)\nsys.exit(7)\n";
    let program = venv.program_for("view.exe", LauncherKind::Graphical, python.to_str().unwrap(), script);
    let said = venv.folder.path().join("said é.txt");
    assert_eq!(run(Command::new(&program).arg(&said)).status.code(), Some(7));
    assert_eq!(fs_err::read_to_string(&said).unwrap(), python.display().to_string());
}

#[test]
fn what_is_wrong_is_told() {
    let Some(venv) = Venv::new() else { return };
    let gone = r"C:\no such folder é\python.exe";
    let output = run(&mut Command::new(venv.program_for("gone.exe", LauncherKind::Console, gone, ECHO)));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with(&format!("torchfix launcher: cannot run `{gone}`: ")), "{error}");
    assert!(error.contains("(error 3)") || error.contains("(error 2)"), "{error}");
    let advice = format!("delete `{}` and install into a new one", venv.environment.root.display());
    assert!(error.trim_end().ends_with(&advice), "{error}");
    let program = venv.program("cut.exe", "");
    let whole = fs_err::read(&program).unwrap();
    let start = whole.windows(3).rposition(|bytes| bytes == b"#!\"").unwrap();
    for length in [start, start + 2, start + 12] {
        fs_err::write(&program, &whole[..length]).unwrap();
        let output = run(&mut Command::new(&program));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.ends_with("does not say which Python it is for: it is damaged\r\n"), "{error}");
    }
}

#[test]
fn a_long_path_is_no_hindrance() {
    let Some(venv) = Venv::new() else { return };
    let mut folder = venv.folder.path().to_owned();
    while folder.as_os_str().len() < 300 {
        folder.push("a folder with a long name");
    }
    fs_err::create_dir_all(&folder).unwrap();
    let program = folder.join("long.exe");
    let python = venv.environment.scheme.python();
    fs_err::write(&program, launcher(LauncherKind::Console, python.to_str().unwrap(), ECHO)).unwrap();
    let verbatim = PathBuf::from(format!(r"\\?\{}", program.display()));
    let started = Command::new(verbatim).arg("a b").env("PYTHONUTF8", "1").stdin(Stdio::null()).output();
    if started.is_err() && is_wine() {
        eprintln!("skipped: Wine starts no program at a long path");
        return;
    }
    assert_eq!(text(&started.unwrap()), "[a b]\n");
}

/// Its configuration program, which no Windows has.
fn is_wine() -> bool {
    PathBuf::from(r"C:\windows\system32\winecfg.exe").exists()
}
