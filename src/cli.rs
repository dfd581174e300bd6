//! What was typed: `argv` → [`Cli`]. Nothing is decided here; the doc comments are the help texts.

#![allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::vocab::Channel;

/// Takes a bare machine to a PyTorch that provably works on its GPU.
#[derive(Debug, Parser)]
#[command(name = "torchfix", version, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// How the answer on stdout is written.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true, help_heading = "Output")]
    pub format: Format,
    /// Short for `--format json`.
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Say less on stderr: only warnings and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Say more on stderr.
    #[arg(short, long, global = true, help_heading = "Output")]
    pub verbose: bool,
    /// When to use colour.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, global = true, help_heading = "Output")]
    pub color: Color,
    /// Draw no progress bars.
    #[arg(long, global = true, help_heading = "Output")]
    pub no_progress: bool,
    /// Use no network: only the cache, and folders given by `--find-links`.
    #[arg(long, global = true, help_heading = "Cache and network")]
    pub offline: bool,
    /// Where everything is kept between runs [default: `TORCHFIX_CACHE_DIR`, else the user's cache folder].
    #[arg(long, value_name = "DIR", global = true, help_heading = "Cache and network")]
    pub cache_dir: Option<PathBuf>,
}

impl GlobalArgs {
    /// Whether the answer is JSON.
    pub fn is_json(&self) -> bool {
        self.json || self.format == Format::Json
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Detect, solve, download, verify, install, and check that it loads.
    Install(InstallArgs),
    /// Show the facts about this machine, each with how it was learned.
    Detect(AboutArgs),
    /// Say why a build of torch runs on this machine, or why not, and which one is taken instead.
    Explain(ExplainArgs),
    /// Show which releases and variants of torch run on this machine, and how.
    Matrix(MatrixArgs),
    /// Show or clear what is kept between runs.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Show or check what torchfix knows of torch, CUDA, cuDNN, DLLs, GPUs and indexes.
    #[command(subcommand)]
    Manifests(ManifestsCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
    /// Print the version.
    Version,
}

/// `torchfix install`
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// What to install: `torch==2.9.1`, `torchvision`, `demo @ https://…/demo.whl` [default: torch].
    #[arg(value_name = "REQ")]
    pub requirements: Vec<String>,
    /// Install what a requirements file lists, as pip reads it; where it lists hashes, nothing else is fetched.
    #[arg(short, long = "requirement", value_name = "FILE")]
    pub requirement_files: Vec<PathBuf>,
    /// Hold versions within what a requirements file says, without installing what it lists.
    #[arg(short, long = "constraint", value_name = "FILE")]
    pub constraint_files: Vec<PathBuf>,
    /// Look for newer versions where the installed ones would do.
    #[arg(short = 'U', long)]
    pub upgrade: bool,
    /// Allow pre-releases.
    #[arg(long)]
    pub pre: bool,
    /// Also install pip into the environment.
    #[arg(long)]
    pub seed: bool,
    /// How to prove that the result loads.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Check::Live)]
    pub check: Check,
    /// Show the plan; change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Refuse wheels that no one states a hash of.
    #[arg(long)]
    pub require_hashes: bool,
    /// How files get from the cache into the environment.
    #[arg(long, value_enum, value_name = "MODE")]
    pub link_mode: Option<LinkModeArg>,
    /// The environment.
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// What is wanted of torch's family.
    #[command(flatten)]
    pub solve: SolveArgs,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The indexes.
    #[command(flatten)]
    pub indexes: IndexArgs,
}

/// How to prove that the result loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// A child Python opens every library and computes.
    Live,
    /// A model of the system's loader; nothing is run.
    Static,
    /// Not at all.
    None,
}

/// How files get from the cache into the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinkModeArg {
    /// The first of the others that works.
    Auto,
    /// Copy-on-write links.
    Reflink,
    /// Hard links.
    Hardlink,
    /// Copies.
    Copy,
}

/// Which environment and interpreter.
#[derive(Debug, Clone, Args)]
pub struct EnvironmentArgs {
    /// The virtual environment [default: the active one, else `.venv` here or in a parent folder].
    #[arg(long, value_name = "DIR", help_heading = "Environment")]
    pub venv: Option<PathBuf>,
    /// The Python of a new environment: a path, `3.12`, `python3.12` [default: the first on PATH that runs].
    #[arg(long, value_name = "PY", help_heading = "Environment")]
    pub python: Option<String>,
}

