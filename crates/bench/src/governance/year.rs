//! How long a compliance report of a year takes: 10,000 releases of three applications each, that two people agreed to.

use std::time::{Duration, Instant};

use serde_json::json;
use slipway_api::audit::v1 as audit;
use slipway_api::audit::v1::audit_service_client::AuditServiceClient;
use slipway_api::audit::v1::compliance_entry::Subject;
use slipway_api::audit::v1::get_compliance_report_response::Message;

use super::Bench;
use super::people::People;
use crate::Failure;
use crate::client::{CONNECTIONS, Callers, PROJECT};
use crate::database::{Backend, Database};
use crate::report::{Better, Metric};
use crate::seed::{self, History};
use crate::server::{Server, binary};
use crate::stats::Spread;

/// How many deployments there are, beside the one that the others are like.
const DEPLOYMENTS: u64 = 10_000;
/// How many applications each of them brings, and so how many records it writes.
const ITEMS: u64 = 3;
/// How many of them somebody changed behind Slipway's back: half were approved by who had asked, half by one person only.
const PLANTED: u64 = 10;
/// The longest that a report may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The first one, and how far they are apart, in microseconds: together 347 days.
const BEGIN: u64 = 1_767_225_600_000_000;
const APART: u64 = 3_000_000_000;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let binary = binary().await?;
    for backend in Backend::ALL {
        let server = Server::start(&binary, backend, &bench.postgres, Vec::new()).await?;
        let callers = server.callers(CONNECTIONS).await?;
        fill(&server.database, &callers).await?;
        let mut ratios = Vec::new();
        let mut seconds = Vec::new();
        for _ in 0..bench.options.rounds {
            let took = reported(&callers).await?.as_secs_f64();
            ratios.push(took / LIMIT.as_secs_f64());
            seconds.push(took);
        }
        // What is embedded has a figure, and no target.
        let target = (backend == Backend::Postgres).then_some(1.0);
        let metric = Metric::new("report", backend.name(), &ratios, target, Better::Lower);
        bench.report.add(metric.with_all(json!({
            "seconds": Spread::of(&seconds).json(),
            "measured": "seconds from GetComplianceReport to its summary ÷ 2 s, in messages, with nothing else to do",
            "deployments": DEPLOYMENTS,
            "records_and_items_of_each": ITEMS,
            "planted": PLANTED,
        })));
        drop(callers);
        server.end(&bench.postgres).await?;
    }
    Ok(())
}

/// The year: a release as the server makes it, and its likes.
async fn fill(database: &Database, callers: &Callers) -> Result<(), Failure> {
    let history = History {
        applications: ITEMS,
        first_environment: 0,
        environments: 1,
        first_record: 0,
        records: ITEMS,
    };
    let mut statements = seed::catalog(database, ITEMS, 1);
    statements.push(history.records(database));
    statements.push(seed::current_state());
    database.fill(&statements).await?;
    let people = People::new(callers).await?;
    let release = people.create_of(0, 0, ITEMS).await?;
    people.approve(0, &release, 0).await?;
    people.approve(0, &release, 1).await?;
    people.execute(0, &release).await?;
    database.fill(&copies(database, &people)).await
}

