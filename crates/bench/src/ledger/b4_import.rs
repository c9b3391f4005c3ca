//! B4: how many rows a second an import writes, beside the fewest statements that fill the same tables and indexes.

use std::time::Instant;

use serde_json::json;
use slipway_api::ledger::v1 as ledger;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::Bench;
use super::b1_record::reporter;
use crate::Failure;
use crate::client::{APPLICATIONS, Callers, ENVIRONMENTS, PROJECT, VERSIONS};
use crate::database::{Backend, Database, connect, number};
use crate::report::{Better, Metric};
use crate::seed;
use crate::sqlite::Minimal;
use crate::stats::{Spread, float};

const POSTGRES: &str = include_str!("../../sql/import.postgres.sql");
const SQLITE: &str = include_str!("../../sql/import.sqlite.sql");
/// Rows on each side in all rounds together.
const ROWS: u64 = 100_000;
/// Lines of a message: the most there may be.
const LINES: u64 = 1000;
/// Rows of a transaction of the limit on SQLite.
const TRANSACTION: u64 = 500;
/// Messages sent ahead of their answers.
const AHEAD: usize = 4;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for backend in Backend::ALL {
        let server = bench.server(backend).await?;
        seed::small(&server.database).await?;
        let callers = server.callers(1).await?;
        let directory = tempfile::tempdir()?;
        let mut limit = Limit::new(bench, &server.database, directory.path()).await?;
        let rounds = u64::try_from(bench.options.rounds)?;
        let rows = (ROWS / rounds).next_multiple_of(LINES);
        let (mut ratios, mut ours, mut minimal) = (vec![], vec![], vec![]);
        for round in 0..rounds {
            let import = float(rows) / import(&callers, round * rows, rows).await?;
            let least = float(rows) / limit.import(round * rows, rows).await?;
            ratios.push(import / least);
            ours.push(import);
            minimal.push(least);
        }
        bench.report.add(
            Metric::new("B4", backend.name(), &ratios, Some(0.3), Better::Higher)
                .with_all(json!({
                    "rows_per_second": Spread::of(&ours).json(),
                    "minimal_rows_per_second": Spread::of(&minimal).json(),
                    "rows_in_each_round": rows,
                    "import": format!("ImportDeployments, {LINES} lines a batch, {AHEAD} batches ahead of the answers"),
                    "limit": match backend {
                        Backend::Sqlite => format!("the sqlite3 library, {TRANSACTION} rows a transaction"),
                        Backend::Postgres => "one INSERT … SELECT a round".to_owned(),
                    },
                    "cells": APPLICATIONS * ENVIRONMENTS,
                }))
                .with("durability", server.database.durability().await?),
        );
        drop(callers);
        limit.end(bench).await?;
        server.end(&bench.postgres).await?;
    }
    Ok(())
}

/// Seconds for an import of new rows.
async fn import(callers: &Callers, first: u64, rows: u64) -> Result<f64, Failure> {
    let header = ledger::ImportHeader {
        project: PROJECT.to_owned(),
        create_missing: None,
    };
    let messages: Vec<_> = (first..first + rows)
        .step_by(usize::try_from(LINES)?)
        .map(|from| ledger::ImportBatch {
            lines: (from..from + LINES).map(line).collect(),
        })
        .collect();
    let begin = Instant::now();
    let (sender, receiver) = mpsc::channel(AHEAD);
    let sending = tokio::spawn(async move {
        let header = ledger::import_deployments_request::Message::Header(header);
        let batches = messages
            .into_iter()
            .map(ledger::import_deployments_request::Message::Batch);
        for message in std::iter::once(header).chain(batches) {
            let message = Some(message);
            if sender
                .send(ledger::ImportDeploymentsRequest { message })
                .await
                .is_err()
            {
                return;
            }
        }
    });
    let request = callers.request(ReceiverStream::new(receiver));
    let mut answers = callers
        .ledger(0)
        .import_deployments(request)
        .await?
        .into_inner();
    let mut recorded = 0;
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        if let Some(error) = answer.errors.first() {
            return Err(format!("line {} was refused: {}", error.line, error.message).into());
        }
        recorded += u64::try_from(answer.recorded_count)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    sending.await?;
    if recorded != rows {
        return Err(format!("{recorded} of {rows} rows were recorded").into());
    }
    Ok(seconds)
}

fn line(number: u64) -> ledger::ImportLine {
    let micros = seed::BEGIN + seed::LENGTH + number.cast_signed();
    ledger::ImportLine {
        line: number.cast_signed() + 1,
        report: Some(ledger::DeploymentReport {
            application: format!("app-{}", number % APPLICATIONS),
            version: format!("v{}", number % VERSIONS),
            environment: format!("env-{}", number / APPLICATIONS % ENVIRONMENTS),
            deployed_time: Some(timestamp(micros)),
            ..ledger::DeploymentReport::default()
        }),
    }
}

/// Microseconds since 1970 as a message has them.
pub(super) fn timestamp(micros: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1000,
    }
}

/// The limit, on a database of its own with the same catalog.
enum Limit {
    Sqlite(Box<Minimal>),
    Postgres {
        connection: Box<PgConnection>,
        url: String,
        reporter: Uuid,
    },
}

impl Limit {
    async fn new(
        bench: &Bench<'_>,
        database: &Database,
        directory: &std::path::Path,
    ) -> Result<Self, Failure> {
        match database {
            Database::Sqlite(path) => {
                let minimal = Minimal::copy(path, &directory.join("copy.db"), "full")?;
                Ok(Self::Sqlite(Box::new(minimal)))
            }
            Database::Postgres(_) => {
                // A second server makes the schema, and goes.
                let mut other = bench.server(Backend::Postgres).await?;
                seed::small(&other.database).await?;
                other.stop().await?;
                let url = other.database.url();
                Ok(Self::Postgres {
                    connection: Box::new(connect(&url).await?),
                    reporter: reporter(&other.database).await?.parse()?,
                    url,
                })
            }
        }
    }

    /// Seconds for so many new rows.
    async fn import(&mut self, first: u64, rows: u64) -> Result<f64, Failure> {
        match self {
            Self::Sqlite(minimal) => {
                Ok(minimal.run(SQLITE, rows, TRANSACTION, false)?.iter().sum())
            }
            Self::Postgres {
                connection,
                reporter,
                ..
            } => {
                let before = number(connection, "SELECT count(*) FROM deployment_record").await?;
                let begin = Instant::now();
                sqlx::query(POSTGRES)
                    .bind(first.cast_signed())
                    .bind((first + rows).cast_signed() - 1)
                    .bind(reporter.to_string())
                    .bind(seed::BEGIN + seed::LENGTH)
                    .execute(&mut **connection)
                    .await?;
                let seconds = begin.elapsed().as_secs_f64();
                let after = number(connection, "SELECT count(*) FROM deployment_record").await?;
                if after - before != rows.cast_signed() {
                    return Err(format!("the limit wrote {} of {rows} rows", after - before).into());
                }
                Ok(seconds)
            }
        }
    }

    async fn end(self, bench: &Bench<'_>) -> Result<(), Failure> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres {
                connection, url, ..
            } => {
                drop(connection);
                bench.postgres.drop_database(&url).await
            }
        }
    }
}
