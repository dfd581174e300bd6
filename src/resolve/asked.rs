//! The request as the solver takes it: markers judged, constraints merged, URLs made into wheels.

use std::collections::{BTreeSet, HashMap, HashSet};

use pep508_rs::{MarkerEnvironment, VersionOrUrl};
use version_ranges::Ranges;

use super::{ResolveError, ranges};
use crate::catalog::{Artifact, Index, IndexKind};
use crate::request::Request;
use crate::vocab::{self, PackageName, Requirement, Sha256, Url, Version, WheelName};

/// What is asked for on one machine.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The requirements that apply here.
    pub requirements: Vec<Requirement>,
    /// Wheels that are asked for by URL.
    pub direct: HashMap<PackageName, Artifact>,
    /// Whether newer versions are looked for.
    pub upgrade: bool,
    constraints: HashMap<PackageName, Ranges<Version>>,
    spellings: HashMap<PackageName, Vec<String>>,
    all_pre_releases: bool,
    pre_releases: HashSet<PackageName>,
    /// Whether only wheels with a listed hash are fetched.
    only_listed: bool,
    hashes: HashMap<PackageName, BTreeSet<Sha256>>,
}

impl Asked {
    /// What of a request applies where these markers hold.
    pub fn of<E: std::error::Error + 'static>(
        request: &Request,
        markers: &MarkerEnvironment,
    ) -> Result<Self, ResolveError<E>> {
        let applies = |requirement: &&Requirement| requirement.evaluate_markers(markers, &[]);
        let requirements: Vec<Requirement> = request.requirements.iter().filter(applies).cloned().collect();
        let mut asked = Self {
            requirements: Vec::new(),
            direct: HashMap::new(),
            upgrade: request.upgrade,
            constraints: HashMap::new(),
            spellings: HashMap::new(),
            all_pre_releases: request.pre_releases,
            pre_releases: HashSet::new(),
            only_listed: request.files.only_listed,
            hashes: request.listed_hashes(markers),
        };
        for requirement in requirements.iter().chain(request.constraints.iter().filter(applies)) {
            match &requirement.version_or_url {
                Some(VersionOrUrl::Url(url)) => {
                    asked.direct.insert(requirement.name.clone(), wheel_at(requirement, url)?);
                }
                Some(VersionOrUrl::VersionSpecifier(specifiers))
                    if specifiers.iter().any(pep440_rs::VersionSpecifier::any_prerelease) =>
                {
                    asked.pre_releases.insert(requirement.name.clone());
                }
                Some(VersionOrUrl::VersionSpecifier(_)) | None => {}
            }
        }
        for constraint in request.constraints.iter().filter(applies) {
            if let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &constraint.version_or_url {
                let set = asked.constraints.entry(constraint.name.clone()).or_insert_with(Ranges::full);
                *set = set.intersection(&ranges::of_specifiers(specifiers));
                asked.spellings.entry(constraint.name.clone()).or_default().extend(ranges::spellings(specifiers));
            }
        }
        asked.requirements = requirements;
        asked.hold_direct_to_hashes();
        Ok(asked)
    }

    /// What is asked for by URL is one file: a hash in its URL is a listed one, and the only listed one is what it has.
    fn hold_direct_to_hashes(&mut self) {
        for (name, artifact) in self.direct.iter_mut().filter(|_| self.only_listed) {
            match (artifact.sha256, self.hashes.get(name)) {
                (Some(hash), _) => {
                    self.hashes.entry(name.clone()).or_default().insert(hash);
                }
                (None, Some(listed)) if listed.len() == 1 => artifact.sha256 = listed.first().copied(),
                (None, _) => {}
            }
        }
    }

    /// Whether only wheels with a listed hash are fetched.
    pub fn lists_hashes(&self) -> bool {
        self.only_listed
    }

    /// The hashes that a wheel of this distribution may have, none where no requirement lists one; `None` where any
    /// hash will do.
    pub fn hashes(&self, name: &PackageName) -> Option<&BTreeSet<Sha256>> {
        static NONE: BTreeSet<Sha256> = BTreeSet::new();
        self.only_listed.then(|| self.hashes.get(name).unwrap_or(&NONE))
    }

    /// What is asked for by name, of which no hash is listed though hashes are required.
    pub fn without_hash(&self) -> impl Iterator<Item = &PackageName> {
        let names = self.requirements.iter().map(|requirement| &requirement.name);
        names.filter(|name| self.hashes(name).is_some_and(BTreeSet::is_empty))
    }

    /// What constraints leave of a distribution's versions.
    pub fn constraint(&self, name: &PackageName) -> Option<&Ranges<Version>> {
        self.constraints.get(name)
    }

    /// How constraints want a distribution's version to be written.
    pub fn spellings(&self, name: &PackageName) -> &[String] {
        self.spellings.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether pre-releases of a distribution may be chosen.
    pub fn pre_releases(&self, name: &PackageName) -> bool {
        self.all_pre_releases || self.pre_releases.contains(name)
    }

    /// The versions of a distribution that the request itself leaves.
    pub fn versions(&self, name: &str) -> Ranges<Version> {
        let mut set = Ranges::full();
        for requirement in self.requirements.iter().filter(|requirement| requirement.name.as_ref() == name) {
            if let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &requirement.version_or_url {
                set = set.intersection(&ranges::of_specifiers(specifiers));
            }
        }
        let constraint = self.constraints.iter().find(|(constrained, _)| constrained.as_ref() == name);
        constraint.map_or(set.clone(), |(_, constraint)| set.intersection(constraint))
    }

    /// Whether the user asked for this by name.
    pub fn names(&self, name: &PackageName) -> bool {
        self.requirements.iter().any(|requirement| requirement.name == *name)
    }
}

