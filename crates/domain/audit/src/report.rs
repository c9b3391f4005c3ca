//! Compliance reports: everything that changed the environments of a project in a period, who agreed to it, and what was
//! out of the ordinary.
//!
//! A report says what the facts say: whether four eyes looked is counted anew from the decisions, the rules that were asked
//! and the people that accounts belong to, and not read from a state that somebody once set.

mod finding;
mod queries;
mod recheck;
mod standing;

pub use finding::{Exception, Finding, FourEyes};
pub use queries::{
    MESSAGE_CHARACTERS, ReportQueries, ReportedChoice, ReportedDeployment, ReportedItem,
    ReportedLink,
};
use recheck::recheck;
pub use standing::{StandingPolicy, unasked};

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;
use slipway_approvals::{ApprovalRequest, FreezeOverride, Person};
use slipway_deployments::Transition;
use slipway_kernel::{
    DeploymentId, EnvironmentId, PrincipalId, ProjectId, RecordId, Sha256, Slug, Timestamp,
    digest::{CanonicalError, digest_of},
};
use slipway_ledger::Record;

/// The form of a report's digest.
pub const REPORT_FORM: &str = "slipway.report.v1";
/// The most deployments of a report.
pub const MAX_DEPLOYMENTS: usize = 20_000;
/// The most records of a report.
pub const MAX_RECORDS: usize = 200_000;
/// The most items of a report.
pub const MAX_ITEMS: usize = 200_000;

/// What a report is about. A record is of the period when its deployment time is; a deployment when any part of its life
/// is, from its creation to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The project.
    pub project: ProjectId,
    /// The beginning.
    pub from: Timestamp,
    /// The end, which is not part of it.
    pub to: Timestamp,
    /// One environment only; `None` for all.
    pub environment: Option<(EnvironmentId, Slug)>,
}

/// A deployment with all that is known about it.
#[derive(Debug, Clone)]
pub struct DeploymentFacts {
    /// The deployment.
    pub deployment: ReportedDeployment,
    /// Its states, oldest first.
    pub history: Vec<Transition>,
    /// Its approval requests, oldest first.
    pub requests: Vec<ApprovalRequest>,
    /// Who asked for it, and who wrote or added a version that it deploys.
    pub makers: Vec<Person>,
    /// What it was let through.
    pub freezes: Vec<FreezeOverride>,
    /// What it changes, by position.
    pub items: Vec<ReportedItem>,
    /// The records that it wrote, in the period.
    pub records: Vec<Record>,
    /// Rules that stood unchanged since before it was created and apply to it, where nobody was asked.
    pub unasked: Vec<Slug>,
}

impl DeploymentFacts {
    /// Whether people had to agree, by policies or its stage.
    pub fn was_asked(&self) -> bool {
        self.deployment.approval_required || !self.requests.is_empty()
    }

    /// The request that counts: the one that is pending or approved, or else the newest.
    pub fn request(&self) -> Option<&ApprovalRequest> {
        use slipway_approvals::StateKind::{Approved, Pending};
        let current = |request: &&ApprovalRequest| {
            let kind = request.state.kind();
            (
                matches!(kind, Pending | Approved),
                request.created_at,
                request.id,
            )
        };
        self.requests.iter().max_by_key(current)
    }
}

/// One part of a report.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A deployment.
    Deployment {
        /// What is known about it.
        facts: Box<DeploymentFacts>,
        /// Whether four eyes looked.
        four_eyes: FourEyes,
        /// What is out of the ordinary, the worst first.
        exceptions: Vec<Exception>,
    },
    /// A record that no deployment wrote: somebody reported it.
    Reported {
        /// The record.
        record: Box<Record>,
        /// What is out of the ordinary.
        exceptions: Vec<Exception>,
    },
}

impl Entry {
    /// What is out of the ordinary.
    pub fn exceptions(&self) -> &[Exception] {
        match self {
            Self::Deployment { exceptions, .. } | Self::Reported { exceptions, .. } => exceptions,
        }
    }

