//! Plans made ready to be shown: what each step fetches and what it comes to.

use crate::http::Client;
use crate::install::{InstalledState, Plan, Step};
use crate::lock::LockedWheel;
use crate::report::{Action, PlanView, StepView};
use crate::resolve::{Resolution, TorchChoice};
use crate::wheel::Cache;

/// What `plan` comes to; a size that no index states is asked of the file's host.
pub(super) fn of_plan(plan: &Plan, resolution: &Resolution, cache: &Cache, client: &Client) -> PlanView {
    let mut view = around(resolution.torch.clone());
    view.reasons.clone_from(&resolution.reasons);
    view.warnings = resolution.warnings.iter().chain(&plan.warnings).cloned().collect();
    view.warnings.extend(plan.wheels().filter(|wheel| wheel.sha256.is_none()).map(|wheel| {
        let host = wheel.url.host_str().unwrap_or("this machine");
        format!("no index states a hash of {}: it is trusted as far as the connection to {host} is", wheel.file_name)
    }));
    for step in &plan.steps {
        let mut step = step_view(step);
        let url = step.url.clone().filter(|_| step.size.is_none());
        if let Some(url) = url {
            step.size = client.size(&url).ok().flatten();
            if step.size.is_none() {
                view.warnings.push(format!("no one says how large {} {} is", step.name, step.version));
            }
        }
        view.steps.push(step);
    }
    let cached = |step: &&StepView| step.sha256.is_some_and(|sha256| cache.holds(&sha256));
    let fetched = view.steps.iter().filter(|step| step.url.is_some() && !cached(step));
    view.download_bytes = fetched.filter_map(|step| step.size).sum();
    view
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
        url: Some(crate::http::without_credentials(&wheel.url)),
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
