//! Reports of facts that are as they should be, and of facts that somebody changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use slipway_approvals::{
    ApprovalRequest, Asked, Decision, Eligible, Override, Person, RequestState, Review, Rule,
    Source, Verdict,
};
use slipway_deployments::{DeploymentKind, State, Transition};
use slipway_kernel::{
    ApplicationKind, ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, ProjectId,
    RecordId, RiskLevel, Sha256, Slug, Tier, Timestamp,
};
use slipway_ledger::{Record, RecordKind};
use uuid::Uuid;

use super::*;

const REQUESTER: u128 = 1;
const AUTHOR: u128 = 2;
const MAKER: u128 = 3;
const ALICE: u128 = 4;
const BOB: u128 = 5;
/// A service account of that person.
const MACHINE: u128 = 100;

fn id(n: u128) -> PrincipalId {
    PrincipalId::from_uuid(Uuid::from_u128(n))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + second * 1_000_000).expect("a moment")
}

fn account(n: u128) -> Person {
    Person {
        principal: id(n),
        owner: (n > MACHINE).then(|| id(n - MACHINE)),
    }
}

fn people() -> HashMap<PrincipalId, Person> {
    let all = (1..10).chain(MACHINE + 1..MACHINE + 10);
    all.map(|n| (id(n), account(n))).collect()
}

fn plan() -> Sha256 {
    Sha256::of_bytes(b"plan")
}

fn approval(by: u128, second: i64) -> Decision {
    Decision {
        principal: id(by),
        person: account(by).behind(),
        verdict: Verdict::Approve,
        rule: None,
        comment: "looked at it".parse().expect("a reason"),
        at: at(second),
        digest: plan(),
        withdrawn: None,
    }
}

fn two_people() -> Rule {
    Rule {
        name: Slug::known("two"),
        required: 2,
        eligible: Eligible::administrators_and([]),
        from_risk: RiskLevel::Low,
        kinds: BTreeSet::new(),
    }
}

fn request(number: i64) -> ApprovalRequest {
    ApprovalRequest {
        id: ApprovalRequestId::from_uuid(Uuid::from_u128(7)),
        project: ProjectId::from_uuid(Uuid::from_u128(8)),
        deployment: DeploymentId::from_uuid(Uuid::from_u128(number.unsigned_abs().into())),
        deployment_number: number,
        environment: EnvironmentId::from_uuid(Uuid::from_u128(9)),
        digest: plan(),
        requester: id(REQUESTER),
        rules: vec![Asked {
            source: Source::BuiltIn(Tier::Production),
            rule: two_people(),
            candidates: people()
                .into_keys()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        }],
        created_at: at(0),
        not_before: None,
        expires_at: at(1_000),
        state: RequestState::Approved { at: at(20) },
        decisions: vec![approval(ALICE, 10), approval(BOB, 20)],
        overridden: None,
    }
}

/// A release to production that two people agreed to, and that succeeded.
fn release(number: i64) -> DeploymentFacts {
    let states = [
        (State::PendingApproval, 0),
        (State::Approved, 20),
        (State::Queued, 30),
        (State::Running, 30),
        (State::Succeeded, 40),
    ];
    DeploymentFacts {
        deployment: ReportedDeployment {
            id: DeploymentId::from_uuid(Uuid::from_u128(number.unsigned_abs().into())),
            number,
            kind: DeploymentKind::Release,
            name: Some("spring".to_owned()),
            state: State::Succeeded,
            target: EnvironmentId::from_uuid(Uuid::from_u128(9)),
            environment: Slug::known("prod"),
            approval_required: true,
            plan_digest: plan(),
            requested_by: id(REQUESTER),
            executed_by: Some(id(REQUESTER)),
            created_at: at(0),
            started_at: Some(at(30)),
            finished_at: Some(at(40)),
            reason: None,
            problem: None,
            risk: RiskLevel::Medium,
            kinds: [ApplicationKind::Service].into(),
            items: 1,
            undoes: None,
            rolled_back_by: None,
            back_to: None,
        },
        history: states
            .map(|(state, second)| Transition {
                state,
                at: at(second),
            })
            .into(),
        requests: vec![request(number)],
        makers: [REQUESTER, AUTHOR, MAKER].map(account).into(),
        freezes: Vec::new(),
        items: Vec::new(),
        records: Vec::new(),
        unasked: Vec::new(),
    }
}

fn record(n: i64, outside_governance: bool) -> Record {
    Record {
        id: RecordId::from_uuid(Uuid::from_u128(1_000 + u128::from(n.unsigned_abs()))),
        sequence: n,
        application: "cart".parse().expect("a key"),
        application_name: "cart".to_owned(),
        application_kind: ApplicationKind::Service,
        version: "1".parse().expect("a key"),
        environment: Slug::known("prod"),
        environment_name: "prod".to_owned(),
        kind: RecordKind::Deployed,
        deployed_at: at(n),
        recorded_at: at(n),
        reporter: id(REQUESTER),
        deployed_by: None,
        risk: None,
        notes: String::new(),
        attributes: slipway_kernel::Attributes::default(),
        external_id: None,
        retraction: None,
        deployment: None,
        outside_governance,
    }
}

