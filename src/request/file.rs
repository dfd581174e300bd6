//! Files that list requirements, with all that pip reads in them and a wheel can have.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::requirements::{Place, RequirementsError, parse_at, shown_without_credentials};
use super::text::{self, NotText};
use super::{HashList, Variables};
use crate::vocab::{Requirement, Sha256, Url};

/// How deep files may lie in files, and how many are read in all.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 1000;
/// The largest file that is read; a thousand pins with their hashes have a thirtieth of it.
const MAX_BYTES: u64 = 16 << 20;

/// A setting, where it stands, and the folder that its paths are against.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub value: String,
    pub place: Place,
    pub folder: PathBuf,
}

/// What requirements files come to.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub requirements: Vec<Requirement>,
    pub constraints: Vec<Requirement>,
    /// Hashes, by requirement.
    pub hashes: Vec<HashList>,
    /// The first thing that asks for hashes of everything.
    pub hashes_required: Option<Place>,
    pub index: Vec<Located>,
    pub extra: Vec<Located>,
    pub links: Vec<Located>,
    pub no_index: Option<Place>,
    pub pre: Option<Place>,
    /// What is passed over, and where.
    pub notes: Vec<String>,
    files: usize,
}

/// The file that is being read.
struct Reading<'a> {
    folder: PathBuf,
    constrain: bool,
    depth: usize,
    variables: Variables<'a>,
}

impl Listed {
    /// Reads `path` and what it includes; what it lists goes to the constraints if `constrain`.
    pub(super) fn read(
        &mut self,
        path: &Path,
        constrain: bool,
        variables: Variables<'_>,
    ) -> Result<(), RequirementsError> {
        self.read_nested(path, constrain, 0, variables)
    }

