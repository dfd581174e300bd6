//! `torchfix install`: detect, solve, download, verify, install, check.

use std::collections::BTreeSet;
use std::sync::Arc;

use pep508_rs::MarkerTree;
use serde_json::json;

use super::check::{self, Expected, Outcome};
use super::error::CommandError;
use super::room;
use super::search_path::{self, SearchPath, Workshop};
use super::session::Session;
use super::target::{self, Place, Target};
use super::view::{self, Unpacked};
use crate::catalog::Manifests;
use crate::catalog::index::IndexClient;
use crate::catalog::manifest::FamilyMember;
use crate::cli::{InstallArgs, LinkModeArg};
use crate::error::Error;
use crate::http::{Client, TwinHosts};
use crate::install::{self, ApplyOptions, InstalledState, LinkMode, Plan, PlanRules, Recovered};
use crate::lock::LockedWheel;
use crate::machine::markers_of;
use crate::report::{Bars, PlanView};
use crate::request::{Defaults, Request, Settled};
use crate::resolve::{self, InstalledPin, Resolution, Satisfied};
use crate::variables;
use crate::venv::{self, CreateOptions, Created, Environment, NewEnvironment};
use crate::vocab::{Channel, ExitStatus, Os, PackageName, Requirement};
use crate::wheel::{self, Cache, ObtainOptions, UnpackedWheel};

/// Runs the command.
pub(super) fn run(session: &Session, args: &InstallArgs) -> Result<ExitStatus, Error> {
    let manifests = session.manifests(args.solve.manifests.as_deref())?;
    let Settled { request, notes } = settle(session, args, &manifests)?;
    let link_mode = link_mode(session, args)?;
    session.catch_interrupts();
    let target = target::settle(session, &manifests, &args.environment, &args.machine, !args.dry_run)?;
    for note in &notes {
        session.output.say(note);
    }
    if let (Some(environment), false) = (target.place.environment(), args.dry_run) {
        let _changing = session.changing();
        match install::recover(&environment.root, &session.interrupted, &Bars::new(session.output))? {
            Recovered::Nothing => {}
            Recovered::RolledBack => session.output.say("an interrupted installation has been rolled back"),
            Recovered::Completed => session.output.say("an interrupted installation has been completed"),
        }
    }
    let installed = target.place.environment().map_or_else(|| Ok(Vec::new()), installed_states)?;
    let is_unsettled = target.place.root().is_some_and(install::is_unsettled) && !args.dry_run;
    match satisfied(&target, &request, &manifests, &installed) {
        Satisfied::Yes if !is_unsettled => return Ok(nothing_to_do(session, args, &manifests, &target, &installed)),
        Satisfied::No(reason) if !installed.is_empty() => {
            session.output.detail(&format!("what is installed does not do: {reason}"));
        }
        Satisfied::Yes | Satisfied::No(_) => {}
    }
    let request = Request { requirements: with_family(request.requirements, &manifests, &installed), ..request };
    let run = Run { session, args, manifests: &manifests, request, link_mode, target };
    run.change(&installed)
}

/// One installation that has something to do.
struct Run<'a> {
    session: &'a Session,
    args: &'a InstallArgs,
    manifests: &'a Manifests,
    request: Request,
    link_mode: LinkMode,
    target: Target,
}

