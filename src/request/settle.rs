//! Every default of a request, settled from what was typed, what the files say and what the environment says.

use std::path::Path;

use super::file::Listed;
use super::requirements::{RequirementsError, parse_requirement};
use super::sources::{self, Sources};
use super::{FileRules, Request, Variables, VariantChoice};
use crate::cli::{InstallArgs, SolveArgs};
use crate::variables;
use crate::vocab::{Channel, Diagnostic, ExitStatus, Moment, Requirement, Url};

/// What holds where nothing else is said; it comes from the manifests.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The default index.
    pub index: Url,
    /// The root of the PyTorch index.
    pub torch: Url,
    /// Its hosts: a URL on one of them names the PyTorch index.
    pub torch_hosts: Vec<String>,
    /// Its channels beside the stable one, and where they lie under the root.
    pub channels: Vec<(Channel, String)>,
}

/// A request, and what should be said about how it came about.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The request.
    pub request: Request,
    /// Settings that came from the environment or from a file, and which one won.
    pub notes: Vec<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// As [`RequirementsError`].
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// Code `usage.variant`, exit 2.
    #[error("{setting}: {source}")]
    Variant {
        /// The flag or variable.
        setting: &'static str,
        /// What is wrong with it.
        #[source]
        source: crate::vocab::ParseVariantError,
    },
    /// Code `usage.channel`, exit 2.
    #[error("{setting}: {source}")]
    Channel {
        /// The variable.
        setting: &'static str,
        /// What is wrong with it.
        #[source]
        source: crate::vocab::ParseChannelError,
    },
    /// Code `usage.exclude-newer`, exit 2.
    #[error("{setting}: {source}")]
    ExcludeNewer {
        /// The flag or variable.
        setting: &'static str,
        /// What is wrong with it.
        #[source]
        source: crate::vocab::ParseMomentError,
    },
    /// Code `usage.index-url`, exit 2.
    #[error("{setting}: `{text}` is no index URL: {reason}")]
    Index {
        /// The flag, the variable, or the line of a file.
        setting: String,
        /// What it says, without credentials.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Diagnostic for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Requirements(error) => error.code(),
            Self::Variant { .. } => "usage.variant",
            Self::Channel { .. } => "usage.channel",
            Self::ExcludeNewer { .. } => "usage.exclude-newer",
            Self::Index { .. } => "usage.index-url",
        }
    }

    fn exit_status(&self) -> ExitStatus {
        ExitStatus::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Requirements(error) => error.hints(),
            Self::Index { .. } => vec!["index URLs start with https://, http:// or file://".to_owned()],
            Self::ExcludeNewer { .. } => vec![format!(
                "durations, as uv takes them, are not read: name a moment or a day with `--exclude-newer` or {}",
                variables::EXCLUDE_NEWER
            )],
            Self::Variant { .. } | Self::Channel { .. } => Vec::new(),
        }
    }
}

