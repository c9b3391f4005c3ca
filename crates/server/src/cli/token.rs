//! `slipway token`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use slipway_application::tokens::issue_administrator_token;

use super::{Failure, output};
use crate::config::Config;
use crate::serve::Process;
use crate::wiring;

/// The arguments of `slipway token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slipway token                          Print a new token
  slipway token --output admin.token     Write it to a file that only you can read

For when no administrator's token is left: it needs access to the database, not to the server. It speaks for the oldest
enabled administrator of the installation, or for a new one where there is none, and stands in the audit trail.
It may run beside a live server. Tokens for others are made with IdentityService/CreateToken.")]
pub(super) struct Token {
    /// Write the token to this file, with mode 0600, instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    force: bool,
}

impl Token {
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        if let Some(path) = &self.output {
            output::refuse_existing(path, self.force)?;
        }
        wiring::require_database(config)?;
        wiring::migrate(config).await?;
        let context = wiring::context(config, &Process::new()).await?;
        issue_administrator_token(&context, |secret| match &self.output {
            None => writeln!(io::stdout(), "{}", secret.reveal()),
            Some(path) if self.force => wiring::write_private(path, secret.reveal()),
            Some(path) => wiring::write_new_private(path, secret.reveal()),
        })
        .await?;
        if let Some(path) = self.output {
            eprintln!("The new token is in {}.", path.display());
        }
        Ok(())
    }
}
