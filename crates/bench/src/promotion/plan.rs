//! The plan of 1,000 workflows of which 10 have changed, and what of it is reading the engines.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use slipway_api::deployments::v1 as deployments;
use slipway_api::deployments::v1::ItemChange;
use slipway_directory::WorkflowDirectory;
use slipway_workflows::WorkflowEngine;

use super::Bench;
use super::world::{folder, service, way};
use crate::Failure;
use crate::client::PROJECT;
use crate::database::Backend;
use crate::report::{Better, Metric};
use crate::server::{Server, binary};
use crate::stats::{Spread, float, rounded};

const WORKFLOWS: usize = 1_000;
const CHANGED: usize = 10;
/// A plan is short: this many for each round of the others.
const PLANS_PER_ROUND: usize = 4;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let binary = binary().await?;
    for backend in Backend::ALL {
        let server = Server::start(&binary, backend, &bench.postgres, Vec::new()).await?;
        let callers = server.callers(1).await?;
        let [source, target] =
            ["source", "target"].map(|side| server.directory().join("workflows").join(side));
        fill(&source, CHANGED)?;
        fill(&target, 0)?;
        let way = way(&callers, "plan", folder(&source), folder(&target)).await?;
        let mut service = service(&callers);
        let engines = [&source, &target].map(|path| WorkflowDirectory::new(path.as_path()));
        let (mut plans, mut exports, mut rests) = (vec![], vec![], vec![]);
        let before = server.processor_seconds()?;
        for _ in 0..=bench.options.rounds * PLANS_PER_ROUND {
            let request = callers.request(deployments::PlanPromotionRequest {
                project: PROJECT.to_owned(),
                pipeline: way.pipeline.clone(),
                target: way.target.clone(),
                ..Default::default()
            });
            let began = Instant::now();
            let plan = service.plan_promotion(request).await?.into_inner().plan;
            let planned = began.elapsed().as_secs_f64() * 1e3;
            check(&plan.ok_or("no plan")?)?;
            let mut reading = 0.0;
            for engine in &engines {
                let began = Instant::now();
                let exported = engine.export().await?.len();
                let took = began.elapsed().as_secs_f64() * 1e3;
                if exported != WORKFLOWS {
                    return Err(format!("{exported} workflows were exported").into());
                }
                exports.push(took);
                reading += took;
            }
            plans.push(planned);
            rests.push(planned - reading);
        }
        // The first of each warms up.
        let (plans, exports, rests) = (&plans[1..], &exports[2..], &rests[1..]);
        let processor = (server.processor_seconds()? - before) / float(plans.len() + 1);
        let context = json!({
            "figure": "milliseconds",
            "server_processor_milliseconds_per_plan": rounded(processor * 1e3),
            "workflows": WORKFLOWS,
            "changed": CHANGED,
            "engines": "directories of JSON files, read anew by every plan",
        });
        for (case, figures, what) in [
            ("plan", plans, "PlanPromotion over gRPC"),
            (
                "export",
                exports,
                "the export of one engine alone, as the plan does it twice",
            ),
            ("plan less exports", rests, "the plan less both exports"),
        ] {
            let case = format!("{} {case}", backend.name());
            bench.report.add(
                Metric::new("plan", &case, figures, None, Better::Lower)
                    .with("milliseconds", Spread::of(figures).json())
                    .with("what", what)
                    .with_all(context.clone()),
            );
        }
        drop(callers);
        server.end(&bench.postgres).await?;
    }
    Ok(())
}

/// Writes the documents, of which the first few are as the other side does not have them.
fn fill(directory: &Path, changed: usize) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    for number in 0..WORKFLOWS {
        let edition = usize::from(number < changed);
        let nodes: Vec<_> = (0..20)
            .map(|node| {
                json!({
                    "id": format!("{number}-{node}"), "name": format!("Step {node}"),
                    "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200 * node, 0],
                    "parameters": {
                        "url": format!("https://example.com/{number}/{node}/{edition}"),
                        "jsonBody": "{{ $json }} and some more words that stand for what a request says ".repeat(4),
                    },
                })
            })
            .collect();
        let document = json!({
            "name": format!("Workflow {number}"), "nodes": nodes, "connections": {},
            "settings": {"executionOrder": "v1"},
        });
        fs::write(
            directory.join(format!("w{number:04}.json")),
            format!("{document:#}\n"),
        )?;
    }
    Ok(())
}

fn check(plan: &deployments::Plan) -> Result<(), Failure> {
    let changes = |change: ItemChange| {
        plan.items
            .iter()
            .filter(|item| item.change() == change)
            .count()
    };
    let found = (
        changes(ItemChange::Updated),
        changes(ItemChange::Created),
        changes(ItemChange::Deleted),
    );
    if found == (CHANGED, 0, 0) && plan.problems.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the plan has other changes ({found:?}) or problems: {:?}",
            plan.problems
        )
        .into())
    }
}