impl Request {
    /// Settles what `install` was asked for. `folder` is the working directory.
    pub fn settle(
        args: &InstallArgs,
        folder: &Path,
        variables: Variables<'_>,
        defaults: &Defaults,
    ) -> Result<Settled, RequestError> {
        let mut listed = Listed::default();
        for text in &args.requirements {
            listed.requirements.push(parse_requirement(text, folder)?);
        }
        for path in &args.requirement_files {
            listed.read(&folder.join(path), false, variables)?;
        }
        for path in &args.constraint_files {
            listed.read(&folder.join(path), true, variables)?;
        }
        if args.requirements.is_empty() && args.requirement_files.is_empty() {
            listed.requirements.push(parse_requirement("torch", folder)?);
        }
        if args.seed {
            listed.requirements.push(parse_requirement("pip", folder)?);
        }
        let mut notes = listed.notes.clone();
        let Sources { mut indexes, named } =
            sources::settle(&args.indexes, &listed, folder, variables, defaults, &mut notes)?;
        let mut variant = settle_variant(&args.solve, variables, &mut notes)?;
        if let Some((setting, directory)) = named {
            let mut what = Vec::new();
            if let (VariantChoice::Auto, Some(named)) = (&variant, directory.variant) {
                what.push(format!("the variant is {named}"));
                variant = VariantChoice::Named(named);
            }
            if directory.channel != Channel::Stable && args.solve.channel.is_none() {
                what.push(format!("the channel is {}", directory.channel));
            }
            let so = if what.is_empty() { String::new() } else { format!(", so {}", what.join(" and ")) };
            let rest = sources::without_credentials(&indexes.default);
            notes.push(format!("{setting} names the PyTorch index{so}; all else comes from {rest}"));
        }
        if let Some(channel) = settle_channel(&args.solve, indexes.channel, variables, &mut notes)? {
            indexes.channel = channel;
        }
        if let Some(place) = &listed.hashes_required {
            notes.push(format!(
                "hashes are listed in {place}, so every wheel that is fetched must have one that is listed"
            ));
        }
        let files = FileRules {
            exclude_newer: settle_exclude_newer(&args.solve, variables, &mut notes)?,
            only_listed: listed.hashes_required.is_some(),
            hashes: listed.hashes,
        };
        let request = Request {
            requirements: deduplicated(listed.requirements),
            constraints: listed.constraints,
            variant,
            upgrade: args.upgrade,
            pre_releases: args.pre || listed.pre.is_some(),
            files,
            indexes,
        };
        Ok(Settled { request, notes })
    }
}

fn deduplicated(requirements: Vec<Requirement>) -> Vec<Requirement> {
    let mut unique: Vec<Requirement> = Vec::new();
    for requirement in requirements {
        if !unique.contains(&requirement) {
            unique.push(requirement);
        }
    }
    unique
}

fn settle_variant(
    args: &SolveArgs,
    variables: Variables<'_>,
    notes: &mut Vec<String>,
) -> Result<VariantChoice, RequestError> {
    let (setting, text) = match (&args.variant, variables(variables::VARIANT)) {
        (Some(typed), _) => ("--variant", typed.clone()),
        (None, Some(text)) => {
            notes.push(format!("{} chooses the variant {text}", variables::VARIANT));
            (variables::VARIANT, text)
        }
        (None, None) => return Ok(VariantChoice::Auto),
    };
    match text.as_str() {
        "auto" => Ok(VariantChoice::Auto),
        text => text.parse().map(VariantChoice::Named).map_err(|source| RequestError::Variant { setting, source }),
    }
}

