//! Where wheels come from: flags, requirements files and variables, settled into one set of indexes.

use std::path::Path;

use super::file::{Listed, Located};
use super::requirements::shown_without_credentials;
use super::settle::{Defaults, RequestError};
use super::{Indexes, Variables};
use crate::cli::IndexArgs;
use crate::variables;
use crate::vocab::{self, Channel, Url, Variant};

/// The indexes, and what a URL of the PyTorch index among them names.
pub(super) struct Sources {
    pub indexes: Indexes,
    /// A directory of the PyTorch index, and the setting that names it as the index.
    pub named: Option<(String, Directory)>,
}

/// A directory of the PyTorch index: `…/whl/nightly/cu128`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    pub channel: Channel,
    pub variant: Option<Variant>,
}

/// A setting and what it says; the folder is what a path in it is against.
struct Setting<'a> {
    title: String,
    text: String,
    folder: &'a Path,
}

/// Settles the indexes; `notes` gets what came from elsewhere than the command line, and which setting won.
pub(super) fn settle(
    args: &IndexArgs,
    listed: &Listed,
    folder: &Path,
    variables: Variables<'_>,
    defaults: &Defaults,
    notes: &mut Vec<String>,
) -> Result<Sources, RequestError> {
    let flag = |title: &str, text: &String| Setting { title: title.to_owned(), text: text.clone(), folder };
    let variable = |name: &str| Some(Setting { title: name.to_owned(), text: variables(name)?, folder });
    let mirror = args.torch_index.as_ref().map(|text| flag("--torch-index", text));
    let mirror = mirror.or_else(|| variable(variables::TORCH_INDEX)).map(|setting| index_url(&setting)).transpose()?;
    let torch_is_mirror = mirror.is_some();
    let torch = mirror.unwrap_or_else(|| defaults.torch.clone());
    let of_torch = |url: &Url| directory(url, defaults, torch_is_mirror.then_some(&torch));

    let in_files = last_index(args, listed, notes);
    let typed = args.index_url.as_ref().map(|text| flag("--index-url", text)).or(in_files);
    let variables_order =
        [variables::INDEX_URL, variables::PIP_INDEX_URL, variables::UV_DEFAULT_INDEX, variables::UV_INDEX_URL];
    let (mut default, mut named) = (defaults.index.clone(), None);
    // One that names the PyTorch index says nothing about all else: that is left to the variables.
    let order = typed.into_iter().chain(variables_order.into_iter().find_map(variable));
    for setting in order {
        let url = index_url(&setting)?;
        let of_variable = variables_order.contains(&setting.title.as_str());
        match of_torch(&url) {
            Some(directory) if !of_variable => {
                named = Some((setting.title, directory));
                continue;
            }
            Some(_) => notes.push(format!(
                "{} names the PyTorch index; it chooses no variant, and all else comes from {}",
                setting.title,
                without_credentials(&default)
            )),
            None => {
                if of_variable || args.index_url.is_none() {
                    notes.push(format!("{} sets the default index: {}", setting.title, without_credentials(&url)));
                }
                default = url;
            }
        }
        break;
    }

    let several = |flags: &[String], title: &str, names: &[&str]| -> Vec<Setting<'_>> {
        if !flags.is_empty() {
            return flags.iter().map(|text| flag(title, text)).collect();
        }
        let Some(Setting { title, text, .. }) = names.iter().find_map(|name| variable(name)) else { return Vec::new() };
        text.split_whitespace().map(|url| flag(&title, &url.to_owned())).collect()
    };
    let extras = [variables::EXTRA_INDEX_URL, variables::PIP_EXTRA_INDEX_URL];
    let mut extra = several(&args.extra_index_url, "--extra-index-url", &extras);
    extra.extend(listed.extra.iter().map(|located| in_file("--extra-index-url", located, folder)));
    let mut indexes = Vec::new();
    for setting in extra {
        let url = index_url(&setting)?;
        match of_torch(&url) {
            Some(directory) => notes.push(adds_nothing(&setting.title, &url, &directory)),
            None if indexes.contains(&url) || url == default => {}
            None => indexes.push(url),
        }
    }
    let mut links = several(&args.find_links, "--find-links", &[variables::FIND_LINKS]);
    links.extend(listed.links.iter().map(|located| in_file("--find-links", located, folder)));
    let find_links = links.iter().map(index_url).collect::<Result<Vec<_>, _>>()?;
    if let (Some(place), false) = (&listed.no_index, args.no_index) {
        notes.push(format!("{place}: `--no-index` stands there, so that no index is asked"));
    }
    let no_index = args.no_index || listed.no_index.is_some();
    let channel = named.as_ref().map_or(Channel::Stable, |(_, directory)| directory.channel);
    let indexes = Indexes { default, extra: indexes, find_links, torch, torch_is_mirror, channel, no_index };
    Ok(Sources { indexes, named })
}

