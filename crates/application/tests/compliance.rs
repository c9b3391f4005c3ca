//! A compliance report of a year: everything is in it once, what somebody changed behind Slipway's back is found, and it does
//! not take long.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use slipway_application::audit::{ReportQuestion, compliance_report};
use slipway_application::principals::NewPrincipal;
use slipway_approvals::{
    ApprovalRequest, Asked, Decision, Eligible, Override, RequestState, Review, Rule, Source,
    Verdict,
};
use slipway_audit::report::{Entry, Exception};
use slipway_deployments::{
    Deployment, DeploymentKind, Gates, NewDeployment, Origin, Release, State,
};
use slipway_kernel::{
    ApplicationId, ApprovalRequestId, Attributes, DeploymentId, EnvironmentId, PrincipalId,
    ProjectId, RecordId, RiskLevel, Sha256, Tier, VersionId,
    text::{Description, Notes},
};
use slipway_ledger::record::{Placed, TargetNames};
use slipway_ledger::{CellPlace, NewRecord, RecordKind};
use slipway_sql::Options;
use support::{
    Installation, by,
    deployments::{at, report},
    installation, installation_on, key, name, slug,
};
use uuid::Uuid;

/// How many are added in one unit of work.
const TOGETHER: u128 = 250;

/// Who and what there is.
struct World {
    project: ProjectId,
    environment: EnvironmentId,
    application: ApplicationId,
    version: VersionId,
    asks: PrincipalId,
    /// A service account of the one who asks.
    machine: PrincipalId,
    others: [PrincipalId; 3],
}

/// What is changed about facts that are as they should be.
type Plant = (
    &'static str,
    fn(&World, &mut Deployment, &mut Option<ApprovalRequest>),
);

const PLANTS: [Plant; 10] = [
    ("APPROVED_BY_REQUESTER", |w, _, request| {
        first(request).principal = w.asks;
        first(request).person = w.asks;
    }),
    ("APPROVED_BY_REQUESTER", |w, _, request| {
        first(request).principal = w.machine;
        first(request).person = w.asks;
    }),
    ("OTHER_PERSON", |w, _, request| {
        first(request).person = w.others[2];
    }),
    ("TOO_FEW", |_, _, request| {
        asked(request).decisions.pop();
    }),
    ("NOT_APPROVED", |_, _, request| *request = None),
    ("NOT_APPROVED", |_, _, request| {
        asked(request).state = RequestState::Superseded { at: at(1) };
    }),
    ("NOT_ASKED", |_, deployment, request| {
        deployment.gates.approval_required = false;
        *request = None;
    }),
    ("OTHER_PLAN", |_, deployment, _| {
        deployment.plan_digest = Sha256::of_bytes(b"other");
    }),
    ("APPROVED_LATE", |_, deployment, request| {
        let began = deployment.started_at.expect("it began");
        first(request).at = began.plus(std::time::Duration::from_mins(5));
    }),
    ("REVIEWED_OWN", |w, _, request| {
        let digest = asked(request).digest;
        asked(request).overridden = Some(Override {
            principal: w.others[0],
            person: w.others[0],
            at: asked(request).created_at,
            reason: "customers can't pay".parse().expect("a reason"),
            digest,
            review: Some(Review {
                principal: w.others[0],
                person: w.others[0],
                finding: slipway_approvals::Finding::Justified,
                comment: "I was right".parse().expect("a reason"),
                at: at(1),
            }),
        });
    }),
];

fn asked(request: &mut Option<ApprovalRequest>) -> &mut ApprovalRequest {
    request.as_mut().expect("a request")
}

fn first(request: &mut Option<ApprovalRequest>) -> &mut Decision {
    &mut asked(request).decisions[0]
}

const fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

impl World {
    async fn new(i: &Installation) -> Self {
        i.deploy(report("cart", "1", "prod")).await;
        i.deploy(report("cart", "2", "dev")).await;
        let reader = i.context.reader();
        let project = reader.project(&slug("default")).await;
        let project = project.expect("read").expect("there").id;
        let mut unit = i.context.store.begin().await.expect("begun");
        let found = unit.environments().find(project, &slug("prod")).await;
        let mut environment = found.expect("read").expect("there");
        environment.tier = Tier::Production;
        environment.revision = environment.revision.next();
        let saved = unit.environments().update(&environment).await;
        saved.expect("saved");
        unit.commit().await.expect("committed");
        let (cart, one) = (key("cart"), key("1"));
        let application = reader.application(project, &cart).await;
        let application = application.expect("read").expect("there").id;
        let version = reader.version(project, &cart, &one).await;
        let version = version.expect("read").expect("there").id;
        let asks = i.user("Ann").await.id;
        let service = NewPrincipal::ServiceAccount { owner: asks };
        Self {
            project,
            environment: environment.id,
            application,
            version,
            asks,
            machine: i.principal("machine", service, false).await.id,
            others: [
                i.user("Bea").await.id,
                i.user("Cem").await.id,
                i.user("Dan").await.id,
            ],
        }
    }

