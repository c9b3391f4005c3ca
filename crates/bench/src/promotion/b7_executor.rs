//! B7: how many steps a second an executor writes down, beside the two transactions that a step needs; and how soon
//! another executor goes on where one has died.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};

use super::Bench;
use crate::Failure;
use crate::composed::Composed;
use crate::database::{Backend, Database, connect, number, open};
use crate::postgres::Pgbench;
use crate::report::{Better, Metric};
use crate::seed;
use crate::stats::{Spread, float};

/// The least that a step needs.
const MINIMAL: &str = include_str!("../../sql/step.minimal.sql");
/// Steps of a deployment.
const STEPS: u64 = 400;
/// The first of the deployments that the limit writes to, as its script names them.
const STANDING: u64 = 9_000_000;
/// As many executors as a server has.
const EXECUTORS: u64 = 4;
/// How long a server's executor waits where there is nothing to do.
const IDLE: Duration = Duration::from_millis(250);
/// The lease in the measurement of a takeover; a server's is longer, and so what is added to it weighs less there.
const LEASE: Duration = Duration::from_secs(3);
/// How long a takeover may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for backend in Backend::ALL {
        let composed = Composed::start(backend, &bench.postgres).await?;
        let mut work = Work::prepare(&composed).await?;
        match backend {
            Backend::Postgres => {
                for executors in [1, EXECUTORS] {
                    steps(bench, &mut work, executors).await?;
                }
            }
            // It has one writer.
            Backend::Sqlite => steps(bench, &mut work, 1).await?,
        }
        takeover(bench, &mut work).await?;
        drop(work);
        composed.end(&bench.postgres).await?;
    }
    Ok(())
}

/// Deployments that do nothing.
struct Work {
    context: Arc<Context>,
    database: Database,
    made: u64,
}

impl Work {
    async fn prepare(composed: &Composed) -> Result<Self, Failure> {
        let database = composed.database.clone();
        let backend = database.backend();
        let mut statements = seed::catalog(&database, 1, 20);
        statements.push(format!(
            "INSERT INTO pipeline (id, project_id, slug, display_name, description, created_at, revision) \
             SELECT {}, id, 'pipeline', '', '', {}, 1 FROM project WHERE slug = 'default'",
            backend.id("09", "0"),
            seed::BEGIN
        ));
        // Nobody carries these out.
        for place in 0..EXECUTORS {
            statements.extend(deployment(
                &database,
                STANDING + place,
                place,
                ("REJECTED", 1),
            ));
        }
        database.fill(&statements).await?;
        Ok(Self {
            context: composed.context().await?,
            database,
            made: 0,
        })
    }

    /// Queues as many deployments, each to an environment of its own. Answers with the number of the first.
    async fn queue(&mut self, deployments: u64) -> Result<u64, Failure> {
        let first = self.made + 1;
        let mut statements = Vec::new();
        for place in 0..deployments {
            statements.extend(deployment(
                &self.database,
                first + place,
                place,
                ("QUEUED", 0),
            ));
        }
        self.made += deployments;
        self.database.fill(&statements).await?;
        Ok(first)
    }

    fn executor(&self, name: &str, lease: Duration) -> Executor {
        let limits = Limits {
            lease,
            effect: lease / 3,
            ..Limits::default()
        };
        Executor::new(Arc::clone(&self.context), name, limits)
    }

    /// One number of the database.
    async fn number(&self, sql: &str) -> Result<i64, Failure> {
        match &self.database {
            Database::Postgres(url) => number(&mut connect(url).await?, sql).await,
            Database::Sqlite(path) => Ok(open(path)?.query_row(sql, [], |row| row.get(0))?),
        }
    }

    async fn succeeded(&self, first: u64, deployments: u64) -> Result<(), Failure> {
        let succeeded = format!(
            "SELECT count(*) FROM deployment WHERE state = 'SUCCEEDED' AND number >= {first} AND number < {}",
            first + deployments
        );
        if self.number(&succeeded).await? == i64::try_from(deployments)? {
            return Ok(());
        }
        Err("a deployment that does nothing did not succeed".into())
    }
}

