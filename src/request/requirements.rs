//! Requirements as they are typed, and the files that list them.

use std::path::{Path, PathBuf};

use crate::vocab::{Diagnostic, ExitStatus, Requirement, Url, WheelName};

/// A requirement, or a file of them, that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RequirementsError {
    /// Code `usage.requirement`, exit 2.
    #[error("`{text}`{place} is not a requirement: {reason}")]
    Invalid {
        /// What was typed.
        text: String,
        /// Where it stands, with a leading space; empty on the command line.
        place: String,
        /// What the parser said, in one line.
        reason: String,
    },
    /// Code `usage.requirements-file`, exit 2.
    #[error("cannot read the requirements file `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Code `usage.requirements-option`, exit 2.
    #[error("`{option}` in `{}`, line {line}, is an option that torchfix does not read from a requirements file", path.display())]
    Option {
        /// The option.
        option: String,
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// Code `usage.requirements-nesting`, exit 2.
    #[error("`{}` includes itself, or files are nested more than {MAX_DEPTH} deep", path.display())]
    Nesting {
        /// The file that would be read once more.
        path: PathBuf,
    },
}

impl Diagnostic for RequirementsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "usage.requirement",
            Self::Unreadable { .. } => "usage.requirements-file",
            Self::Option { .. } => "usage.requirements-option",
            Self::Nesting { .. } => "usage.requirements-nesting",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Invalid { .. } => {
                vec![
                    "requirements are written `torch==2.9.1`, `torchvision>=0.24`, `name @ https://…/name.whl`"
                        .to_owned(),
                ]
            }
            Self::Option { option, .. } => {
                vec![format!("remove the line, or give `{option}` on the command line if torchfix has it")]
            }
            Self::Unreadable { .. } | Self::Nesting { .. } => Vec::new(),
        }
    }
}

const MAX_DEPTH: usize = 16;

/// A requirement as typed: PEP 508, or the path or URL of a wheel. Relative paths are against `folder`.
pub fn parse_requirement(text: &str, folder: &Path) -> Result<Requirement, RequirementsError> {
    parse_at(text, folder, "")
}

fn parse_at(text: &str, folder: &Path, place: &str) -> Result<Requirement, RequirementsError> {
    let invalid = |reason: String| RequirementsError::Invalid {
        text: text.chars().take(200).collect(),
        place: place.to_owned(),
        reason: reason.lines().next().unwrap_or_default().to_owned(),
    };
    let spelled = match wheel_url(text, folder) {
        Some(url) => {
            let file_name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
            let file_name = file_name.replace("%2B", "+").replace("%2b", "+");
            let wheel: WheelName =
                file_name.parse().map_err(|error: crate::vocab::ParseWheelNameError| invalid(error.to_string()))?;
            format!("{} @ {url}", wheel.name)
        }
        None => text.to_owned(),
    };
    spelled.parse().map_err(|error: pep508_rs::Pep508Error<Url>| invalid(error.to_string()))
}

/// The URL of a bare wheel; `None` for a PEP 508 requirement.
fn wheel_url(text: &str, folder: &Path) -> Option<Url> {
    if text.contains(" @ ") {
        return None;
    }
    let is_wheel =
        |path: &str| Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"));
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => Some(url).filter(|url| is_wheel(url.path())),
        _ if is_wheel(text) => Url::from_file_path(folder.join(text)).ok(),
        _ => None,
    }
}

/// What requirements files come to.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub requirements: Vec<Requirement>,
    pub constraints: Vec<Requirement>,
}

impl Listed {
    /// Reads `path` and what it includes; what it lists goes to the constraints if `constrain`.
    pub(super) fn read(&mut self, path: &Path, constrain: bool) -> Result<(), RequirementsError> {
        self.read_nested(path, constrain, 0)
    }

