//! Environments with a small torch whose libraries are real, made by the system's C compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const FAKE_TORCH: &str = include_str!("fake_torch.py");

/// A virtual environment with a small torch: `torch/lib/libc10.so`, and `libtorch_cpu.so` that needs it.
pub struct TorchEnvironment {
    folder: TempDir,
}

impl TorchEnvironment {
    /// `None`, said aloud, where the system has no `python3` or no `cc`.
    pub fn new() -> Option<Self> {
        let environment = Self::without_torch()?;
        fs_err::create_dir_all(environment.lib()).unwrap();
        fs_err::write(environment.torch().join("__init__.py"), FAKE_TORCH).unwrap();
        let c10 = environment.lib().join("libc10.so");
        compile("int c10(void) { return 10; }", &c10, &[])?;
        let needs = [c10.to_str().unwrap(), "-Wl,--disable-new-dtags,-rpath,$ORIGIN"];
        let source = "int c10(void); int torch_cpu(void) { return c10(); }";
        compile(source, &environment.lib().join("libtorch_cpu.so"), &needs)?;
        Some(environment)
    }

    /// An environment with nothing in it.
    pub fn without_torch() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let venv = folder.path().join("venv");
        if !runs(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv)) {
            super::skipped("no working `python3`");
            return None;
        }
        Some(Self { folder })
    }

    /// What torch is to do at its import, after all else.
    pub fn at_import(self, python: &str) -> Self {
        let path = self.torch().join("__init__.py");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(path, format!("{text}\n\n{python}\n")).unwrap();
        self
    }

    /// The interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.path().join("venv/bin/python")
    }

    /// Where distributions lie.
    pub fn site_packages(&self) -> PathBuf {
        let versions = fs_err::read_dir(self.folder.path().join("venv/lib")).unwrap();
        let python = versions.map(|entry| entry.unwrap().path()).find(|path| path.join("site-packages").is_dir());
        python.unwrap().join("site-packages")
    }

    /// torch's folder.
    pub fn torch(&self) -> PathBuf {
        self.site_packages().join("torch")
    }

    /// torch's libraries.
    pub fn lib(&self) -> PathBuf {
        self.torch().join("lib")
    }
}

/// Makes the shared library `path` of a line of C; `None`, said aloud, without a compiler.
pub fn compile(source: &str, path: &Path, arguments: &[&str]) -> Option<()> {
    let c = path.with_extension("c");
    fs_err::write(&c, source).unwrap();
    let soname = format!("-Wl,-soname,{}", path.file_name().unwrap().to_str().unwrap());
    let made = runs(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(path).arg(&c).arg(soname).args(arguments));
    fs_err::remove_file(c).unwrap();
    if !made {
        super::skipped("no working `cc`");
    }
    made.then_some(())
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