    fn at(&self) -> (Timestamp, i64) {
        match self {
            Self::Deployment { facts, .. } => {
                (facts.deployment.created_at, facts.deployment.number)
            }
            Self::Reported { record, .. } => (record.deployed_at, record.sequence),
        }
    }
}

/// How much a report is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Population {
    /// Deployments.
    pub deployments: u64,
    /// Records that deployments wrote.
    pub deployed_records: u64,
    /// Records that somebody reported of environments that policies governed.
    pub outside_governance: u64,
    /// Records that somebody reported where nothing governed.
    pub ungoverned: u64,
    /// Entries with something out of the ordinary.
    pub exceptions: u64,
}

/// A report.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it is about.
    pub bounds: Bounds,
    /// How much that is.
    pub population: Population,
    /// The digest over the bounds and the population, in the form [`REPORT_FORM`].
    pub digest: Sha256,
    /// What is out of the ordinary first, the worst of it at the top; then the rest, by time.
    pub entries: Vec<Entry>,
}

impl Report {
    /// A report of these deployments, and of the records that somebody reported. `people` says whom accounts belong to.
    pub fn new(
        bounds: Bounds,
        deployments: Vec<DeploymentFacts>,
        reported: Vec<Record>,
        people: &HashMap<PrincipalId, Person>,
    ) -> Result<Self, CanonicalError> {
        let digest = digest(&bounds, &deployments, &reported)?;
        let mut population = Population::default();
        let mut entries = Vec::with_capacity(deployments.len() + reported.len());
        for facts in deployments {
            population.deployments += 1;
            population.deployed_records += facts.records.len() as u64;
            entries.push(recheck(facts, people));
        }
        for record in reported {
            let outside = record.outside_governance;
            population.outside_governance += u64::from(outside);
            population.ungoverned += u64::from(!outside);
            let exceptions = outside.then_some(Exception::OutsideGovernance);
            entries.push(Entry::Reported {
                record: Box::new(record),
                exceptions: exceptions.into_iter().collect(),
            });
        }
        let exceptional = entries
            .iter()
            .filter(|entry| !entry.exceptions().is_empty());
        population.exceptions = exceptional.count() as u64;
        let place = |entry: &Entry| {
            let worst = entry.exceptions().first().map(Exception::severity);
            (Reverse(worst), entry.at())
        };
        entries.sort_by_cached_key(place);
        Ok(Self {
            bounds,
            population,
            digest,
            entries,
        })
    }
}

/// What a digest is made of: what there is, and where it stood.
fn digest(
    bounds: &Bounds,
    deployments: &[DeploymentFacts],
    reported: &[Record],
) -> Result<Sha256, CanonicalError> {
    #[derive(Serialize)]
    struct Counted {
        id: DeploymentId,
        number: i64,
        plan: Sha256,
        state: slipway_deployments::State,
    }
    #[derive(Serialize)]
    struct Hashed<'a> {
        project: ProjectId,
        from: Timestamp,
        to: Timestamp,
        environment: Option<&'a Slug>,
        deployments: Vec<Counted>,
        records: Vec<RecordId>,
    }
    let counted = |facts: &DeploymentFacts| Counted {
        id: facts.deployment.id,
        number: facts.deployment.number,
        plan: facts.deployment.plan_digest,
        state: facts.deployment.state,
    };
    let mut deployments_counted: Vec<_> = deployments.iter().map(counted).collect();
    deployments_counted.sort_unstable_by_key(|counted| counted.number);
    let written = deployments.iter().flat_map(|facts| &facts.records);
    let records = written.chain(reported).map(|record| record.id);
    let mut records: Vec<_> = records.collect();
    records.sort_unstable();
    let hashed = Hashed {
        project: bounds.project,
        from: bounds.from,
        to: bounds.to,
        environment: bounds.environment.as_ref().map(|(_, slug)| slug),
        deployments: deployments_counted,
        records,
    };
    digest_of(REPORT_FORM, &hashed)
}

#[cfg(test)]
mod tests;
