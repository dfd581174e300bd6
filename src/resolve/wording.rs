//! Builds, cards and drivers in plain words: like things together, nothing twice.

use super::fit::{Judge, Unfit, title};
use super::verdict::{Judgement, Objection, Verdict};
use crate::vocab::{Variant, Version};

/// `a`, `a and b`, `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// The cards and the driver: `NVIDIA GeForce GTX 1080 Ti (compute capability 6.1), driver 580.95.05 (CUDA 13.0)`.
pub fn hardware(judge: &Judge) -> String {
    let mut cards: Vec<(String, usize)> = Vec::new();
    for gpu in judge.gpus() {
        let capability = gpu.compute_capability;
        let text = match capability {
            Some(capability) => format!("{} (compute capability {capability})", title(gpu)),
            None => title(gpu),
        };
        match cards.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => cards.push((text, 1)),
        }
    }
    let counted = |(text, count): (String, usize)| if count == 1 { text } else { format!("{count} × {text}") };
    let cards: Vec<String> = cards.into_iter().map(counted).collect();
    if cards.is_empty() { "no NVIDIA GPU".to_owned() } else { format!("{}, {}", listed(&cards), driver(judge)) }
}

/// The rest of what decides: `linux-x86_64 with glibc 2.36, Python 3.12.9`.
pub fn system(judge: &Judge) -> String {
    let glibc = judge.machine.glibc.map_or(String::new(), |glibc| format!(" with glibc {glibc}"));
    let python = judge.machine.python.as_ref().map_or(String::new(), |python| {
        let free_threaded = if python.free_threaded { "t" } else { "" };
        let bits = if python.bits == 64 { String::new() } else { format!(" ({}-bit)", python.bits) };
        format!(", Python {}{free_threaded}{bits}", python.version)
    });
    format!("{}{glibc}{python}", judge.platform())
}

/// The driver and what it supports: `driver 580.95.05 (CUDA 13.0)`, `no NVIDIA driver`.
pub fn driver(judge: &Judge) -> String {
    let Some(driver) = &judge.machine.driver else { return "no NVIDIA driver".to_owned() };
    let version = driver.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
    let cuda = judge.driver_cuda.map_or(String::new(), |cuda| format!(" (CUDA {cuda})"));
    let place = if judge.machine.wsl { " of Windows" } else { "" };
    format!("driver{place}{version}{cuda}")
}

/// What stands most stubbornly against each build that does not run: builds with the same reason in one sentence.
pub fn against(all: &[Judgement]) -> Vec<String> {
    groups(all.iter().enumerate()).iter().map(|group| group.sentence(all)).collect()
}

/// What stands most stubbornly against builds, each reason with the places of the builds that it holds of.
pub fn reasons(all: &[&Judgement]) -> Vec<(String, Vec<usize>)> {
    let groups = groups(all.iter().copied().enumerate());
    groups
        .into_iter()
        .map(|group| {
            let members: Vec<&Judgement> = group.members.iter().map(|place| all[*place]).collect();
            let one_cudnn = members.len() == 1;
            (predicate(group.objection, &members, one_cudnn), group.members)
        })
        .collect()
}

fn groups<'a>(all: impl Iterator<Item = (usize, &'a Judgement)>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, judgement) in all {
        let Some(objection) = judgement.objections.first() else { continue };
        match groups.iter_mut().find(|group| alike(group.objection, objection)) {
            Some(group) => group.members.push(place),
            None => groups.push(Group { objection, members: vec![place] }),
        }
    }
    groups
}

/// What is said of builds that have the same against them.
fn predicate(objection: &Objection, members: &[&Judgement], one: bool) -> String {
    match objection {
        // Its compute capability stands beside the card's name, once.
        Objection::Unfit(Unfit::NoKernelFor { gpu, .. }) => format!("has no code for {gpu}"),
        Objection::Python { have, .. } if members.len() > 1 => format!("has no wheel for Python {have}"),
        Objection::Unfit(Unfit::NoDriver) => "needs a working NVIDIA driver".to_owned(),
        Objection::Unfit(Unfit::CudnnTooNew { gpu, floor, .. }) => {
            let first = members.iter().filter_map(|member| member.objections.first());
            let oldest = first.filter_map(|objection| match objection {
                Objection::Unfit(Unfit::CudnnTooNew { cudnn, .. }) => Some(cudnn),
                _ => None,
            });
            let cudnn = oldest.min().map_or(String::new(), |cudnn| format!(" {cudnn}"));
            let or_newer = if one { "" } else { " or newer" };
            format!("loads cuDNN{cudnn}{or_newer}, which needs compute capability {floor} and does not run on {gpu}")
        }
        other => other.to_string(),
    }
}

/// Builds that have the same against them, by their places.
struct Group<'a> {
    objection: &'a Objection,
    members: Vec<usize>,
}