impl Run<'_> {
    fn change(self, installed: &[InstalledState]) -> Result<ExitStatus, Error> {
        if let (Place::Existing(environment), false) = (&self.target.place, self.args.dry_run) {
            environment.probe_writable()?;
            // What cannot be read is told before anything is fetched.
            install::Additions::read(&environment.root)?;
        }
        let bars = Bars::new(self.session.output);
        let client = Arc::new(self.session.client()?);
        let indexes = IndexClient::new(Arc::clone(&client), Some(self.session.cache_dir()?), self.twin_hosts());
        let resolution = self.resolve(&client, &indexes, installed, &bars)?;
        let plan = self.plan(&resolution, installed)?;
        let unsettled = self.target.place.environment().filter(|environment| install::is_unsettled(&environment.root));
        if plan.is_empty() && (unsettled.is_none() || self.args.dry_run) {
            bars.clear();
            return Ok(nothing_to_do(self.session, self.args, self.manifests, &self.target, installed));
        }
        let cache = Cache::open(self.session.cache_dir()?)?;
        let unpacked = view::unpacked(&plan, &cache, &indexes);
        let view = view::of_plan(&plan, &resolution, &cache, &client, &unpacked, self.request.files.only_listed);
        bars.clear();
        for Unpacked { wheel, extent } in &unpacked {
            if let Err(error) = extent {
                self.session.output.detail(&format!("no one says how large {} is unpacked: {error}", wheel.title()));
            }
        }
        // Where hashes are listed, what comes is held against them.
        refuse_without_hash(self.args.require_hashes && !self.request.files.only_listed, &plan)?;
        if self.args.dry_run {
            view.answer(self.session.output);
            return Ok(ExitStatus::Done);
        }
        for line in view.lines() {
            self.session.output.say(&line);
        }
        for warning in &view.warnings {
            self.session.output.warn(warning);
        }
        if let Some(root) = self.target.place.root() {
            room::check(&unpacked, &cache, root, self.link_mode)?;
        }
        if let (Os::Windows, Some(site)) = (&self.target.machine.os, self.target.place.windows_site_packages()) {
            let takes_long_paths = self.target.machine.windows.as_ref().and_then(|windows| windows.long_paths);
            if takes_long_paths != Some(true) {
                room::check_lengths(&unpacked, &site)?;
            }
        }
        let environment = self.apply(&plan, &client, &cache, &bars)?;
        for warning in client.take_warnings() {
            self.session.output.warn(&warning);
        }
        let search_path = self.mend(&environment, &client, &indexes, &cache)?;
        search_path.say(self.session);
        let expected = Expected {
            torch: resolution.torch.is_some() && (changes_libraries(&plan) || unsettled.is_some()),
            gpu: self.expects_gpu(&resolution),
        };
        let outcome = check::run(self.session, self.args.check, &environment, &self.target, self.manifests, &expected)?;
        Ok(self.answer(&view, &environment, &search_path, &outcome))
    }

    fn resolve(
        &self,
        client: &Client,
        pages: &IndexClient,
        installed: &[InstalledState],
        bars: &Bars,
    ) -> Result<Resolution, Error> {
        use crate::progress::Reporter as _;
        bars.stage("resolving");
        let indexes = &self.request.indexes;
        for url in [&indexes.default, &indexes.torch].into_iter().chain(&indexes.extra).chain(&indexes.find_links) {
            client.learn_credentials(url);
        }
        let pins: Vec<InstalledPin> = installed
            .iter()
            .map(|state| InstalledPin {
                name: state.distribution.name.clone(),
                version: state.distribution.version.clone(),
            })
            .collect();
        Ok(resolve::resolve(&self.target.machine, &self.request, self.manifests, pages, &pins)?)
    }

    /// PyTorch's second host is tried for the index torchfix knows only, never beside a mirror that was named.
    fn twin_hosts(&self) -> TwinHosts {
        if self.request.indexes.torch_is_mirror {
            return TwinHosts::default();
        }
        TwinHosts::new(self.manifests.torch_index().hosts.clone())
    }

    fn plan(&self, resolution: &Resolution, installed: &[InstalledState]) -> Result<Plan, Error> {
        let markers = markers_of(&self.target.machine)?;
        let rebuilt = rebuilt(&resolution.wheels, installed, self.manifests);
        let rules = PlanRules { markers: &markers, kept: &BTreeSet::new(), rebuilt: &rebuilt, exact: false };
        Ok(install::plan(&resolution.wheels, installed, &rules))
    }

    fn apply(&self, plan: &Plan, client: &Client, cache: &Cache, bars: &Bars) -> Result<Environment, Error> {
        let wheels: Vec<LockedWheel> = plan.wheels().cloned().collect();
        let mut options =
            ObtainOptions { interrupted: Arc::clone(&self.session.interrupted), ..ObtainOptions::default() };
        options.fetch.twins = self.twin_hosts();
        let unpacked = wheel::obtain(&wheels, client, cache, &options, bars)?;
        self.hold_to_listed(&wheels, &unpacked)?;
        let _changing = self.session.changing();
        // A new environment goes again unless what it was made for comes into it.
        let (environment, new) = self.environment()?;
        let options = ApplyOptions {
            link_mode: self.link_mode,
            interrupted: Arc::clone(&self.session.interrupted),
            unsettles: self.target.machine.os == Os::Windows && changes_libraries(plan),
        };
        let applied = install::apply(plan, &unpacked, &environment.scheme, &options, bars);
        bars.clear();
        applied?;
        if let Some(new) = new {
            new.keep();
        }
        Ok(environment)
    }

    /// Where a requirements file lists hashes, a wheel that no index states one of must turn out to have a listed one.
    fn hold_to_listed(&self, wheels: &[LockedWheel], unpacked: &[UnpackedWheel]) -> Result<(), Error> {
        if !self.request.files.only_listed {
            return Ok(());
        }
        let listed = self.request.listed_hashes(&markers_of(&self.target.machine)?);
        let found = wheels.iter().zip(unpacked).find(|(wheel, unpacked)| {
            wheel.sha256.is_none() && !listed.get(&wheel.name).is_some_and(|hashes| hashes.contains(&unpacked.sha256))
        });
        match found {
            Some((wheel, unpacked)) => {
                Err(CommandError::HashNotListed { wheel: wheel.file_name.to_string(), sha256: unpacked.sha256 }.into())
            }
            None => Ok(()),
        }
    }

    /// The environment that is there, or a new one: made only now, when everything that goes into it is at hand.
    fn environment(&self) -> Result<(Environment, Option<NewEnvironment>), Error> {
        match &self.target.place {
            Place::Existing(environment) => Ok((environment.as_ref().clone(), None)),
            Place::New { root, base } => {
                let working_directory = Some(self.session.host.working_directory().to_owned());
                let options = CreateOptions { working_directory, ..CreateOptions::default() };
                let new = match venv::create(root, base, &options)? {
                    Created::New(new) => Some(new),
                    Created::AlreadyThere => None,
                };
                if new.is_some() {
                    self.session.output.say(&format!("made the environment {}", root.display()));
                }
                Ok((Environment::open(&self.session.host, root, self.session.cache_dir()?)?, new))
            }
            Place::Elsewhere => unreachable!("only a dry run has no place"),
        }
    }

    /// A GPU that was detected, with a driver that works, must compute with a build made for it; facts given by hand
    /// prove nothing about it.
    fn expects_gpu(&self, resolution: &Resolution) -> bool {
        let machine = &self.target.machine;
        let detected = machine.driver.is_some() && machine.gpus.as_ref().is_some_and(|gpus| !gpus.is_empty());
        let for_gpus = resolution.torch.as_ref().is_some_and(|torch| torch.cuda.is_some());
        detected && for_gpus && !self.target.stated
    }

    /// Puts libraries where the loader looks, where a change is not settled yet.
    fn mend(
        &self,
        environment: &Environment,
        client: &Client,
        indexes: &IndexClient,
        cache: &Cache,
    ) -> Result<SearchPath, Error> {
        if !install::is_unsettled(&environment.root) {
            return Ok(SearchPath::default());
        }
        let bring = |name: &str| self.bring(name, client, indexes, cache);
        let workshop = Workshop {
            session: self.session,
            manifests: self.manifests,
            machine: &self.target.machine,
            link_mode: self.link_mode,
            bring: &bring,
        };
        search_path::mend(&workshop, environment)
    }

    /// The wheel of a distribution of which only files are wanted, unpacked in the cache.
    fn bring(&self, name: &str, client: &Client, indexes: &IndexClient, cache: &Cache) -> Result<UnpackedWheel, Error> {
        let name: PackageName = name.parse().map_err(|_| CommandError::NoWheel { name: name.to_owned() })?;
        let request = Request { requirements: vec![any_version_of(&name)], ..self.request.clone() };
        let resolution = resolve::resolve(&self.target.machine, &request, self.manifests, indexes, &[])?;
        let no_wheel = || CommandError::NoWheel { name: name.to_string() };
        let wheel = resolution.wheels.into_iter().find(|wheel| wheel.name == name).ok_or_else(no_wheel)?;
        if self.args.require_hashes && wheel.sha256.is_none() {
            return Err(CommandError::Unhashed(vec![wheel.file_name.to_string()]).into());
        }
        self.session.output.say(&format!("taking what is missing from {} ({})", wheel.title(), wheel.file_name));
        let interrupted = Arc::clone(&self.session.interrupted);
        let options = ObtainOptions { interrupted, ..ObtainOptions::default() };
        let unpacked = wheel::obtain(&[wheel], client, cache, &options, &Bars::new(self.session.output))?;
        Ok(unpacked.into_iter().next().ok_or_else(no_wheel)?)
    }

    fn answer(
        &self,
        view: &PlanView,
        environment: &Environment,
        search_path: &SearchPath,
        outcome: &Outcome,
    ) -> ExitStatus {
        let output = self.session.output;
        if output.json {
            output.answer_json(&json!({
                "schema": "torchfix.install/1",
                "changed": true,
                "environment": environment.root,
                "plan": view,
                "search_path": search_path,
                "check": outcome.to_json(),
            }));
        } else {
            let count = view.steps.iter().filter(|step| step.action.brings_a_wheel()).count();
            let noun = if count == 1 { "distribution" } else { "distributions" };
            let root = environment.root.display();
            output.answer(&match count {
                0 => format!("looked at the libraries in {root}; nothing was installed"),
                _ => format!("installed {count} {noun} into {root}"),
            });
            outcome.answer(output);
        }
        match outcome {
            // Nobody looked, and it is known all the same.
            Outcome::NotChecked if search_path.prediction.is_some() => ExitStatus::Unhealthy,
            _ => outcome.exit_status(),
        }
    }
}

