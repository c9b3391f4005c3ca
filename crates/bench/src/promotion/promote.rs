//! A promotion of 200 workflows as a user waits for it, beside the least calls that it needs, one after another.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slipway_api::deployments::v1 as deployments;
use slipway_api::deployments::v1::{DeploymentState, ItemStatus};

use super::Bench;
use super::landscape::{LATENCY, Landscape, WORKFLOWS};
use super::least::{self, Least};
use super::world::{KEY, n8n, service, way};
use crate::Failure;
use crate::client::{Callers, PROJECT};
use crate::database::Backend;
use crate::report::{Better, Metric};
use crate::server::{Server, binary};
use crate::stats::Spread;

/// The most calls under way at an engine: the server's own default.
const IN_FLIGHT: usize = 8;
/// How often a user would ask how far it is.
const ASK: Duration = Duration::from_millis(50);
/// How long a promotion may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a promotion took.
#[derive(Debug, Default)]
struct Took {
    whole: Vec<f64>,
    /// Until `StartPromotion` answered, the first item had succeeded, and all had.
    started: Vec<f64>,
    first_item: Vec<f64>,
    all_items: Vec<f64>,
    source_calls: usize,
    target_calls: usize,
    in_flight: usize,
    /// How long the server was on a processor.
    processor: Vec<f64>,
}

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let binary = binary().await?;
    let settings = || {
        vec![
            (
                "SLIPWAY__ENGINES__HOSTS".to_owned(),
                "[\"127.0.0.1\"]".to_owned(),
            ),
            (
                "SLIPWAY__ENGINES__SECRETS".to_owned(),
                format!("[\"env:{KEY}\"]"),
            ),
            (
                KEY.to_owned(),
                slipway_n8n_stand_in::Options::default().api_key,
            ),
        ]
    };
    let mut servers = Vec::new();
    for backend in Backend::ALL {
        let server = Server::start(&binary, backend, &bench.postgres, settings()).await?;
        let callers = server.callers(1).await?;
        servers.push((server, callers, Took::default()));
    }
    let (mut in_series, mut without_shown) = (vec![], vec![]);
    let mut least = Least::default();
    for round in 0..bench.options.rounds {
        let landscape = Landscape::start(round).await?;
        least = least::promote(&landscape).await?;
        landscape
            .check()
            .map_err(|failure| format!("after the least calls: {failure}"))?;
        in_series.push(least.took.as_secs_f64());
        without_shown.push(least.took.as_secs_f64() - least.showing.as_secs_f64());
        for (server, callers, took) in &mut servers {
            let before = server.processor_seconds()?;
            promote(callers, round, took).await?;
            took.processor.push(server.processor_seconds()? - before);
        }
    }
    for (server, callers, took) in servers {
        drop(callers);
        let backend = server.database.backend();
        let durability = server.database.durability().await?;
        server.end(&bench.postgres).await?;
        let context = context(&took, &least, &durability);
        for (case, least, target) in [
            (backend.name().to_owned(), &in_series, Some(0.35)),
            (
                format!("{} writes only", backend.name()),
                &without_shown,
                None,
            ),
        ] {
            let ratios: Vec<_> = took
                .whole
                .iter()
                .zip(least)
                .map(|(ours, least)| ours / least)
                .collect();
            bench.report.add(
                Metric::new("promotion", &case, &ratios, target, Better::Lower)
                    .with("least_seconds", Spread::of(least).json())
                    .with_all(context.clone()),
            );
        }
    }
    Ok(())
}

fn context(took: &Took, least: &Least, durability: &Value) -> Value {
    json!({
        "promotion_seconds": Spread::of(&took.whole).json(),
        "until_start_promotion_answered": Spread::of(&took.started).json(),
        "until_the_first_item_had_succeeded": Spread::of(&took.first_item).json(),
        "until_all_items_had": Spread::of(&took.all_items).json(),
        "server_processor_seconds": Spread::of(&took.processor).json(),
        "workflows": WORKFLOWS,
        "latency_milliseconds": LATENCY.as_secs_f64() * 1e3,
        "calls": {"source": took.source_calls, "target": took.target_calls, "least": least.calls},
        "most_in_flight": took.in_flight,
        "measured": "StartPromotion until GetDeployment says SUCCEEDED: plan, queue, preflight, snapshot, items, \
                     verification, records, snapshot",
        "least": format!(
            "both lists, {} workflows shown (a list lacks descriptions), tags, creations and changes callees first, \
             descriptions, activations: one after another, nothing read back; `writes only` leaves out the workflows shown",
            least.shown
        ),
        "durability": durability,
    })
}

/// Promotes everything from a source to a target, both new, and checks what came of it.
async fn promote(callers: &Callers, round: usize, took: &mut Took) -> Result<(), Failure> {
    let landscape = Landscape::start(round).await?;
    let name = format!("round-{round}");
    let way = way(
        callers,
        &name,
        n8n(&landscape.source),
        n8n(&landscape.target),
    )
    .await?;
    let mut service = service(callers);
    let began = Instant::now();
    let request = callers.request(deployments::StartPromotionRequest {
        project: PROJECT.to_owned(),
        pipeline: way.pipeline,
        target: way.target,
        ..Default::default()
    });
    let started = service
        .start_promotion(request)
        .await?
        .into_inner()
        .deployment;
    let number = started.ok_or("no deployment")?.number.to_string();
    took.started.push(began.elapsed().as_secs_f64());
    let (mut first_item, mut all_items) = (None, None);
    loop {
        let request = callers.request(deployments::GetDeploymentRequest {
            project: PROJECT.to_owned(),
            deployment: number.clone(),
        });
        let found = service
            .get_deployment(request)
            .await?
            .into_inner()
            .deployment;
        let found = found.ok_or("no deployment")?;
        let pending = found
            .items
            .iter()
            .filter(|item| item.status() == ItemStatus::Pending)
            .count();
        let elapsed = began.elapsed().as_secs_f64();
        if pending < WORKFLOWS {
            first_item.get_or_insert(elapsed);
        }
        if pending == 0 {
            all_items.get_or_insert(elapsed);
        }
        match found.state() {
            DeploymentState::Succeeded => break,
            DeploymentState::Queued | DeploymentState::Running if began.elapsed() < PATIENCE => {}
            state => return Err(format!("it became {state:?}: {:?}", found.problem).into()),
        }
        tokio::time::sleep(ASK).await;
    }
    took.whole.push(began.elapsed().as_secs_f64());
    took.first_item.extend(first_item);
    took.all_items.extend(all_items);
    landscape
        .check()
        .map_err(|failure| format!("after the promotion: {failure}"))?;
    took.source_calls = landscape.source.calls().len();
    took.target_calls = landscape.target.calls().len();
    for engine in [&landscape.source, &landscape.target] {
        let most = engine.max_in_flight();
        if most > IN_FLIGHT {
            return Err(format!(
                "{most} calls were in flight at an engine; at most {IN_FLIGHT} may be"
            )
            .into());
        }
        took.in_flight = took.in_flight.max(most);
    }
    Ok(())
}
