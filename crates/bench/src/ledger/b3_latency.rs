//! B3: how long recording takes at one client, beside one sync, an empty RPC and the same SQL without a sync.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::Command;

use super::Bench;
use super::b1_record::{MINIMAL, reporter};
use crate::Failure;
use crate::client::Callers;
use crate::database::{Backend, Database, connect, number};
use crate::load::Until;
use crate::postgres::Pgbench;
use crate::report::{Better, Metric};
use crate::seed;
use crate::server::Server;
use crate::sqlite::Minimal;
use crate::stats::{Spread, float, quantile, rounded};

const MINIMAL_SQLITE: &str = include_str!("../../sql/record.minimal.sqlite.sql");
/// RPCs while syncs are counted.
const COUNTED_CALLS: u64 = 200;
/// Appends, and transactions on SQLite, in one round.
const APPENDS: u64 = 200;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for backend in Backend::ALL {
        let server = bench.server(backend).await?;
        seed::small(&server.database).await?;
        let callers = server.callers(1).await?;
        callers.record(1, Until::Calls(50)).await?;
        let bytes = log_bytes(&server, &callers).await?;
        let mut limit = Limit::new(bench, &server, bytes).await?;

        let until = Until::Seconds(0.2, bench.options.seconds / 2.0);
        let (mut ratios, mut ours, mut syncs, mut empty, mut sql) =
            (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..bench.options.rounds {
            let rpc = callers.record(1, until).await?.p50();
            let sync = limit.sync()?;
            let call = callers.empty(1, until).await?.p50();
            let statements = limit.sql(bench).await?;
            ratios.push(rpc / (sync + call + statements));
            for (figures, seconds) in [
                (&mut ours, rpc),
                (&mut syncs, sync),
                (&mut empty, call),
                (&mut sql, statements),
            ] {
                figures.push(seconds * 1000.0);
            }
        }
        let counted = match backend {
            Backend::Postgres => count_postgres(&server, &callers).await?,
            Backend::Sqlite => count_sqlite(&server, &callers).await?,
        };
        bench.report.add(
            Metric::new("B3", backend.name(), &ratios, Some(1.5), Better::Lower)
                .with_all(json!({
                    "unit": "ms, medians (p50) of each round",
                    "rpc": Spread::of(&ours).json(),
                    "sync": Spread::of(&syncs).json(),
                    "empty_rpc": Spread::of(&empty).json(),
                    "minimal_sql_without_sync": Spread::of(&sql).json(),
                    "sync_is": format!("{} bytes appended to a file in the database's file system, then fdatasync", limit.bytes),
                    "empty": "grpc.health.v1.Health/Check on the same connection",
                    "clients": 1,
                }))
                .with_all(counted)
                .with("durability", server.database.durability().await?),
        );
        drop(callers);
        server.end(&bench.postgres).await?;
    }
    Ok(())
}

/// What a write can't do without.
struct Limit {
    bytes: u64,
    file: File,
    directory: tempfile::TempDir,
    sqlite: Option<Minimal>,
    url: String,
    reporter: String,
}

impl Limit {
    async fn new(bench: &Bench<'_>, server: &Server, bytes: Option<u64>) -> Result<Self, Failure> {
        // Both lie in the system's directory for temporary files; a cluster elsewhere is asked where it lies.
        let directory = tempfile::tempdir()?;
        let mut limit = Self {
            bytes: bytes.unwrap_or_default(),
            file: File::create(directory.path().join("appended"))?,
            sqlite: None,
            url: server.database.url(),
            reporter: String::new(),
            directory,
        };
        match &server.database {
            Database::Sqlite(path) => {
                let copy = limit.directory.path().join("copy.db");
                let mut minimal = Minimal::copy(path, &copy, "off")?;
                limit.bytes = minimal.log_bytes(MINIMAL_SQLITE, &copy)?;
                limit.sqlite = Some(minimal);
            }
            Database::Postgres(url) => {
                limit.reporter = reporter(&server.database).await?;
                let data =
                    crate::database::text(&mut connect(url).await?, "SHOW data_directory").await?;
                same_file_system(Path::new(&data), limit.directory.path())?;
                // The first one loads what it needs.
                limit.sql(bench).await?;
            }
        }
        Ok(limit)
    }

