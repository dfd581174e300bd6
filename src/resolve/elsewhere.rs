//! Names that live on more than one index: which one is used, in a clear word.

use std::collections::BTreeMap;

use pep508_rs::VersionOrUrl;

use super::asked::without_credentials;
use super::{Asked, ranges};
use crate::catalog::{Homes, Index, IndexKind, Pages, TorchSource};
use crate::vocab::{PackageName, Url};

/// A chosen wheel's name, and the index it was listed on.
pub type Origin = (PackageName, Index);

/// What is said of chosen names that another index has as well.
///
/// Without extra indexes and links nothing is asked. Pages of homes were read before; those of extra indexes are asked
/// here, for an index that could stand in for another must not do so, or fail to do so, unseen.
pub fn told<P: Pages>(pages: &P, homes: &Homes, source: Option<&TorchSource>, origins: &[Origin]) -> Vec<String> {
    let others = |(name, index): &Origin| -> Vec<Index> {
        match index.kind {
            IndexKind::Links => homes.home(name, source).indexes,
            // An extra index that is the home comes before those behind it.
            _ => match homes.extras().position(|extra| extra == *index) {
                Some(place) => homes.extras().skip(place + 1).collect(),
                None => homes.extras().collect(),
            },
        }
    };
    let asked: Vec<(&Origin, Index)> =
        origins.iter().flat_map(|origin| others(origin).into_iter().map(move |other| (origin, other))).collect();
    let wanted: Vec<(Index, PackageName)> =
        asked.iter().map(|((name, _), other)| (other.clone(), name.clone())).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    pages.prefetch(&wanted, &[]);
    let mut both: BTreeMap<(&Index, Index), Vec<&PackageName>> = BTreeMap::new();
    let mut silent: BTreeMap<Url, String> = BTreeMap::new();
    for ((name, home), other) in asked {
        match pages.page(&other, name) {
            Ok(Some(page)) if !page.artifacts.is_empty() => both.entry((home, other)).or_default().push(name),
            Ok(_) => {}
            Err(error) => {
                silent.entry(other.url).or_insert_with(|| error.to_string());
            }
        }
    }
    let mut sentences: Vec<String> = both.iter().map(|((home, other), names)| sentence(home, other, names)).collect();
    sentences.extend(silent.iter().map(|(url, error)| {
        format!("whether `{}` has names of this plan as well is not known: {error}", without_credentials(url))
    }));
    sentences
}

fn sentence(home: &Index, other: &Index, names: &[&PackageName]) -> String {
    let (home_url, other_url) = (without_credentials(&home.url), without_credentials(&other.url));
    let listed: Vec<&str> = names.iter().copied().map(AsRef::as_ref).collect();
    let one = names.len() == 1;
    let (names, comes, them) = if one { (listed.concat(), "comes", "it") } else { (listed.join(", "), "come", "them") };
    let also = if one { "it is too" } else { "they are too" };
    match home.kind {
        IndexKind::Links => {
            format!("{names} {comes} from the links of `{home_url}`, which count beside `{other_url}`, where {also}")
        }
        _ => format!(
            "{names} {comes} from `{home_url}`; `{other_url}` has {them} too, and an extra index adds no versions of a name \
             that has a home"
        ),
    }
}

/// Where nothing was found: versions that were asked for and that only an index has which is not the home.
pub fn hints<P: Pages>(pages: &P, homes: &Homes, asked: &Asked) -> Vec<String> {
    let mut hints = Vec::new();
    for requirement in asked.requirements.iter().filter(|requirement| !homes.is_family(&requirement.name)) {
        let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &requirement.version_or_url else { continue };
        let has = |index: &Index| {
            let page = pages.page(index, &requirement.name).ok().flatten()?;
            let mut versions = page.artifacts.iter().map(|artifact| &artifact.file_name.version);
            Some(versions.any(|version| ranges::satisfies(version, specifiers)))
        };
        let mut indexes = homes.home(&requirement.name, None).indexes.into_iter().map(|index| (has(&index), index));
        if !indexes.any(|(has, _)| has == Some(false)) {
            continue;
        }
        if let Some((_, index)) = indexes.find(|(has, _)| *has == Some(true)) {
            let url = without_credentials(&index.url);
            hints.push(format!(
                "`{url}` has {requirement}, but an extra index adds no versions of a name that has a home: `--index-url {url}` \
                 makes it the home of all but torch's family"
            ));
        }
    }
    hints
}