fn bounds() -> Bounds {
    Bounds {
        project: ProjectId::from_uuid(Uuid::from_u128(8)),
        from: at(0),
        to: at(10_000),
        environment: None,
    }
}

fn report(deployments: Vec<DeploymentFacts>, reported: Vec<Record>) -> Report {
    Report::new(bounds(), deployments, reported, &people()).expect("a report")
}

/// What is out of the ordinary about one deployment, in words.
fn found(facts: DeploymentFacts) -> Vec<&'static str> {
    let report = report(vec![facts], Vec::new());
    let entry = report.entries.first().expect("an entry");
    entry.exceptions().iter().map(Exception::word).collect()
}

fn four_eyes_of(facts: DeploymentFacts) -> FourEyes {
    match recheck(facts, &people()) {
        Entry::Deployment { four_eyes, .. } => four_eyes,
        Entry::Reported { .. } => unreachable!("a deployment was given"),
    }
}

fn overridden(review: Option<u128>) -> DeploymentFacts {
    let mut facts = release(1);
    let request = &mut facts.requests[0];
    request.decisions.clear();
    request.overridden = Some(Override {
        principal: id(ALICE),
        person: id(ALICE),
        at: at(20),
        reason: "customers can't pay".parse().expect("a reason"),
        digest: plan(),
        review: review.map(|by| Review {
            principal: id(by),
            person: id(by),
            finding: slipway_approvals::Finding::Justified,
            comment: "it was down".parse().expect("a reason"),
            at: at(50),
        }),
    });
    facts
}

#[test]
fn what_is_as_it_should_be_has_nothing_out_of_the_ordinary() {
    assert_eq!(found(release(1)), [""; 0]);
    assert_eq!(four_eyes_of(release(1)), FourEyes::Met);

    let mut waits = release(1);
    waits.deployment.state = State::PendingApproval;
    waits.deployment.started_at = None;
    waits.history.truncate(1);
    waits.requests[0].state = RequestState::Pending;
    waits.requests[0].decisions.clear();
    assert_eq!(found(waits.clone()), [""; 0]);
    assert_eq!(four_eyes_of(waits), FourEyes::NotCarriedOut);

    let mut free = release(1);
    free.deployment.approval_required = false;
    free.requests.clear();
    assert_eq!(found(free.clone()), [""; 0]);
    assert_eq!(four_eyes_of(free), FourEyes::NotRequired);

    assert_eq!(found(overridden(Some(BOB))), ["OVERRIDDEN"]);
    assert_eq!(four_eyes_of(overridden(None)), FourEyes::Overridden);
    assert_eq!(
        found(overridden(None)),
        ["OVERRIDE_NOT_REVIEWED", "OVERRIDDEN"]
    );
}

/// Its plan had changed by the time it began, and nobody agreed to the new one.
#[test]
fn what_went_back_to_wait_was_not_carried_out() {
    let mut back = release(1);
    back.deployment.state = State::Canceled;
    back.history.truncate(4);
    for (state, second) in [(State::PendingApproval, 31), (State::Canceled, 60)] {
        back.history.push(Transition {
            state,
            at: at(second),
        });
    }
    back.requests[0].state = RequestState::Canceled { at: at(60) };
    back.requests[0].decisions.clear();
    assert_eq!(found(back), [""; 0]);
}

/// Each changes facts that are as they should be.
type Plant = fn(&mut DeploymentFacts);

#[test]
fn planted_violations_are_found() {
    let plants: [(&str, Plant); 14] = [
        ("APPROVED_BY_REQUESTER", |facts| {
            facts.requests[0].decisions[0] = approval(REQUESTER, 10);
        }),
        ("APPROVED_BY_REQUESTER", |facts| {
            facts.requests[0].decisions[0] = approval(MACHINE + REQUESTER, 10);
        }),
        ("APPROVED_BY_MAKER", |facts| {
            facts.requests[0].decisions[0] = approval(AUTHOR, 10);
        }),
        ("APPROVED_BY_MAKER", |facts| {
            facts.requests[0].decisions[0] = approval(MACHINE + MAKER, 10);
        }),
        ("APPROVED_TWICE", |facts| {
            facts.requests[0].decisions[0] = approval(MACHINE + BOB, 10);
        }),
        ("OTHER_PERSON", |facts| {
            facts.requests[0].decisions[0].person = id(9);
        }),
        ("TOO_FEW", |facts| {
            facts.requests[0].decisions.pop();
        }),
        ("TOO_FEW", |facts| {
            facts.requests[0].decisions[1].digest = Sha256::of_bytes(b"other");
        }),
        ("NOT_APPROVED", |facts| facts.requests.clear()),
        ("NOT_APPROVED", |facts| {
            facts.requests[0].state = RequestState::Superseded { at: at(25) };
        }),
        ("NOT_ASKED", |facts| {
            facts.requests.clear();
            facts.deployment.approval_required = false;
            facts.unasked = vec![Slug::known("two")];
        }),
        ("OTHER_PLAN", |facts| {
            facts.deployment.plan_digest = Sha256::of_bytes(b"other");
        }),
        ("APPROVED_LATE", |facts| {
            facts.requests[0].decisions[1].at = at(500);
        }),
        ("APPROVAL_EXPIRED", |facts| {
            facts.deployment.started_at = Some(at(2_000));
        }),
    ];
    for (word, plant) in plants {
        let mut facts = release(1);
        plant(&mut facts);
        assert_eq!(four_eyes_of(facts.clone()), FourEyes::Violated, "{word}");
        let words = found(facts);
        assert!(words.contains(&word), "{word}: {words:?}");
    }
    for reviewer in [ALICE, REQUESTER, MACHINE + ALICE, AUTHOR] {
        let words = found(overridden(Some(reviewer)));
        assert!(words.contains(&"REVIEWED_OWN"), "{reviewer}: {words:?}");
    }
}