fn settle(session: &Session, args: &InstallArgs, manifests: &Manifests) -> Result<Settled, Error> {
    let defaults = Defaults {
        index: manifests.default_index().clone(),
        torch: manifests.torch_index().url.clone(),
        torch_hosts: manifests.torch_index().hosts.clone(),
        channels: [Channel::Test, Channel::Nightly]
            .map(|channel| (channel, manifests.channel_path(channel).to_owned()))
            .to_vec(),
    };
    let unreadable = |name: &&&str| session.host.variable(name).is_some_and(|value| value.to_str().is_none());
    if let Some(name) = variables::SETTINGS.iter().find(unreadable) {
        return Err(CommandError::NotText(name).into());
    }
    let lookup = |name: &str| session.host.text_variable(name).map(str::to_owned);
    Ok(Request::settle(args, session.host.working_directory(), &lookup, &defaults)?)
}

/// What is asked for, and with torch what is installed of its family: built against one torch, it moves along with it.
fn with_family(
    mut requirements: Vec<Requirement>,
    manifests: &Manifests,
    installed: &[InstalledState],
) -> Vec<Requirement> {
    let built_for_torch = |name: &PackageName| manifests.family_member(name) == Some(FamilyMember::BuiltForTorch);
    if !requirements.iter().any(|requirement| built_for_torch(&requirement.name)) {
        return requirements;
    }
    for name in installed.iter().map(|state| &state.distribution.name) {
        if built_for_torch(name) && requirements.iter().all(|requirement| requirement.name != *name) {
            requirements.push(any_version_of(name));
        }
    }
    requirements
}