    /// A release that two people agreed to, and that succeeded.
    fn release(&self, n: u128) -> (Deployment, Option<ApprovalRequest>) {
        let second = i64::try_from(n).expect("few") * 60;
        let new = NewDeployment {
            id: DeploymentId::from_uuid(uuid(n)),
            project: self.project,
            kind: DeploymentKind::Release,
            target: self.environment,
            origin: Origin::Chosen,
            gates: Gates {
                approval_required: true,
                ..Gates::default()
            },
            plan_digest: Sha256::of_bytes(&n.to_le_bytes()),
            requested_by: self.asks,
            created_at: at(second),
            reason: None,
            items: Vec::new(),
        };
        let deployment = Deployment {
            state: State::Succeeded,
            approved_by: Some(self.others[1]),
            executed_by: Some(self.asks),
            started_at: Some(at(second + 30)),
            finished_at: Some(at(second + 31)),
            release: Some(Release {
                name: name("Spring"),
                description: Description::default(),
                execute_on_approval: false,
                template: None,
            }),
            risk: RiskLevel::Medium,
            ..Deployment::from(new)
        };
        let answer = |who: PrincipalId, after| Decision {
            principal: who,
            person: who,
            verdict: Verdict::Approve,
            rule: None,
            comment: "looked at it".parse().expect("a reason"),
            at: at(second + after),
            digest: deployment.plan_digest,
            withdrawn: None,
        };
        let mut candidates = vec![self.asks, self.machine];
        candidates.extend(self.others);
        candidates.sort_unstable();
        let request = ApprovalRequest {
            id: ApprovalRequestId::from_uuid(uuid(n)),
            project: self.project,
            deployment: deployment.id,
            deployment_number: 0,
            environment: self.environment,
            digest: deployment.plan_digest,
            requester: self.asks,
            rules: vec![Asked {
                source: Source::BuiltIn(Tier::Production),
                rule: Rule {
                    name: slug("two"),
                    required: 2,
                    eligible: Eligible::administrators_and([]),
                    from_risk: RiskLevel::Low,
                    kinds: BTreeSet::new(),
                },
                candidates,
            }],
            created_at: at(second),
            not_before: None,
            expires_at: at(second + 1_000),
            state: RequestState::Approved {
                at: at(second + 20),
            },
            decisions: vec![answer(self.others[0], 10), answer(self.others[1], 20)],
            overridden: None,
        };
        (deployment, Some(request))
    }

    /// What a deployment puts down, or somebody reports of a governed environment.
    fn record(&self, n: u128, deployment: Option<DeploymentId>) -> NewRecord {
        let time = at(i64::try_from(n).expect("few") * 60 + 31);
        NewRecord {
            id: RecordId::from_uuid(uuid(n)),
            project: self.project,
            application: self.application,
            version: self.version,
            environment: self.environment,
            kind: RecordKind::Deployed,
            deployed_at: time,
            reported_at: time,
            recorded_at: time,
            reporter: self.asks,
            deployed_by: None,
            risk: None,
            notes: Notes::default(),
            attributes: Attributes::default(),
            external_id: Some(format!("x{n}").parse().expect("an id")),
            deployment,
            outside_governance: deployment.is_none(),
        }
    }

