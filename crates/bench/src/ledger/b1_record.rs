//! B1: how many deployments a second are recorded, beside the least that an RPC and a transaction cost.

use serde_json::json;

use super::Bench;
use crate::Failure;
use crate::client::{CLIENTS, CONNECTIONS, Callers};
use crate::database::{Backend, Database, connect, number, text};
use crate::load::Until;
use crate::postgres::{Pgbench, calls_of, forget_statements, per_call, statements};
use crate::report::{Better, Metric};
use crate::seed;
use crate::server::Server;
use crate::stats::{Spread, float, rounded};

/// The fewest statements that do the same work.
pub(super) const MINIMAL: &str = include_str!("../../sql/record.minimal.sql");
/// RPCs per client while statements are counted.
const COUNTED_CALLS: u64 = 100;
/// The statements of one RPC: the look-up, and one that writes the record, the current state and the event.
const STATEMENTS_PER_RPC: i64 = 2;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let server = bench.server(Backend::Postgres).await?;
    seed::small(&server.database).await?;
    let callers = server.callers(CONNECTIONS).await?;
    let url = server.database.url();
    let reporter = reporter(&server.database).await?;
    let until = Until::Seconds(0.5, bench.options.seconds);
    let (mut ratios, mut ours, mut empty, mut minimal) = (vec![], vec![], vec![], vec![]);
    for _ in 0..bench.options.rounds {
        let (rpc, call) = (
            callers.record(CLIENTS, until).await?.rate(),
            callers.empty(CLIENTS, until).await?.rate(),
        );
        let pgbench = Pgbench {
            script: MINIMAL,
            clients: CLIENTS,
            threads: CONNECTIONS,
            seconds: bench.options.seconds,
            variables: &[("reporter", &reporter)],
            options: "",
            latencies: false,
        };
        let transaction = bench.postgres.pgbench(&url, &pgbench).await?.rate;
        ratios.push(rpc * (1.0 / call + 1.0 / transaction));
        ours.push(rpc);
        empty.push(call);
        minimal.push(transaction);
    }
    let counted = count(&server, &callers).await?;
    bench.report.add(
        Metric::new("B1", "postgres", &ratios, Some(0.5), Better::Higher)
            .with_all(json!({
                "rpc_per_second": Spread::of(&ours).json(),
                "empty_rpc_per_second": Spread::of(&empty).json(),
                "minimal_sql_per_second": Spread::of(&minimal).json(),
                "empty": "grpc.health.v1.Health/Check on the same connections",
                "clients": format!("{CLIENTS} over {CONNECTIONS} connections; pgbench -c {CLIENTS} -j {CONNECTIONS} -M prepared over TCP"),
            }))
            .with_all(counted)
            .with("durability", server.database.durability().await?),
    );
    drop(callers);
    server.end(&bench.postgres).await
}

/// Who reports in `minimal.sql`.
pub(super) async fn reporter(database: &Database) -> Result<String, Failure> {
    let mut connection = connect(&database.url()).await?;
    text(
        &mut connection,
        "SELECT id::text FROM principal ORDER BY created_at LIMIT 1",
    )
    .await
}

/// Asserts one commit and two statements for each RPC.
///
/// The sequencer commits too, in the background: once for each moment that stands in the chain. So commits of RPCs are
/// the writes and the COMMITs that `pg_stat_statements` saw, less the sequencer's; a few may be others' (when tokens were last used).
async fn count(server: &Server, callers: &Callers) -> Result<serde_json::Value, Failure> {
    let mut connection = connect(&server.database.url()).await?;
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let settle = std::time::Duration::from_millis(1500);
    tokio::time::sleep(settle).await;
    let before = number(&mut connection, commits).await?;
    let chained = "SELECT count(DISTINCT chained_at) FROM audit_chain";
    let chained_before = number(&mut connection, chained).await?;
    forget_statements(&mut connection).await?;
    let run = callers.record(CLIENTS, Until::Calls(COUNTED_CALLS)).await?;
    tokio::time::sleep(settle).await;
    let ran = statements(&mut connection).await?;
    // Its own statistics are another transaction's: read anew.
    let after = number(&mut connect(&server.database.url()).await?, commits).await?;
    let calls = i64::try_from(run.all_calls)?;
    let sequencer = number(&mut connection, chained).await? - chained_before;
    // The statement that writes is a transaction of its own.
    let of_rpcs = calls_of(&ran, "WITH w0 AS (INSERT") + calls_of(&ran, "COMMIT") - sequencer;
    if !(calls..=calls + 5).contains(&of_rpcs) {
        return Err(format!(
            "{calls} RPCs made {of_rpcs} commits, beside {sequencer} of the sequencer"
        )
        .into());
    }
    let own: Vec<_> = ran
        .iter()
        .filter(|ran| ran.calls >= calls - calls / 10)
        .collect();
    let total: i64 = own.iter().map(|ran| ran.calls).sum();
    let statements_per_rpc = float(total.unsigned_abs()) / float(run.all_calls);
    // The sequencer's BEGIN and COMMIT count among them: they are few, so the next whole number is exact.
    if total > STATEMENTS_PER_RPC * calls + calls / 2 {
        return Err(format!(
            "an RPC takes {statements_per_rpc} statements: {:?}",
            per_call(&ran, run.all_calls)
        )
        .into());
    }
    Ok(json!({
        "counted_rpcs": calls,
        "commits_per_rpc": rounded(float(of_rpcs.unsigned_abs()) / float(run.all_calls)),
        "commits_of_the_sequencer": sequencer,
        "all_transactions_of_the_database": after - before,
        "statements_per_rpc": rounded(statements_per_rpc),
        "statements": per_call(&ran, run.all_calls),
    }))
}