/// The flag, else what an index URL names, else the variable; `None` where nothing is left to say.
fn settle_channel(
    args: &SolveArgs,
    named: Channel,
    variables: Variables<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<Channel>, RequestError> {
    if args.channel.is_some() || named != Channel::Stable {
        return Ok(args.channel);
    }
    let setting = variables::CHANNEL;
    let Some(text) = variables(setting) else { return Ok(None) };
    let channel = text.parse().map_err(|source| RequestError::Channel { setting, source })?;
    notes.push(format!("{setting} chooses the channel {channel}"));
    Ok(Some(channel))
}

fn settle_exclude_newer(
    args: &SolveArgs,
    variables: Variables<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<Moment>, RequestError> {
    let bound = |setting: &'static str, text: &str| {
        Moment::bound(text).map_err(|source| RequestError::ExcludeNewer { setting, source })
    };
    if let Some(text) = &args.exclude_newer {
        return bound("--exclude-newer", text).map(Some);
    }
    let order = [variables::EXCLUDE_NEWER, variables::UV_EXCLUDE_NEWER];
    let set = order.into_iter().find_map(|name| Some((name, variables(name)?)));
    let Some((setting, text)) = set else { return Ok(None) };
    let moment = bound(setting, &text)?;
    notes.push(format!("{setting} leaves out what was uploaded at {moment} or later"));
    Ok(Some(moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn settle(words: &[&str], variables: &[(&str, &str)]) -> Result<Settled, RequestError> {
        let Command::Install(args) = Cli::parse_from(["torchfix", "install"].iter().chain(words)).command else {
            unreachable!()
        };
        let defaults = Defaults {
            index: "https://pypi.example/simple".parse().unwrap(),
            torch: "https://torch.example/whl".parse().unwrap(),
            torch_hosts: vec!["torch.example".to_owned()],
            channels: vec![(Channel::Test, "test".to_owned()), (Channel::Nightly, "nightly".to_owned())],
        };
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Request::settle(&args, Path::new("/"), &lookup, &defaults)
    }

    #[test]
    fn no_requirement_means_torch_and_defaults_hold() {
        let request = settle(&[], &[]).unwrap().request;
        assert_eq!(request.requirements[0].to_string(), "torch");
        assert_eq!(request.indexes.default.as_str(), "https://pypi.example/simple");
        assert!(!request.indexes.torch_is_mirror);
    }

    #[test]
    fn a_file_that_lists_nothing_asks_for_nothing() {
        assert!(settle(&["-r", "/dev/null"], &[]).unwrap().request.requirements.is_empty());
    }

    #[test]
    fn the_command_line_wins_then_torchfix_then_pip_then_uv() {
        let set = [("UV_INDEX_URL", "https://uv/"), ("PIP_INDEX_URL", "https://u:p@pip/simple/")];
        let settled = settle(&[], &set).unwrap();
        assert_eq!(settled.request.indexes.default.host_str(), Some("pip"));
        assert!(settled.notes[0].contains("PIP_INDEX_URL") && !settled.notes[0].contains("u:p"), "{:?}", settled.notes);
        let request = settle(&["--index-url", "https://flag/simple/"], &set).unwrap().request;
        assert_eq!(request.indexes.default.as_str(), "https://flag/simple");
    }

    #[test]
    fn variables_that_name_the_pytorch_index_choose_nothing() {
        let settled =
            settle(&[], &[("PIP_EXTRA_INDEX_URL", "https://torch.example/whl/cu118 https://other/simple")]).unwrap();
        assert_eq!(settled.request.variant, VariantChoice::Auto);
        assert_eq!(settled.request.indexes.extra.len(), 1);
        let settled = settle(&[], &[("PIP_INDEX_URL", "https://torch.example/whl/cu118")]).unwrap();
        assert_eq!(settled.request.indexes.default.host_str(), Some("pypi.example"));
    }

    #[test]
    fn the_flag_with_the_pytorch_index_names_its_variant() {
        let request = settle(&["--index-url", "https://torch.example/whl/cu126/"], &[]).unwrap().request;
        assert_eq!(request.variant, VariantChoice::Named("cu126".parse().unwrap()));
    }

    #[test]
    fn bad_settings_name_themselves() {
        assert!(settle(&["--variant", "cuda"], &[]).unwrap_err().to_string().starts_with("--variant"));
        let error = settle(&["--index-url", "ftp://x/"], &[]).unwrap_err().to_string();
        assert!(error.contains("ftp"), "{error}");
        assert!(settle(&["--find-links", "gone"], &[]).is_err());
    }

    #[test]
    fn a_file_s_index_is_like_the_flag_and_its_extra_index_adds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requirements.txt");
        let file = |text: &str, words: &[&str]| {
            fs_err::write(&path, text).unwrap();
            let words: Vec<&str> = ["-r", path.to_str().unwrap()].iter().chain(words).copied().collect();
            settle(&words, &[("PIP_INDEX_URL", "https://pip/simple")]).unwrap()
        };
        let settled = file("-i https://torch.example/whl/cu118\ntorch\n", &[]);
        assert_eq!(settled.request.variant, VariantChoice::Named("cu118".parse().unwrap()));
        // It says nothing about all else.
        assert_eq!(settled.request.indexes.default.host_str(), Some("pip"));
        let named = "line 1 names the PyTorch index, so the variant is cu118; all else comes from https://pip/simple";
        assert!(settled.notes.iter().any(|note| note.contains(named)), "{:?}", settled.notes);
        let settled = file("--extra-index-url https://torch.example/whl/cu121\ntorch\n", &[]);
        assert_eq!(settled.request.variant, VariantChoice::Auto);
        assert!(settled.request.indexes.extra.is_empty());
        assert!(settled.notes.iter().any(|note| note.contains("`--variant cu121`")), "{:?}", settled.notes);
        let settled = file("-i https://one/\n-i https://two/\ntorch\n", &[]);
        assert_eq!(settled.request.indexes.default.host_str(), Some("two"));
        assert!(settled.notes[0].contains("line 1: `--index-url https://one/` is passed over"), "{:?}", settled.notes);
        let settled = file("-i https://u:secret@one/\n", &["--index-url", "https://flag/"]);
        assert_eq!(settled.request.indexes.default.host_str(), Some("flag"));
        assert!(!settled.notes.concat().contains("secret") && settled.notes[0].contains("passed over"));
    }

    #[test]
    fn a_file_sets_what_pip_reads_there() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("wheels")).unwrap();
        let path = folder.path().join("requirements.txt");
        let hash = "a".repeat(64);
        let text = format!("--pre\n-f wheels\n--no-index\ntorch==2.9.1 --hash=sha256:{hash}\n");
        fs_err::write(&path, text).unwrap();
        let request = settle(&["-r", path.to_str().unwrap()], &[]).unwrap().request;
        assert!(request.pre_releases && request.indexes.no_index && request.files.only_listed);
        assert_eq!(request.indexes.find_links[0].to_file_path().unwrap(), folder.path().join("wheels"));
        assert_eq!(request.files.hashes[0].sha256[0].to_string(), hash);
    }

    #[test]
    fn channels_and_bounds_come_from_flags_urls_and_variables() {
        let channel = |words: &[&str], set: &[(&str, &str)]| settle(words, set).unwrap().request.indexes.channel;
        assert_eq!(channel(&[], &[]), Channel::Stable);
        assert_eq!(channel(&["--channel", "test"], &[("TORCHFIX_CHANNEL", "nightly")]), Channel::Test);
        assert_eq!(channel(&[], &[("TORCHFIX_CHANNEL", "nightly")]), Channel::Nightly);
        let url = ["--index-url", "https://torch.example/whl/nightly/cu128"];
        assert_eq!(channel(&url, &[("TORCHFIX_CHANNEL", "test")]), Channel::Nightly);
        assert_eq!(channel(&[&url[..], &["--channel", "stable"]].concat(), &[]), Channel::Stable);
        assert!(settle(&[], &[("TORCHFIX_CHANNEL", "beta")]).unwrap_err().to_string().starts_with("TORCHFIX_CHANNEL"));

        let bound = |words: &[&str], set: &[(&str, &str)]| {
            settle(words, set).unwrap().request.files.exclude_newer.map(|moment| moment.to_string())
        };
        let uv = [("UV_EXCLUDE_NEWER", "2025-01-01T12:00:00Z")];
        assert_eq!(bound(&[], &uv).as_deref(), Some("2025-01-01T12:00:00Z"));
        assert_eq!(bound(&["--exclude-newer", "2024-01-01"], &uv).as_deref(), Some("2024-01-02T00:00:00Z"));
        let both = [uv[0], ("TORCHFIX_EXCLUDE_NEWER", "2024-05-05")];
        assert_eq!(bound(&[], &both).as_deref(), Some("2024-05-06T00:00:00Z"));
        assert!(settle(&[], &both).unwrap().notes[0].contains("TORCHFIX_EXCLUDE_NEWER"));
        let error = settle(&[], &[("UV_EXCLUDE_NEWER", "7 days")]).unwrap_err().to_string();
        assert!(error.starts_with("UV_EXCLUDE_NEWER: `7 days`"), "{error}");
    }
}