/// The statements that add a deployment whose steps have no effect: each verifies items, of which there are none.
fn deployment(
    database: &Database,
    number: u64,
    place: u64,
    (state, epoch): (&str, u64),
) -> [String; 2] {
    let backend = database.backend();
    let id = backend.id("0b", &number.to_string());
    let (target, source) = (backend.id("0e", &place.to_string()), backend.id("0e", "19"));
    let pipeline = backend.id("09", "0");
    let digest = match backend {
        Backend::Sqlite => "zeroblob(32)",
        Backend::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    let finished = if state == "QUEUED" {
        "NULL".to_owned()
    } else {
        seed::BEGIN.to_string()
    };
    [
        format!(
            "INSERT INTO deployment (id, project_id, number, kind, state, target_id, pipeline_id, stage, source_id, \
             approval_required, source_unchanged, drift, on_failure, publish, secrets, plan_digest, requested_by, \
             created_at, finished_at, epoch, claims) SELECT {id}, j.id, {number}, 'PROMOTION', '{state}', {target}, \
             {pipeline}, 0, {source}, false, false, 'ALLOW', 'KEEP', 'KEEP', 'WARN', {digest}, p.id, {}, {finished}, \
             {epoch}, 0 FROM (SELECT id FROM project WHERE slug = 'default') j, \
             (SELECT id FROM principal ORDER BY created_at LIMIT 1) p",
            seed::BEGIN
        ),
        format!(
            "INSERT INTO deployment_step (deployment_id, number, direction, wave, work, phase) {} \
             SELECT {id}, n.i, d.column1, 0, 'VERIFY', 'WAITING' FROM n, (VALUES ('DO'), ('UNDO')) d",
            seed::numbers(0, STEPS)
        ),
    ]
}

async fn steps(bench: &mut Bench<'_>, work: &mut Work, executors: u64) -> Result<(), Failure> {
    let (mut ratios, mut ours, mut limits) = (vec![], vec![], vec![]);
    for _ in 0..bench.options.rounds {
        let rate = executed(work, executors).await?;
        let limit = match &work.database {
            Database::Postgres(url) => {
                let clients = usize::try_from(executors)?;
                let pgbench = Pgbench {
                    script: MINIMAL,
                    clients,
                    threads: clients,
                    seconds: 1.0,
                    variables: &[],
                    options: "",
                    latencies: false,
                };
                bench.postgres.pgbench(url, &pgbench).await?.rate
            }
            Database::Sqlite(path) => minimal(path, &work.database)?,
        };
        ratios.push(rate / limit);
        ours.push(rate);
        limits.push(limit);
    }
    let case = format!(
        "{} steps, {executors} executor(s)",
        work.database.backend().name()
    );
    bench.report.add(
        Metric::new("B7", &case, &ratios, Some(0.5), Better::Higher)
            .with_all(json!({
                "steps_per_second": Spread::of(&ours).json(),
                "minimal_per_second": Spread::of(&limits).json(),
                "minimal": "the two transactions of a step, one statement each, on as many connections",
                "steps": format!("{STEPS} without an effect, of one deployment for each executor"),
            }))
            .with("durability", work.database.durability().await?),
    );
    Ok(())
}

/// Steps per second of so many executors, each with a deployment of its own; claims and last states included.
async fn executed(work: &mut Work, executors: u64) -> Result<f64, Failure> {
    let first = work.queue(executors).await?;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..executors {
        let executor = work.executor(&format!("executor-{number}"), Limits::default().lease);
        tasks.spawn(async move { executor.carry_out_one(|| false).await });
    }
    while let Some(ended) = tasks.join_next().await {
        let ended = ended??;
        if ended != Ended::Settled {
            return Err(format!("an executor ended as {ended:?}").into());
        }
    }
    let rate = float(STEPS * executors) / began.elapsed().as_secs_f64();
    work.succeeded(first, executors).await?;
    Ok(rate)
}

/// The same two transactions through the sqlite3 library, a second long.
fn minimal(path: &std::path::Path, database: &Database) -> Result<f64, Failure> {
    let connection = open(path)?;
    connection.execute_batch("PRAGMA synchronous = full; PRAGMA foreign_keys = on")?;
    let id = database.backend().id("0b", &STANDING.to_string());
    let write = |phase: &str| {
        format!(
            "UPDATE deployment_step SET phase = '{phase}' WHERE deployment_id = (SELECT id FROM deployment \
             WHERE id = {id} AND epoch = 1) AND number = ?1 AND direction = 'DO'"
        )
    };
    let mut intent = connection.prepare(&write("BEGUN"))?;
    let mut result = connection.prepare(&write("DONE"))?;
    let began = Instant::now();
    let mut steps = 0_u64;
    while began.elapsed() < Duration::from_secs(1) {
        for statement in [&mut intent, &mut result] {
            if statement.execute([(steps % STEPS).cast_signed()])? != 1 {
                return Err("a minimal statement changed no row".into());
            }
        }
        steps += 1;
    }
    Ok(float(steps) / began.elapsed().as_secs_f64())
}

/// From the last sign of life of an executor that dies in the middle of its work to the claim of another one.
async fn takeover(bench: &mut Bench<'_>, work: &mut Work) -> Result<(), Failure> {
    let (mut ratios, mut seconds) = (vec![], vec![]);
    for _ in 0..bench.options.rounds.min(3) {
        let took = taken_over(work).await?.as_secs_f64();
        ratios.push(took / LEASE.as_secs_f64());
        seconds.push(took);
    }
    let case = format!("{} takeover", work.database.backend().name());
    bench.report.add(
        Metric::new("B7", &case, &ratios, Some(1.2), Better::Lower).with_all(json!({
            "seconds": Spread::of(&seconds).json(),
            "lease_seconds": LEASE.as_secs_f64(),
            "measured": "from before the claim of an executor that dies in the middle of its steps to the claim of another \
                         one, which looks for work as often as a server's does",
        })),
    );
    Ok(())
}

async fn taken_over(work: &mut Work) -> Result<Duration, Failure> {
    let number = work.queue(1).await?;
    let dying = work.executor("dies", LEASE);
    let last_sign = Instant::now();
    let task = tokio::spawn(async move { dying.carry_out_one(|| false).await.map(drop) });
    let done = format!(
        "SELECT count(*) FROM deployment_step s JOIN deployment d ON d.id = s.deployment_id \
         WHERE d.number = {number} AND s.phase = 'DONE'"
    );
    while work.number(&done).await? == 0 {
        within(last_sign, "the first executor did nothing")?;
    }
    task.abort();
    if task.await.is_ok() {
        return Err("the first executor was done before it could die".into());
    }
    let heir = work.executor("takes over", LEASE);
    let heir = tokio::spawn(async move {
        while heir.carry_out_one(|| false).await? == Ended::Idle {
            tokio::time::sleep(IDLE).await;
        }
        Ok::<_, Failure>(())
    });
    let epoch = format!("SELECT epoch FROM deployment WHERE number = {number}");
    while work.number(&epoch).await? < 2 {
        within(last_sign, "nobody took over")?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = last_sign.elapsed();
    heir.await??;
    work.succeeded(number, 1).await?;
    Ok(took)
}

fn within(began: Instant, problem: &str) -> Result<(), Failure> {
    if began.elapsed() < PATIENCE {
        Ok(())
    } else {
        Err(problem.into())
    }
}