fn any_version_of(name: &PackageName) -> Requirement {
    Requirement { name: name.clone(), extras: Vec::new(), version_or_url: None, marker: MarkerTree::TRUE, origin: None }
}

/// The flag, else the variable, else whatever works.
fn link_mode(session: &Session, args: &InstallArgs) -> Result<LinkMode, Error> {
    let mode = match (args.link_mode, session.host.text_variable(variables::LINK_MODE)) {
        (Some(mode), _) => mode,
        (None, Some(text)) => clap::ValueEnum::from_str(text, true)
            .map_err(|_| CommandError::LinkMode { variable: variables::LINK_MODE, value: text.to_owned() })?,
        (None, None) => LinkModeArg::Auto,
    };
    Ok(match mode {
        LinkModeArg::Auto => LinkMode::Auto,
        LinkModeArg::Reflink => LinkMode::Reflink,
        LinkModeArg::Hardlink => LinkMode::Hardlink,
        LinkModeArg::Copy => LinkMode::Copy,
    })
}

fn installed_states(environment: &Environment) -> Result<Vec<InstalledState>, Error> {
    let installed = environment.installed()?;
    Ok(installed
        .distributions
        .into_iter()
        .map(|distribution| InstalledState {
            metadata: distribution.metadata().ok(),
            requested: distribution.is_requested(),
            distribution,
        })
        .collect())
}

