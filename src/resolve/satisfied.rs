//! Whether an environment already is what is asked for; no index is asked.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::{MarkerEnvironment, VersionOrUrl};

use super::fit::{Judge, Unfit, cuda_of};
use super::line::default_variant;
use super::projects::variant_of;
use super::provider::TORCH;
use super::{Asked, InstalledDistribution, ResolveError, Satisfied, TorchChoice, ranges, solve};
use crate::catalog::Manifests;
use crate::catalog::manifest::FamilyMember;
use crate::machine::{Machine, markers_of};
use crate::request::{Request, VariantChoice};
use crate::vocab::{Channel, ExtraName, PackageName, Requirement, Variant, Version};

/// Whether what is installed already satisfies the request on this machine.
///
/// Everything that is required must be there, and torch must be a build that serves the machine: one that cannot use a
/// GPU which is there does not; a CUDA build where there is no GPU does.
pub fn satisfied(
    machine: &Machine,
    request: &Request,
    manifests: &Manifests,
    installed: &[InstalledDistribution],
) -> Satisfied {
    let markers = match markers_of(machine) {
        Ok(markers) => markers,
        Err(error) => return Satisfied::No(error.to_string()),
    };
    if request.upgrade {
        return Satisfied::No("newer versions are looked for".to_owned());
    }
    let asked = match Asked::of::<std::convert::Infallible>(request, &markers) {
        Ok(asked) => asked,
        Err(error) => return Satisfied::No(ResolveError::to_string(&error)),
    };
    let closure = Closure { machine, markers: &markers, asked: &asked, installed: by_name(installed) };
    let outcome = closure.walk().and_then(|needed| serves(machine, request, manifests, &asked, &needed));
    outcome.map_or_else(Satisfied::No, |()| Satisfied::Yes)
}

/// What an installed torch is: its variant from its label, else from what PyPI's wheel of the release is built for.
pub fn installed_torch(machine: &Machine, manifests: &Manifests, version: &Version) -> Option<TorchChoice> {
    let judge = Judge::new(machine, manifests);
    let variant = variant_of(version).or_else(|| default_variant(manifests, &judge, version))?;
    let build = manifests.build(version, judge.platform(), &variant);
    let cuda = cuda_of(build, &variant);
    let known =
        build.and_then(|build| build.cudnn.clone()).or_else(|| manifests.cudnn_elsewhere(version, &variant).cloned());
    Some(TorchChoice { version: version.clone(), variant, cuda, cudnn: known.filter(|_| cuda.is_some()) })
}

fn by_name(installed: &[InstalledDistribution]) -> BTreeMap<&PackageName, &InstalledDistribution> {
    installed.iter().map(|distribution| (&distribution.metadata.name, distribution)).collect()
}

type Needed<'a> = BTreeMap<&'a PackageName, &'a InstalledDistribution>;

struct Closure<'a> {
    machine: &'a Machine,
    markers: &'a MarkerEnvironment,
    asked: &'a Asked,
    installed: Needed<'a>,
}

impl<'a> Closure<'a> {
    /// Everything the request needs, or what is missing.
    fn walk(&self) -> Result<Needed<'a>, String> {
        let mut needed = Needed::new();
        let mut seen: BTreeSet<(&PackageName, Vec<ExtraName>)> = BTreeSet::new();
        let mut pending: Vec<(&'a PackageName, Vec<ExtraName>)> = Vec::new();
        for requirement in &self.asked.requirements {
            pending.push(self.meets(requirement, "it is asked for")?);
        }
        while let Some((name, extras)) = pending.pop() {
            if !seen.insert((name, extras.clone())) {
                continue;
            }
            let Some(distribution) = self.installed.get(name).copied() else { continue };
            needed.insert(name, distribution);
            self.python(distribution)?;
            let title = format!("{name} {} needs it", distribution.metadata.version);
            for requirement in &distribution.metadata.requires_dist {
                if requirement.evaluate_markers(self.markers, &extras) {
                    pending.push(self.meets(requirement, &title)?);
                }
            }
        }
        Ok(needed)
    }

