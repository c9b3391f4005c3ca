//! How long it takes to say which rules a deployment has to meet and whether they are met.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;
use slipway_approvals::{
    ApprovalRequest, Asked, Decision, Effective, Eligible, Person, RequestState, Rule, Scope,
    Subject, Terms, Verdict, Voter, VoterRole,
};
use slipway_kernel::{
    ApplicationKind, ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, ProjectId,
    RiskLevel, Sha256, Slug, Tier, Timestamp, text::Reason,
};
use uuid::Uuid;

use super::Bench;
use crate::Failure;
use crate::report::{Better, Metric};
use crate::stats::{Spread, float};

/// Rules of the policy: the most that one may have.
const RULES: usize = 50;
/// The longest that an evaluation may take, in microseconds.
const LIMIT: f64 = 50.0;
/// Groups of the project.
const GROUPS: usize = 10;
/// Evaluations between two looks at the clock.
const AT_ONCE: u32 = 50;
/// For how long each figure is taken.
const MEASURED: Duration = Duration::from_millis(300);

/// Whom the rules ask.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Each rule everybody.
    Everybody,
    /// Each rule a group; everybody is in three.
    Groups,
    /// Each rule two people by name, of whom the next rule asks one too: who is placed moves others.
    Chain,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Everybody, Self::Groups, Self::Chain];

    const fn name(self) -> &'static str {
        match self {
            Self::Everybody => "each rule asks everybody",
            Self::Groups => "each rule asks one of ten groups",
            Self::Chain => "each rule asks two people by name",
        }
    }

    fn eligible(self, rule: usize, people: usize) -> Result<Eligible, Failure> {
        Ok(match self {
            Self::Everybody => Eligible {
                roles: [VoterRole::Admin].into(),
                ..Eligible::default()
            },
            Self::Groups => Eligible {
                groups: [group(rule % GROUPS)?].into(),
                ..Eligible::default()
            },
            Self::Chain => Eligible {
                principals: [rule, rule + 1].map(|n| principal(n % people)).into(),
                ..Eligible::default()
            },
        })
    }
}

pub(super) fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for people in [20, 50, 100] {
        let mut slowest: Option<(Shape, Vec<f64>)> = None;
        let mut shapes = serde_json::Map::new();
        for shape in Shape::ALL {
            let world = World::new(shape, people)?;
            let mut taken = Vec::new();
            for _ in 0..bench.options.rounds {
                taken.push(world.microseconds());
            }
            let spread = Spread::of(&taken);
            shapes.insert(shape.name().to_owned(), spread.json());
            if slowest
                .as_ref()
                .is_none_or(|(_, other)| Spread::of(other).median < spread.median)
            {
                slowest = Some((shape, taken));
            }
        }
        let (shape, taken) = slowest.ok_or("nothing was measured")?;
        let ratios: Vec<_> = taken.iter().map(|figure| figure / LIMIT).collect();
        // The target is for as many people as a team has; more are for comparison.
        let target = (people == 20).then_some(1.0);
        let case = format!("{RULES} rules, {people} people");
        bench.report.add(
            Metric::new("policy", &case, &ratios, target, Better::Lower).with_all(json!({
                "figure": Spread::of(&taken).json(),
                "unit": "µs for one evaluation, of the slowest of the shapes",
                "limit": LIMIT,
                "measured": "which rules of the policies apply to a release, and who counts for which of the rules that were \
                             asked, all people having approved; in memory, without reading either from the database",
                "rules": "one policy, all of whose rules apply, each of which needs one person; each person counts once",
                "slowest": shape.name(),
                "shapes": shapes,
            })),
        );
    }
    Ok(())
}

/// What one evaluation looks at.
struct World {
    policies: Effective,
    subject: Subject,
    request: ApprovalRequest,
    voters: Vec<Voter>,
    excluded: Vec<Person>,
}