fn satisfied(target: &Target, request: &Request, manifests: &Manifests, installed: &[InstalledState]) -> Satisfied {
    let known: Vec<resolve::InstalledDistribution> = installed
        .iter()
        .filter_map(|state| {
            Some(resolve::InstalledDistribution {
                metadata: state.metadata.clone()?,
                variant: None,
                archive: state.distribution.direct_url().and_then(|direct| {
                    let sha256 = direct.archive_info.and_then(|archive| archive.hashes.get("sha256")?.parse().ok());
                    Some(resolve::InstalledArchive { url: direct.url.parse().ok()?, sha256 })
                }),
            })
        })
        .collect();
    resolve::satisfied(&target.machine, request, manifests, &known)
}

/// Names of which another build is wanted under the version that is there: a wheel given by URL, and what does not say
/// for which torch it was built where torch changes.
fn rebuilt(wheels: &[LockedWheel], installed: &[InstalledState], manifests: &Manifests) -> BTreeSet<PackageName> {
    let same_url = |state: &InstalledState, wheel: &LockedWheel| {
        state.distribution.direct_url().is_some_and(|direct| direct.url == wheel.url.as_str())
    };
    let another_torch = wheels.iter().any(|wheel| {
        let is_torch =
            |state: &&InstalledState| state.distribution.name == wheel.name && wheel.name.as_ref() == "torch";
        installed.iter().find(is_torch).is_some_and(|state| state.distribution.version != wheel.version)
    });
    let differs = |wheel: &&LockedWheel| {
        let of_old_torch = another_torch && manifests.unlabelled(&wheel.name);
        let differs = |state: &InstalledState| of_old_torch || (wheel.direct && !same_url(state, wheel));
        installed.iter().any(|state| state.distribution.name == wheel.name && differs(state))
    };
    wheels.iter().filter(differs).map(|wheel| wheel.name.clone()).collect()
}

fn nothing_to_do(
    session: &Session,
    args: &InstallArgs,
    manifests: &Manifests,
    target: &Target,
    installed: &[InstalledState],
) -> ExitStatus {
    let output = session.output;
    let torch =
        installed.iter().map(|state| &state.distribution).find(|distribution| distribution.name.as_ref() == "torch");
    let torch = torch.and_then(|torch| resolve::installed_torch(&target.machine, manifests, &torch.version));
    let view = view::of_kept(installed, torch);
    if args.dry_run {
        view.answer(output);
    } else if output.json {
        let root = target.place.environment().map(|environment| &environment.root);
        output.answer_json(&json!({
            "schema": "torchfix.install/1",
            "changed": false,
            "environment": root,
            "plan": view,
            "check": null,
        }));
    } else {
        let torch = view.torch.as_ref().map(|torch| format!("torch {torch} is installed and serves this machine; "));
        output.answer(&format!("{}nothing to do", torch.unwrap_or_default()));
    }
    ExitStatus::Done
}

/// Whether a wheel with native code comes, or anything goes.
fn changes_libraries(plan: &Plan) -> bool {
    let native = |wheel: &LockedWheel| wheel.file_name.platform_tags().iter().any(|tag| tag != "any");
    plan.wheels().any(native) || plan.removed().next().is_some()
}

fn refuse_without_hash(required: bool, plan: &Plan) -> Result<(), Error> {
    let unhashed: Vec<String> =
        plan.wheels().filter(|wheel| wheel.sha256.is_none()).map(|wheel| wheel.file_name.to_string()).collect();
    if required && !unhashed.is_empty() { Err(CommandError::Unhashed(unhashed).into()) } else { Ok(()) }
}