    fn meets(&self, requirement: &Requirement, why: &str) -> Result<(&'a PackageName, Vec<ExtraName>), String> {
        let name = &requirement.name;
        let Some((name, distribution)) = self.installed.get_key_value(name).map(|(name, found)| (*name, *found)) else {
            return Err(format!("{name} is not installed, and {why}"));
        };
        let version = &distribution.metadata.version;
        let wanted = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => ranges::satisfies(version, specifiers),
            Some(VersionOrUrl::Url(_)) | None => true,
        };
        let archive = distribution.archive.as_ref();
        let from_there = self
            .asked
            .direct
            .get(name)
            .is_none_or(|wanted| archive.is_some_and(|archive| archive.is(&wanted.url, wanted.sha256)));
        let spelled = self.asked.spellings(name).iter().all(|spelling| *spelling == version.to_string());
        let allowed = spelled && self.asked.constraint(name).is_none_or(|constraint| constraint.contains(version));
        if wanted && from_there && allowed {
            Ok((name, requirement.extras.clone()))
        } else {
            Err(format!("{name} {version} is installed, another is wanted: {why}"))
        }
    }

    fn python(&self, distribution: &InstalledDistribution) -> Result<(), String> {
        let metadata = &distribution.metadata;
        match (&metadata.requires_python, &self.machine.python) {
            (Some(specifiers), Some(python)) if !ranges::satisfies(&python.version, specifiers) => {
                Err(format!("{} {} is not for Python {}", metadata.name, metadata.version, python.version))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the torch among what is needed serves the machine, and its family goes with it.
fn serves(
    machine: &Machine,
    request: &Request,
    manifests: &Manifests,
    asked: &Asked,
    needed: &Needed,
) -> Result<(), String> {
    let Some(torch) = needed.values().find(|distribution| distribution.metadata.name.as_ref() == TORCH) else {
        return Ok(());
    };
    let judge = Judge::new(machine, manifests);
    let version = &torch.metadata.version;
    match request.indexes.channel {
        Channel::Stable => {}
        Channel::Nightly if version.dev().is_some() => {}
        // A candidate carries the version of the release that it may become: only the index can tell.
        channel => return Err(format!("torch {version} is installed, and one of the {channel} channel is wanted")),
    }
    let told = || variant_of(version).or_else(|| torch.variant.clone());
    let variant = told().or_else(|| default_variant(manifests, &judge, version));
    let wanted = solve::wanted(request, asked);
    if let Some(variant) = &variant {
        if let VariantChoice::Named(wanted) = &wanted
            && wanted != variant
        {
            return Err(format!("torch {version} is built for {variant}, and {wanted} is wanted"));
        }
        let named = matches!(wanted, VariantChoice::Named(_)) || asked.direct.keys().any(|name| name.as_ref() == TORCH);
        match judge.judge(version, variant, named) {
            // That little is known of a build is no reason to take it away.
            Ok(_) | Err(Unfit::UnknownCode | Unfit::Unadvertised) => {}
            Err(unfit) => return Err(format!("torch {version} {unfit}")),
        }
    }
    same_line(manifests, &judge, torch, variant.as_ref(), needed)
}

/// Whether everything that is built for one torch is built for this one.
///
/// What carries no label comes from the default index, whose builds are all for the variant of its torch.
fn same_line(
    manifests: &Manifests,
    judge: &Judge,
    torch: &InstalledDistribution,
    variant: Option<&Variant>,
    needed: &Needed,
) -> Result<(), String> {
    let release = torch.metadata.version.clone().without_local();
    let default = || default_variant(manifests, judge, &release);
    for distribution in needed.values() {
        let metadata = &distribution.metadata;
        if manifests.family_member(&metadata.name) != Some(FamilyMember::BuiltForTorch) {
            continue;
        }
        let told = variant_of(&metadata.version).or_else(|| distribution.variant.clone());
        if told.is_none() && manifests.unlabelled(&metadata.name) {
            continue;
        }
        // Two without a label are of one index, whatever it builds for.
        let unlabelled = told.is_none() && !torch.metadata.version.is_local();
        let own = if unlabelled { variant.cloned() } else { told.or_else(default) };
        if let (Some(own), Some(variant)) = (own, variant)
            && own != *variant
        {
            let (name, version, torch) = (&metadata.name, &metadata.version, &torch.metadata.version);
            return Err(format!(
                "{name} {version} is built for {own}, and not for torch {torch}, which is for {variant}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::InstalledArchive;
    use crate::vocab::CoreMetadata;

    fn machine(gpu: Option<&str>, driver: Option<&str>) -> Machine {
        let mut facts = serde_json::json!({
            "os": "linux", "arch": "x86_64", "glibc": "2.36",
            "python": {"version": "3.12.9", "implementation": "cpython", "abi": "cp312"},
        });
        facts["gpus"] = gpu.map_or(serde_json::json!([]), |gpu| serde_json::json!([{"compute_capability": gpu}]));
        facts["driver"] = driver.map_or(serde_json::Value::Null, |driver| serde_json::json!({"version": driver}));
        serde_json::from_value(facts).unwrap()
    }

    fn request(requirements: &[&str]) -> Request {
        Request {
            requirements: requirements.iter().map(|text| text.parse().unwrap()).collect(),
            constraints: Vec::new(),
            variant: VariantChoice::Auto,
            upgrade: false,
            pre_releases: false,
            files: crate::request::FileRules::default(),
            indexes: crate::request::Indexes {
                default: "https://pypi.example/simple".parse().unwrap(),
                extra: Vec::new(),
                find_links: Vec::new(),
                torch: "https://torch.example/whl".parse().unwrap(),
                torch_is_mirror: false,
                channel: Channel::Stable,
                no_index: false,
            },
        }
    }

    fn installed(texts: &[(&str, &str)]) -> Vec<InstalledDistribution> {
        let of = |(title, requires): &(&str, &str)| {
            let (name, version) = title.split_once(' ').unwrap();
            let requires: String = requires
                .split(';')
                .filter(|line| !line.is_empty())
                .fold(String::new(), |text, line| text + "Requires-Dist: " + &line.replace(" if ", "; ") + "\n");
            let metadata = CoreMetadata::parse(format!("Name: {name}\nVersion: {version}\n{requires}").as_bytes());
            InstalledDistribution { metadata: metadata.unwrap(), variant: None, archive: None }
        };
        texts.iter().map(of).collect()
    }

    fn judge(machine: &Machine, requirements: &[&str], texts: &[(&str, &str)]) -> Result<(), String> {
        match satisfied(machine, &request(requirements), Manifests::embedded(), &installed(texts)) {
            Satisfied::Yes => Ok(()),
            Satisfied::No(why) => Err(why),
        }
    }

    #[test]
    fn the_closure_must_be_there() {
        let bare = machine(None, None);
        let torch = ("torch 2.9.1+cpu", "sympy>=1.13;filelock if sys_platform == 'win32'");
        assert_eq!(judge(&bare, &["torch"], &[torch, ("sympy 1.14", "")]), Ok(()));
        assert!(judge(&bare, &["torch"], &[torch]).unwrap_err().contains("sympy is not installed"));
        assert!(judge(&bare, &["torch"], &[torch, ("sympy 1.12", "")]).unwrap_err().contains("another is wanted"));
        assert!(judge(&bare, &["torch>=2.10"], &[torch, ("sympy 1.14", "")]).is_err());
        assert_eq!(judge(&bare, &["torch==2.9.1"], &[torch, ("sympy 1.14", "")]), Ok(()));
        assert!(judge(&bare, &["torch===2.9.1"], &[torch, ("sympy 1.14", "")]).is_err());
        assert!(judge(&bare, &["sympy===1.14.0"], &[("sympy 1.14", "")]).is_err());
        assert_eq!(judge(&bare, &["sympy===1.14"], &[("sympy 1.14", "")]), Ok(()));
    }

    #[test]
    fn an_archive_is_known_by_its_url_and_hash() {
        let bare = machine(None, None);
        let hash = |digit: &str| digit.repeat(64);
        let mut six = installed(&[("six 1.17.0", "")]);
        let url = "https://host.example/six-1.17.0-py2.py3-none-any.whl";
        let mut ask = |asked: &str, archive: Option<(&str, Option<&str>)>| {
            six[0].archive = archive.map(|(url, sha256)| InstalledArchive {
                url: url.parse().unwrap(),
                sha256: sha256.map(|digit| hash(digit).parse().unwrap()),
            });
            satisfied(&bare, &request(&[asked]), Manifests::embedded(), &six) == Satisfied::Yes
        };
        let plain = format!("six @ {url}");
        assert!(ask(&plain, Some((url, None))) && !ask(&plain, None));
        assert!(!ask(&plain, Some(("https://other.example/six-1.17.0-py2.py3-none-any.whl", None))));
        // Credentials are not part of what is asked for, whichever of the two has them.
        let secret = url.replace("https://", "https://user:password@");
        assert!(ask(&format!("six @ {secret}"), Some((url, None))));
        assert!(ask(&plain, Some((&secret, None))));
        // A hash is.
        let hashed = format!("{plain}#sha256={}", hash("a"));
        assert!(ask(&hashed, Some((url, Some("a")))) && ask(&plain, Some((url, Some("a")))));
        assert!(!ask(&hashed, Some((url, Some("b")))) && !ask(&hashed, Some((url, None))));
    }

    #[test]
    fn extras_count_and_circles_end() {
        let bare = machine(None, None);
        let a = ("a 1", "b if extra == 'more'");
        assert_eq!(judge(&bare, &["a"], &[a]), Ok(()));
        assert!(judge(&bare, &["a[more]"], &[a]).is_err());
        assert_eq!(judge(&bare, &["a[more]"], &[a, ("b 1", "a")]), Ok(()));
    }

    #[test]
    fn a_build_that_cannot_use_the_card_does_not_serve() {
        let card = machine(Some("8.6"), Some("580.95.05"));
        assert!(judge(&card, &["torch"], &[("torch 2.9.1+cpu", "")]).unwrap_err().contains("cannot use the GPU"));
        assert_eq!(judge(&card, &["torch"], &[("torch 2.9.1+cu126", "")]), Ok(()));
        assert_eq!(judge(&card, &["torch==2.9.1+cpu"], &[("torch 2.9.1+cpu", "")]), Ok(()));
        let old = machine(Some("6.1"), Some("580.95.05"));
        assert!(judge(&old, &["torch"], &[("torch 2.9.1+cu130", "")]).unwrap_err().contains("no code"));
        assert!(judge(&old, &["torch"], &[("torch 2.15.0", "")]).is_err());
    }

    #[test]
    fn a_cuda_build_serves_where_there_is_no_card() {
        let bare = machine(None, None);
        assert_eq!(judge(&bare, &["torch"], &[("torch 2.15.0", "")]), Ok(()));
        assert_eq!(judge(&bare, &["torch"], &[("torch 2.9.1+cu126", "")]), Ok(()));
    }

    #[test]
    fn a_channel_that_was_asked_for_is_not_another() {
        let bare = machine(None, None);
        let serves = |channel: Channel, version: &str| {
            let mut request = request(&["torch"]);
            request.indexes.channel = channel;
            satisfied(&bare, &request, Manifests::embedded(), &installed(&[(version, "")])) == Satisfied::Yes
        };
        assert!(serves(Channel::Stable, "torch 2.9.1+cpu") && !serves(Channel::Nightly, "torch 2.9.1+cpu"));
        assert!(serves(Channel::Nightly, "torch 2.16.0.dev20260901+cpu") && !serves(Channel::Test, "torch 2.9.1+cpu"));
    }

    #[test]
    fn one_line_for_the_family() {
        let bare = machine(None, None);
        let pair = |torch: &str, torchvision: &str| {
            let texts = [(torch, ""), (torchvision, "torch==2.9.1")];
            judge(&bare, &["torchvision"], &texts)
        };
        let refused = pair("torch 2.9.1+cpu", "torchvision 0.24.1+cu126").unwrap_err();
        assert!(
            refused.contains("torchvision 0.24.1+cu126 is built for cu126, and not for torch 2.9.1+cpu"),
            "{refused}"
        );
        // PyPI's builds carry no label, and those for Linux are for cu128.
        assert!(pair("torch 2.9.1", "torchvision 0.24.1+cpu").is_err());
        assert!(pair("torch 2.9.1+cpu", "torchvision 0.24.1").is_err());
        assert_eq!(pair("torch 2.9.1", "torchvision 0.24.1+cu128"), Ok(()));
        assert_eq!(pair("torch 2.9.1+cu128", "torchvision 0.24.1"), Ok(()));
        assert_eq!(pair("torch 2.9.1", "torchvision 0.24.1"), Ok(()));
        // One that never carries a label may be of any variant.
        let unlabelled = [("torch 2.9.1+cu126", ""), ("xformers 0.0.33.post2", "torch==2.9.1")];
        assert_eq!(judge(&bare, &["xformers"], &unlabelled), Ok(()));
        // Of a release that nobody knows of nothing is held against what goes with it.
        let unknown = [("torch 1.0.7", ""), ("torchvision 0.2.7+cpu", "torch==1.0.7")];
        assert_eq!(judge(&bare, &["torchvision"], &unknown), Ok(()));
    }
}