impl Group<'_> {
    fn sentence(&self, all: &[Judgement]) -> String {
        if let Objection::Unfit(Unfit::DriverTooNew { gpu, have, last_branch }) = self.objection {
            // That is between the driver and the card, whatever the build.
            return format!("driver {have} no longer drives {gpu}; branch {last_branch} is the last that does");
        }
        let subjects = subjects(&self.members, all);
        let one = matches!(subjects.as_slice(), [subject] if subject.is_one());
        let lacks = matches!(self.objection, Objection::Unfit(Unfit::NoKernelFor { .. }) | Objection::Python { .. });
        let word = if lacks { "no" } else { "every" };
        let text = |subject: &&Subject| subject.text(word, all);
        let predicate = match self.objection {
            Objection::Unfit(Unfit::NoKernelFor { gpu, .. }) if !one => format!("has code for {gpu}"),
            Objection::Python { have, .. } if !one => format!("has a wheel for Python {have}"),
            objection => {
                let members: Vec<&Judgement> = self.members.iter().map(|place| &all[*place]).collect();
                predicate(objection, &members, one)
            }
        };
        let subject = if lacks && !one {
            let (single, several): (Vec<&Subject>, Vec<&Subject>) =
                subjects.iter().partition(|subject| subject.is_one());
            let single: Vec<String> = single.iter().map(text).collect();
            let several: Vec<String> = several.iter().map(text).collect();
            if several.is_empty() {
                format!("neither {}", single.join(" nor "))
            } else {
                single.iter().fold(listed(&several), |all, one| all + " nor " + one)
            }
        } else {
            listed(&subjects.iter().map(|subject| subject.text(word, all)).collect::<Vec<_>>())
        };
        format!("{subject} {predicate}")
    }
}

/// How the builds run that do: builds alike in one sentence, the best first.
pub fn running(all: &[Judgement]) -> Vec<String> {
    let ways = [
        (Verdict::Native, "runs natively"),
        (Verdict::Compatible, "runs by minor-version compatibility"),
        (Verdict::Ptx, "runs once the driver has compiled it for the card, which takes minutes at the first use"),
        (Verdict::Cpu, "computes on the CPU alone"),
    ];
    let sentence = |(verdict, runs): (Verdict, &str)| {
        let places = all.iter().enumerate().filter(|(_, build)| build.verdict == verdict).map(|(place, _)| place);
        let members: Vec<usize> = places.collect();
        let texts: Vec<String> = subjects(&members, all).iter().map(|subject| subject.text("every", all)).collect();
        (!texts.is_empty()).then(|| format!("{} {runs}", listed(&texts)))
    };
    ways.into_iter().filter_map(sentence).collect()
}

/// Builds that are left out though nothing stands against them that is known.
pub fn only_named(all: &[Judgement]) -> Vec<String> {
    let mut reasons: Vec<(&Unfit, Vec<usize>)> = Vec::new();
    for (place, build) in all.iter().enumerate() {
        let Some(reason) = build.only_named.as_ref().filter(|_| build.variant.cuda().is_some()) else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, members)) => members.push(place),
            None => reasons.push((reason, vec![place])),
        }
    }
    let sentence = |(reason, members): (&Unfit, Vec<usize>)| {
        let texts: Vec<String> = subjects(&members, all).iter().map(|subject| subject.text("every", all)).collect();
        format!("{} {reason}", listed(&texts))
    };
    reasons.into_iter().map(sentence).collect()
}

/// Whether two objections are the same to a reader: which cuDNN is too new for a card is not what matters.
fn alike(one: &Objection, other: &Objection) -> bool {
    match (one, other) {
        (
            Objection::Unfit(Unfit::CudnnTooNew { gpu, floor, .. }),
            Objection::Unfit(Unfit::CudnnTooNew { gpu: other_gpu, floor: other_floor, .. }),
        ) => gpu == other_gpu && floor == other_floor,
        (Objection::Python { .. }, Objection::Python { .. }) => true,
        _ => one == other,
    }
}

/// Builds for some variants in a run of releases.
struct Subject<'a> {
    variants: Vec<&'a Variant>,
    oldest: &'a Version,
    newest: &'a Version,
}

impl<'a> Subject<'a> {
    fn is_one(&self) -> bool {
        self.variants.len() == 1 && self.oldest == self.newest
    }

