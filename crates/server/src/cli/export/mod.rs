//! `slipway export`: what the server knows becomes files.

mod deployments;
mod spool;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Failure;
use crate::config::Config;

const HELP: &str = "\
Examples:
  slipway export deployments backup.jsonl
  slipway export deployments --environment prod-eu | gzip > prod-eu.jsonl.gz";

/// The arguments of `slipway export`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the ledger, or a part of it, in the form that `slipway import deployments` reads
    Deployments(deployments::Deployments),
}

impl Export {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.what {
            What::Deployments(deployments) => deployments.run(config).await,
        }
    }
}