    fn read_nested(&mut self, path: &Path, constrain: bool, depth: usize) -> Result<(), RequirementsError> {
        if depth > MAX_DEPTH {
            return Err(RequirementsError::Nesting { path: path.to_owned() });
        }
        let text = fs_err::read_to_string(path)
            .map_err(|source| RequirementsError::Unreadable { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for (number, line) in logical_lines(&text) {
            let included = |names: &[&str]| names.iter().find_map(|name| option_value(&line, name));
            if let Some(file) = included(&["-r", "--requirement"]) {
                self.read_nested(&folder.join(file), constrain, depth + 1)?;
            } else if let Some(file) = included(&["-c", "--constraint"]) {
                self.read_nested(&folder.join(file), true, depth + 1)?;
            } else if let Some(option) = line.split_whitespace().find(|word| word.starts_with('-')) {
                let option = option.split('=').next().unwrap_or(option).to_owned();
                return Err(RequirementsError::Option { option, path: path.to_owned(), line: number });
            } else {
                let place = format!(" in `{}`, line {number},", path.display());
                let requirement = parse_at(&line, folder, &place)?;
                let list = if constrain { &mut self.constraints } else { &mut self.requirements };
                list.push(requirement);
            }
        }
        Ok(())
    }
}

/// The value of an option at the start of a line: `-r FILE`, `-rFILE`, `--requirement=FILE`.
fn option_value<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    let rest = line.strip_prefix(name)?;
    let separated = rest.starts_with([' ', '\t', '=']);
    (separated || !name.starts_with("--"))
        .then(|| rest.trim_start_matches([' ', '\t', '=']).trim())
        .filter(|value| !value.is_empty())
}

/// Lines without comments, continuations joined, each with the number of its first line.
///
/// <https://pip.pypa.io/en/stable/reference/requirements-file-format/>
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let (body, goes_on) = line.strip_suffix('\\').map_or((line, false), |body| (body, true));
        match lines.last_mut() {
            Some((_, last)) if continues => last.push_str(body),
            _ => lines.push((number + 1, body.to_owned())),
        }
        continues = goes_on;
    }
    for (_, line) in &mut lines {
        // A `#` opens a comment only at the start or after white space: URLs have fragments.
        let comment = line.char_indices().find(|(at, c)| *c == '#' && (*at == 0 || line[..*at].ends_with([' ', '\t'])));
        if let Some((at, _)) = comment {
            line.truncate(at);
        }
        *line = line.trim().to_owned();
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Listed, RequirementsError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        let mut listed = Listed::default();
        listed.read(&folder.path().join(files[0].0), false).map(|()| listed)
    }

    fn texts(requirements: &[Requirement]) -> Vec<String> {
        requirements.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn comments_continuations_and_includes() {
        let listed = read(&[
            ("a.txt", "# head\ntorch==2.9.1  # the one\nnumpy>=1, \\\n  <3\n-r b.txt\n--constraint=c.txt\n"),
            ("b.txt", "demo @ https://host/demo-1-py3-none-any.whl#egg=demo ; python_version > '3'\n"),
            ("c.txt", "sympy<2\n"),
        ])
        .unwrap();
        assert_eq!(texts(&listed.requirements).len(), 3);
        assert_eq!(texts(&listed.requirements)[..2], ["torch==2.9.1", "numpy>=1,<3"]);
        assert_eq!(texts(&listed.constraints), ["sympy<2"]);
    }

    #[test]
    fn what_is_not_read_is_refused_by_line() {
        let error = read(&[("a.txt", "torch\n\ntorch==1 --hash=sha256:00\n")]).unwrap_err();
        assert!(error.to_string().contains("`--hash`") && error.to_string().contains("line 3"), "{error}");
        assert!(matches!(read(&[("a.txt", "-r a.txt\n")]), Err(RequirementsError::Nesting { .. })));
        assert!(matches!(read(&[("a.txt", "-r gone.txt\n")]), Err(RequirementsError::Unreadable { .. })));
        let error = read(&[("a.txt", "torch=2\n")]).unwrap_err();
        assert!(error.to_string().contains("`torch=2` in `"), "{error}");
    }

    #[test]
    fn a_bare_wheel_becomes_a_direct_requirement() {
        let folder = tempfile::tempdir().unwrap();
        let requirement = parse_requirement("x/demo-1.0+cu1-py3-none-any.whl", folder.path()).unwrap();
        assert_eq!(requirement.name.as_ref(), "demo");
        let requirement = parse_requirement("https://host/demo-1.0%2Bcu1-py3-none-any.whl", folder.path()).unwrap();
        assert!(requirement.version_or_url.is_some());
        assert!(parse_requirement("demo.whl", folder.path()).is_err());
    }
}
