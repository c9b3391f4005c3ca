//! `just bench promotion`: one file per metric, and what they work with.

mod b7_executor;
mod commit;
mod landscape;
mod least;
mod plan;
mod promote;
mod world;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::Failure;
use crate::postgres::Postgres;
use crate::report::Report;

/// What to measure, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these metrics: promotion, commit, plan, B7
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// How often the sides are measured by turns
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Where the repositories of `commit` lie, which says what a sync costs; a temporary directory by default
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// What every metric works with.
pub(crate) struct Bench<'a> {
    options: &'a Options,
    postgres: Postgres,
    report: Report,
}

impl Bench<'_> {
    fn wants(&self, name: &str) -> bool {
        let only = &self.options.only;
        only.is_empty() || only.iter().any(|only| only.eq_ignore_ascii_case(name))
    }
}

/// Runs the benchmark and answers where its report lies.
pub(crate) async fn run(options: &Options) -> Result<PathBuf, Failure> {
    const NAMES: [&str; 4] = ["promotion", "commit", "plan", "B7"];
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
        "commit": commit::measure,
        "plan": plan::measure,
        "B7": b7_executor::measure,
        "promotion": promote::measure,
    );
    bench.report.write("promotion")
}