    fn with(&self, member: &'a Judgement) -> Subject<'a> {
        let mut variants = self.variants.clone();
        if !variants.contains(&&member.variant) {
            variants.push(&member.variant);
        }
        let (oldest, newest) = (Ord::min(self.oldest, &member.version), Ord::max(self.newest, &member.version));
        Subject { variants, oldest, newest }
    }

    fn covers(&self, judgement: &Judgement) -> bool {
        self.variants.contains(&&judgement.variant) && (self.oldest..=self.newest).contains(&&judgement.version)
    }

    /// `torch 2.9.1+cu130`, `every cu128 build (torch 2.7.0 to 2.11.0)`, `no CUDA build of torch 2.9.1`.
    fn text(&self, word: &str, all: &[Judgement]) -> String {
        let (oldest, newest) = (self.oldest, self.newest);
        if let ([variant], true) = (self.variants.as_slice(), oldest == newest) {
            return format!("torch {newest}+{variant}");
        }
        let mut every: Vec<&Variant> = all.iter().map(|judgement| &judgement.variant).collect();
        every.sort();
        every.dedup();
        let releases =
            if oldest == newest { format!(" of torch {newest}") } else { format!(" (torch {oldest} to {newest})") };
        let names: Vec<String> = self.variants.iter().map(ToString::to_string).collect();
        let first = every.iter().position(|variant| Some(variant) == self.variants.first());
        let next_to_each_other = first.is_some_and(|first| {
            every.get(first..first + self.variants.len()).is_some_and(|same| *same == *self.variants)
        });
        let cuda = every.iter().all(|variant| variant.cuda().is_some());
        match names.as_slice() {
            [one] => format!("{word} {one} build{releases}"),
            _ if self.variants == every && cuda => format!("{word} CUDA build{releases}"),
            [first, _, .., last] if next_to_each_other && names.len() > 2 => {
                format!("{word} {first} to {last} build{releases}")
            }
            [rest @ .., last] => format!("{word} {} or {last} build{releases}", rest.join(", ")),
            [] => String::new(),
        }
    }
}

/// Members as few subjects, none of which covers a build that is no member.
fn subjects<'a>(members: &[usize], all: &'a [Judgement]) -> Vec<Subject<'a>> {
    let mut others = vec![true; all.len()];
    let mut sorted: Vec<&Judgement> = Vec::new();
    for place in members {
        others[*place] = false;
        sorted.push(&all[*place]);
    }
    sorted.sort_by(|a, b| a.variant.cmp(&b.variant).then_with(|| b.version.cmp(&a.version)));
    let mut subjects: Vec<Subject> = Vec::new();
    for member in sorted {
        let wider = subjects.iter_mut().find_map(|subject| {
            let wider = subject.with(member);
            let clean = !all.iter().zip(&others).any(|(judgement, other)| *other && wider.covers(judgement));
            clean.then_some((subject, wider))
        });
        match wider {
            Some((subject, wider)) => *subject = wider,
            None => subjects.push(Subject {
                variants: vec![&member.variant],
                oldest: &member.version,
                newest: &member.version,
            }),
        }
    }
    subjects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::ComputeCapability;

    fn build(title: &str, objection: impl Into<Option<Objection>>) -> Judgement {
        let (version, variant) = title.split_once('+').unwrap();
        let objection = objection.into();
        Judgement {
            version: version.parse().unwrap(),
            variant: variant.parse().unwrap(),
            verdict: if objection.is_some() { Verdict::No } else { Verdict::Native },
            fit: None,
            objections: objection.into_iter().collect(),
            only_named: None,
        }
    }

    fn no_code() -> Objection {
        let capability = ComputeCapability { major: 6, minor: 1 };
        Objection::Unfit(Unfit::NoKernelFor { gpu: "X".to_owned(), capability })
    }

    fn old_driver() -> Objection {
        let version = |text: &str| text.parse().unwrap();
        Objection::Unfit(Unfit::DriverTooOld { have: version("470.82"), need: version("580") })
    }

    #[test]
    fn one_build_is_called_by_its_name() {
        let all = [build("2.9.1+cu130", no_code())];
        assert_eq!(against(&all), ["torch 2.9.1+cu130 has no code for X"]);
    }

    #[test]
    fn like_builds_are_one_sentence() {
        let all = [
            build("2.10.0+cu126", old_driver()),
            build("2.10.0+cu128", no_code()),
            build("2.10.0+cu130", no_code()),
            build("2.9.1+cu126", old_driver()),
            build("2.9.1+cu128", no_code()),
        ];
        assert_eq!(
            against(&all),
            [
                "every cu126 build (torch 2.9.1 to 2.10.0) needs driver 580 or newer, this one is 470.82",
                "no cu128 or cu130 build (torch 2.9.1 to 2.10.0) has code for X"
            ]
        );
    }

    #[test]
    fn a_range_never_covers_a_build_that_differs() {
        let all = [
            build("2.11.0+cu128", no_code()),
            build("2.10.0+cu128", None),
            build("2.9.1+cu128", None),
            build("2.8.0+cu128", no_code()),
            build("2.7.1+cu128", no_code()),
        ];
        assert_eq!(against(&all), ["no cu128 build (torch 2.7.1 to 2.8.0) nor torch 2.11.0+cu128 has code for X"]);
        assert_eq!(running(&all), ["every cu128 build (torch 2.9.1 to 2.10.0) runs natively"]);
        let apart = [build("2.11.0+cu128", no_code()), build("2.10.0+cu128", None), build("2.9.1+cu128", no_code())];
        assert_eq!(against(&apart), ["neither torch 2.11.0+cu128 nor torch 2.9.1+cu128 has code for X"]);
    }

    #[test]
    fn all_there_is_needs_no_list() {
        let all: Vec<Judgement> = ["cu126", "cu128", "cu130"]
            .iter()
            .flat_map(|variant| ["2.10.0", "2.9.1"].map(|release| build(&format!("{release}+{variant}"), no_code())))
            .collect();
        assert_eq!(against(&all), ["no CUDA build (torch 2.9.1 to 2.10.0) has code for X"]);
    }
}
