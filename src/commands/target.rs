//! The machine and the environment that a command is about.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::session::Session;
use crate::catalog::Manifests;
use crate::cli::{EnvironmentArgs, MachineArgs};
use crate::error::Error;
use crate::machine::{self, DetectOptions, Interpreter, Machine, Overrides, PythonRequest};
use crate::venv::{self, Environment, Found};

/// The machine that is solved for, and the place that is changed.
pub(super) struct Target {
    pub machine: Machine,
    pub place: Place,
    /// Whether driver or GPUs were given by hand: then they are not held against the live machine.
    pub stated: bool,
    /// The GPUs that count, where they were named by the driver's numbers.
    pub visible: Option<Vec<u32>>,
}

/// Where the wheels go.
pub(super) enum Place {
    /// An environment that is there.
    Existing(Box<Environment>),
    /// One to be made here, with this Python.
    New { root: PathBuf, base: Box<Interpreter> },
    /// Nowhere: the plan is for an empty environment of another machine.
    Elsewhere,
}

impl Place {
    /// The environment, where there is one.
    pub fn environment(&self) -> Option<&Environment> {
        match self {
            Place::Existing(environment) => Some(environment),
            _ => None,
        }
    }

    /// The environment's folder, made or not.
    pub fn root(&self) -> Option<&Path> {
        match self {
            Place::Existing(environment) => Some(&environment.root),
            Place::New { root, .. } => Some(root),
            Place::Elsewhere => None,
        }
    }

    /// Where the wheels' files go on Windows, whose environments are all laid out alike.
    pub fn windows_site_packages(&self) -> Option<PathBuf> {
        match self {
            Place::Existing(environment) => Some(environment.scheme.platlib.clone()),
            Place::New { root, .. } => Some(root.join("Lib").join("site-packages")),
            Place::Elsewhere => None,
        }
    }

    /// The Python it has or will have.
    fn interpreter(&self) -> Option<&Interpreter> {
        match self {
            Place::Existing(environment) => Some(&environment.interpreter),
            Place::New { base, .. } => Some(base),
            Place::Elsewhere => None,
        }
    }
}

/// Finds the environment, asks its Python, detects the machine, and applies what was stated by hand.
///
/// With `writes` the facts must be those of the environment that will be changed. Without, and with facts stated that
/// an interpreter would tell, no interpreter is looked for and the plan is for an empty environment.
pub(super) fn settle(
    session: &Session,
    manifests: &Manifests,
    environment: &EnvironmentArgs,
    args: &MachineArgs,
    writes: bool,
) -> Result<Target, Error> {
    let elsewhere = states_python(args) && !writes && environment.venv.is_none();
    let place = if elsewhere { Place::Elsewhere } else { place(session, environment, true)? };
    let machine = facts(session, manifests, args, place.interpreter())?;
    if writes
        && states_python(args)
        && let Some(interpreter) = place.interpreter()
    {
        let here = machine::detect(&session.host, manifests, &DetectOptions::default()).with_interpreter(interpreter);
        refuse_foreign(&machine, &here)?;
    }
    let stated = args.facts.is_some() || args.driver.is_some() || !args.gpu.is_empty();
    let visible = visible(args);
    Ok(Target { machine, place, stated, visible })
}

/// The facts alone, with those of whatever Python there is.
pub(super) fn machine(
    session: &Session,
    manifests: &Manifests,
    environment: &EnvironmentArgs,
    args: &MachineArgs,
) -> Result<Machine, Error> {
    let named = environment.venv.is_some() || environment.python.is_some();
    let interpreter = if states_python(args) {
        None
    } else {
        // A machine without Python, or with an environment that is broken, still has facts.
        match interpreter(session, environment) {
            Ok(interpreter) => Some(interpreter),
            Err(error) if named => return Err(error),
            Err(error) => {
                session.output.warn(&format!("no facts of a Python: {error}"));
                None
            }
        }
    };
    facts(session, manifests, args, interpreter.as_ref())
}

/// Whether the arguments say what an interpreter would otherwise be asked for.
fn states_python(args: &MachineArgs) -> bool {
    args.facts.is_some() || args.python_version.is_some() || args.platform.is_some()
}

/// A facts file; one that goes on and on, as a device does, is none.
fn read_facts(path: &Path) -> io::Result<String> {
    const LARGEST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    let not_text = |_: Box<dyn std::error::Error>| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    // PowerShell 5 writes UTF-16 where `>` leads to a file.
    match bytes.strip_prefix(b"\xff\xfe") {
        Some(wide) => {
            let units = wide.chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit.get(1).copied().unwrap_or(0)]));
            char::decode_utf16(units).collect::<Result<String, _>>().map_err(|error| not_text(error.into()))
        }
        None => String::from_utf8(bytes).map_err(|error| not_text(error.into())),
    }
}

