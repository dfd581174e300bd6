//! Plans made ready to be shown: what each step fetches and what it comes to.

use crate::catalog::index::{IndexClient, IndexError, RemoteWheel};
use crate::http::Client;
use crate::install::{InstalledState, Plan, Step};
use crate::lock::LockedWheel;
use crate::report::{Action, PlanView, StepView};
use crate::resolve::{Resolution, TorchChoice};
use crate::vocab::Extent;
use crate::wheel::Cache;

/// What `plan` comes to; a size that no index states is asked of the file's host.
///
/// With `listed` every wheel is held against a list of hashes when it has come.
pub(super) fn of_plan(
    plan: &Plan,
    resolution: &Resolution,
    cache: &Cache,
    client: &Client,
    unpacked: &[Unpacked<'_>],
    listed: bool,
) -> PlanView {
    let mut view = around(resolution.torch.clone());
    view.reasons.clone_from(&resolution.reasons);
    view.warnings = resolution.warnings.iter().chain(&plan.warnings).cloned().collect();
    view.warnings.extend(plan.wheels().filter(|wheel| wheel.sha256.is_none() && !listed).map(|wheel| {
        let host = wheel.url.host_str().unwrap_or("this machine");
        format!("no index states a hash of {}: it is trusted as far as the connection to {host} is", wheel.file_name)
    }));
    view.steps = plan.steps.iter().map(step_view).collect();
    ask_sizes(plan, client, &mut view);
    let cached = |step: &&StepView| step.sha256.is_some_and(|sha256| cache.holds(&sha256));
    let fetched = view.steps.iter().filter(|step| step.url.is_some() && !cached(step));
    view.download_bytes = fetched.filter_map(|step| step.size).sum();
    view.disk_bytes = unpacked.iter().map(|unpacked| unpacked.extent.as_ref().ok().map(|extent| extent.bytes)).sum();
    view
}

/// Asks the hosts, all at once, for the sizes that no index states.
fn ask_sizes(plan: &Plan, client: &Client, view: &mut PlanView) {
    let unsized_wheels: Vec<&LockedWheel> = plan.wheels().filter(|wheel| wheel.size.is_none()).collect();
    let sizes: Vec<Option<u64>> = std::thread::scope(|scope| {
        let ask = |wheel: &LockedWheel| client.size(&wheel.url).ok().flatten();
        let asked: Vec<_> = unsized_wheels.iter().map(|wheel| scope.spawn(move || ask(wheel))).collect();
        asked.into_iter().map(|thread| thread.join().ok().flatten()).collect()
    });
    for (wheel, size) in unsized_wheels.into_iter().zip(sizes) {
        if size.is_none() {
            view.warnings.push(format!("no one says how large {} is", wheel.title()));
        }
        if let Some(step) = view.steps.iter_mut().find(|step| step.name == wheel.name && step.url.is_some()) {
            step.size = size;
        }
    }
}

/// What a wheel that comes takes on disk.
pub(super) struct Unpacked<'a> {
    pub wheel: &'a LockedWheel,
    /// What its files come to, or why that is not known.
    pub extent: Result<Extent, IndexError>,
}

/// What each wheel of `plan` takes on disk: by the cache, else by what its server says.
pub(super) fn unpacked<'a>(plan: &'a Plan, cache: &Cache, indexes: &IndexClient) -> Vec<Unpacked<'a>> {
    let wheels: Vec<(&LockedWheel, Option<Extent>)> =
        plan.wheels().map(|wheel| (wheel, wheel.sha256.and_then(|sha256| cache.extent(&sha256)))).collect();
    let remote: Vec<RemoteWheel> =
        wheels.iter().filter(|known| known.1.is_none()).map(|(wheel, _)| remote(wheel)).collect();
    let mut asked = indexes.extents(&remote).into_iter();
    wheels
        .into_iter()
        .filter_map(|(wheel, known)| {
            let extent = known.map_or_else(|| asked.next(), |extent| Some(Ok(extent)))?;
            Some(Unpacked { wheel, extent })
        })
        .collect()
}

fn remote(wheel: &LockedWheel) -> RemoteWheel {
    let LockedWheel { file_name, url, sha256, size, .. } = wheel;
    RemoteWheel { file_name: file_name.clone(), url: url.clone(), sha256: *sha256, size: *size }
}

/// What stays where nothing is to be done: what was asked for, and torch.
pub(super) fn of_kept(installed: &[InstalledState], torch: Option<TorchChoice>) -> PlanView {
    let mut view = around(torch);
    let kept = |state: &InstalledState| staying(Action::Keep, &state.distribution.name, &state.distribution.version);
    view.steps = installed.iter().map(kept).collect();
    view
}

fn around(torch: Option<TorchChoice>) -> PlanView {
    let mut view = PlanView::new();
    if let Some(TorchChoice { version, variant, cuda, cudnn }) = torch {
        (view.torch, view.variant, view.cuda, view.cudnn) = (Some(version), Some(variant), cuda, cudnn);
    }
    view
}

fn step_view(step: &Step) -> StepView {
    match step {
        Step::Add(wheel) => coming(Action::Add, wheel),
        Step::Replace { old, new } => StepView { replaces: Some(old.version.clone()), ..coming(Action::Replace, new) },
        Step::Remove { old, reason } => {
            StepView { why: reason.to_string(), ..staying(Action::Remove, &old.name, &old.version) }
        }
        Step::Keep(distribution) => staying(Action::Keep, &distribution.name, &distribution.version),
    }
}

fn coming(action: Action, wheel: &LockedWheel) -> StepView {
    StepView {
        action,
        name: wheel.name.clone(),
        version: wheel.version.clone(),
        replaces: None,
        url: Some(crate::vocab::without_credentials(&wheel.url)),
        sha256: wheel.sha256,
        size: wheel.size,
        why: wheel.why.clone(),
    }
}

fn staying(action: Action, name: &crate::vocab::PackageName, version: &crate::vocab::Version) -> StepView {
    let why = if action == Action::Keep { "installed already" } else { "" };
    StepView {
        action,
        name: name.clone(),
        version: version.clone(),
        replaces: None,
        url: None,
        sha256: None,
        size: None,
        why: why.to_owned(),
    }
}
