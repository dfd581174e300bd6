//! Requirements as they are typed, and what can be wrong with them and with the files that list them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::vocab::{Diagnostic, ExitStatus, Requirement, Url, WheelName, vet_requirement};

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}", self.path.display(), self.line)
    }
}

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
    /// Code `usage.requirement-source`, exit 2.
    #[error("`{text}`{place} asks for source code, and torchfix installs wheels only")]
    Source {
        /// What was typed.
        text: String,
        /// Where it stands, with a leading space; empty on the command line.
        place: String,
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
    /// Code `usage.requirements-text`, exit 2.
    #[error("{place} cannot be read: {reason}")]
    NotText {
        /// Where.
        place: Place,
        /// What is wrong there.
        reason: String,
    },
    /// Code `usage.requirements-size`, exit 2.
    #[error("`{}` is larger than a requirements file can be ({limit} bytes)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many bytes are read at most.
        limit: u64,
    },
    /// Code `usage.requirements-option`, exit 2.
    #[error("`{option}` in {place} is an option that torchfix does not read from a requirements file")]
    Option {
        /// The option.
        option: String,
        /// Where.
        place: Place,
    },
    /// Code `usage.requirements-option-value`, exit 2.
    #[error("`{option}` in {place}: {reason}")]
    OptionValue {
        /// The option.
        option: String,
        /// Where.
        place: Place,
        /// What is wrong with it.
        reason: String,
    },
    /// Code `usage.requirements-nesting`, exit 2.
    #[error("`{}` includes itself, or there are too many files in files", path.display())]
    Nesting {
        /// The file that would be read once more.
        path: PathBuf,
    },
}

impl Diagnostic for RequirementsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "usage.requirement",
            Self::Source { .. } => "usage.requirement-source",
            Self::Unreadable { .. } => "usage.requirements-file",
            Self::NotText { .. } => "usage.requirements-text",
            Self::TooLarge { .. } => "usage.requirements-size",
            Self::Option { .. } => "usage.requirements-option",
            Self::OptionValue { .. } => "usage.requirements-option-value",
            Self::Nesting { .. } => "usage.requirements-nesting",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Invalid { .. } => {
                "requirements are written `torch==2.9.1`, `torchvision>=0.24`, `name @ https://…/name.whl`".to_owned()
            }
            Self::Source { .. } => {
                "build a wheel of it with `pip wheel --no-deps`, and name that by its path".to_owned()
            }
            Self::Option { option, .. } => {
                format!("remove the line, or give `{option}` on the command line if torchfix has it")
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }
}

/// A requirement as typed: PEP 508, or the path or URL of a wheel. Relative paths are against `folder`.
pub fn parse_requirement(text: &str, folder: &Path) -> Result<Requirement, RequirementsError> {
    parse_at(text, text, folder, None)
}

/// Parses `text`; messages show `shown`, which has no variables put in.
pub(super) fn parse_at(
    text: &str,
    shown: &str,
    folder: &Path,
    place: Option<&Place>,
) -> Result<Requirement, RequirementsError> {
    let shown = || shown_without_credentials(shown);
    let place_in_words = || place.map_or_else(String::new, |place| format!(" in {place},"));
    let invalid = |reason: String| RequirementsError::Invalid {
        text: shown(),
        place: place_in_words(),
        reason: shown_without_credentials(reason.lines().next().unwrap_or_default()),
    };
    let source = || RequirementsError::Source { text: shown(), place: place_in_words() };
    let spelled = match archive(text, folder) {
        Some(Archive { url, extras, marker }) if is_wheel(url.path()) => {
            let file_name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
            let file_name = file_name.replace("%2B", "+").replace("%2b", "+");
            let wheel: WheelName =
                file_name.parse().map_err(|error: crate::vocab::ParseWheelNameError| invalid(error.to_string()))?;
            let marker = if marker.is_empty() { String::new() } else { format!(" ; {marker}") };
            format!("{}{extras} @ {url}{marker}", wheel.name)
        }
        Some(_) => return Err(source()),
        None => text.to_owned(),
    };
    vet_requirement(&spelled).map_err(|reason| invalid(reason.to_owned()))?;
    let requirement: Requirement =
        spelled.parse().map_err(|error: pep508_rs::Pep508Error<Url>| invalid(error.to_string()))?;
    match &requirement.version_or_url {
        // On the command line the solver says it, with the name.
        Some(pep508_rs::VersionOrUrl::Url(url)) if place.is_some() && !is_wheel(url.path()) => Err(source()),
        _ => Ok(requirement),
    }
}

/// An archive, a folder or a repository that stands without a name.
struct Archive<'text> {
    url: Url,
    /// `[a,b]`, or nothing.
    extras: &'text str,
    marker: &'text str,
}

/// What is given by path or URL alone; `None` for a PEP 508 requirement.
fn archive<'text>(text: &'text str, folder: &Path) -> Option<Archive<'text>> {
    let text = text.trim();
    let has_scheme = has_scheme(text);
    let (place, marker) = text.split_once(if has_scheme { "; " } else { ";" }).unwrap_or((text, ""));
    let place = place.trim_end();
    let (place, extras) = match place.strip_suffix(']').and_then(|_| place.rfind('[')) {
        Some(at) if at > 0 => place.split_at(at),
        _ => (place, ""),
    };
    let url = if has_scheme {
        Url::parse(place).ok()?
    } else if is_path(place) {
        Url::from_file_path(folder.join(place)).ok()?
    } else {
        return None;
    };
    Some(Archive { url, extras, marker: marker.trim() })
}

