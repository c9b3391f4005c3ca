//! A project whose workflows go from environment to environment.

use std::time::Duration;

use slipway_deployments::{
    Change, Claim, Deployment, DeploymentKind, Gates, Item, ItemStatus, NewDeployment, Origin,
    Pipeline, Problem, Resolution, Stage, State, Verdict,
};
use slipway_kernel::{
    DeploymentId, EnvironmentId, PipelineId, ProjectId, Revision, Sha256, SnapshotId, Timestamp,
};
use slipway_snapshots::{Snapshot, SnapshotKind};

use crate::{
    Store, UnitOfWork,
    contract::given::{at, begin, commit, environment, name, principal_id, project, user, uuid},
};

/// A lease that lasts longer than any test.
pub(crate) const LONG: Duration = Duration::from_hours(1);

/// A project with environments and a pipeline from each to the next.
pub(crate) struct World<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) project: ProjectId,
    pub(crate) environments: Vec<EnvironmentId>,
    pub(crate) pipeline: PipelineId,
}

impl<'a> World<'a> {
    /// The project `n`; its things have identifiers from `n` thousand on. The user 1 is everybody's.
    pub(crate) async fn new(store: &'a dyn Store, n: u128, environments: u128) -> Self {
        let mut work = begin(store).await;
        let project = project(n, &format!("shop-{n}"));
        assert!(work.projects().insert(&project).await.expect("inserted"));
        if n == 1 {
            assert!(work.principals().insert(&user(1)).await.expect("inserted"));
        }
        let mut world = Self {
            store,
            project: project.id,
            environments: Vec::new(),
            pipeline: PipelineId::from_uuid(uuid(n * 1_000)),
        };
        for number in 0..environments {
            let environment =
                environment(n * 1_000 + number, world.project, &format!("e-{number}"), 0);
            let added = work.environments().insert(&environment).await;
            assert!(added.expect("inserted"));
            world.environments.push(environment.id);
        }
        let pipeline = world.pipeline(world.pipeline, "main");
        assert!(work.pipelines().insert(&pipeline).await.expect("inserted"));
        commit(work).await;
        world
    }

    /// A pipeline from each environment to the next, at most as many as it may have.
    pub(crate) fn pipeline(&self, id: PipelineId, slug: &str) -> Pipeline {
        let pairs = self.environments.windows(2);
        let stages = pairs
            .take(slipway_deployments::MAX_STAGES)
            .map(|pair| Stage {
                source: pair[0],
                target: pair[1],
                gates: Gates::default(),
            });
        Pipeline {
            id,
            project: self.project,
            slug: name(slug),
            display_name: name("Mäin"),
            description: name("All the way"),
            stages: stages.collect(),
            created_at: at(7),
            archived_at: None,
            revision: Revision::FIRST,
        }
    }

    /// A queued promotion without items to the environment at a place.
    pub(crate) fn promotion(&self, n: u128, target: usize) -> Deployment {
        let source = (target + 1) % self.environments.len();
        Deployment::from(NewDeployment {
            id: deployment_id(n),
            project: self.project,
            kind: DeploymentKind::Promotion,
            target: self.environments[target],
            origin: Origin::Stage {
                pipeline: self.pipeline,
                stage: 0,
                source: self.environments[source],
            },
            gates: Gates::default(),
            plan_digest: Sha256::of_bytes(b"plan"),
            requested_by: principal_id(1),
            created_at: at(100),
            reason: None,
            items: Vec::new(),
        })
    }

    /// A snapshot that somebody asked for, of the environment at a place.
    pub(crate) fn snapshot(&self, n: u128, environment: usize) -> Snapshot {
        Snapshot {
            id: SnapshotId::from_uuid(uuid(n)),
            project: self.project,
            environment: self.environments[environment],
            commit: name(&"0a".repeat(20)),
            content_hash: Sha256::of_bytes(b"workflows"),
            kind: SnapshotKind::ManualBackup,
            created_at: at(50),
            created_by: Some(principal_id(1)),
            deployment: None,
            notes: name("before \"the\" change"),
            workflows: 3,
        }
    }

    /// Adds a deployment in a unit of work of its own, and answers with it as it is then.
    pub(crate) async fn add(&self, deployment: Deployment) -> Deployment {
        let mut work = begin(self.store).await;
        let number = work.deployments().insert(&deployment).await;
        let number = number.expect("inserted");
        commit(work).await;
        Deployment {
            number,
            ..deployment
        }
    }

    /// Claims in a unit of work of its own, and lets what is queued run, as an executor does.
    pub(crate) async fn take(&self, lease: Duration) -> Option<Claim> {
        let mut work = begin(self.store).await;
        let claim = work.deployments().claim("executor", lease).await;
        let claim = claim.expect("an answer")?;
        let found = found(&mut *work, claim.deployment).await;
        if found.state == State::Queued {
            let running = became(&found, State::Running);
            let saved = work.deployments().update(&running, State::Queued).await;
            saved.expect("updated");
        }
        commit(work).await;
        Some(claim)
    }

    /// Lets a deployment go from where it is to another state.
    pub(crate) async fn go(&self, id: DeploymentId, to: State) {
        let mut work = begin(self.store).await;
        let before = found(&mut *work, id).await;
        let after = became(&before, to);
        let saved = work.deployments().update(&after, before.state).await;
        saved.expect("updated");
        commit(work).await;
    }
}

/// An identifier of a deployment.
pub(crate) const fn deployment_id(n: u128) -> DeploymentId {
    DeploymentId::from_uuid(uuid(n))
}

/// A deployment as a unit of work sees it.
pub(crate) async fn found(work: &mut dyn UnitOfWork, id: DeploymentId) -> Deployment {
    let found = work.deployments().find_by_id(id).await;
    found.expect("read").expect("found")
}

/// A deployment in another state, with an end where that is over.
pub(crate) fn became(deployment: &Deployment, state: State) -> Deployment {
    Deployment {
        state,
        finished_at: state.is_over().then(|| later(deployment.created_at)),
        ..deployment.clone()
    }
}

fn later(time: Timestamp) -> Timestamp {
    time.plus(Duration::from_secs(1))
}

/// An item that is to be created.
pub(crate) fn item(position: u32) -> Item {
    Item {
        position,
        key: name(&format!("orders-{position}")),
        name: format!("Orders {position}"),
        application: None,
        change: Change::Created,
        status: ItemStatus::Pending,
        workflow: None,
        before: None,
        after: Some(Sha256::of_bytes(&position.to_le_bytes())),
        rank: 0,
        in_cycle: false,
        problem: None,
        released: None,
    }
}

/// How the user 1 resolved a doubt.
pub(crate) fn resolution(verdict: Verdict) -> Resolution {
    Resolution {
        by: principal_id(1),
        at: at(103),
        verdict,
        reason: name("I looked"),
        doubt: Some(Problem {
            reason: "OUTCOME_UNKNOWN".to_owned(),
            message: "no answer\u{fffd}".to_owned(),
        }),
    }
}
