//! B5: how much longer it takes to list one environment, now and in the past, when everything around it has grown.

use serde_json::{Value, json};
use slipway_api::ledger::v1 as ledger;

use super::Bench;
use super::b4_import::timestamp;
use crate::Failure;
use crate::client::{APPLICATIONS, Callers, PROJECT};
use crate::database::{Backend, connect};
use crate::load::{Until, closed_loop};
use crate::postgres::{forget_statements, statements};
use crate::report::{Better, Metric};
use crate::seed::{self, History};
use crate::server::Server;
use crate::stats::{Spread, float};

/// Environments before and after: with 400 applications, 2,000 cells and 200,000.
const SMALL: u64 = 5;
const LARGE: u64 = 500;
/// Records before, after, and after with `--full`.
const SMALL_RECORDS: u64 = 100_000;
const LARGE_RECORDS: u64 = 1_000_000;
const FULL_RECORDS: u64 = 10_000_000;
/// Calls in each round.
const CALLS: u64 = 20;

/// What is listed.
#[derive(Clone, Copy)]
struct Listing {
    name: &'static str,
    /// One environment, or the first page of all.
    environment: Option<&'static str>,
    /// Three quarters into the history, when every cell has had records and all get more later.
    as_of: bool,
    target: f64,
}

const LISTINGS: [Listing; 3] = [
    Listing {
        name: "environment",
        environment: Some("env-0"),
        as_of: false,
        target: 1.2,
    },
    Listing {
        name: "environment as of",
        environment: Some("env-0"),
        as_of: true,
        target: 2.0,
    },
    Listing {
        name: "matrix as of",
        environment: None,
        as_of: true,
        target: 2.0,
    },
];

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let records = if bench.options.full {
        FULL_RECORDS
    } else {
        LARGE_RECORDS
    };
    for backend in Backend::ALL {
        let small = grown(bench, backend, None).await?;
        let large = grown(bench, backend, Some(records)).await?;
        let (few, many) = (small.callers(1).await?, large.callers(1).await?);
        for listing in LISTINGS {
            list(&few, listing, CALLS).await?;
            list(&many, listing, CALLS).await?;
            let (mut ratios, mut before, mut after) = (vec![], vec![], vec![]);
            for _ in 0..bench.options.rounds {
                let (first, second) = (
                    list(&few, listing, CALLS).await?,
                    list(&many, listing, CALLS).await?,
                );
                ratios.push(second / first);
                before.push(first * 1000.0);
                after.push(second * 1000.0);
            }
            let case = format!("{} {}", backend.name(), listing.name);
            bench.report.add(
                Metric::new("B5", &case, &ratios, Some(listing.target), Better::Lower).with_all(json!({
                    "unit": "ms, median (p50) of each round",
                    "small": Spread::of(&before).json(),
                    "large": Spread::of(&after).json(),
                    "small_has": format!("{} cells, {SMALL_RECORDS} records", APPLICATIONS * SMALL),
                    "large_has": format!("{} cells, {records} records", APPLICATIONS * LARGE),
                    "cells_listed": APPLICATIONS,
                    "small_buffers": buffers(&small, &few, listing).await?,
                    "large_buffers": buffers(&large, &many, listing).await?,
                })),
            );
        }
        drop((few, many));
        small.end(&bench.postgres).await?;
        large.end(&bench.postgres).await?;
    }
    Ok(())
}

/// A server with five environments' history, and with that of 495 more where records are to grow to a number.
async fn grown(
    bench: &Bench<'_>,
    backend: Backend,
    grow_to: Option<u64>,
) -> Result<Server, Failure> {
    let server = bench.server(backend).await?;
    let environments = if grow_to.is_some() { LARGE } else { SMALL };
    let mut statements = seed::catalog(&server.database, APPLICATIONS, environments);
    let first = History {
        applications: APPLICATIONS,
        first_environment: 0,
        environments: SMALL,
        first_record: 0,
        records: SMALL_RECORDS,
    };
    statements.push(first.records(&server.database));
    if let Some(records) = grow_to {
        let more = History {
            first_environment: SMALL,
            environments: LARGE - SMALL,
            first_record: SMALL_RECORDS,
            records: records - SMALL_RECORDS,
            ..first
        };
        statements.push(more.records(&server.database));
    }
    statements.push(seed::current_state());
    server.database.fill(&statements).await?;
    Ok(server)
}

/// The median time of a call, in seconds.
async fn list(callers: &Callers, listing: Listing, calls: u64) -> Result<f64, Failure> {
    let callers = callers.clone();
    let run = closed_loop(1, Until::Calls(calls), move |_, _| {
        let mut service = callers.ledger(0);
        let request = callers.request(ledger::ListCurrentStateRequest {
            project: PROJECT.to_owned(),
            environment: listing.environment.unwrap_or_default().to_owned(),
            as_of_time: listing
                .as_of
                .then(|| timestamp(seed::BEGIN + seed::LENGTH / 4 * 3)),
            page_size: if listing.environment.is_some() {
                1000
            } else {
                400
            },
            ..ledger::ListCurrentStateRequest::default()
        });
        async move {
            let answer = service.list_current_state(request).await?.into_inner();
            let listed = u64::try_from(answer.states.len())?;
            if listed != APPLICATIONS {
                return Err(format!("{listed} cells were listed instead of {APPLICATIONS}").into());
            }
            Ok(())
        }
    })
    .await?;
    Ok(run.p50())
}

/// Pages of the database that one call touches, in its cache or not, where the database tells.
async fn buffers(server: &Server, callers: &Callers, listing: Listing) -> Result<Value, Failure> {
    if server.database.backend() == Backend::Sqlite {
        return Ok(Value::Null);
    }
    let mut connection = connect(&server.database.url()).await?;
    forget_statements(&mut connection).await?;
    list(callers, listing, CALLS).await?;
    let ran = statements(&mut connection).await?;
    let touched: i64 = ran
        .iter()
        .filter(|ran| ran.query.contains("FROM current_state"))
        .map(|ran| ran.buffers)
        .sum();
    Ok(json!(
        (float(touched.unsigned_abs()) / float(CALLS)).round()
    ))
}