/// What an extra index that is the PyTorch index comes to: a word.
fn adds_nothing(title: &str, url: &Url, directory: &Directory) -> String {
    let wanted = match (directory.channel, &directory.variant) {
        (Channel::Stable, Some(variant)) => format!("; `--variant {variant}` takes that one"),
        (channel, Some(variant)) => format!("; `--channel {channel} --variant {variant}` takes that one"),
        (Channel::Stable, None) => String::new(),
        (channel, None) => format!("; `--channel {channel}` takes that channel"),
    };
    format!(
        "{title} names the PyTorch index ({}); torch's family comes from there anyway, and no variant is chosen by it{wanted}",
        without_credentials(url)
    )
}

/// The last `-i` of the files; each that does not count is told.
fn last_index<'a>(args: &IndexArgs, listed: &'a Listed, notes: &mut Vec<String>) -> Option<Setting<'a>> {
    let (last, earlier) = listed.index.split_last()?;
    let passed_over = |located: &Located, winner: &str| {
        let url = shown_without_credentials(&located.value);
        format!("{}: `--index-url {url}` is passed over, for {winner} wins", located.place)
    };
    let other = earlier.iter().filter(|located| located.value != last.value);
    notes.extend(other.map(|located| passed_over(located, &format!("the one in {}", last.place))));
    if args.index_url.is_some() {
        notes.push(passed_over(last, "the command line's"));
        return None;
    }
    Some(in_file("--index-url", last, &last.folder))
}

/// A setting of a file; a path in it is against the file's folder where there is such a path, else against `folder`.
fn in_file<'a>(option: &str, located: &'a Located, folder: &'a Path) -> Setting<'a> {
    let beside = located.folder.join(&located.value).exists();
    let folder = if beside { located.folder.as_path() } else { folder };
    Setting { title: format!("`{option}` in {}", located.place), text: located.value.clone(), folder }
}

/// What a URL names on the PyTorch index, or on the mirror of it; `None` when it lies elsewhere.
fn directory(url: &Url, defaults: &Defaults, mirror: Option<&Url>) -> Option<Directory> {
    let known = url.host_str().is_some_and(|host| defaults.torch_hosts.iter().any(|known| known == host));
    let path = if known { url.path() } else { below(url, mirror?)? };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let variant = parts.last().and_then(|part| part.parse().ok());
    // Beside the mirror's directories may lie indexes of other things.
    if !known && variant.is_none() {
        return None;
    }
    let of_path = |part: &&str| defaults.channels.iter().find(|(_, path)| path == part).map(|(channel, _)| *channel);
    let channel = parts.iter().find_map(of_path).unwrap_or_default();
    Some(Directory { channel, variant })
}

/// The path of `url` below `root`.
fn below<'a>(url: &'a Url, root: &Url) -> Option<&'a str> {
    let same = (url.scheme(), url.host_str(), url.port_or_known_default())
        == (root.scheme(), root.host_str(), root.port_or_known_default());
    url.path().strip_prefix(root.path().trim_end_matches('/')).filter(|rest| same && rest.starts_with('/'))
}

/// An index URL, or the path of a folder, without a trailing slash.
fn index_url(setting: &Setting<'_>) -> Result<Url, RequestError> {
    let Setting { title, text, folder } = setting;
    let error = |reason: String| RequestError::Index {
        setting: title.clone(),
        text: Url::parse(text).map_or_else(|_| shown_without_credentials(text), |url| without_credentials(&url)),
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

pub(super) fn without_credentials(url: &Url) -> String {
    vocab::without_credentials(url).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            index: "https://pypi.example/simple".parse().unwrap(),
            torch: "https://torch.example/whl".parse().unwrap(),
            torch_hosts: vec!["torch.example".to_owned()],
            channels: vec![(Channel::Test, "test".to_owned()), (Channel::Nightly, "nightly".to_owned())],
        }
    }

    #[test]
    fn a_url_of_the_pytorch_index_names_channel_and_variant() {
        let mirror: Url = "http://mirror.example/pytorch".parse().unwrap();
        let named = |url: &str| {
            let found = directory(&url.parse().unwrap(), &defaults(), Some(&mirror))?;
            Some(format!("{} {}", found.channel, found.variant.map_or("-".to_owned(), |variant| variant.to_string())))
        };
        assert_eq!(named("https://torch.example/whl/cu126").as_deref(), Some("stable cu126"));
        assert_eq!(named("https://torch.example/whl/nightly/rocm6.4/").as_deref(), Some("nightly rocm6.4"));
        assert_eq!(named("https://torch.example/whl/test").as_deref(), Some("test -"));
        assert_eq!(named("https://torch.example/whl/").as_deref(), Some("stable -"));
        assert_eq!(named("http://mirror.example/pytorch/test/cpu/").as_deref(), Some("test cpu"));
        for other in [
            "https://mirror.example/pytorch/cpu",
            "http://mirror.example:8080/pytorch/cpu",
            "http://mirror.example/pytorch",
            "http://mirror.example/pytorch-other/cpu",
            "http://mirror.example/pytorch/simple",
            "https://pypi.example/simple",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
