//! The `PostgreSQL` that the benchmarks run on, `pgbench`, and what `pg_stat_statements` saw.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sqlx::{PgConnection, Row};
use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;
use crate::database::{connect, execute};
use crate::stats::quantile;

/// Names the server to run on.
const URL: &str = "SLIPWAY_TEST_POSTGRES_URL";

/// A server on which databases may be made.
#[derive(Debug)]
pub(crate) struct Postgres {
    url: String,
    pgbench: PathBuf,
    made: AtomicU32,
}

impl Postgres {
    /// The server that the environment names.
    pub(crate) fn find() -> Result<Self, Failure> {
        let url = std::env::var(URL).map_err(|_| {
            format!("{URL} is not set; `just bench` starts a PostgreSQL and sets it (.ci/postgres run COMMAND)")
        })?;
        Ok(Self {
            url,
            pgbench: pgbench()?,
            made: AtomicU32::new(0),
        })
    }

    /// A new database, with `pg_stat_statements` in it. It goes with its cluster.
    pub(crate) async fn create(&self) -> Result<String, Failure> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("slipway_bench_{}_{number}", std::process::id());
        let mut server = connect(&self.url).await?;
        execute(&mut server, &format!("CREATE DATABASE {name}")).await?;
        let (address, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let authority: Vec<_> = address.splitn(4, '/').take(3).collect();
        let url = format!("{}/{name}?{parameters}", authority.join("/"));
        let url = url.trim_end_matches('?').to_owned();
        let mut database = connect(&url).await?;
        execute(
            &mut database,
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
        )
        .await
        .map_err(|error| {
            format!("pg_stat_statements can't be had, is it in shared_preload_libraries? {error}")
        })?;
        Ok(url)
    }

    /// Drops a database that [`Self::create`] made.
    pub(crate) async fn drop_database(&self, url: &str) -> Result<(), Failure> {
        let name = url
            .split('?')
            .next()
            .and_then(|address| address.rsplit('/').next());
        let name = name.ok_or("a database without a name")?;
        execute(
            &mut connect(&self.url).await?,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await
    }

    /// Runs a script by `pgbench -M prepared` over loopback TCP, with each of these variables. A transaction that fails
    /// fails the run.
    pub(crate) async fn pgbench(
        &self,
        url: &str,
        run: &Pgbench<'_>,
    ) -> Result<PgbenchRun, Failure> {
        let directory = TempDir::new()?;
        let script = directory.path().join("script.sql");
        std::fs::write(&script, run.script)?;
        let mut command = Command::new(&self.pgbench);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--random-seed=1"])
            .arg(format!("--client={}", run.clients))
            .arg(format!("--jobs={}", run.threads))
            .arg(format!("--time={}", run.seconds.ceil()))
            .arg(format!("--file={}", script.display()))
            .current_dir(directory.path());
        if run.latencies {
            command.args(["--log", "--log-prefix=latency"]);
        }
        for (name, value) in run.variables {
            command.arg(format!("--define={name}={value}"));
        }
        command.env("PGOPTIONS", run.options).arg(url);
        let output = command.output().await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!(
                "pgbench failed: {}",
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        let figure = |label: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(label))?;
            line.trim().split(' ').next()?.parse::<f64>().ok()
        };
        if figure("number of failed transactions:") != Some(0.0) {
            return Err(format!("pgbench had failed transactions: {text}").into());
        }
        let rate = figure("tps =").ok_or_else(|| format!("pgbench says no rate: {text}"))?;
        let p50 = if run.latencies {
            Some(median_latency(&directory)?)
        } else {
            None
        };
        Ok(PgbenchRun { rate, p50 })
    }
}

/// What `pgbench` is to run.
#[derive(Debug)]
pub(crate) struct Pgbench<'a> {
    pub(crate) script: &'a str,
    pub(crate) clients: usize,
    pub(crate) threads: usize,
    /// Rounded up to a whole number.
    pub(crate) seconds: f64,
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Options of its connections, such as `-c synchronous_commit=off`.
    pub(crate) options: &'a str,
    /// Whether each transaction's time is wanted.
    pub(crate) latencies: bool,
}

/// What `pgbench` measured.
#[derive(Debug)]
pub(crate) struct PgbenchRun {
    /// Transactions per second, without the time for connecting.
    pub(crate) rate: f64,
    /// The median of the transactions' times in seconds, where it was wanted.
    pub(crate) p50: Option<f64>,
}

/// The third column of each line is a transaction's time in microseconds.
fn median_latency(directory: &TempDir) -> Result<f64, Failure> {
    let mut seconds = Vec::new();
    for entry in std::fs::read_dir(directory.path())? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("latency"))
        {
            let log = std::fs::read_to_string(path)?;
            let times = log
                .lines()
                .filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok());
            seconds.extend(times.map(|micros| micros / 1e6));
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(quantile(&seconds, 0.5))
}

/// The newest of Debian's packages, else what `PATH` has.
fn pgbench() -> Result<PathBuf, Failure> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut installed: Vec<_> = versions
        .map(|version| version.path().join("bin/pgbench"))
        .collect();
    installed.retain(|path| path.exists());
    installed.sort();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|directory| directory.join("pgbench"))
            .find(|path| path.exists())
    };
    installed
        .pop()
        .or_else(on_path)
        .ok_or_else(|| "no pgbench under /usr/lib/postgresql nor in PATH: install PostgreSQL (Debian: apt-get install postgresql)".into())
}

/// A kind of statement that ran.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// Its text, constants replaced.
    pub(crate) query: String,
    /// How often it ran.
    pub(crate) calls: i64,
    /// Pages it touched over all calls, in the cache or not.
    pub(crate) buffers: i64,
    /// Milliseconds in the database over all calls.
    pub(crate) milliseconds: f64,
}

/// Forgets what ran.
pub(crate) async fn forget_statements(connection: &mut PgConnection) -> Result<(), Failure> {
    execute(connection, "SELECT pg_stat_statements_reset()").await
}

/// What ran in this database since, most frequent first.
pub(crate) async fn statements(connection: &mut PgConnection) -> Result<Vec<Ran>, Failure> {
    let sql = "SELECT query, calls, shared_blks_hit + shared_blks_read + local_blks_hit AS buffers, \
               total_exec_time FROM pg_stat_statements \
               WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY calls DESC, query";
    sqlx::query(sql)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(Ran {
                query: row.try_get(0)?,
                calls: row.try_get(1)?,
                buffers: row.try_get(2)?,
                milliseconds: row.try_get(3)?,
            })
        })
        .collect()
}

/// How often statements ran whose text has these words.
pub(crate) fn calls_of(ran: &[Ran], words: &str) -> i64 {
    ran.iter()
        .filter(|ran| ran.query.contains(words))
        .map(|ran| ran.calls)
        .sum()
}

/// The statements that ran at least nine times in ten calls: those that belong to every call.
pub(crate) fn per_call(ran: &[Ran], calls: u64) -> Vec<Value> {
    let calls = i64::try_from(calls).unwrap_or(i64::MAX);
    ran.iter()
        .filter(|ran| ran.calls >= calls - calls / 10)
        .map(|ran| {
            let start: String = ran.query.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
            let milliseconds = ran.milliseconds / crate::stats::float(ran.calls.unsigned_abs());
            json!({"statement": start, "calls": ran.calls, "milliseconds": crate::stats::rounded(milliseconds)})
        })
        .collect()
}
