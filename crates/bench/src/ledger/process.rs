//! What an idle server holds, and how soon a starting one answers: on SQLite, as on a fresh machine.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Bench;
use crate::Failure;
use crate::database::Backend;
use crate::load::Until;
use crate::report::{Better, Metric};
use crate::seed;
use crate::stats::{Spread, float};

const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// The most that an idle server may hold, in MiB.
const MEMORY_LIMIT: f64 = 40.0;
/// The longest from a process's start to its first answer, in milliseconds.
const START_LIMIT: f64 = 300.0;

/// Resident memory of a server that has answered its first calls and has nothing to do since.
pub(super) async fn idle_memory(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let mut measured = Vec::new();
    for _ in 0..3 {
        let server = bench.server(Backend::Sqlite).await?;
        seed::small(&server.database).await?;
        let callers = server.callers(1).await?;
        callers.record(1, Until::Calls(20)).await?;
        callers.resolve(1, Until::Calls(20)).await?;
        callers.cell(1, Until::Calls(20)).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        measured.push(float(server.resident_bytes()?) / MEBIBYTE);
        server.end(&bench.postgres).await?;
    }
    let ratios: Vec<_> = measured
        .iter()
        .map(|figure| figure / MEMORY_LIMIT)
        .collect();
    bench.report.add(
        Metric::new("idle_memory", "sqlite", &ratios, Some(1.0), Better::Lower).with_all(json!({
            "figure": Spread::of(&measured).json(),
            "unit": "MiB resident (VmRSS), 2 s after 60 calls",
            "limit": MEMORY_LIMIT,
        })),
    );
    Ok(())
}

/// From the start of the process to the first answer of an authenticated call, on a SQLite file with 8,000 records.
pub(super) async fn start(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let mut server = bench.server(Backend::Sqlite).await?;
    seed::small(&server.database).await?;
    let mut measured = Vec::new();
    for _ in 0..10 {
        server.stop().await?;
        let begin = Instant::now();
        server.start_again()?;
        server.answers().await?;
        measured.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    server.end(&bench.postgres).await?;
    let ratios: Vec<_> = measured.iter().map(|figure| figure / START_LIMIT).collect();
    bench.report.add(
        Metric::new("start", "sqlite", &ratios, Some(1.0), Better::Lower).with_all(json!({
            "figure": Spread::of(&measured).json(),
            "unit": "ms from the start of the process to the answer of WhoAmI with a token",
            "limit": START_LIMIT,
        })),
    );
    Ok(())
}
