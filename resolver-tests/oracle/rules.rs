//! Which build of torch serves a machine, and which of two is the better one: the rules, one after the other.

use super::facts::{Build, Code, Facts, Pair, Release, cuda_of_variant};
use super::machine::Machine;
use super::version::Version;

/// What a build is worth on a machine; the greater, the better.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worth {
    /// The newest torch.
    pub release: Version,
    /// Code for every visible card rather than PTX for some.
    pub code_for_all: bool,
    /// Native support rather than minor-version compatibility.
    pub native: bool,
    /// The newest CUDA where it is native, the oldest where it is not.
    cuda: (i64, i64),
}

/// Who asks for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The user, by the name of its variant or its label.
    ByName,
    /// Nobody in particular.
    NotByName,
}

/// What a build is worth, or why it does not serve.
pub fn worth(
    facts: &Facts,
    machine: &Machine,
    release: &Version,
    variant: &str,
    asked: Asked,
) -> Result<Worth, &'static str> {
    let platform = machine.platform();
    let row = facts.build(release, &platform, variant);
    // A release that is not known is advertised where the newest known one of its variant is.
    let advertised = row.or_else(|| facts.builds_of(&platform, variant).next());
    if advertised.is_some_and(|build| !build.advertised) && asked == Asked::NotByName {
        return Err("no install page names it");
    }
    if let Some((major, minor)) = row.and_then(|build| build.glibc)
        && (major, minor) > (2, machine.glibc)
    {
        return Err("its glibc is newer");
    }
    if platform.starts_with("windows") && facts.unloadable_on_windows.contains(&release.public()) {
        return Err("no wheel brings a DLL that it needs");
    }
    let worth = |code_for_all, native, cuda| Worth { release: release.public(), code_for_all, native, cuda };
    let Some(cuda) = row.and_then(|build| build.cuda).or_else(|| cuda_of_variant(variant)) else {
        return Ok(worth(true, true, (0, 0)));
    };
    let newest_first = (i64::try_from(cuda.0).unwrap(), i64::try_from(cuda.1).unwrap());
    // A CUDA build computes on the CPU too.
    if machine.cards.is_empty() {
        return Ok(worth(true, true, newest_first));
    }
    let (supported, native) = driver(facts, machine, cuda)?;
    let code = code(facts, &platform, row, variant, asked)?;
    let cudnn = cudnn(facts, release, &platform, variant);
    let floor = cudnn.and_then(|cudnn| facts.cudnn_floor(cudnn));
    let mut code_for_all = true;
    for card in &machine.cards {
        if floor.is_some_and(|floor| *card < floor) {
            return Err("its cuDNN left a card");
        }
        let Some((codes, ptx)) = &code else { continue };
        if codes.iter().any(|code| facts.runs(*code, *card, supported)) {
            continue;
        }
        if !(native && ptx.iter().any(|ptx| ptx <= card)) {
            return Err("no code for a card");
        }
        code_for_all = false;
    }
    Ok(worth(code_for_all, native, if native { newest_first } else { (-newest_first.0, -newest_first.1) }))
}

/// The CUDA that the driver supports, and whether it runs this one natively rather than by minor-version compatibility.
fn driver(facts: &Facts, machine: &Machine, cuda: Pair) -> Result<(Pair, bool), &'static str> {
    let Some(driver) = &machine.driver else { return Err("there is no driver") };
    let branch = driver.numbers[0];
    let retired = |card: &Pair| facts.retired.iter().any(|(below, from)| card < below && branch >= *from);
    if machine.cards.iter().any(retired) {
        return Err("the driver no longer drives a card");
    }
    let windows = machine.windows_driver();
    let Some(supported) = machine.driver_cuda.or_else(|| facts.cuda_of(driver, windows)) else {
        return Err("the driver knows no CUDA");
    };
    if supported >= cuda {
        return Ok((supported, true));
    }
    // A driver that meets a major version's minimum is one of that major version.
    let floor = facts.family_floor(cuda.0, windows);
    if floor.is_some_and(|floor| driver >= floor) {
        return Ok((supported, false));
    }
    Err("the driver is too old")
}

type CodeAndPtx<'a> = (&'a [Code], &'a [Pair]);

/// The code of a build; what is not known is that of the newest known release of the same variant. `None` where nothing
/// is known of the variant at all, which only its name can ask for.
fn code<'a>(
    facts: &'a Facts,
    platform: &'a str,
    row: Option<&'a Build>,
    variant: &'a str,
    asked: Asked,
) -> Result<Option<CodeAndPtx<'a>>, &'static str> {
    let known = row.into_iter().chain(facts.builds_of(platform, variant)).find_map(|build| {
        let code = build.code.as_deref()?;
        Some((code, build.ptx.as_slice()))
    });
    match (known, asked) {
        (None, Asked::NotByName) => Err("its code is not known"),
        (known, _) => Ok(known),
    }
}

/// The cuDNN of a build: its own, or that of the same release and variant elsewhere. A release that is not known is taken
/// to have that of the newest of the variant of which it is known.
fn cudnn<'a>(facts: &'a Facts, release: &Version, platform: &str, variant: &str) -> Option<&'a Version> {
    let of = |release: &'a Release| {
        let own = release.builds.iter().filter(|build| build.platform == platform);
        let mut builds = own.chain(&release.builds).filter(|build| build.variant == variant);
        builds.find_map(|build| build.cudnn.as_ref())
    };
    match facts.build(release, platform, variant) {
        Some(_) => facts.release(release).and_then(of),
        None => facts.releases.iter().rev().find_map(of),
    }
}
