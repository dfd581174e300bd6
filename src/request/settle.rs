//! Every default of a request, settled from what was typed and what the environment says.

use std::path::Path;

use super::requirements::{Listed, RequirementsError, parse_requirement};
use super::{Indexes, Request, VariantChoice};
use crate::cli::{IndexArgs, InstallArgs};
use crate::variables;
use crate::vocab::{Diagnostic, ExitStatus, Requirement, Url, Variant};

/// What holds where nothing else is said; the URLs come from the manifests.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The default index.
    pub index: Url,
    /// The root of the PyTorch index.
    pub torch: Url,
    /// Its hosts: a URL on one of them names the PyTorch index.
    pub torch_hosts: Vec<String>,
}

/// A request, and what should be said about how it came about.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The request.
    pub request: Request,
    /// Settings that came from the environment, and which one won.
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
    /// Code `usage.index-url`, exit 2.
    #[error("{setting}: `{text}` is no index URL: {reason}")]
    Index {
        /// The flag or variable.
        setting: &'static str,
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
            Self::Variant { .. } => Vec::new(),
        }
    }
}

/// Looks a variable up; every setting passes through it, so that tests need no process environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Request {
    /// Settles what `install` was asked for. `folder` is the working directory.
    pub fn settle(
        args: &InstallArgs,
        folder: &Path,
        variables: Variables<'_>,
        defaults: &Defaults,
    ) -> Result<Settled, RequestError> {
        let mut notes = Vec::new();
        let mut listed = Listed::default();
        for text in &args.requirements {
            listed.requirements.push(parse_requirement(text, folder)?);
        }
        for path in &args.requirement_files {
            listed.read(&folder.join(path), false)?;
        }
        for path in &args.constraint_files {
            listed.read(&folder.join(path), true)?;
        }
        if args.requirements.is_empty() && args.requirement_files.is_empty() {
            listed.requirements.push(parse_requirement("torch", folder)?);
        }
        if args.seed {
            listed.requirements.push(parse_requirement("pip", folder)?);
        }
        let (indexes, index_variant) = settle_indexes(&args.indexes, folder, variables, defaults, &mut notes)?;
        let mut variant = settle_variant(args.solve.variant.as_deref(), variables, &mut notes)?;
        if let (VariantChoice::Auto, Some(named)) = (&variant, index_variant) {
            notes.push(format!(
                "--index-url names the PyTorch index, so the variant is {named}; all else comes from {}",
                indexes.default
            ));
            variant = VariantChoice::Named(named);
        }
        let request = Request {
            requirements: deduplicated(listed.requirements),
            constraints: listed.constraints,
            variant,
            upgrade: args.upgrade,
            pre_releases: args.pre,
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
    typed: Option<&str>,
    variables: Variables<'_>,
    notes: &mut Vec<String>,
) -> Result<VariantChoice, RequestError> {
    let (setting, text) = match (typed, variables(variables::VARIANT)) {
        (Some(typed), _) => ("--variant", typed.to_owned()),
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

/// The indexes, and the variant that `--index-url` names when it is a directory of the PyTorch index.
fn settle_indexes(
    args: &IndexArgs,
    folder: &Path,
    variables: Variables<'_>,
    defaults: &Defaults,
    notes: &mut Vec<String>,
) -> Result<(Indexes, Option<Variant>), RequestError> {
    let names_torch =
        |url: &Url| url.host_str().is_some_and(|host| defaults.torch_hosts.iter().any(|known| known == host));
    let mut default = defaults.index.clone();
    let mut variant = None;
    if let Some(text) = &args.index_url {
        let url = index_url("--index-url", text, folder)?;
        if names_torch(&url) {
            variant = url
                .path_segments()
                .and_then(|mut parts| parts.rfind(|part| !part.is_empty()))
                .and_then(|part| part.parse().ok());
        } else {
            default = url;
        }
    } else {
        let order =
            [variables::INDEX_URL, variables::PIP_INDEX_URL, variables::UV_DEFAULT_INDEX, variables::UV_INDEX_URL];
        if let Some((setting, text)) = order.into_iter().find_map(|name| Some((name, variables(name)?))) {
            let url = index_url(setting, &text, folder)?;
            if names_torch(&url) {
                notes.push(format!(
                    "{setting} names the PyTorch index; it chooses no variant, and all else comes from {default}"
                ));
            } else {
                notes.push(format!("{setting} sets the default index: {}", without_credentials(&url)));
                default = url;
            }
        }
    }
    let extra = listed_urls(
        ("--extra-index-url", &args.extra_index_url),
        &[variables::EXTRA_INDEX_URL, variables::PIP_EXTRA_INDEX_URL],
        variables,
    )
    .into_iter()
    .map(|(setting, text)| index_url(setting, &text, folder).map(|url| (setting, url)))
    .collect::<Result<Vec<_>, _>>()?;
    let (torch_extra, extra): (Vec<_>, Vec<_>) = extra.into_iter().partition(|(_, url)| names_torch(url));
    for (setting, url) in torch_extra {
        notes.push(format!("{setting} names the PyTorch index ({}); torch's family comes from there anyway, and no variant is chosen by it", without_credentials(&url)));
    }
    let find_links = listed_urls(("--find-links", &args.find_links), &[variables::FIND_LINKS], variables)
        .into_iter()
        .map(|(setting, text)| index_url(setting, &text, folder))
        .collect::<Result<Vec<_>, _>>()?;
    let mirror = args
        .torch_index
        .clone()
        .map(|text| ("--torch-index", text))
        .or_else(|| Some((variables::TORCH_INDEX, variables(variables::TORCH_INDEX)?)));
    let (torch, torch_is_mirror) = match mirror {
        Some((setting, text)) => (index_url(setting, &text, folder)?, true),
        None => (defaults.torch.clone(), false),
    };
    let extra = extra.into_iter().map(|(_, url)| url).collect();
    Ok((Indexes { default, extra, find_links, torch, torch_is_mirror }, variant))
}

/// A setting that may name several: the flag's values, else those of the first variable that is set.
fn listed_urls(
    flag: (&'static str, &[String]),
    names: &[&'static str],
    variables: Variables<'_>,
) -> Vec<(&'static str, String)> {
    if !flag.1.is_empty() {
        return flag.1.iter().map(|text| (flag.0, text.clone())).collect();
    }
    let set = names.iter().find_map(|name| Some((*name, variables(name)?)));
    set.map(|(name, text)| text.split_whitespace().map(|url| (name, url.to_owned())).collect()).unwrap_or_default()
}

/// An index URL, or the path of a folder, without a trailing slash.
fn index_url(setting: &'static str, text: &str, folder: &Path) -> Result<Url, RequestError> {
    let error = |reason: String| RequestError::Index {
        setting,
        text: Url::parse(text).map_or_else(|_| text.chars().take(200).collect(), |url| without_credentials(&url)),
        reason,
    };
    let mut url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => url,
        // A Windows drive letter parses as a scheme.
        Ok(url) if url.scheme().len() > 1 => {
            return Err(error(format!("`{}` is not a scheme torchfix speaks", url.scheme())));
        }
        _ => {
            let path = folder.join(text);
            if !path.exists() {
                return Err(error("it is neither a URL nor a folder that exists".to_owned()));
            }
            Url::from_file_path(&path).map_err(|()| error("its path is not absolute".to_owned()))?
        }
    };
    let trimmed = url.path().trim_end_matches('/').to_owned();
    url.set_path(&trimmed);
    url.set_fragment(None);
    Ok(url)
}

fn without_credentials(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
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
}
