//! The binary `slipway`.

use std::process::ExitCode;

use clap::Parser;
use slipway_server::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