impl World {
    /// Everybody but who asked has approved.
    fn new(shape: Shape, people: usize) -> Result<Self, Failure> {
        let voters: Vec<_> = (0..people).map(voter).collect::<Result<_, _>>()?;
        let mut terms = Terms::default();
        for number in 0..RULES {
            terms.rules.push(Rule {
                name: format!("rule-{number}").parse()?,
                required: 1,
                eligible: shape.eligible(number, people)?,
                from_risk: RiskLevel::Low,
                kinds: [ApplicationKind::Service].into(),
            });
        }
        let environment = EnvironmentId::from_uuid(Uuid::from_u128(1));
        let policies = Effective::new(
            environment,
            Tier::Development,
            [(Scope::Environment(environment), terms)],
        );
        let subject = Subject {
            risk: RiskLevel::Medium,
            kinds: [ApplicationKind::Service].into(),
        };
        let rules = policies.rules(&subject, false);
        let asked = rules
            .into_iter()
            .map(|(source, rule)| Asked::of(source, rule, &voters));
        let request = request(environment, asked.collect(), people)?;
        let world = Self {
            policies,
            subject,
            request,
            voters,
            excluded: vec![person(people)],
        };
        // As many as there can be: the figure is of a count that counts.
        let (rules, counted) = world.evaluate();
        if rules != RULES || counted != RULES.min(people) {
            return Err(format!("{counted} of {people} people count for {rules} rules").into());
        }
        Ok(world)
    }

    /// How many rules apply, and how many people count.
    fn evaluate(&self) -> (usize, usize) {
        let rules = self.policies.rules(&self.subject, false);
        let tally = self.request.tally(&self.voters, &self.excluded);
        (rules.len(), tally.counted.iter().map(Vec::len).sum())
    }

    fn microseconds(&self) -> f64 {
        let mut taken = Vec::new();
        let end = Instant::now() + MEASURED;
        while Instant::now() < end {
            let began = Instant::now();
            for _ in 0..AT_ONCE {
                black_box(black_box(self).evaluate());
            }
            taken.push(began.elapsed().as_secs_f64() * 1e6 / float(AT_ONCE));
        }
        Spread::of(&taken).median
    }
}

fn principal(number: usize) -> PrincipalId {
    PrincipalId::from_uuid(Uuid::from_u128(number as u128 + 1))
}

fn person(number: usize) -> Person {
    Person {
        principal: principal(number),
        owner: None,
    }
}

fn group(number: usize) -> Result<Slug, Failure> {
    Ok(format!("group-{number}").parse()?)
}

fn voter(number: usize) -> Result<Voter, Failure> {
    let groups = [number, number * 3 + 1, number * 7 + 2];
    Ok(Voter {
        person: person(number),
        disabled: false,
        roles: [VoterRole::Admin].into(),
        groups: groups
            .into_iter()
            .map(|it| group(it % GROUPS))
            .collect::<Result<BTreeSet<_>, _>>()?,
    })
}

fn request(
    environment: EnvironmentId,
    rules: Vec<Asked>,
    people: usize,
) -> Result<ApprovalRequest, Failure> {
    let digest = Sha256::of_bytes(b"plan");
    let decided_at = Timestamp::from_micros(150)?;
    let decision = |number| Decision {
        principal: principal(number),
        person: principal(number),
        verdict: Verdict::Approve,
        rule: None,
        comment: Reason::default(),
        at: decided_at,
        digest,
        withdrawn: None,
    };
    Ok(ApprovalRequest {
        id: ApprovalRequestId::from_uuid(Uuid::from_u128(2)),
        project: ProjectId::from_uuid(Uuid::from_u128(3)),
        deployment: DeploymentId::from_uuid(Uuid::from_u128(4)),
        deployment_number: 1,
        environment,
        digest,
        requester: principal(people),
        rules,
        created_at: Timestamp::from_micros(100)?,
        not_before: None,
        expires_at: Timestamp::from_micros(200)?,
        state: RequestState::Pending,
        decisions: (0..people).map(decision).collect(),
        overridden: None,
    })
}