/// The statements that make the others like the one that is there.
fn copies(database: &Database, people: &People) -> Vec<String> {
    let backend = database.backend();
    let numbers = seed::numbers(1, DEPLOYMENTS + 1);
    let (deployment, request) = (backend.id("a0", "i"), backend.id("a1", "i"));
    let record = backend.id("a2", &format!("i * {ITEMS} + r.sequence - f.first"));
    let shift = format!("(i * {APART} + {BEGIN} - d.created_at)");
    let requester = match backend {
        Backend::Postgres => format!("'{}'::uuid", people.requester.1),
        Backend::Sqlite => format!("unhex('{}')", people.requester.1.replace('-', "")),
    };
    // The first half of those planted has the requester in place of the first who agreed.
    let who = |column: &str| {
        let half = PLANTED / 2;
        let first =
            "(SELECT min(o.decided_at) FROM approval_decision o WHERE o.request_id = a.request_id)";
        format!(
            "CASE WHEN i <= {half} AND a.decided_at = {first} THEN {requester} ELSE a.{column} END"
        )
    };
    let mut statements = Vec::new();
    if backend == Backend::Sqlite {
        // In PostgreSQL triggers don't fire for what fills the database.
        statements.push("DROP TRIGGER deployment_is_added".to_owned());
    }
    let model = "WHERE d.number = 1";
    statements.extend([
        format!(
            "INSERT INTO deployment (id, project_id, number, kind, state, target_id, approval_required, source_unchanged, \
             drift, on_failure, publish, secrets, plan_digest, requested_by, created_at, approved_by, started_at, \
             finished_at, succeeded_at, name, description, execute_on_approval, risk, executed_by, epoch, claims) {numbers} \
             SELECT {deployment}, d.project_id, i + 1, d.kind, d.state, d.target_id, d.approval_required, d.source_unchanged, \
             d.drift, d.on_failure, d.publish, d.secrets, d.plan_digest, d.requested_by, d.created_at + {shift}, \
             d.approved_by, d.started_at + {shift}, d.finished_at + {shift}, d.succeeded_at + {shift}, d.name, d.description, \
             d.execute_on_approval, d.risk, d.executed_by, d.epoch, d.claims FROM n, deployment d {model}"
        ),
        format!(
            "INSERT INTO deployment_transition (deployment_id, position, state, at) {numbers} \
             SELECT {deployment}, t.position, t.state, t.at + {shift} FROM n, deployment d \
             JOIN deployment_transition t ON t.deployment_id = d.id {model}"
        ),
        format!(
            "INSERT INTO deployment_item (deployment_id, position, project_id, key, name, application_id, change, status, \
             rank, in_cycle, application_kind, version_before_id, version_after_id, message, declared_risk, risk, \
             risk_factors, allow_older) {numbers} SELECT {deployment}, t.position, t.project_id, t.key, t.name, \
             t.application_id, t.change, t.status, t.rank, t.in_cycle, t.application_kind, t.version_before_id, \
             t.version_after_id, t.message, t.declared_risk, t.risk, t.risk_factors, t.allow_older \
             FROM n, deployment d JOIN deployment_item t ON t.deployment_id = d.id {model}"
        ),
        format!(
            "INSERT INTO approval_request (id, project_id, deployment_id, environment_id, plan_digest, requested_by, \
             created_at, expires_at, state, closed_at, rules) {numbers} SELECT {request}, q.project_id, {deployment}, \
             q.environment_id, q.plan_digest, q.requested_by, q.created_at + {shift}, q.expires_at + {shift}, q.state, \
             q.closed_at + {shift}, q.rules FROM n, deployment d JOIN approval_request q ON q.deployment_id = d.id {model}"
        ),
        format!(
            "INSERT INTO approval_decision (request_id, principal_id, verdict, comment, decided_at, plan_digest, person_id) \
             {numbers} SELECT {request}, {}, a.verdict, a.comment, a.decided_at + {shift}, a.plan_digest, {} \
             FROM n, deployment d JOIN approval_request q ON q.deployment_id = d.id \
             JOIN approval_decision a ON a.request_id = q.id {model} AND NOT (i > {} AND i <= {PLANTED} AND a.decided_at = \
             (SELECT max(o.decided_at) FROM approval_decision o WHERE o.request_id = a.request_id))",
            who("principal_id"),
            who("person_id"),
            PLANTED / 2
        ),
        format!(
            "INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, \
             reported_at, recorded_at, reporter_id, deployed_by_id, risk, notes, attributes, external_id, deployment_id) \
             {numbers} SELECT {record}, r.project_id, r.application_id, r.version_id, r.environment_id, r.kind, \
             r.deployed_at + {shift}, r.reported_at + {shift}, r.recorded_at + {shift}, r.reporter_id, r.deployed_by_id, \
             r.risk, r.notes, r.attributes, 'year:' || i || ':' || r.sequence, {deployment} FROM n, deployment d \
             JOIN deployment_record r ON r.deployment_id = d.id \
             CROSS JOIN (SELECT min(sequence) AS first FROM deployment_record WHERE deployment_id IS NOT NULL) f {model}"
        ),
    ]);
    statements
}

/// One report of the year. It has to hold all there is, and to find what was planted.
async fn reported(callers: &Callers) -> Result<Duration, Failure> {
    let time = |micros: u64| prost_types::Timestamp {
        seconds: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        nanos: 0,
    };
    let request = callers.request(audit::GetComplianceReportRequest {
        project: PROJECT.to_owned(),
        from_time: Some(time(BEGIN)),
        to_time: Some(time(BEGIN + 366 * 86_400_000_000)),
        ..Default::default()
    });
    let mut service = AuditServiceClient::new(callers.channel());
    let begun = Instant::now();
    let mut stream = service.get_compliance_report(request).await?.into_inner();
    let (mut deployments, mut records, mut items, mut found) = (0, 0, 0, 0);
    while let Some(message) = stream.message().await? {
        match message.message {
            Some(Message::Entry(entry)) => {
                found += u64::from(!entry.exceptions.is_empty());
                deployments += u64::from(matches!(entry.subject, Some(Subject::Deployment(_))));
            }
            Some(Message::Items(some)) => items += some.items.len() as u64,
            Some(Message::Records(some)) => records += some.records.len() as u64,
            _ => {}
        }
    }
    let took = begun.elapsed();
    let whole = (
        DEPLOYMENTS,
        DEPLOYMENTS * ITEMS,
        DEPLOYMENTS * ITEMS,
        PLANTED,
    );
    // The one that the others are like is of the time of this run, and may be of the year too.
    let like = u64::from(deployments > DEPLOYMENTS);
    let others = (
        deployments - like,
        items - like * ITEMS,
        records - like * ITEMS,
        found,
    );
    if others != whole {
        return Err(format!(
            "a report of {deployments} deployments, {items} items, {records} records and {found} exceptions"
        )
        .into());
    }
    Ok(took)
}
