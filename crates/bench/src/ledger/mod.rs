//! `just bench ledger`: one file per metric.

mod b1_record;
mod b2_resolve;
mod b3_latency;
mod b4_import;
mod b5_growth;
mod b6_pages;
mod b8_trust;
mod process;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::Failure;
use crate::database::Backend;
use crate::postgres::Postgres;
use crate::report::Report;
use crate::server::{Server, binary};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these metrics: B1, B2, B3, B4, B5, B6, B8, `idle_memory`, `start`
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// How long each side of a ratio is measured in each round, in seconds
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    seconds: f64,
    /// How often the sides are measured by turns
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// With a history of ten million records in B5
    #[arg(long)]
    full: bool,
}

/// What every metric works with.
pub(crate) struct Bench<'a> {
    options: &'a Options,
    postgres: Postgres,
    binary: PathBuf,
    report: Report,
}

impl Bench<'_> {
    /// A server on a new database.
    async fn server(&self, backend: Backend) -> Result<Server, Failure> {
        Server::start(&self.binary, backend, &self.postgres, Vec::new()).await
    }

    fn wants(&self, name: &str) -> bool {
        self.options.only.is_empty()
            || self
                .options
                .only
                .iter()
                .any(|only| only.eq_ignore_ascii_case(name))
    }
}

/// Runs the benchmark and answers where its report lies.
pub(crate) async fn run(options: &Options) -> Result<PathBuf, Failure> {
    const NAMES: [&str; 9] = [
        "B1",
        "B2",
        "B3",
        "B4",
        "B5",
        "B6",
        "B8",
        "idle_memory",
        "start",
    ];
    if let Some(unknown) = options
        .only
        .iter()
        .find(|only| !NAMES.iter().any(|name| name.eq_ignore_ascii_case(only)))
    {
        return Err(format!(
            "--only {unknown}: no such metric; there are {}",
            NAMES.join(", ")
        )
        .into());
    }
    let mut bench = Bench {
        options,
        postgres: Postgres::find()?,
        binary: binary().await?,
        report: Report::default(),
    };
    let begin = Instant::now();
    macro_rules! measure {
        ($($name:literal: $metric:path),* $(,)?) => {$(
            if bench.wants($name) {
                $metric(&mut bench).await.map_err(|failure| format!("{}: {failure}", $name))?;
                println!("    ({:.0} s since the start)\n", begin.elapsed().as_secs_f64());
            }
        )*};
    }
    measure!(
        "idle_memory": process::idle_memory,
        "start": process::start,
        "B1": b1_record::measure,
        "B2": b2_resolve::measure,
        "B3": b3_latency::measure,
        "B4": b4_import::measure,
        "B8": b8_trust::measure,
        "B6": b6_pages::measure,
        "B5": b5_growth::measure,
    );
    bench.report.write("ledger")
}
