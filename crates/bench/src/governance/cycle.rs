//! How many releases of ten applications a second are made, approved by two people and carried out, beside the least that
//! their four RPCs and four transactions cost.

use serde_json::json;

use super::Bench;
use super::counted::counted;
use super::people::{ENVIRONMENTS, ITEMS, OF_EACH, People};
use crate::Failure;
use crate::client::{CLIENTS, CONNECTIONS};
use crate::database::{Backend, Database, connect, number};
use crate::load::{Run, Until, closed_loop};
use crate::postgres::Pgbench;
use crate::report::{Better, Metric};
use crate::seed::{self, History};
use crate::server::{Server, binary};
use crate::stats::Spread;

/// The fewest statements that do the same work.
const MINIMAL: &str = include_str!("../../sql/release.minimal.sql");
/// RPCs of one release.
const VERBS: f64 = 4.0;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let binary = binary().await?;
    let server = Server::start(&binary, Backend::Postgres, &bench.postgres, Vec::new()).await?;
    fill(&server.database).await?;
    let callers = server.callers(CONNECTIONS).await?;
    let people = People::new(&callers).await?;
    let url = server.database.url();
    let until = Until::Seconds(0.5, bench.options.seconds);
    let variables = [
        ("requester", &*people.requester.1),
        ("first", &*people.approvers[0].1),
        ("second", &*people.approvers[1].1),
    ];
    let (mut ratios, mut ours, mut empty, mut minimal, mut p50) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..bench.options.rounds {
        let releases = released(&people, until).await?;
        let call = callers.empty(CLIENTS, until).await?.rate();
        let pgbench = Pgbench {
            script: MINIMAL,
            clients: CLIENTS,
            threads: CONNECTIONS,
            seconds: bench.options.seconds,
            variables: &variables,
            options: "",
            latencies: false,
        };
        let transactions = bench.postgres.pgbench(&url, &pgbench).await?.rate;
        ratios.push(releases.rate() * (VERBS / call + 1.0 / transactions));
        ours.push(releases.rate());
        p50.push(releases.p50() * 1e3);
        empty.push(call);
        minimal.push(transactions);
    }
    check(&url).await?;
    let verbs = counted(&url, &people).await?;
    let case = "create, approve, approve, execute";
    bench.report.add(
        Metric::new("release", case, &ratios, Some(0.4), Better::Higher)
            .with_all(json!({
                "database": "postgres",
                "releases_per_second": Spread::of(&ours).json(),
                "milliseconds_per_release_p50": Spread::of(&p50).json(),
                "empty_rpc_per_second": Spread::of(&empty).json(),
                "minimal_sql_per_second": Spread::of(&minimal).json(),
                "measured": "releases/s × (4 / empty RPCs/s + 1 / runs/s of minimal.sql): CreateRelease, Approve by one \
                             person and by another, ExecuteDeployment",
                "minimal": "release.minimal.sql: four transactions, of one statement each",
                "empty": "grpc.health.v1.Health/Check on the same connections",
                "items": ITEMS,
                "environments": format!("{OF_EACH} of each client's own, in one project, whose numbers of deployments are \
                                         given one after another on both sides"),
                "clients": format!("{CLIENTS} over {CONNECTIONS} connections; pgbench -c {CLIENTS} -j {CONNECTIONS} -M prepared over TCP"),
                "verbs": verbs,
            }))
            .with("durability", server.database.durability().await?),
    );
    drop((callers, people));
    server.end(&bench.postgres).await
}

/// The catalog, and `v0` of everything in every environment.
async fn fill(database: &Database) -> Result<(), Failure> {
    // Those behind are `minimal.sql`'s.
    let environments = 2 * ENVIRONMENTS;
    let history = History {
        applications: ITEMS,
        first_environment: 0,
        environments,
        first_record: 0,
        records: ITEMS * environments,
    };
    let mut statements = seed::catalog(database, ITEMS, environments);
    statements.push(history.records(database));
    statements.push(seed::current_state());
    database.fill(&statements).await
}

/// Each client makes one release after the other.
async fn released(people: &People, until: Until) -> Result<Run, Failure> {
    let people = people.clone();
    closed_loop(CLIENTS, until, move |client, number| {
        let people = people.clone();
        async move {
            let release = people.create(client, number).await?;
            for approver in 0..2 {
                people.approve(client, &release, approver).await?;
            }
            people.execute(client, &release).await
        }
    })
    .await
}

/// Passes where `minimal.sql` did for its releases what the RPCs did for theirs.
async fn check(url: &str) -> Result<(), Failure> {
    // Counted once for all of them: there are thousands.
    const OTHERS: &str = "WITH transition AS (SELECT deployment_id AS id, count(*) AS n FROM deployment_transition GROUP BY 1), \
        record AS (SELECT deployment_id AS id, count(*) AS n FROM deployment_record GROUP BY 1), \
        item AS (SELECT deployment_id AS id, count(*) AS n FROM deployment_item WHERE status = 'SUCCEEDED' GROUP BY 1), \
        decision AS (SELECT q.deployment_id AS id, count(*) AS n FROM approval_decision a \
            JOIN approval_request q ON q.id = a.request_id WHERE q.state = 'APPROVED' GROUP BY 1), \
        event AS (SELECT resource_name AS name, count(*) AS n FROM audit_event GROUP BY 1) \
        SELECT count(*) FROM deployment d LEFT JOIN transition t ON t.id = d.id LEFT JOIN record r ON r.id = d.id \
        LEFT JOIN item i ON i.id = d.id LEFT JOIN decision a ON a.id = d.id LEFT JOIN event e ON e.name = d.id::text \
        WHERE (d.state, t.n, r.n, i.n, a.n, e.n) IS DISTINCT FROM ('SUCCEEDED', 5, 10, 10, 2, 4)";
    let mut connection = connect(url).await?;
    let others = number(&mut connection, OTHERS).await?;
    let stale = "SELECT count(*) FROM current_state c JOIN deployment_record r ON r.sequence = c.record_sequence \
        WHERE r.version_id <> c.version_id OR EXISTS (SELECT 1 FROM deployment_record n \
            WHERE n.environment_id = c.environment_id AND n.application_id = c.application_id \
            AND (n.deployed_at, n.sequence) > (r.deployed_at, r.sequence))";
    let stale = number(&mut connection, stale).await?;
    if others + stale > 0 {
        return Err(format!(
            "{others} releases are not as they should be when they succeeded, and {stale} cells not current"
        )
        .into());
    }
    Ok(())
}
