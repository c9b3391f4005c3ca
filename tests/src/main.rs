//! The binary `slipway` once more, under a name of its own: cargo builds the binaries of a test's own package before the
//! test and says where they are, so what is tested is never stale.

use std::process::ExitCode;

use clap::Parser;
use slipway_server::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
