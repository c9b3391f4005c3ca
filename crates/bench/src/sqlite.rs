//! The limits on SQLite: the minimal statements through the sqlite3 library, each prepared once.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::Failure;
use crate::client::{APPLICATIONS, ENVIRONMENTS, VERSIONS};
use crate::database::open;
use crate::load::scattered;

/// A row of a minimal script.
struct Row {
    application: String,
    version: String,
    environment: String,
    at: i64,
    id: [u8; 16],
}

/// A copy of a database, written to by minimal statements.
pub(crate) struct Minimal {
    connection: Connection,
    reporter: Vec<u8>,
    written: u64,
    first_at: i64,
}

impl Minimal {
    /// Copies `source` to `path`. `synchronous` is `full` or `off`; everything else is as the server has it.
    pub(crate) fn copy(source: &Path, path: &Path, synchronous: &str) -> Result<Self, Failure> {
        open(source)?.execute("VACUUM INTO ?1", [path.display().to_string()])?;
        let connection = open(path)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = on; \
             PRAGMA recursive_triggers = on; PRAGMA cache_size = -4096; PRAGMA temp_store = memory"
        ))?;
        let reporter = connection.query_row(
            "SELECT id FROM principal ORDER BY created_at LIMIT 1",
            [],
            |row| row.get(0),
        )?;
        let first_at = connection.query_row(
            "SELECT max(deployed_at) + 1 FROM deployment_record",
            [],
            |row| row.get(0),
        )?;
        Ok(Self {
            connection,
            reporter,
            written: 0,
            first_at,
        })
    }

    /// Runs all statements of a script for so many rows, `batch` rows a transaction, and says how many seconds each
    /// transaction took. Rows are random cells, or go through all cells in order.
    pub(crate) fn run(
        &mut self,
        script: &str,
        rows: u64,
        batch: u64,
        random: bool,
    ) -> Result<Vec<f64>, Failure> {
        let code: Vec<_> = script
            .lines()
            .filter(|line| !line.starts_with("--"))
            .collect();
        let code = code.join("\n");
        let mut statements = Vec::new();
        for statement in code.split(';').filter(|text| !text.trim().is_empty()) {
            statements.push(self.connection.prepare(statement)?);
        }
        let mut times = Vec::new();
        for _ in 0..rows.div_ceil(batch) {
            let rows: Vec<_> = (0..batch)
                .map(|_| {
                    self.written += 1;
                    row(self.written, self.first_at, random)
                })
                .collect();
            let begin = Instant::now();
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            for row in rows {
                for statement in &mut statements {
                    // Statements use fewer parameters where they need fewer.
                    let count = statement.parameter_count();
                    let all = params![
                        row.application,
                        row.version,
                        row.environment,
                        row.at,
                        row.id,
                        self.reporter
                    ];
                    let changed = statement.execute(all.get(..count).unwrap_or(all))?;
                    if changed != 1 {
                        return Err(format!("a minimal statement changed {changed} rows").into());
                    }
                }
            }
            self.connection.execute_batch("COMMIT")?;
            times.push(begin.elapsed().as_secs_f64());
        }
        Ok(times)
    }

    /// How many bytes of the write-ahead log a transaction of one row writes.
    pub(crate) fn log_bytes(&mut self, script: &str, path: &Path) -> Result<u64, Failure> {
        const TRANSACTIONS: u64 = 50;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let truncate = "PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.execute_batch(truncate)?;
        self.run(script, TRANSACTIONS, 1, true)?;
        let bytes = std::fs::metadata(&log)?.len() / TRANSACTIONS;
        self.connection
            .execute_batch("PRAGMA wal_autocheckpoint = 1000; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(bytes)
    }
}

fn row(number: u64, first_at: i64, random: bool) -> Row {
    let cell = if random { scattered(0, number) } else { number };
    Row {
        application: format!("app-{}", cell % APPLICATIONS),
        version: format!("v{}", number % VERSIONS),
        environment: format!("env-{}", cell / APPLICATIONS % ENVIRONMENTS),
        at: first_at + number.cast_signed(),
        // Ascending, as those of the server are.
        id: Uuid::from_u64_pair(0x0e00_0000_0000_7000, number).into_bytes(),
    }
}