fn facts(
    session: &Session,
    manifests: &Manifests,
    args: &MachineArgs,
    interpreter: Option<&Interpreter>,
) -> Result<Machine, Error> {
    let machine = if let Some(file) = &args.facts {
        let path = session.host.absolute(file);
        let text = read_facts(&path).map_err(|source| CommandError::FactsFile { path, source })?;
        Machine::read_facts(&text)?
    } else {
        let options = DetectOptions { visible: args.visible.as_deref().and_then(|text| text.parse().ok()) };
        let machine = machine::detect(&session.host, manifests, &options);
        match interpreter {
            Some(interpreter) => machine.with_interpreter(interpreter),
            None => machine,
        }
    };
    let overrides = Overrides {
        driver: args.driver.as_deref().map(Overrides::parse_driver).transpose()?,
        gpus: if args.gpu.is_empty() { None } else { Some(Overrides::parse_gpus(&args.gpu)?) },
        python_version: args.python_version.as_deref().map(str::parse).transpose()?,
        platform: args.platform.as_deref().map(str::parse).transpose().map_err(CommandError::Platform)?,
    };
    let mut machine = machine.overridden(&overrides, manifests)?;
    // Detection has applied it to the cards of this machine already.
    if let (Some(visible), Some(gpus)) = (visible(args), &mut machine.gpus)
        && (args.facts.is_some() || !args.gpu.is_empty())
    {
        gpus.retain(|gpu| visible.contains(&gpu.index));
    }
    hidden(args, &machine)?;
    Ok(machine)
}

/// Refuses a `--visible` that names no card of this machine: that would hide all of them and say nothing.
fn hidden(args: &MachineArgs, machine: &Machine) -> Result<(), Error> {
    let Some(text) = args.visible.as_deref().filter(|text| !text.trim().is_empty() && text.trim() != "-1") else {
        return Ok(());
    };
    let none_left = machine.gpus.as_ref().is_some_and(Vec::is_empty);
    let stated = args.facts.is_some() || !args.gpu.is_empty();
    let by_name = visible(args).is_none();
    if (none_left && (stated || machine.driver.is_some())) || (stated && by_name) {
        return Err(CommandError::Visible(text.chars().take(80).collect()).into());
    }
    Ok(())
}

/// The numbers of `--visible`; `None` where it names cards otherwise, or is not given.
fn visible(args: &MachineArgs) -> Option<Vec<u32>> {
    args.visible.as_ref()?.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// The Python of the environment there is, else the one a new environment would get.
fn interpreter(session: &Session, args: &EnvironmentArgs) -> Result<Interpreter, Error> {
    // A named environment must be there; without one the Python that a new one would get has facts as well.
    let place = place(session, args, args.venv.is_none())?;
    match place {
        Place::Existing(environment) => Ok(environment.interpreter),
        Place::New { base, .. } => Ok(*base),
        Place::Elsewhere => unreachable!("`place` finds or makes an environment"),
    }
}

fn place(session: &Session, args: &EnvironmentArgs, create: bool) -> Result<Place, Error> {
    let cache = session.cache_dir()?;
    let request = args.python.as_deref().map(str::parse::<PythonRequest>).transpose()?;
    match venv::find(&session.host, args.venv.as_deref(), create)? {
        Found::Existing(root) => {
            let environment = Environment::open(&session.host, &root, cache)?;
            if let Some(request) = &request {
                agree(session, request, &environment)?;
            }
            Ok(Place::Existing(Box::new(environment)))
        }
        Found::ToCreate(root) => {
            let base = Interpreter::find(&session.host, request.as_ref(), cache)?;
            Ok(Place::New { root, base: Box::new(base) })
        }
    }
}

/// `--python` beside an existing environment must be its Python, itself or its base; a version must be its version.
fn agree(session: &Session, request: &PythonRequest, environment: &Environment) -> Result<(), Error> {
    if let PythonRequest::Version(version) = request
        && version.admits(&environment.interpreter)
    {
        return Ok(());
    }
    let asked = Interpreter::find(&session.host, Some(request), session.cache_dir()?)?;
    Ok(environment.must_agree_with(&asked)?)
}

/// Facts given by hand may differ in driver and GPU, never in what the files on disk depend on.
fn refuse_foreign(stated: &Machine, here: &Machine) -> Result<(), Error> {
    let abi = |machine: &Machine| machine.python.as_ref().and_then(|python| python.abi.clone());
    let python_agrees = abi(stated).is_none() || abi(stated) == abi(here);
    if stated.os == here.os && stated.arch == here.arch && python_agrees {
        return Ok(());
    }
    let title = |machine: &Machine| format!("{} {} {}", machine.os, machine.arch, abi(machine).unwrap_or_default());
    Err(CommandError::ForeignFacts { theirs: title(stated), ours: title(here) }.into())
}
