//! Which Python is asked for.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Interpreter, PythonError};

/// The value of `--python`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonRequest {
    /// A file, or the folder of a venv or an installation.
    Path(PathBuf),
    /// `3.12`, `python3.12`, `3`, `3.13t`.
    Version(VersionRequest),
    /// The name of a program on PATH: `pypy3`.
    Program(String),
}

/// A Python version, as precise as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRequest {
    /// Always stated.
    pub major: u64,
    /// Any, where `None`.
    pub minor: Option<u64>,
    /// Any, where `None`.
    pub patch: Option<u64>,
    /// Whether the free-threaded build is wanted.
    pub free_threaded: bool,
}

impl FromStr for PythonRequest {
    type Err = PythonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PythonError::Request { text: text.chars().take(80).collect() };
        if text.is_empty() {
            return Err(error());
        }
        if text.contains(['/', '\\']) || text.starts_with('.') || text.starts_with('~') {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        let version = text.strip_prefix("python").unwrap_or(text);
        if version.starts_with(|c: char| c.is_ascii_digit()) {
            return version.parse().map(Self::Version).map_err(|()| error());
        }
        Ok(Self::Program(text.to_owned()))
    }
}

impl FromStr for VersionRequest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, free_threaded) = match text.strip_suffix('t') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let mut numbers = digits.split('.').map(|number| {
            if number.bytes().all(|byte| byte.is_ascii_digit()) {
                number.parse::<u64>().map_err(|_| ())
            } else {
                Err(())
            }
        });
        let request = Self {
            major: numbers.next().ok_or(())??,
            minor: numbers.next().transpose()?,
            patch: numbers.next().transpose()?,
            free_threaded,
        };
        if numbers.next().is_some() { Err(()) } else { Ok(request) }
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.major)?;
        for number in [self.minor, self.patch].into_iter().flatten() {
            write!(f, ".{number}")?;
        }
        f.write_str(if self.free_threaded { "t" } else { "" })
    }
}

impl VersionRequest {
    /// Whether an interpreter is what was asked for.
    pub fn admits(&self, interpreter: &Interpreter) -> bool {
        let release = interpreter.version.release();
        let asked = [Some(self.major), self.minor, self.patch];
        let numbers = asked.into_iter().zip(release.iter().copied().chain([0, 0, 0]));
        // `3.13` is the ordinary build; the other one is asked for by its `t`. `3` takes what there is.
        let threading = self.minor.is_none() && !self.free_threaded || self.free_threaded == interpreter.free_threaded;
        threading && numbers.into_iter().all(|(asked, found)| asked.is_none_or(|asked| asked == found))
    }
}

impl PythonRequest {
    /// As messages name it.
    pub fn title(&self) -> String {
        match self {
            Self::Path(path) => format!("Python at `{}`", path.display()),
            Self::Version(version) => format!("Python {version}"),
            Self::Program(name) => format!("`{name}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> PythonRequest {
        text.parse().unwrap()
    }

    #[test]
    fn paths_versions_and_names_are_told_apart() {
        let version = |major, minor, patch, free_threaded| {
            PythonRequest::Version(VersionRequest { major, minor, patch, free_threaded })
        };
        assert_eq!(parse("3.12"), version(3, Some(12), None, false));
        assert_eq!(parse("python3.12"), parse("3.12"));
        assert_eq!(parse("3"), version(3, None, None, false));
        assert_eq!(parse("3.13.1t"), version(3, Some(13), Some(1), true));
        assert_eq!(parse("./python"), PythonRequest::Path("./python".into()));
        assert_eq!(parse(r"C:\Python312\python.exe"), PythonRequest::Path(r"C:\Python312\python.exe".into()));
        assert_eq!(parse("pypy3"), PythonRequest::Program("pypy3".to_owned()));
        assert_eq!(parse("python"), PythonRequest::Program("python".to_owned()));
        for bad in ["", "3.", "3.x", "3.12.1.2", "3.12+", "3.99999999999999999999"] {
            assert!(bad.parse::<PythonRequest>().is_err(), "{bad}");
        }
    }
}
