//! A plan carried out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::additions::Additions;
use super::error::InstallError;
use super::files::{Disk, Files};
use super::in_use::spare_folders_in_use;
use super::link::{Job, LinkMode, make_files};
use super::moves::moves;
use super::plan::{Plan, Step};
use super::removal::{Removal, removal};
use super::transaction::Transaction;
use super::unsettled::{is_unsettled, unsettled_path, write_unsettled};
use super::wheel_layout::{TargetFile, WheelLayout, lay_out};
use crate::lock::LockedWheel;
use crate::machine;
use crate::progress::Reporter;
use crate::venv::{Flavour, InstalledDistribution, Scheme, list};
use crate::wheel::UnpackedWheel;

/// How a plan is carried out.
#[derive(Debug, Clone, Default)]
pub struct ApplyOptions {
    /// How files come from the cache.
    pub link_mode: LinkMode,
    /// Set when the user wants it to stop; the environment is then as before.
    pub interrupted: Arc<AtomicBool>,
    /// Whether the search path of what comes is to be looked at afterwards; see [`super::is_unsettled`].
    pub unsettles: bool,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Applied {
    /// How many distributions came, those that took another's place among them.
    pub added: usize,
    /// How many went, replaced ones among them.
    pub removed: usize,
    /// How many files came.
    pub files: usize,
    /// By what means they came; `None` when none did.
    pub link_mode: Option<LinkMode>,
}

/// Carries out a plan: the environment is as planned then, or on an error as before.
///
/// A plan without changes touches nothing.
pub fn apply(
    plan: &Plan,
    wheels: &[UnpackedWheel],
    scheme: &Scheme,
    options: &ApplyOptions,
    reporter: &dyn Reporter,
) -> Result<Applied, InstallError> {
    apply_on(&Disk, plan, wheels, scheme, options, reporter)
}

fn apply_on(
    files: &dyn Files,
    plan: &Plan,
    wheels: &[UnpackedWheel],
    scheme: &Scheme,
    options: &ApplyOptions,
    reporter: &dyn Reporter,
) -> Result<Applied, InstallError> {
    if plan.is_empty() {
        return Ok(Applied::default());
    }
    // What can be refused is refused before anything is touched.
    let wheels = matched(plan, wheels)?;
    let mut warnings = Vec::new();
    let mut layouts = Vec::with_capacity(wheels.len());
    for (locked, wheel) in &wheels {
        let layout = lay_out(wheel, locked, scheme)
            .map_err(|refusal| InstallError::Refused { wheel: Box::new(wheel.file_name.clone()), refusal })?;
        warnings.extend_from_slice(&layout.warnings);
        layouts.push((*wheel, layout));
    }
    let files_by_path = merged(&layouts, scheme.flavour, &mut warnings);

    let transaction = Transaction::begin(&scheme.root, files, &options.interrupted, reporter)?;
    check_still_as_planned(plan, scheme)?;
    let removed: Vec<&InstalledDistribution> = plan.removed().collect();
    let staying: Vec<&InstalledDistribution> = plan.staying().collect();
    let (mut removal, additions) = removal_with_additions(scheme, &removed, &staying)?;
    warnings.append(&mut removal.warnings);
    let loaded = spare_folders_in_use(&scheme.root, &mut removal, files)?;
    if let Some(first) = loaded.first() {
        let users = machine::programs_using(&loaded);
        let users = if users.is_empty() { "a running program".to_owned() } else { users.join(", ") };
        let more = if loaded.len() > 1 { format!(" and {} more", loaded.len() - 1) } else { String::new() };
        warnings.push(format!("{users} uses `{}`{more}: it keeps the old files until it ends", first.display()));
    }

    reporter.stage(&format!("linking {}", counted(wheels.len(), "wheel")));
    let jobs: Vec<Job<'_>> = files_by_path
        .iter()
        .map(|(path, (wheel, file))| Job {
            source_root: &wheel.root,
            content: &file.content,
            path,
            executable: file.executable,
        })
        .collect();
    let used = make_files(transaction.staging(), &jobs, options.link_mode, &options.interrupted)?;
    if used == LinkMode::Copy && options.link_mode != LinkMode::Copy && !jobs.is_empty() {
        reporter
            .warning("the cache is on another file system than the environment, or it has no links: files are copied");
    }
    let mut paths: Vec<&str> = files_by_path.keys().map(String::as_str).collect();
    let list = Additions::list_path();
    if let Some(additions) = &additions {
        removal.add(list.clone());
        if !additions.files.is_empty() {
            additions.write(transaction.staging())?;
            paths.push(&list);
        }
    }
    let unsettled = unsettled_path();
    if options.unsettles {
        write_unsettled(transaction.staging())?;
        if is_unsettled(&scheme.root) {
            removal.add(unsettled.clone());
        }
        paths.push(&unsettled);
    }
    paths.sort_unstable();
    let moves = moves(&scheme.root, transaction.staging(), &paths, &removal, &mut warnings)?;
    transaction.commit(&moves, &options.interrupted)?;
    for warning in &warnings {
        reporter.warning(warning);
    }
    Ok(Applied {
        added: wheels.len(),
        removed: removed.len(),
        files: paths.len(),
        link_mode: (!paths.is_empty()).then_some(used),
    })
}

/// What goes, what torchfix added for it with it; and the list of what is left of that, where it changes.
fn removal_with_additions(
    scheme: &Scheme,
    removed: &[&InstalledDistribution],
    staying: &[&InstalledDistribution],
) -> Result<(Removal, Option<Additions>), InstallError> {
    let first = removal(scheme, removed, staying, &[])?;
    let mut additions = Additions::read(&scheme.root)?;
    additions.forget_replaced(&scheme.root);
    let torch_goes = !staying.iter().any(|distribution| distribution.name.as_ref() == "torch");
    let outdated = additions.outdated(&first, torch_goes);
    if outdated.is_empty() {
        return Ok((first, None));
    }
    additions.files.retain(|path, _| !outdated.contains(path));
    Ok((removal(scheme, removed, staying, &outdated)?, Some(additions)))
}

/// The unpacked wheel of each one in the plan.
fn matched<'a>(
    plan: &'a Plan,
    wheels: &'a [UnpackedWheel],
) -> Result<Vec<(&'a LockedWheel, &'a UnpackedWheel)>, InstallError> {
    let fits = |locked: &LockedWheel, wheel: &UnpackedWheel| {
        wheel.file_name == locked.file_name && locked.sha256.is_none_or(|expected| expected == wheel.sha256)
    };
    plan.wheels()
        .map(|locked| {
            let wheel = wheels.iter().find(|wheel| fits(locked, wheel));
            Ok((locked, wheel.ok_or_else(|| InstallError::WheelMissing { wheel: Box::new(locked.file_name.clone()) })?))
        })
        .collect()
}

