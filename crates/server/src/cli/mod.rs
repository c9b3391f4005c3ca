//! The command line: one file per subcommand.
//!
//! A subcommand is a struct of arguments that implements [`clap::Args`] and has
//! `async fn run(self, config: &Config) -> Result<(), Failure>`, or `Result<ExitCode, Failure>` where success has
//! several shades; it is listed in `Command`, and that is all. Those that talk to a server flatten
//! `client::ClientArgs`.

mod audit;
mod call_error;
mod client;
mod create_missing;
mod deployment_line;
mod export;
mod import;
mod migrate;
mod output;
mod patience;
mod pipeline;
mod serve;
mod time;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// What made a command fail. It is told with all its causes.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Slipway: what is deployed where, how it got there, and how to put it back.
#[derive(Debug, Parser)]
#[command(name = "slipway", version, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration file [default: slipway.toml, where there is one]
    #[arg(
        long,
        short,
        global = true,
        env = "SLIPWAY_CONFIG",
        value_name = "FILE"
    )]
    config: Option<PathBuf>,

    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  slipway                                         Serve on embedded defaults, with the state in ./.slipway
  slipway --config /etc/slipway.toml serve        Serve as that file says
  SLIPWAY__SERVER__LISTEN=127.0.0.1:7000 slipway  Any setting can come from the environment
  slipway import deployments history.jsonl        Report past deployments to the server that runs here";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server, and run until SIGINT or SIGTERM
    Serve(serve::Serve),
    /// Report what happened before, from files; needs a running server
    Import(import::Import),
    /// Write what the server knows into files; needs a running server
    Export(export::Export),
    /// Show the audit trail, and prove that nobody has changed it; needs a running server
    Audit(audit::Audit),
    /// Report a deployment that another tool carried out; needs a running server
    Record(pipeline::Record),
    /// Ask for versions to become current in an environment; needs a running server
    Release(pipeline::Release),
    /// Agree to a deployment; needs a running server
    Approve(pipeline::Approve),
    /// Carry out a release that is approved; needs a running server
    Execute(pipeline::Execute),
    /// Follow a deployment until it is over; needs a running server
    Wait(pipeline::Wait),
    /// Put back what a deployment changed; needs a running server
    Rollback(pipeline::Rollback),
    /// Report how a test or a scan stands for a deployment; needs a running server
    ReportCheck(pipeline::ReportCheck),
    /// Write what changed in a period and who agreed to it, for auditors; needs a running server
    Report(pipeline::Report),
    /// Bring the database's schema up to date
    Migrate(migrate::Migrate),
    /// Make a new token for an administrator, when all are lost
    Token(token::Token),
}

impl Cli {
    /// Runs the command and tells on standard error why it failed. The status is 0, what the command's help names, or 1
    /// after a failure; clap ends the process with 2 before, where the arguments are wrong.
    pub async fn run(self) -> ExitCode {
        match self.dispatch().await {
            Ok(status) => status,
            // Whoever reads has enough.
            Err(failure) if output::is_broken_pipe(&*failure) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("slipway: {}", explain(&*failure));
                ExitCode::FAILURE
            }
        }
    }

    async fn dispatch(self) -> Result<ExitCode, Failure> {
        let config = Config::load(self.config.as_deref())?;
        match self.command.unwrap_or(Command::Serve(serve::Serve {})) {
            Command::Serve(serve) => serve.run(&config).await.map(|()| ExitCode::SUCCESS),
            Command::Import(import) => import.run(&config).await,
            Command::Export(export) => export.run(&config).await,
            Command::Audit(audit) => audit.run(&config).await,
            Command::Record(record) => pipeline::run(record, &config).await,
            Command::Release(release) => pipeline::run(release, &config).await,
            Command::Approve(approve) => pipeline::run(approve, &config).await,
            Command::Execute(execute) => pipeline::run(execute, &config).await,
            Command::Wait(wait) => pipeline::run(wait, &config).await,
            Command::Rollback(rollback) => pipeline::run(rollback, &config).await,
            Command::ReportCheck(check) => pipeline::run(check, &config).await,
            Command::Report(report) => report.run(&config).await,
            Command::Migrate(migrate) => migrate.run(&config).await.map(|()| ExitCode::SUCCESS),
            Command::Token(token) => token.run(&config).await.map(|()| ExitCode::SUCCESS),
        }
    }
}

/// The failure and its causes, each told once, on one line unless a cause has several.
pub(crate) fn explain(failure: &dyn std::error::Error) -> String {
    let mut text = without_source_line(&failure.to_string()).to_owned();
    let mut cause = failure.source();
    while let Some(next) = cause {
        let words = next.to_string();
        let words = without_source_line(&words);
        // A library may repeat its source in its own words.
        if !text.ends_with(words) {
            text.push_str(": ");
            text.push_str(words);
        }
        cause = next.source();
    }
    text
}

/// What PostgreSQL says, without the line of its own source code that the driver adds.
fn without_source_line(words: &str) -> &str {
    match words.rsplit_once(" at line ") {
        Some((said, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => said,
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_means_serve_and_the_file_can_be_named_anywhere() {
        let cli = Cli::try_parse_from(["slipway"]).unwrap();
        assert!(cli.command.is_none());
        let cli = Cli::try_parse_from(["slipway", "serve", "--config", "a.toml"]).unwrap();
        assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
        assert!(Cli::try_parse_from(["slipway", "sreve"]).is_err());
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("can't listen")]
        struct Outer(#[source] std::io::Error);
        let failure = Outer(std::io::Error::other("address in use"));
        assert_eq!(explain(&failure), "can't listen: address in use");
        let failure = Outer(std::io::Error::other("no such role at line 948"));
        assert_eq!(explain(&failure), "can't listen: no such role");
    }
}