    fn read_nested(
        &mut self,
        path: &Path,
        constrain: bool,
        depth: usize,
        variables: Variables<'_>,
    ) -> Result<(), RequirementsError> {
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            return Err(RequirementsError::Nesting { path: path.to_owned() });
        }
        let text = text::decode(&bytes(path)?).map_err(|NotText { line, reason }| RequirementsError::NotText {
            place: Place { path: path.to_owned(), line },
            reason,
        })?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let reading = Reading { folder, constrain, depth, variables };
        for (line, raw) in text::logical_lines(&text) {
            let place = Place { path: path.to_owned(), line };
            let (line, unset) = text::expanded(&raw, variables);
            for name in unset {
                self.note(format!("{place}: the variable {name} is not set, and `${{{name}}}` stands as it is"));
            }
            match text::without_options(&line) {
                ("", options) => self.options(&reading, options, &place)?,
                (required, options) => self.requirement(&reading, (required, &raw), options, &place)?,
            }
        }
        Ok(())
    }

    fn requirement(
        &mut self,
        reading: &Reading<'_>,
        (required, raw): (&str, &str),
        options: &str,
        place: &Place,
    ) -> Result<(), RequirementsError> {
        let shown = text::without_options(raw).0;
        let requirement = parse_at(required, shown, &reading.folder, Some(place))?;
        let mut hashes = Hashes::default();
        for (option, value) in split_options(options, place)? {
            match option.as_str() {
                "--hash" => hashes.add(&needed(value, &option, place)?, place)?,
                "-C" | "--config-setting" | "--config-settings" | "--global-option" | "--build-option" => {
                    needed(value, &option, place)?;
                    self.note(format!("{place}: `{option}` is passed over, for torchfix builds nothing"));
                }
                _ => return Err(RequirementsError::Option { option, place: place.clone() }),
            }
        }
        if hashes.others > 0 {
            if hashes.sha256.is_empty() {
                let reason = "torchfix checks sha256 alone, and none is listed".to_owned();
                return Err(RequirementsError::OptionValue {
                    option: "--hash".to_owned(),
                    place: place.clone(),
                    reason,
                });
            }
            self.note(format!("{place}: of the hashes of {} only sha256 is looked at", requirement.name));
        }
        if !hashes.sha256.is_empty() {
            self.hashes_required.get_or_insert(place.clone());
            let (name, marker) = (requirement.name.clone(), requirement.marker.clone());
            self.hashes.push(HashList { name, marker, sha256: hashes.sha256 });
        }
        let list = if reading.constrain { &mut self.constraints } else { &mut self.requirements };
        list.push(requirement);
        Ok(())
    }

    fn options(&mut self, reading: &Reading<'_>, options: &str, place: &Place) -> Result<(), RequirementsError> {
        for (option, value) in split_options(options, place)? {
            let value = || needed(value.clone(), &option, place);
            let located = |value| Located { value, place: place.clone(), folder: reading.folder.clone() };
            match option.as_str() {
                "-r" | "--requirement" => {
                    let path = reading.nested(&value()?, &option, place)?;
                    self.read_nested(&path, reading.constrain, reading.depth + 1, reading.variables)?;
                }
                "-c" | "--constraint" => {
                    let path = reading.nested(&value()?, &option, place)?;
                    self.read_nested(&path, true, reading.depth + 1, reading.variables)?;
                }
                "-i" | "--index-url" | "--pypi-url" => self.index.push(located(value()?)),
                "--extra-index-url" => self.extra.push(located(value()?)),
                "-f" | "--find-links" => self.links.push(located(value()?)),
                "--no-index" => {
                    self.no_index.get_or_insert(place.clone());
                }
                "--pre" => {
                    self.pre.get_or_insert(place.clone());
                }
                "--require-hashes" => {
                    self.hashes_required.get_or_insert(place.clone());
                }
                // Wheels are all that torchfix takes.
                "--prefer-binary" => {}
                "--only-binary" => drop(value()?),
                "--no-binary" => match value()?.as_str() {
                    ":none:" => {}
                    names => {
                        let (text, place) = (format!("{option} {names}"), format!(" in {place},"));
                        let text = shown_without_credentials(&text);
                        return Err(RequirementsError::Source { text, place });
                    }
                },
                "--trusted-host" => {
                    let host = shown_without_credentials(&value()?);
                    self.note(format!(
                        "{place}: `--trusted-host {host}` is passed over: certificates are always checked; \
                         SSL_CERT_FILE names one to trust"
                    ));
                }
                "--use-feature" => {
                    let feature = shown_without_credentials(&value()?);
                    self.note(format!("{place}: `--use-feature {feature}` is pip's own and passed over"));
                }
                "-e" | "--editable" => {
                    let text = format!("{option} {}", shown_without_credentials(&value()?));
                    return Err(RequirementsError::Source { text, place: format!(" in {place},") });
                }
                "--hash" => {
                    let reason = "it belongs behind the requirement whose hash it is".to_owned();
                    return Err(RequirementsError::OptionValue { option, place: place.clone(), reason });
                }
                _ => return Err(RequirementsError::Option { option, place: place.clone() }),
            }
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl Reading<'_> {
    /// The path of a file that is named in this one.
    fn nested(&self, value: &str, option: &str, place: &Place) -> Result<PathBuf, RequirementsError> {
        let on_disk = || Url::parse(value).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok();
        match value.split_once("://") {
            None => Ok(self.folder.join(value)),
            Some(_) => on_disk().ok_or_else(|| RequirementsError::OptionValue {
                option: option.to_owned(),
                place: place.clone(),
                reason: format!(
                    "`{}` lies elsewhere; files are read from this machine",
                    shown_without_credentials(value)
                ),
            }),
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, RequirementsError> {
    let unreadable = |source| RequirementsError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(unreadable)?;
    // A file may have no end: a pipe, `/dev/zero`.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(RequirementsError::TooLarge { path: path.to_owned(), limit: MAX_BYTES });
    }
    Ok(bytes)
}

/// The hashes of one requirement.
#[derive(Default)]
struct Hashes {
    sha256: Vec<Sha256>,
    /// How many are of another algorithm that pip takes.
    others: usize,
}

impl Hashes {
    fn add(&mut self, text: &str, place: &Place) -> Result<(), RequirementsError> {
        let refused = |reason: String| RequirementsError::OptionValue {
            option: "--hash".to_owned(),
            place: place.clone(),
            reason,
        };
        match text.split_once(':') {
            Some(("sha256", digits)) => {
                let hash =
                    digits.parse().map_err(|error: crate::vocab::ParseSha256Error| refused(error.to_string()))?;
                self.sha256.push(hash);
            }
            Some(("sha384" | "sha512", _)) => self.others += 1,
            _ => {
                let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
                return Err(refused(format!("`{shown}` is not written `sha256:` and 64 hexadecimal digits")));
            }
        }
        Ok(())
    }
}

/// The options of a line, each with its value: `--name value`, `--name=value`, `-n value`, `-nvalue`.
fn split_options(line: &str, place: &Place) -> Result<Vec<(String, Option<String>)>, RequirementsError> {
    let refused = |option: &str, reason: String| RequirementsError::OptionValue {
        option: shown_without_credentials(option),
        place: place.clone(),
        reason,
    };
    let words = text::words(line).ok_or_else(|| refused(line, "a quote does not end".to_owned()))?;
    let mut options: Vec<(String, Option<String>)> = Vec::new();
    for word in words {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            options.push((format!("--{name}"), value.map(ToOwned::to_owned)));
        } else if word.starts_with('-') {
            let (name, value) = word.split_at(word.chars().take(2).map(char::len_utf8).sum());
            let value = value.strip_prefix('=').unwrap_or(value);
            options.push((name.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty())));
        } else {
            match options.last_mut() {
                Some((name, value @ None)) if takes_value(name) => *value = Some(word),
                last => {
                    let name = last.map_or("", |(name, _)| name.as_str()).to_owned();
                    let word = shown_without_credentials(&word);
                    return Err(refused(&name, format!("`{word}` is left over; a value with spaces needs quotes")));
                }
            }
        }
    }
    Ok(options)
}

fn takes_value(option: &str) -> bool {
    !matches!(option, "--no-index" | "--pre" | "--require-hashes" | "--prefer-binary")
}

fn needed(value: Option<String>, option: &str, place: &Place) -> Result<String, RequirementsError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| RequirementsError::OptionValue {
        option: option.to_owned(),
        place: place.clone(),
        reason: "it needs a value".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Listed, RequirementsError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let mut listed = Listed::default();
        let lookup = |name: &str| (name == "TOKEN").then(|| "secret".to_owned());
        listed.read(&folder.path().join(files[0].0), false, &lookup).map(|()| listed)
    }

    fn refused(line: &str) -> String {
        read(&[("a.txt", &format!("torch\n\n{line}\n"))]).unwrap_err().to_string()
    }

    fn texts(requirements: &[Requirement]) -> Vec<String> {
        requirements.iter().map(ToString::to_string).collect()
    }

    fn values(located: &[Located]) -> Vec<&str> {
        located.iter().map(|located| located.value.as_str()).collect()
    }

    #[test]
    fn comments_continuations_and_includes() {
        let listed = read(&[
            ("a.txt", "# head\ntorch==2.9.1  # the one\nnumpy>=1, \\\n  <3\n-r sub/b.txt\n--constraint=c.txt\n"),
            (
                "sub/b.txt",
                "demo @ https://host/demo-1-py3-none-any.whl#egg=demo ; python_version > '3'\n-c '../d d.txt'\n",
            ),
            ("c.txt", "sympy<2\n"),
            ("d d.txt", "-r c.txt\nmpmath<2"),
        ])
        .unwrap();
        assert_eq!(texts(&listed.requirements).len(), 3);
        assert_eq!(texts(&listed.requirements)[..2], ["torch==2.9.1", "numpy>=1,<3"]);
        assert_eq!(texts(&listed.constraints), ["sympy<2", "mpmath<2", "sympy<2"]);
    }

    #[test]
    fn hashes_stand_behind_requirements() {
        let hash = |digit: &str| digit.repeat(64);
        let text = format!(
            "torch==2.9.1 \\\n  --hash=sha256:{} \\\n  --hash sha256:{} --hash=sha512:00\nnumpy ; os_name == 'nt' --hash=sha256:{}\n",
            hash("a"),
            hash("b"),
            hash("c")
        );
        let listed = read(&[("a.txt", &text)]).unwrap();
        let [torch, numpy] = listed.hashes.as_slice() else { panic!("{:?}", listed.hashes) };
        assert_eq!((torch.name.as_ref(), torch.sha256.len()), ("torch", 2));
        assert!(numpy.marker.try_to_string().is_some_and(|marker| marker.contains("os_name")));
        assert_eq!(listed.hashes_required.as_ref().map(|place| place.line), Some(1));
        assert!(listed.notes[0].contains("only sha256"), "{:?}", listed.notes);
        assert!(refused("demo --hash=sha512:00").contains("none is listed"));
        assert!(refused("demo --hash=md5:00").contains("`md5:00`"));
        assert!(refused("demo --hash=sha256:00").contains("64 hexadecimal digits"));
        assert!(refused("--hash=sha256:00").contains("belongs behind"));
    }

    #[test]
    fn settings_are_gathered_with_their_places() {
        let listed = read(&[(
            "a.txt",
            "-i https://u:${TOKEN}@one/simple --extra-index-url=https://two/simple\n-f ./wheels\n--no-index\n--pre\n\
             --only-binary :all:\n--prefer-binary\n--no-binary=:none:\n--require-hashes\n",
        )])
        .unwrap();
        assert_eq!(values(&listed.index), ["https://u:secret@one/simple"]);
        assert_eq!(values(&listed.extra), ["https://two/simple"]);
        assert_eq!((values(&listed.links), listed.links[0].place.line), (vec!["./wheels"], 2));
        assert!(listed.no_index.is_some() && listed.pre.is_some() && listed.hashes_required.is_some());
        assert!(listed.notes.is_empty(), "{:?}", listed.notes);
        let listed = read(&[("a.txt", "--trusted-host h\n--use-feature=x\ndemo --config-settings a=b\n${GONE}\n")]);
        assert!(listed.unwrap_err().to_string().contains("${GONE}"), "it is no requirement");
        let listed = read(&[("a.txt", "--trusted-host h\n--use-feature=x\ndemo --config-settings a=b\n")]).unwrap();
        assert_eq!(listed.notes.len(), 3, "{:?}", listed.notes);
    }

    #[test]
    fn what_is_not_read_is_refused_by_line() {
        for (line, part) in [
            ("--process-dependency-links", "`--process-dependency-links`"),
            ("-e ./src", "`-e ./src` in"),
            ("git+https://me:${TOKEN}@host/a", "source code"),
            ("demo @ https://h/demo-1.0.tar.gz", "source code"),
            ("--no-binary :all:", "wheels only"),
            ("--index-url", "needs a value"),
            ("-r b c", "left over"),
            ("-r 'b", "a quote"),
            ("-r https://h/b.txt", "elsewhere"),
            ("torch=2", "`torch=2` in `"),
            ("torch==1 --editable", "`--editable`"),
        ] {
            let error = refused(line);
            assert!(error.contains(part) && error.contains("line 3") && !error.contains("secret"), "{line}: {error}");
        }
        assert!(matches!(read(&[("a.txt", "-r a.txt\n")]), Err(RequirementsError::Nesting { .. })));
        assert!(matches!(read(&[("a.txt", "-r gone.txt\n")]), Err(RequirementsError::Unreadable { .. })));
    }

    #[test]
    fn many_files_in_files_come_to_an_end() {
        let (many, next) = ("-r b.txt\n".repeat(40), "-r c.txt\n".repeat(40));
        let listed = read(&[("a.txt", &many), ("b.txt", &next), ("c.txt", "torch\n")]);
        assert!(matches!(listed, Err(RequirementsError::Nesting { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn a_file_without_end_is_refused() {
        let error = Listed::default().read(Path::new("/dev/zero"), false, &|_| None).unwrap_err();
        assert!(matches!(error, RequirementsError::TooLarge { .. }), "{error}");
    }
}