/// Whether a text begins as a URL does; a Windows drive letter is no scheme, and `name@git+https` is none either.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let known = matches!(scheme, "http" | "https" | "file" | "ftp") || is_vcs(scheme);
    known && (rest.starts_with('/') || scheme == "file" || is_vcs(scheme))
}

fn is_vcs(scheme: &str) -> bool {
    ["git", "hg", "svn", "bzr"].iter().any(|vcs| scheme.strip_prefix(vcs).is_some_and(|rest| rest.starts_with('+')))
}

/// Whether a text without a scheme is a path: a wheel or an archive by its name, or something in a folder.
fn is_path(text: &str) -> bool {
    let named = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar"].iter();
    let archive = named.clone().any(|end| text.len() > end.len() && text.to_ascii_lowercase().ends_with(end));
    // In what is no path, these stand behind `@` or in a marker only.
    let in_folder = text.starts_with(['.', '/', '\\', '~']) || !text.contains([' ', '@']) && text.contains(['/', '\\']);
    is_wheel(text) && !text.contains(" @ ") || archive && !text.contains('@') || in_folder
}

fn is_wheel(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"))
}

/// A text as messages show it: not endless, and of URLs in it not who asks.
pub(super) fn shown_without_credentials(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        // A password may have any sign in it, slashes too: all up to the last `@` of the word may be one.
        let start = word.find("://").map_or(0, |at| at + 3);
        let secret = word[start..].rfind('@').filter(|end| word[start..start + end].contains(':') || start > 0);
        shown.push_str(&word[..start]);
        shown.push_str(secret.map_or(&word[start..], |end| &word[start + end + 1..]));
    }
    shown.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = if cfg!(windows) { "C:/folder" } else { "/folder" };

    fn parse(text: &str) -> Result<String, RequirementsError> {
        parse_requirement(text, Path::new(FOLDER)).map(|requirement| requirement.to_string())
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

    #[test]
    fn passwords_are_not_shown_where_a_url_does_not_parse() {
        for text in [
            "http://alice:SECRET/x@127.0.0.1:1/simple",
            "http://alice:SECRET#x@h/simple",
            "http://alice:SECRET@h:99999/simple",
            "alice:SECRET@h/simple",
            "x=y=http://b:SECRET@h/s",
            "dep @@ http://b:SECRET@h/other-1-py3-none-any.whl",
        ] {
            assert!(!shown_without_credentials(text).contains("SECRET"), "{}", shown_without_credentials(text));
        }
        assert_eq!(shown_without_credentials("demo @ https://h/x.whl"), "demo @ https://h/x.whl");
        assert_eq!(shown_without_credentials("demo@1"), "demo@1");
    }

    #[test]
    fn what_ends_the_parser_is_an_error() {
        for text in ["f->=1", "f[x-]", "f; 'x' ~= os_name", &format!("f; {}os_name == 'a'", "(".repeat(100_000))] {
            assert!(matches!(parse(text), Err(RequirementsError::Invalid { .. })), "{:?}", parse(text));
        }
    }

    #[test]
    fn extras_and_markers_stand_behind_a_wheel() {
        let root = if cfg!(windows) { format!("/{FOLDER}") } else { FOLDER.to_owned() };
        assert_eq!(
            parse("./demo-1.0-py3-none-any.whl[a,b] ; python_version > '3'").unwrap(),
            format!("demo[a,b] @ file://{root}/demo-1.0-py3-none-any.whl ; python_full_version >= '3.1'")
        );
        assert_eq!(
            parse("https://h/demo-1.0-py3-none-any.whl#sha256=00; os_name == 'nt'").unwrap(),
            "demo @ https://h/demo-1.0-py3-none-any.whl#sha256=00 ; os_name == 'nt'"
        );
        assert!(parse("file:///folder/demo-1.0-py3-none-any.whl").unwrap().starts_with("demo @ file:///folder/demo"));
    }

    #[test]
    fn source_code_gets_a_clear_word() {
        for source in [
            ".",
            "./demo",
            "../demo[x]",
            "demo/",
            r".\demo",
            r"..\demo[x]",
            r"demo\src",
            "demo-1.0.tar.gz",
            "https://h/demo-1.0.zip",
            "git+https://github.com/a/b@main#egg=b",
            "git+ssh://git@github.com/a/b.git",
        ] {
            let error = parse(source).unwrap_err();
            assert!(matches!(error, RequirementsError::Source { .. }), "{source}: {error}");
        }
    }

    #[test]
    fn names_are_no_paths() {
        for name in
            ["torch", "torch[opt]>=2 ; sys_platform == 'win32'", "torch.audio", "a @ https://h/a-1-py3-none-any.whl"]
        {
            assert!(parse(name).is_ok(), "{name}");
        }
        assert!(matches!(parse("torch=2"), Err(RequirementsError::Invalid { .. })));
    }

    #[test]
    fn credentials_are_not_shown() {
        let error = parse("https://user:secret@h/demo.tar.gz").unwrap_err().to_string();
        assert!(error.contains("https://h/demo.tar.gz") && !error.contains("secret"), "{error}");
        let error = parse("demo >= @ https://user:secret@h/x.whl").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
