//! `slipway audit`: who did what, and the proof that nobody has changed it since.

mod checkpoint;
mod event;
mod export;
mod list;
mod verify;

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Failure;
use crate::config::Config;

const HELP: &str = "\
Examples:
  slipway audit list
  slipway audit checkpoint -o default-$(date +%F).json
  slipway audit verify --checkpoint default-2026-03-01.json
  slipway audit export audit.jsonl";

/// The arguments of `slipway audit`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Recompute a chain, and compare it with a checkpoint where one is given
    Verify(verify::Verify),
    /// Take a checkpoint, to be kept where nobody who can change the database can change it
    Checkpoint(checkpoint::TakeCheckpoint),
    /// Write a chain as JSON lines
    Export(export::Export),
    /// Show the latest events
    List(list::List),
}

impl Audit {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.what {
            What::Verify(verify) => verify.run(config).await,
            What::Checkpoint(checkpoint) => checkpoint.run(config).await,
            What::Export(export) => export.run(config).await,
            What::List(list) => list.run(config).await,
        }
    }
}

/// Which chain is meant.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
struct ChainArgs {
    /// The slug of the project whose chain is meant [default: the one of the variable `SLIPWAY_PROJECT`, or `default`]
    #[arg(long, value_name = "SLUG")]
    project: Option<String>,

    /// The chain of the installation: projects, principals, tokens
    #[arg(long)]
    installation: bool,
}

/// A chain, as requests name it: the project's slug, or nothing for that of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain(String);

impl ChainArgs {
    /// The chain that the arguments name, if they do.
    fn named(&self) -> Option<Chain> {
        if self.installation {
            Some(Chain(String::new()))
        } else {
            self.project.clone().map(Chain)
        }
    }

    /// The chain that the arguments name, or else that of the project that the environment names, or of `default`.
    fn chain(&self) -> Chain {
        let project = || std::env::var("SLIPWAY_PROJECT").ok();
        let project = || project().filter(|slug| !slug.is_empty());
        self.named()
            .unwrap_or_else(|| Chain(project().unwrap_or_else(|| "default".to_owned())))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("the chain of the installation"),
            project => write!(f, "the chain of project {project}"),
        }
    }
}