/// What is wanted of torch's family.
#[derive(Debug, Clone, Args)]
pub struct SolveArgs {
    /// The build of torch: `auto`, `cpu`, `cu128`… [default: auto].
    #[arg(long, value_name = "VARIANT", help_heading = "Solving")]
    pub variant: Option<String>,
    /// The channel of torch's family: `stable`, `test` (release candidates), `nightly` [default: stable].
    #[arg(long, value_name = "CHANNEL", help_heading = "Solving")]
    pub channel: Option<Channel>,
    /// Leave out files uploaded since: `2025-10-15T12:00:00Z`, or after a day (UTC), `2025-10-15`.
    #[arg(long, value_name = "DATE", help_heading = "Solving")]
    pub exclude_newer: Option<String>,
    /// Read the manifests from this folder; one that is not there is the embedded one.
    #[arg(long, value_name = "DIR", help_heading = "Solving")]
    pub manifests: Option<PathBuf>,
}

/// The machine to solve for, where it is not this one.
#[derive(Debug, Clone, Args)]
pub struct MachineArgs {
    /// Take the facts from this file (see `torchfix detect --json`) instead of detecting them.
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    pub facts: Option<PathBuf>,
    /// State the NVIDIA driver version, or `none`.
    #[arg(long, value_name = "VERSION", help_heading = "Machine")]
    pub driver: Option<String>,
    /// State a GPU by name or compute capability, or `none`; may be repeated.
    #[arg(long, value_name = "GPU", help_heading = "Machine")]
    pub gpu: Vec<String>,
    /// Count only these GPUs, as `CUDA_VISIBLE_DEVICES` names them: `0,1`.
    #[arg(long, value_name = "GPUS", help_heading = "Machine")]
    pub visible: Option<String>,
    /// State the Python version; no interpreter is looked for.
    #[arg(long, value_name = "VERSION", help_heading = "Machine")]
    pub python_version: Option<String>,
    /// State the platform by its wheel tag, `manylinux_2_28_x86_64`; no interpreter is looked for.
    #[arg(long, value_name = "TAG", help_heading = "Machine")]
    pub platform: Option<String>,
}

/// Where wheels come from.
#[derive(Debug, Clone, Args)]
pub struct IndexArgs {
    /// The default index [default: PyPI].
    #[arg(long, value_name = "URL", help_heading = "Indexes")]
    pub index_url: Option<String>,
    /// An index that adds names the default index does not have; may be repeated.
    #[arg(long, value_name = "URL", help_heading = "Indexes")]
    pub extra_index_url: Vec<String>,
    /// A folder of wheels or a page of links; may be repeated.
    #[arg(long, value_name = "DIR_OR_URL", help_heading = "Indexes")]
    pub find_links: Vec<String>,
    /// Ask no index: wheels come from `--find-links` alone.
    #[arg(long, help_heading = "Indexes")]
    pub no_index: bool,
    /// A mirror of the PyTorch index: pages at `URL/<variant>/<project>/`.
    #[arg(long, value_name = "URL", help_heading = "Indexes")]
    pub torch_index: Option<String>,
}

/// `torchfix explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The build: `torch==2.11.0+cu128`, `torch==2.11.0` for all its variants, `cu128`, `torchvision==0.24.1`.
    #[arg(long, value_name = "SPEC")]
    pub why: String,
    /// What the question is about.
    #[command(flatten)]
    pub about: AboutArgs,
}

/// `torchfix matrix`
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// Show every release that is known, not the newest alone.
    #[arg(long)]
    pub all: bool,
    /// What the question is about.
    #[command(flatten)]
    pub about: AboutArgs,
}

/// The machine that a question is about, and where the facts about torch come from.
#[derive(Debug, Args)]
pub struct AboutArgs {
    /// The environment.
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Read the manifests from this folder; one that is not there is the embedded one.
    #[arg(long, value_name = "DIR", help_heading = "Solving")]
    pub manifests: Option<PathBuf>,
}

/// `torchfix cache`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// Print the cache folder.
    Dir,
    /// Print how many bytes it holds.
    Size,
    /// Remove what an interrupted download left and what no longer passes a check.
    Prune,
    /// Remove everything in it.
    Clean,
}

/// `torchfix manifests`
#[derive(Debug, Clone, Subcommand)]
pub enum ManifestsCommand {
    /// Print a part of the manifests.
    Show {
        /// `torch`, `cuda`, `cudnn`, `dlls`, `gpus`, `indexes`, or a version of torch for its builds [default: how much there is].
        #[arg(value_name = "WHAT")]
        what: Option<String>,
        /// Read the manifests from this folder; one that is not there is the embedded one.
        #[arg(long, value_name = "DIR")]
        manifests: Option<PathBuf>,
    },
    /// Print everything that is wrong in the manifests, with file and line.
    Check {
        /// The folder of the manifests [default: that of `--manifests`, else the embedded ones].
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Read the manifests from this folder; one that is not there is the embedded one.
        #[arg(long, value_name = "DIR", conflicts_with = "folder")]
        manifests: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_anywhere() {
        let cli = Cli::try_parse_from(["torchfix", "install", "--json", "torch==2.9.1", "-q"]).unwrap();
        assert!(cli.global.is_json() && cli.global.quiet);
    }
}