    /// Seconds for one append and its sync.
    fn sync(&mut self) -> Result<f64, Failure> {
        let block = vec![7; usize::try_from(self.bytes)?];
        let path = self.directory.path().join("appended");
        self.file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let mut times = Vec::new();
        for _ in 0..APPENDS {
            let begin = Instant::now();
            self.file.write_all(&block)?;
            self.file.sync_data()?;
            times.push(begin.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(quantile(&times, 0.5))
    }

    /// Seconds for the minimal statements without a sync.
    async fn sql(&mut self, bench: &Bench<'_>) -> Result<f64, Failure> {
        if let Some(minimal) = &mut self.sqlite {
            let mut times = minimal.run(MINIMAL_SQLITE, APPENDS, 1, true)?;
            times.sort_by(f64::total_cmp);
            return Ok(quantile(&times, 0.5));
        }
        let pgbench = Pgbench {
            script: MINIMAL,
            clients: 1,
            threads: 1,
            seconds: 1.0,
            variables: &[("reporter", &self.reporter)],
            options: "-c synchronous_commit=off",
            latencies: true,
        };
        let run = bench.postgres.pgbench(&self.url, &pgbench).await?;
        run.p50.ok_or_else(|| "pgbench wrote no latencies".into())
    }
}

/// Where the server of the database is on another machine, or reads another disk, the sum would compare two disks.
fn same_file_system(data: &Path, ours: &Path) -> Result<(), Failure> {
    let Ok(data) = std::fs::metadata(data) else {
        return Err("the data directory of PostgreSQL can't be seen: B3 needs one on this machine, `just bench` starts it".into());
    };
    if data.dev() == std::fs::metadata(ours)?.dev() {
        return Ok(());
    }
    Err("PostgreSQL's data lies in another file system than temporary files; set TMPDIR to one beside it".into())
}

/// On `PostgreSQL`, the bytes of log that an RPC writes; the sequencer's are counted in.
async fn log_bytes(server: &Server, callers: &Callers) -> Result<Option<u64>, Failure> {
    let Database::Postgres(url) = &server.database else {
        return Ok(None);
    };
    let mut connection = connect(url).await?;
    let position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
    let before = number(&mut connection, position).await?;
    let run = callers.record(1, Until::Calls(COUNTED_CALLS)).await?;
    let after = number(&mut connection, position).await?;
    Ok(Some((after - before).unsigned_abs() / run.all_calls))
}

/// Syncs by `pg_stat_wal`, less those of the sequencer's commits, each of which chains the events of one moment.
async fn count_postgres(server: &Server, callers: &Callers) -> Result<Value, Failure> {
    let url = server.database.url();
    let sequencer = "SELECT count(DISTINCT chained_at) FROM audit_chain";
    let syncs = "SELECT wal_sync FROM pg_stat_wal";
    // Backends tell their counts at the end of a transaction, once a second: after a pause, a call makes them.
    let settle = Duration::from_millis(1500);
    tokio::time::sleep(settle).await;
    callers.record(1, Until::Calls(1)).await?;
    tokio::time::sleep(settle).await;
    let (syncs_before, chained_before) = both(&url, syncs, sequencer).await?;
    callers.record(1, Until::Calls(COUNTED_CALLS)).await?;
    tokio::time::sleep(settle).await;
    callers.record(1, Until::Calls(1)).await?;
    tokio::time::sleep(settle).await;
    let (syncs_after, chained_after) = both(&url, syncs, sequencer).await?;
    let chained = chained_after - chained_before;
    one_sync_each(
        float((syncs_after - syncs_before - chained).unsigned_abs()) / float(COUNTED_CALLS + 1),
    )?;
    Ok(json!({
        "syncs_per_rpc": rounded(float((syncs_after - syncs_before - chained).unsigned_abs()) / float(COUNTED_CALLS + 1)),
        "syncs_of_the_sequencer": chained,
        "syncs_counted_by": "pg_stat_wal.wal_sync",
    }))
}

async fn both(url: &str, first: &str, second: &str) -> Result<(i64, i64), Failure> {
    let mut connection = connect(url).await?;
    Ok((
        number(&mut connection, first).await?,
        number(&mut connection, second).await?,
    ))
}

/// Syncs by strace, where there is one: those of the write-ahead log, less the sequencer's commits and two for each
/// checkpoint, which alone syncs the database's file.
async fn count_sqlite(server: &Server, callers: &Callers) -> Result<Value, Failure> {
    let Database::Sqlite(path) = &server.database else {
        return Ok(json!({}));
    };
    let output = server.directory().join("strace");
    let tracer = Command::new("strace")
        .args([
            "--follow-forks",
            "--decode-fds=path",
            "--trace=fsync,fdatasync",
            "--quiet=all",
        ])
        .arg(format!("--output={}", output.display()))
        .arg(format!("--attach={}", server.pid()?))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut tracer) = tracer else {
        return Ok(
            json!({"syncs_per_rpc": null, "syncs_counted_by": "nothing: strace is not installed"}),
        );
    };
    tokio::time::sleep(Duration::from_millis(1500)).await;
    if let Some(status) = tracer.try_wait()? {
        return Ok(
            json!({"syncs_per_rpc": null, "syncs_counted_by": format!("nothing: strace may not attach ({status})")}),
        );
    }
    let connection = crate::database::open(path)?;
    let chained = |connection: &rusqlite::Connection| -> Result<i64, Failure> {
        Ok(connection.query_row(
            "SELECT count(DISTINCT chained_at) FROM audit_chain",
            [],
            |row| row.get(0),
        )?)
    };
    let before = (chained(&connection)?, syncs(&output)?);
    callers.record(1, Until::Calls(COUNTED_CALLS)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = (chained(&connection)?, syncs(&output)?);
    if let Some(pid) = tracer.id() {
        Command::new("kill")
            .args(["-INT", &pid.to_string()])
            .status()
            .await?;
        tracer.wait().await?;
    }
    let (sequencer, log, checkpoints) = (
        after.0 - before.0,
        after.1.0 - before.1.0,
        after.1.1 - before.1.1,
    );
    let per_rpc = (float(log) - float(sequencer.unsigned_abs()) - 2.0 * float(checkpoints))
        / float(COUNTED_CALLS);
    one_sync_each(per_rpc)?;
    Ok(json!({
        "syncs_per_rpc": rounded(per_rpc),
        "syncs_of_the_sequencer": sequencer,
        "checkpoints": checkpoints,
        "syncs_counted_by": "strace: syncs of the write-ahead log, less the sequencer's and two for each checkpoint",
    }))
}

/// How many syncs of the write-ahead log and of the database's file strace has seen.
fn syncs(output: &Path) -> Result<(u64, u64), Failure> {
    let trace = std::fs::read_to_string(output).unwrap_or_default();
    // One that was interrupted by another thread's line stands there twice, once as resumed.
    let begun = || {
        trace
            .lines()
            .filter(|line| line.contains("sync(") && !line.contains("resumed"))
    };
    let log = begun()
        .filter(|line| line.contains("slipway.db-wal>"))
        .count();
    let file = begun().filter(|line| line.contains("slipway.db>")).count();
    Ok((u64::try_from(log)?, u64::try_from(file)?))
}

fn one_sync_each(per_rpc: f64) -> Result<(), Failure> {
    if (0.9..=1.1).contains(&per_rpc) {
        return Ok(());
    }
    Err(format!("an RPC takes {per_rpc} syncs").into())
}