/// A URL as messages show it.
pub fn without_credentials(url: &Url) -> String {
    vocab::without_credentials(url).to_string()
}

/// The wheel that `name @ url` asks for; its hash may stand in the fragment.
fn wheel_at<E: std::error::Error + 'static>(requirement: &Requirement, url: &Url) -> Result<Artifact, ResolveError<E>> {
    let not_a_wheel = || ResolveError::NotAWheel { name: requirement.name.to_string(), url: without_credentials(url) };
    let last = url.path_segments().and_then(Iterator::last).unwrap_or_default();
    let file_name: WheelName = percent_decoded(last).parse().map_err(|_| not_a_wheel())?;
    if file_name.name != requirement.name {
        return Err(ResolveError::UrlNamesAnother {
            name: requirement.name.to_string(),
            url: without_credentials(url),
            found: file_name.name.to_string(),
        });
    }
    let fragment = url.fragment().unwrap_or_default();
    let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256=")?.parse::<Sha256>().ok());
    let mut url = url.clone();
    url.set_fragment(None);
    let index = Index { url: url.clone(), kind: IndexKind::Links };
    Ok(Artifact {
        file_name,
        url,
        index,
        sha256,
        size: None,
        requires_python: None,
        yanked: None,
        metadata: None,
        upload_time: None,
    })
}

/// A path segment with its `%2B` and the like decoded, once.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(text: &str) -> Result<Artifact, ResolveError<std::io::Error>> {
        let requirement: Requirement = text.parse().unwrap();
        let Some(VersionOrUrl::Url(url)) = requirement.version_or_url.clone() else { panic!("no URL") };
        wheel_at(&requirement, &url)
    }

    #[test]
    fn a_url_names_its_wheel_and_hash() {
        let hash = "0".repeat(64);
        let text = format!("torch @ https://h/torch-2.9.1%2Bcu126-cp312-cp312-linux_x86_64.whl#sha256={hash}");
        let artifact = wheel(&text).unwrap();
        assert_eq!(artifact.file_name.version.to_string(), "2.9.1+cu126");
        assert_eq!(artifact.sha256.map(|hash| hash.to_string()), Some(hash));
        assert_eq!(artifact.url.fragment(), None);
    }

    #[test]
    fn other_urls_are_refused_without_their_credentials() {
        let error = wheel("torch @ https://me:secret@h/torch-2.9.1.tar.gz").unwrap_err().to_string();
        assert!(error.contains("https://h/torch-2.9.1.tar.gz") && !error.contains("secret"), "{error}");
        let error = wheel("torch @ https://h/numpy-1.0-py3-none-any.whl").unwrap_err();
        assert!(matches!(error, ResolveError::UrlNamesAnother { .. }));
    }
}
