//! B8: what authentication, permissions and the audit trail cost.
//!
//! Servers here run in this process, put together from the same parts as the binary, with one part taken out on the
//! other side of each ratio. Nothing in the product can be switched off for that.

use std::sync::Arc;

use serde_json::json;
use tonic::metadata::{Ascii, MetadataValue};

use super::Bench;
use crate::Failure;
use crate::client::{CLIENTS, CONNECTIONS, Callers, bearer};
use crate::composed::{Composed, Variant};
use crate::database::Backend;
use crate::load::Until;
use crate::report::{Better, Metric};
use crate::seed;
use crate::stats::Spread;

/// Tokens for a cold cache: used in turn, each is forgotten (4 s) before it comes again.
const TOKENS: usize = 60_000;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for backend in Backend::ALL {
        authentication(bench, backend).await?;
        audit(bench, backend).await?;
    }
    Ok(())
}

/// `ResolveVersion` as it is, beside the same query behind the same transport without a caller.
async fn authentication(bench: &mut Bench<'_>, backend: Backend) -> Result<(), Failure> {
    let server = Composed::start(backend, &bench.postgres).await?;
    seed::small(&server.database).await?;
    let complete = server.serve(Variant::Complete).await?;
    let unguarded = server.serve(Variant::Unguarded).await?;
    let token = server.token()?;
    let tokens: Arc<[MetadataValue<Ascii>]> = server
        .make_tokens(TOKENS)
        .await?
        .iter()
        .map(|token| bearer(token))
        .collect::<Result<_, _>>()?;
    let guarded = Callers::connect(&complete.address(), &token, CONNECTIONS).await?;
    let open = Callers::connect(&unguarded.address(), &token, CONNECTIONS).await?;

    let until = Until::Seconds(0.3, bench.options.seconds);
    let (mut warm, mut cold) = (vec![], vec![]);
    let (mut with, mut without, mut with_cold) = (vec![], vec![], vec![]);
    let mut used = 0;
    for _ in 0..bench.options.rounds {
        let remembered = guarded.resolve(CLIENTS, until).await?.rate();
        let none = open.resolve(CLIENTS, until).await?.rate();
        let (mine, first) = (Arc::clone(&tokens), used);
        let run = guarded
            .resolve_with(CLIENTS, until, move |client, number| {
                // Each client goes through a part of its own.
                let share = mine.len() / CLIENTS;
                let number = usize::try_from(number).unwrap_or_default();
                mine[client * share + (first + number) % share].clone()
            })
            .await?;
        used += usize::try_from(run.all_calls)? / CLIENTS + 1;
        warm.push(remembered / none);
        cold.push(run.rate() / none);
        with.push(remembered);
        without.push(none);
        with_cold.push(run.rate());
    }
    let context = json!({
        "call": "ResolveVersion",
        "without_per_second": Spread::of(&without).json(),
        "without": "the same transport and query, without token, caller and permission",
        "clients": format!("{CLIENTS} over {CONNECTIONS} connections, in one process with the server"),
    });
    let case = |case: &str| format!("{} {case}", backend.name());
    bench.report.add(
        Metric::new(
            "B8",
            &case("warm token cache"),
            &warm,
            Some(0.9),
            Better::Higher,
        )
        .with("with_per_second", Spread::of(&with).json())
        .with_all(context.clone()),
    );
    // The target speaks of the warm cache: a cold one asks the database twice more for each call.
    bench.report.add(
        Metric::new("B8", &case("cold token cache"), &cold, None, Better::Higher)
            .with("with_per_second", Spread::of(&with_cold).json())
            .with("tokens", TOKENS)
            .with_all(context),
    );
    drop((guarded, open));
    complete.stop().await?;
    unguarded.stop().await?;
    server.end(&bench.postgres).await
}

/// `RecordDeployment` as it is, beside the same with an audit port that forgets. Each has a database of its own, so that
/// both grow alike.
async fn audit(bench: &mut Bench<'_>, backend: Backend) -> Result<(), Failure> {
    let audited = Composed::start(backend, &bench.postgres).await?;
    let silent = Composed::start(backend, &bench.postgres).await?;
    seed::small(&audited.database).await?;
    seed::small(&silent.database).await?;
    let complete = audited.serve(Variant::Complete).await?;
    let unaudited = silent.serve(Variant::Unaudited).await?;
    let telling = Callers::connect(&complete.address(), &audited.token()?, CONNECTIONS).await?;
    let quiet = Callers::connect(&unaudited.address(), &silent.token()?, CONNECTIONS).await?;
    let until = Until::Seconds(0.3, bench.options.seconds);
    let (mut ratios, mut with, mut without) = (vec![], vec![], vec![]);
    for _ in 0..bench.options.rounds {
        let (audit, none) = (
            telling.record(CLIENTS, until).await?.rate(),
            quiet.record(CLIENTS, until).await?.rate(),
        );
        ratios.push(audit / none);
        with.push(audit);
        without.push(none);
    }
    let case = format!("{} audit", backend.name());
    bench.report.add(
        Metric::new("B8", &case, &ratios, Some(0.6), Better::Higher)
            .with_all(json!({
                "call": "RecordDeployment",
                "with_per_second": Spread::of(&with).json(),
                "without_per_second": Spread::of(&without).json(),
                "without": "events are thrown away; the sequencer runs on both sides",
                "clients": format!("{CLIENTS} over {CONNECTIONS} connections, in one process with the server"),
            }))
            .with("durability", audited.database.durability().await?),
    );
    drop((telling, quiet));
    complete.stop().await?;
    unaudited.stop().await?;
    audited.end(&bench.postgres).await?;
    silent.end(&bench.postgres).await
}