    /// Adds that many; every hundredth record is somebody's report. Answers with what was planted, by deployment.
    async fn fill(&self, i: &Installation, count: u128) -> BTreeMap<DeploymentId, &'static str> {
        let mut planted = BTreeMap::new();
        for from in (1..=count).step_by(usize::try_from(TOGETHER).expect("few")) {
            let mut unit = i.context.store.begin().await.expect("begun");
            let mut records = Vec::new();
            for n in from..(from + TOGETHER).min(count + 1) {
                let (mut deployment, mut request) = self.release(n);
                let place = usize::try_from(n).expect("few");
                if let Some((word, plant)) = PLANTS.get(place - 1) {
                    plant(self, &mut deployment, &mut request);
                    planted.insert(deployment.id, *word);
                }
                let added = unit.deployments().insert(&deployment).await;
                added.expect("inserted");
                if let Some(request) = request {
                    let approvals = unit.approvals();
                    approvals.open(&request).await.expect("opened");
                    for decision in &request.decisions {
                        let made = approvals.decide(request.id, decision).await;
                        made.expect("decided");
                    }
                    if let Some(overridden) = &request.overridden {
                        let made = approvals.override_request(&request, overridden).await;
                        made.expect("overridden");
                        let review = overridden.review.as_ref().expect("a review");
                        let made = approvals.review(request.id, review).await;
                        made.expect("reviewed");
                    }
                }
                records.push(self.record(n, (n % 100 != 0).then_some(deployment.id)));
            }
            self.add(&mut *unit, &records).await;
            unit.commit().await.expect("committed");
        }
        planted
    }

    async fn add(&self, unit: &mut dyn slipway_store::UnitOfWork, records: &[NewRecord]) {
        let (cart, one, prod) = (key("cart"), key("1"), slug("prod"));
        let names: Vec<_> = records
            .iter()
            .map(|record| TargetNames {
                application: &cart,
                version: &one,
                environment: &prod,
                deployed_by: None,
                reporter: record.reporter,
                external_id: record.external_id.as_ref(),
                reported_at: record.reported_at,
                kind: record.kind,
            })
            .collect();
        let targets = unit.records().targets(self.project, &names).await;
        let targets = targets.expect("found");
        let placed = records.iter().zip(&targets);
        let placed = placed.map(|(record, target)| Placed {
            record,
            sequence: target.sequence,
            cell: CellPlace {
                application: cart.clone(),
                environment: prod.clone(),
            },
        });
        let placed: Vec<_> = placed.collect();
        unit.records().add(&placed).await.expect("added");
    }
}

async fn a_year(i: &Installation, database: &str, count: u128) {
    let world = World::new(i).await;
    let planted = world.fill(i, count).await;
    let question = ReportQuestion {
        project: slug("default"),
        from: at(-1),
        to: at(366 * 86_400 - 2),
        environment: None,
    };
    let begun = Instant::now();
    let made = compliance_report(&i.context, &by(&i.admin), question)
        .await
        .expect("reported");
    let took = begun.elapsed();
    println!("{database}: a report of {count} deployments took {took:?}");

    let mut found = BTreeMap::new();
    let mut records = BTreeSet::new();
    let (mut exceptional, mut seen) = (true, 0);
    for entry in &made.report.entries {
        let words: Vec<_> = entry.exceptions().iter().map(Exception::word).collect();
        assert!(exceptional || words.is_empty(), "exceptions come first");
        exceptional = !words.is_empty();
        match entry {
            Entry::Deployment { facts, .. } => {
                seen += 1;
                for record in &facts.records {
                    assert_eq!(record.deployment, Some(facts.deployment.id));
                    assert!(records.insert(record.id), "twice: {record:?}");
                }
                if !words.is_empty() {
                    found.insert(facts.deployment.id, words);
                }
            }
            Entry::Reported { record, .. } => {
                assert!(records.insert(record.id), "twice: {record:?}");
                assert_eq!(words.is_empty(), !record.outside_governance);
            }
        }
    }
    assert_eq!(seen, count);
    // Those two that the world begins with were reported too.
    assert_eq!(records.len() as u128, count + 2);
    assert_eq!(
        made.report.population.outside_governance,
        u64::try_from(count / 100).expect("few")
    );
    let ids: BTreeSet<_> = found.keys().collect();
    assert_eq!(ids, planted.keys().collect(), "{found:?}");
    for (id, word) in &planted {
        assert!(found[id].contains(word), "{word}: {:?}", found[id]);
    }
    println!(
        "{database}: {} of {} planted violations found",
        found.len(),
        PLANTS.len()
    );
}

/// 10,000 at scale 1.
fn scaled() -> u128 {
    let scale = std::env::var("SLIPWAY_TEST_SCALE").ok();
    let scale: f64 = scale.and_then(|scale| scale.parse().ok()).unwrap_or(0.05);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of things"
    )]
    let count = (10_000.0 * scale) as u128;
    count.max(200)
}

#[tokio::test]
async fn a_year_on_sqlite() {
    a_year(&installation().await, "SQLite", scaled()).await;
}

#[tokio::test]
async fn a_year_on_postgres() {
    let Some(database) = slipway_test_support::postgres::database().await else {
        return;
    };
    let i = installation_on(&Options::new(database.url())).await;
    a_year(&i, "PostgreSQL", scaled()).await;
}
