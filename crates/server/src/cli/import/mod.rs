//! `slipway import`: what other tools know becomes records.

mod deployments;
mod outcome;
mod pieces;
mod progress;
mod session;
mod window;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Failure;
use crate::config::Config;

const HELP: &str = "\
Examples:
  slipway import deployments history.jsonl
  zcat history.jsonl.gz | slipway import deployments -";

/// The arguments of `slipway import`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Import {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Report the deployments in a file, as many as there are
    Deployments(deployments::Deployments),
}

impl Import {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.what {
            What::Deployments(deployments) => deployments.run(config).await,
        }
    }
}
