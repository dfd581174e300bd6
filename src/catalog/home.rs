//! Where each distribution comes from: one home a name.

use crate::catalog::manifest::{FamilyMember, Manifests};
use crate::catalog::{Index, IndexKind};
use crate::request::Indexes;
use crate::vocab::{Channel, PackageName, Url, Variant};

/// Where torch and its family come from in one solution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TorchSource {
    /// A variant's directory on the PyTorch index.
    Pytorch(Variant),
    /// The default index, with whatever variant its wheels are.
    Default,
}

/// The indexes to ask for one name, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Its home; the first of these that has a page is it.
    pub indexes: Vec<Index>,
    /// An index that may be asked for a pinned version which the home lacks.
    pub for_lost_pins: Option<Index>,
}

/// Decides every name's home; asks nothing.
#[derive(Debug)]
pub struct Homes<'a> {
    indexes: &'a Indexes,
    manifests: &'a Manifests,
}

impl<'a> Homes<'a> {
    /// Homes among these indexes.
    pub fn of(indexes: &'a Indexes, manifests: &'a Manifests) -> Self {
        Self { indexes, manifests }
    }

    /// The home of `name` where torch comes from `source`.
    ///
    /// An extra index is a home only of names that the default index does not have. Nothing stands in for a channel of
    /// torch's index that was asked for.
    pub fn home(&self, name: &PackageName, source: Option<&TorchSource>) -> Home {
        if self.indexes.no_index {
            return Home { indexes: Vec::new(), for_lost_pins: None };
        }
        let default = Index { url: self.indexes.default.clone(), kind: IndexKind::Simple };
        let variant = match source {
            Some(TorchSource::Pytorch(variant)) => Some(self.pytorch(variant)),
            _ => None,
        };
        match (self.manifests.family_member(name), variant) {
            (Some(FamilyMember::BuiltForTorch), Some(variant)) => Home { indexes: vec![variant], for_lost_pins: None },
            (Some(FamilyMember::Shared), Some(variant)) if self.indexes.channel != Channel::Stable => {
                Home { indexes: vec![variant], for_lost_pins: None }
            }
            (Some(FamilyMember::Shared), Some(variant)) => {
                Home { indexes: vec![variant, default], for_lost_pins: None }
            }
            (Some(_), None) => Home { indexes: vec![default], for_lost_pins: None },
            (None, variant) => {
                Home { indexes: std::iter::once(default).chain(self.extras()).collect(), for_lost_pins: variant }
            }
        }
    }

    /// Whether a distribution is built against one torch and one CUDA line.
    pub fn built_for_torch(&self, name: &PackageName) -> bool {
        self.manifests.family_member(name) == Some(FamilyMember::BuiltForTorch)
    }

    /// Whether a distribution is of torch's family.
    pub fn is_family(&self, name: &PackageName) -> bool {
        self.manifests.family_member(name).is_some()
    }

    /// Whether a distribution's versions say which variant they are built for.
    pub fn labelled(&self, name: &PackageName) -> bool {
        !self.manifests.unlabelled(name)
    }

    /// The directory of a variant on the PyTorch index, in the channel that is asked for.
    pub fn pytorch(&self, variant: &Variant) -> Index {
        let mut url = self.indexes.torch.clone();
        let channel = self.manifests.channel_path(self.indexes.channel);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(channel.split('/').filter(|part| !part.is_empty())).push(&variant.to_string());
        }
        Index { url, kind: IndexKind::Pytorch }
    }

    /// The channel that torch's family comes from.
    pub fn channel(&self) -> Channel {
        self.indexes.channel
    }

    /// Whether no index may be asked.
    pub fn no_index(&self) -> bool {
        self.indexes.no_index
    }

    /// Whether the channel lets pre-releases of a distribution be chosen.
    pub fn channel_has_pre_releases(&self, name: &PackageName) -> bool {
        self.indexes.channel != Channel::Stable && self.manifests.family_member(name).is_some()
    }

    /// The indexes that add names.
    pub fn extras(&self) -> impl Iterator<Item = Index> + '_ {
        let extras = self.indexes.extra.iter().filter(|_| !self.indexes.no_index);
        extras.map(|url| Index { url: url.clone(), kind: IndexKind::Simple })
    }

    /// The root of the PyTorch index.
    pub fn torch_root(&self) -> &Url {
        &self.indexes.torch
    }

    /// Folders and pages of links, asked for every name beside its home.
    pub fn links(&self) -> impl Iterator<Item = Index> + '_ {
        self.indexes.find_links.iter().map(|url: &Url| Index { url: url.clone(), kind: IndexKind::Links })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes() -> Indexes {
        let url = |text: &str| text.parse().unwrap();
        Indexes {
            default: url("https://pypi.example/simple"),
            extra: vec![url("https://extra.example/simple")],
            find_links: Vec::new(),
            torch: url("https://torch.example/whl/"),
            torch_is_mirror: false,
            channel: Channel::Stable,
            no_index: false,
        }
    }

    fn home(name: &str, source: Option<&TorchSource>) -> (Vec<String>, Option<String>) {
        home_among(&indexes(), name, source)
    }

    fn home_among(indexes: &Indexes, name: &str, source: Option<&TorchSource>) -> (Vec<String>, Option<String>) {
        let home = Homes::of(indexes, Manifests::embedded()).home(&name.parse().unwrap(), source);
        let urls = home.indexes.iter().map(|index| index.url.to_string()).collect();
        (urls, home.for_lost_pins.map(|index| index.url.to_string()))
    }

    #[test]
    fn the_family_lives_where_torch_does_and_nowhere_else() {
        let cu126 = TorchSource::Pytorch("cu126".parse().unwrap());
        assert_eq!(home("torchvision", Some(&cu126)).0, ["https://torch.example/whl/cu126"]);
        assert_eq!(home("torchvision", Some(&TorchSource::Default)).0, ["https://pypi.example/simple"]);
        assert_eq!(home("triton", Some(&cu126)).0, ["https://torch.example/whl/cu126", "https://pypi.example/simple"]);
    }

    #[test]
    fn the_rest_lives_on_the_default_index_and_extra_indexes_add_names() {
        let (homes, lost) = home("numpy", Some(&TorchSource::Pytorch(Variant::Cpu)));
        assert_eq!(homes, ["https://pypi.example/simple", "https://extra.example/simple"]);
        assert_eq!(lost.as_deref(), Some("https://torch.example/whl/cpu"));
        assert_eq!(home("numpy", None).1, None);
    }

    #[test]
    fn a_channel_is_a_directory_that_nothing_stands_in_for() {
        let cu126 = TorchSource::Pytorch("cu126".parse().unwrap());
        let nightly = Indexes { channel: Channel::Nightly, ..indexes() };
        let there = ["https://torch.example/whl/nightly/cu126"];
        assert_eq!(home_among(&nightly, "torch", Some(&cu126)).0, there);
        assert_eq!(home_among(&nightly, "triton", Some(&cu126)).0, there);
        assert_eq!(home_among(&nightly, "numpy", Some(&cu126)).0[0], "https://pypi.example/simple");
        let test = Indexes { channel: Channel::Test, ..indexes() };
        assert_eq!(home_among(&test, "torch", Some(&cu126)).0, ["https://torch.example/whl/test/cu126"]);
    }

    #[test]
    fn without_an_index_there_is_no_home() {
        let none = Indexes { no_index: true, ..indexes() };
        assert_eq!(home_among(&none, "numpy", Some(&TorchSource::Pytorch(Variant::Cpu))), (Vec::new(), None));
    }
}