type FilesByPath<'a> = BTreeMap<String, (&'a UnpackedWheel, &'a TargetFile)>;

/// All files by path. Wheels may share one, as those of a namespace do; where they differ in it the later one wins.
fn merged<'a>(
    layouts: &'a [(&'a UnpackedWheel, WheelLayout)],
    flavour: Flavour,
    warnings: &mut Vec<String>,
) -> FilesByPath<'a> {
    // By paths as the file system compares them: names that differ in case alone are one file on Windows.
    let mut spellings = Spellings { flavour, folders: HashMap::new() };
    let mut files: BTreeMap<String, (String, (&UnpackedWheel, &TargetFile))> = BTreeMap::new();
    for (wheel, layout) in layouts {
        for file in &layout.files {
            let path = spellings.of(&file.path);
            if let Some((_, (first, before))) = files.insert(flavour.folded(&file.path), (path, (wheel, file)))
                && before.hash != file.hash
            {
                let (first, second) = (&first.file_name.name, &wheel.file_name.name);
                warnings.push(format!("{first} and {second} both bring `{}`: that of {second} is taken", file.path));
            }
        }
    }
    files.into_values().collect()
}

/// What a folder is called that several wheels spell in several ways: as it was first.
struct Spellings {
    flavour: Flavour,
    folders: HashMap<String, String>,
}

impl Spellings {
    fn of(&mut self, path: &str) -> String {
        let Some((folder, name)) = path.rsplit_once('/').filter(|_| self.flavour == Flavour::Windows) else {
            return path.to_owned();
        };
        let key = self.flavour.folded(folder);
        let known = self.folders.get(&key).cloned();
        let folder = known.unwrap_or_else(|| {
            let spelled = self.of(folder);
            self.folders.insert(key, spelled.clone());
            spelled
        });
        format!("{folder}/{name}")
    }
}

/// While torchfix waited, or since the plan was made, another program may have changed the environment.
fn check_still_as_planned(plan: &Plan, scheme: &Scheme) -> Result<(), InstallError> {
    let mut planned: Vec<&InstalledDistribution> = plan.removed().chain(plan.staying()).collect();
    let installed = list(scheme)?;
    let mut found: Vec<&InstalledDistribution> = installed.distributions.iter().collect();
    planned.sort_by(|a, b| a.dist_info.cmp(&b.dist_info));
    found.sort_by(|a, b| a.dist_info.cmp(&b.dist_info));
    let newcomer = plan.steps.iter().any(|step| match step {
        Step::Add(wheel) => found.iter().any(|there| there.name == wheel.name),
        _ => false,
    });
    if newcomer || planned != found {
        return Err(InstallError::StalePlan { root: scheme.root.clone() });
    }
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_two_wheels_spell_differently_is_one_on_windows() {
        let spelled = |flavour| {
            let mut spellings = Spellings { flavour, folders: HashMap::new() };
            ["Foo/a.py", "foo/B/b.py", "FOO/b/c.py", "top"].map(|path| spellings.of(path))
        };
        assert_eq!(spelled(Flavour::Windows), ["Foo/a.py", "Foo/B/b.py", "Foo/B/c.py", "top"]);
        assert_eq!(spelled(Flavour::Posix), ["Foo/a.py", "foo/B/b.py", "FOO/b/c.py", "top"]);
    }
}
