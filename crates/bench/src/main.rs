//! Benchmarks as ratios, each beside the physical limit: `just bench ledger`, `just bench promotion`,
//! `just bench governance`.
//!
//! A ratio compares what the server does with the least that the same work can cost on the same machine, both measured
//! by turns in one run. Each is printed with both raw figures, and all are written as `target/bench/NAME.json`. Any
//! error ends the run with a failure; a missed target does not.

mod client;
mod composed;
mod database;
mod governance;
mod ledger;
mod load;
mod postgres;
mod promotion;
mod report;
mod seed;
mod server;
mod silent;
mod sqlite;
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What ended a run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Parser)]
#[command(
    name = "slipway-bench",
    about = "Benchmarks as ratios, beside the physical limit"
)]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Recording, resolving, importing and listing deployments
    Ledger(ledger::Options),
    /// Promoting workflows, committing snapshots, planning, and the executor
    Promotion(promotion::Options),
    /// Releases that people agree to, and evaluating policies
    Governance(governance::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ran = match Cli::parse().benchmark {
        Benchmark::Ledger(options) => ledger::run(&options).await,
        Benchmark::Promotion(options) => promotion::run(&options).await,
        Benchmark::Governance(options) => governance::run(&options).await,
    };
    match ran {
        Ok(path) => {
            println!("\nwritten to {}", path.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Where cargo builds to.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    )
}
