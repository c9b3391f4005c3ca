//! `slipway token`.

use std::path::PathBuf;

use clap::Args;
use slipway_application::tokens::issue_administrator_token;

use super::Failure;
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
}

impl Token {
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        wiring::migrate(config).await?;
        let context = wiring::context(config, &Process::new()).await?;
        let secret = issue_administrator_token(&context).await?;
        match self.output {
            Some(path) => {
                wiring::write_private(&path, secret.reveal())?;
                eprintln!("The new token is in {}.", path.display());
            }
            None => println!("{}", secret.reveal()),
        }
        Ok(())
    }
}
