//! B6: how much longer page 2,000 of the history takes than page 1, with the worst combination of filters.

use std::time::Instant;

use serde_json::json;
use slipway_api::ledger::v1 as ledger;

use super::Bench;
use super::b4_import::timestamp;
use crate::Failure;
use crate::client::{Callers, PROJECT};
use crate::database::{Backend, Database};
use crate::report::{Better, Metric};
use crate::seed;
use crate::stats::{Spread, rounded};

/// Of these, three quarters match every filter.
const RECORDS: u64 = 280_000;
const PAGE_SIZE: i32 = 50;
const FAR_PAGE: i32 = 2000;
/// Calls for each page in each round.
const CALLS: u64 = 25;

const APPLICATION: u32 = 1;
const VERSION: u32 = 2;
const ENVIRONMENT: u32 = 4;
const DEPLOYED_BY: u32 = 8;
const KIND: u32 = 16;
const TIME: u32 = 32;
const NAMES: [(u32, &str); 6] = [
    (APPLICATION, "application"),
    (VERSION, "version"),
    (ENVIRONMENT, "environment"),
    (DEPLOYED_BY, "deployed_by"),
    (KIND, "kind"),
    (TIME, "from, to"),
];
/// Each filter alone, pairs that no index covers together, and all.
const COMBINATIONS: [u32; 12] = [
    0,
    APPLICATION,
    APPLICATION | VERSION,
    ENVIRONMENT,
    DEPLOYED_BY,
    KIND,
    TIME,
    APPLICATION | ENVIRONMENT,
    ENVIRONMENT | DEPLOYED_BY,
    APPLICATION | VERSION | ENVIRONMENT,
    APPLICATION | DEPLOYED_BY | KIND,
    APPLICATION | VERSION | ENVIRONMENT | DEPLOYED_BY | KIND | TIME,
];

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for backend in Backend::ALL {
        let server = bench.server(backend).await?;
        server.database.fill(&history(&server.database)).await?;
        let callers = server.callers(1).await?;
        let mut worst: Option<(f64, Metric)> = None;
        let mut all = serde_json::Map::new();
        for filters in COMBINATIONS {
            let far = token_of_far_page(&callers, filters).await?;
            let (mut ratios, mut first, mut last) = (vec![], vec![], vec![]);
            for _ in 0..bench.options.rounds {
                let (near, away) = both_pages(&callers, filters, &far).await?;
                ratios.push(away / near);
                first.push(near * 1000.0);
                last.push(away * 1000.0);
            }
            let (name, ratio) = (name(filters), Spread::of(&ratios).median);
            all.insert(name.clone(), json!(rounded(ratio)));
            if worst.as_ref().is_none_or(|(worst, _)| ratio > *worst) {
                let metric = Metric::new("B6", backend.name(), &ratios, Some(1.2), Better::Lower)
                    .with_all(json!({
                        "worst_filters": name,
                        "unit": "ms, median (p50) of each round",
                        "page_1": Spread::of(&first).json(),
                        "page_2000": Spread::of(&last).json(),
                        "page_size": PAGE_SIZE,
                        "records": RECORDS,
                        "records_matching_all_filters": RECORDS / 4 * 3,
                    }));
                worst = Some((ratio, metric));
            }
        }
        if let Some((_, metric)) = worst {
            bench.report.add(metric.with("all_combinations", all));
        }
        drop(callers);
        server.end(&bench.postgres).await?;
    }
    Ok(())
}

fn name(filters: u32) -> String {
    let names: Vec<_> = NAMES
        .iter()
        .filter(|(bit, _)| filters & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(" + ")
    }
}

/// One record in twenty escapes each filter, and each one another.
fn history(database: &Database) -> Vec<String> {
    let backend = database.backend();
    let unless = |remainder: u64, usual: &str, else_: &str| {
        format!("CASE WHEN i % 20 = {remainder} THEN {else_} ELSE {usual} END")
    };
    let mut statements = seed::catalog(database, 2, 2);
    let application = unless(0, "0", "1");
    // Versions are numbered through: the second application's first one is 5.
    let version = "CASE i % 20 WHEN 0 THEN 5 WHEN 4 THEN 1 ELSE 0 END";
    statements.push(seed::insert_records(
        &seed::numbers(0, RECORDS),
        [
            backend.id("0d", "i"),
            backend.id("0a", &application),
            backend.id("0f", version),
            backend.id("0e", &unless(1, "0", "1")),
            unless(3, "'DEPLOYED'", "'REMOVED'"),
            format!("({} + i * 60000000)", seed::BEGIN),
            unless(2, &backend.id("0c", "1"), "NULL"),
        ],
    ));
    statements.push(seed::current_state());
    statements
}

fn request(filters: u32, page_size: i32, page_token: &str) -> ledger::ListDeploymentRecordsRequest {
    let text = |bit, value: &str| {
        if filters & bit == 0 {
            String::new()
        } else {
            value.to_owned()
        }
    };
    ledger::ListDeploymentRecordsRequest {
        project: PROJECT.to_owned(),
        application: text(APPLICATION, "app-0"),
        version: text(VERSION, "v0"),
        environment: text(ENVIRONMENT, "env-0"),
        deployed_by: text(DEPLOYED_BY, "ci"),
        kind: if filters & KIND == 0 {
            0
        } else {
            ledger::RecordKind::Deployed.into()
        },
        from_time: (filters & TIME != 0).then(|| timestamp(seed::BEGIN)),
        to_time: (filters & TIME != 0)
            .then(|| timestamp(seed::BEGIN + 60_000_000 * RECORDS.cast_signed())),
        page_size,
        page_token: page_token.to_owned(),
        ..ledger::ListDeploymentRecordsRequest::default()
    }
}

/// Walks there on large pages.
async fn token_of_far_page(callers: &Callers, filters: u32) -> Result<String, Failure> {
    let mut skip = (FAR_PAGE - 1) * PAGE_SIZE;
    let mut token = String::new();
    while skip > 0 {
        let message = request(filters, skip.min(1000), &token);
        let answer = callers
            .ledger(0)
            .list_deployment_records(callers.request(message))
            .await?
            .into_inner();
        skip -= i32::try_from(answer.records.len())?;
        token = answer.next_page_token;
        if token.is_empty() {
            return Err(format!(
                "the history with the filters {} ends before page {FAR_PAGE}",
                name(filters)
            )
            .into());
        }
    }
    Ok(token)
}

/// The median times of the first page and of the far one, in seconds, called by turns.
async fn both_pages(callers: &Callers, filters: u32, far: &str) -> Result<(f64, f64), Failure> {
    let (mut near, mut away) = (vec![], vec![]);
    for _ in 0..CALLS {
        near.push(page(callers, filters, "").await?);
        away.push(page(callers, filters, far).await?);
    }
    Ok((Spread::of(&near).median, Spread::of(&away).median))
}

/// The time of a page, in seconds.
async fn page(callers: &Callers, filters: u32, token: &str) -> Result<f64, Failure> {
    let mut service = callers.ledger(0);
    let request = callers.request(request(filters, PAGE_SIZE, token));
    let begin = Instant::now();
    let answer = service.list_deployment_records(request).await?.into_inner();
    let seconds = begin.elapsed().as_secs_f64();
    if answer.records.len() != usize::try_from(PAGE_SIZE)? {
        return Err(format!("a page has {} records", answer.records.len()).into());
    }
    Ok(seconds)
}