#[test]
fn rules_that_stood_unchanged_were_to_be_asked() {
    use slipway_approvals::{Scope, Terms};
    let deployment = release(1).deployment;
    let policy = |since| StandingPolicy {
        scope: Scope::Tier(Tier::Production),
        terms: Terms {
            rules: vec![two_people()],
            ..Terms::default()
        },
        since: at(since),
    };
    let names = |tier, policies: &[StandingPolicy]| {
        let rules = unasked(&deployment, tier, policies);
        rules.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(Tier::Production, &[policy(-1)]), ["two"]);
    // What it asked for before is not known.
    assert!(names(Tier::Production, &[policy(1)]).is_empty());
    assert!(!names(Tier::Production, &[]).is_empty(), "what is built in");
    assert!(names(Tier::Development, &[policy(-1)]).is_empty());
    let rollback = ReportedDeployment {
        kind: DeploymentKind::Rollback,
        ..deployment.clone()
    };
    assert!(unasked(&rollback, Tier::Production, &[]).is_empty());
}

#[test]
fn the_digest_is_over_the_population_in_any_order() {
    let deployments = || vec![release(1), release(2)];
    let records = || vec![record(1, false), record(2, true)];
    let first = report(deployments(), records()).digest;
    let backwards = report(
        deployments().into_iter().rev().collect(),
        records().into_iter().rev().collect(),
    );
    assert_eq!(backwards.digest, first);
    assert_ne!(report(deployments(), vec![record(1, false)]).digest, first);
    let mut other = deployments();
    other[0].deployment.state = State::RolledBack;
    assert_ne!(report(other, records()).digest, first);
}

proptest! {
    /// Everything given is in the report exactly once, and what is out of the ordinary comes first, the worst at the top.
    #[test]
    fn everything_is_there_once_and_exceptions_come_first(
        deployments in prop::collection::vec((0_u8..4, 0_usize..3, -100_i64..100), 0..12),
        reported in prop::collection::vec(any::<bool>(), 0..12),
    ) {
        let mut sequence = 100;
        let mut given = BTreeMap::new();
        let facts: Vec<_> = (1_i64..).zip(&deployments).map(|(number, (sort, records, second))| {
            let mut facts = match sort {
                0 => release(number),
                1 => overridden(None),
                2 => overridden(Some(BOB)),
                _ => {
                    let mut facts = release(number);
                    facts.requests.clear();
                    facts
                }
            };
            facts.deployment.number = number;
            facts.deployment.created_at = at(*second);
            for _ in 0..*records {
                sequence += 1;
                facts.records.push(record(sequence, false));
                given.insert(sequence, Some(number));
            }
            facts
        }).collect();
        let records: Vec<_> = (1_i64..).zip(&reported).map(|(n, outside)| {
            given.insert(n, None);
            record(n, *outside)
        }).collect();
        let made = report(facts, records);
        let mut seen = BTreeMap::new();
        let mut numbers = BTreeSet::new();
        let mut last = (u8::MAX, at(-1_000));
        for entry in &made.entries {
            let worst = entry.exceptions().first().map_or(0, Exception::severity);
            prop_assert!(entry.exceptions().iter().all(|one| one.severity() <= worst));
            prop_assert!(worst <= last.0);
            let when = entry.at().0;
            prop_assert!(worst < last.0 || when >= last.1);
            last = (worst, when);
            match entry {
                Entry::Deployment { facts, .. } => {
                    prop_assert!(numbers.insert(facts.deployment.number));
                    for record in &facts.records {
                        let before = seen.insert(record.sequence, Some(facts.deployment.number));
                        prop_assert_eq!(before, None);
                    }
                }
                Entry::Reported { record, .. } => {
                    prop_assert_eq!(seen.insert(record.sequence, None), None);
                }
            }
        }
        prop_assert_eq!(numbers.len(), deployments.len());
        prop_assert_eq!(seen, given);
        let population = made.population;
        prop_assert_eq!(population.outside_governance + population.ungoverned, reported.len() as u64);
    }
}
