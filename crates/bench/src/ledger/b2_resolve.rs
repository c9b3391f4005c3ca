//! B2: how many versions are resolved and cells read a second, beside the least that an RPC and a query cost.

use serde_json::{Value, json};

use super::Bench;
use crate::Failure;
use crate::client::{CLIENTS, CONNECTIONS, Callers};
use crate::database::{Backend, connect};
use crate::load::{Run, Until};
use crate::postgres::{Pgbench, calls_of, forget_statements, per_call, statements};
use crate::report::{Better, Metric};
use crate::seed;
use crate::stats::{Spread, rounded};

/// Calls per client while statements are counted.
const COUNTED_CALLS: u64 = 200;

/// One kind of read.
#[derive(Clone, Copy)]
enum Case {
    Resolve,
    Cell,
}

impl Case {
    const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Cell => "cell",
        }
    }

    const fn minimal(self) -> &'static str {
        match self {
            Self::Resolve => include_str!("../../sql/resolve.minimal.sql"),
            Self::Cell => include_str!("../../sql/cell.minimal.sql"),
        }
    }

    async fn run(self, callers: &Callers, until: Until) -> Result<Run, Failure> {
        match self {
            Self::Resolve => callers.resolve(CLIENTS, until).await,
            Self::Cell => callers.cell(CLIENTS, until).await,
        }
    }
}

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let server = bench.server(Backend::Postgres).await?;
    seed::small(&server.database).await?;
    let callers = server.callers(CONNECTIONS).await?;
    let url = server.database.url();
    let until = Until::Seconds(0.3, bench.options.seconds);
    for case in [Case::Resolve, Case::Cell] {
        let (mut ratios, mut ours, mut empty, mut minimal) = (vec![], vec![], vec![], vec![]);
        for _ in 0..bench.options.rounds {
            let rpc = case.run(&callers, until).await?.rate();
            let call = callers.empty(CLIENTS, until).await?.rate();
            let pgbench = Pgbench {
                script: case.minimal(),
                clients: CLIENTS,
                threads: CONNECTIONS,
                seconds: bench.options.seconds,
                variables: &[],
                options: "",
                latencies: false,
            };
            let query = bench.postgres.pgbench(&url, &pgbench).await?.rate;
            ratios.push(rpc * (1.0 / call + 1.0 / query));
            ours.push(rpc);
            empty.push(call);
            minimal.push(query);
        }
        let seen = seen(&url, &callers, case).await?;
        bench.report.add(
            Metric::new("B2", case.name(), &ratios, Some(0.5), Better::Higher)
                .with_all(json!({
                    "database": "postgres",
                    "rpc_per_second": Spread::of(&ours).json(),
                    "empty_rpc_per_second": Spread::of(&empty).json(),
                    "minimal_sql_per_second": Spread::of(&minimal).json(),
                    "empty": "grpc.health.v1.Health/Check on the same connections",
                    "clients": format!("{CLIENTS} over {CONNECTIONS} connections; pgbench -c {CLIENTS} -j {CONNECTIONS} -M prepared over TCP"),
                }))
                .with_all(seen),
        );
    }
    drop(callers);
    server.end(&bench.postgres).await
}

/// Asserts that every call asks the database: none of these bears an etag, and an answer from memory could be stale.
async fn seen(url: &str, callers: &Callers, case: Case) -> Result<Value, Failure> {
    let mut connection = connect(url).await?;
    forget_statements(&mut connection).await?;
    let run = case.run(callers, Until::Calls(COUNTED_CALLS)).await?;
    let ran = statements(&mut connection).await?;
    let queries = calls_of(&ran, "FROM current_state");
    if queries != i64::try_from(run.all_calls)? {
        return Err(format!("{} calls asked the database {queries} times", run.all_calls).into());
    }
    let per_call = per_call(&ran, run.all_calls);
    Ok(json!({
        "counted_calls": run.all_calls,
        "queries_per_call": rounded(crate::stats::float(queries.unsigned_abs()) / crate::stats::float(run.all_calls)),
        "statements": per_call,
    }))
}
