//! `just bench governance`: a release that people agree to, what the rules cost, and the report of a year.

mod counted;
mod cycle;
mod people;
mod policy;
mod year;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::Failure;
use crate::postgres::Postgres;
use crate::report::Report;

/// What to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these metrics: release, policy, report
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// How long each side of a ratio is measured in each round, in seconds
    #[arg(long, default_value_t = 3.0, value_name = "N")]
    seconds: f64,
    /// How often the sides are measured by turns
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
}

/// What every metric works with.
pub(crate) struct Bench<'a> {
    options: &'a Options,
    postgres: Postgres,
    report: Report,
}

/// Runs the benchmark and answers where its report lies.
pub(crate) async fn run(options: &Options) -> Result<PathBuf, Failure> {
    const NAMES: [&str; 3] = ["release", "policy", "report"];
    let known = |only: &&String| !NAMES.iter().any(|name| name.eq_ignore_ascii_case(only));
    if let Some(unknown) = options.only.iter().find(known) {
        let names = NAMES.join(", ");
        return Err(format!("--only {unknown}: no such metric; there are {names}").into());
    }
    if options.rounds == 0 {
        return Err("--rounds 0 measures nothing: give 1 or more".into());
    }
    let mut bench = Bench {
        options,
        postgres: Postgres::find()?,
        report: Report::default(),
    };
    let wanted = |name: &str| {
        let only = &options.only;
        only.is_empty() || only.iter().any(|only| only.eq_ignore_ascii_case(name))
    };
    let begin = Instant::now();
    if wanted("policy") {
        policy::measure(&mut bench).map_err(|failure| format!("policy: {failure}"))?;
    }
    if wanted("report") {
        let measured = year::measure(&mut bench).await;
        measured.map_err(|failure| format!("report: {failure}"))?;
    }
    if wanted("release") {
        let measured = cycle::measure(&mut bench).await;
        measured.map_err(|failure| format!("release: {failure}"))?;
    }
    println!(
        "    ({:.0} s since the start)\n",
        begin.elapsed().as_secs_f64()
    );
    bench.report.write("governance")
}
