//! What was agreed to is looked at again before it is carried out, on both databases.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use slipway_application::Context;
use slipway_application::approvals::{
    ApprovalError, Decide, Decided, approve, expire_approvals, get_approval_request, reject,
};
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    CancelDeployment, PlanPromotion, StartPromotion, cancel_deployment, get_deployment,
    start_promotion,
};
use slipway_application::environments::create_environment;
use slipway_application::memberships::{SetMembership, set_membership};
use slipway_application::pipelines::{
    CreatePipeline, NamedStage, Stages, UpdatePipeline, create_pipeline, update_pipeline,
};
use slipway_application::principals::{DisablePrincipal, NewPrincipal, disable_principal};
use slipway_application::snapshots::{
    CreateSnapshot, RestoreSnapshot, create_snapshot, restore_snapshot,
};
use slipway_approvals::{ApprovalRequest, StateKind, policy::DEFAULT_EXPIRY};
use slipway_deployments::{Deployment, DeploymentName, Gates, ItemStatus, State};
use slipway_identity::{Caller, Role, membership::Groups};
use slipway_kernel::PrincipalId;
use slipway_sql::Options;
use slipway_workflows::EngineSettings;
use support::outside::{Bare, Folders};
use support::{Installation, TestClock, by, installation, installation_on, new_environment, slug};
use tempfile::TempDir;

const WEEK: i64 = DEFAULT_EXPIRY.as_secs().cast_signed();

/// An installation with the pipeline `way` from `dev` to `prod`, a developer who asks and administrators who answer.
struct World {
    context: Arc<Context>,
    clock: Arc<TestClock>,
    directory: TempDir,
    root: Caller,
    developer: Caller,
    approver: Caller,
    /// Further ones.
    admins: [Caller; 3],
    /// A machine that administers, and who answers for it.
    machine: (Caller, PrincipalId),
}

/// Runs a case on each database that there is.
macro_rules! on_both {
    ($($case:ident($gated:literal)),+ $(,)?) => {$(
        mod $case {
            #[tokio::test]
            async fn on_sqlite() {
                let installation = super::installation().await;
                super::cases::$case(super::World::new(installation, $gated).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let Some(database) = slipway_test_support::postgres::database().await else {
                    return;
                };
                let installation = super::installation_on(&super::Options::new(database.url())).await;
                super::cases::$case(super::World::new(installation, $gated).await).await;
            }
        }
    )+};
}

on_both! {
    who_agreed_must_still_count(true),
    an_approval_does_not_last_for_ever(true),
    a_stage_that_is_gated_meanwhile_stops_what_waits(false),
    another_plan_is_asked_about_anew(true),
    who_wants_to_stop_is_not_asked_again(true),
    a_restore_is_looked_at_again(true),
    nobody_agrees_too_late(true),
    answers_cancels_and_the_end_meet(true),
}

fn gates(approval_required: bool) -> Gates {
    Gates {
        approval_required,
        ..Gates::default()
    }
}

fn stages(approval_required: bool) -> Stages {
    let stage = NamedStage {
        source: slug("dev"),
        target: slug("prod"),
        gates: gates(approval_required),
    };
    Stages::new(vec![stage]).expect("stages")
}

impl World {
    async fn new(installation: Installation, gated: bool) -> Self {
        let repositories = Bare(installation.directory.path().join("git"));
        fs::create_dir_all(&repositories.0).unwrap();
        let admin = |name| installation.member(name, &[Role::Admin]);
        let (developer, approver) = (
            installation.member("developer", &[Role::Developer]).await,
            admin("approver").await,
        );
        let admins = [admin("one").await, admin("two").await, admin("three").await];
        let owner = installation.user("owner").await.id;
        let machine = NewPrincipal::ServiceAccount { owner };
        let machine = installation.principal("machine", machine, false).await.id;
        installation.admit(machine, &[Role::Admin]).await;
        let machine = (installation.token(machine).await.1, owner);
        let context = installation
            .context
            .with_outside(Arc::new(Folders::default()), Arc::new(repositories));
        let world = Self {
            context: Arc::new(context),
            clock: installation.clock,
            directory: installation.directory,
            root: installation.admin,
            developer,
            approver,
            admins,
            machine,
        };
        world.set_up(gated).await;
        world
    }

    async fn set_up(&self, gated: bool) {
        for name in ["dev", "prod"] {
            fs::create_dir_all(self.folder(name)).unwrap();
            let created = create_environment(&self.context, &by(&self.root), new_environment(name))
                .await
                .expect("created");
            let settings = EngineSettings::Directory {
                path: self.folder(name).display().to_string(),
            };
            let mut unit = self.context.store.begin().await.unwrap();
            let engines = unit.engines();
            let set = engines.set_engine(created.id, Some(&settings));
            set.await.unwrap();
            unit.commit().await.unwrap();
        }
        let command = CreatePipeline {
            project: slug("default"),
            slug: slug("way"),
            display_name: "Way".parse().unwrap(),
            description: "".parse().unwrap(),
            stages: stages(gated),
        };
        let created = create_pipeline(&self.context, &by(&self.root), command).await;
        created.expect("created");
        self.write("Orders", "v1");
    }

    fn folder(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment)
    }

    fn write(&self, name: &str, order: &str) {
        let document = json!({"name": name, "nodes": [], "connections": {}, "settings": {"executionOrder": order}});
        let file = self.folder("dev").join(format!("{name}.json"));
        fs::write(file, document.to_string()).unwrap();
    }

    fn in_prod(&self) -> usize {
        fs::read_dir(self.folder("prod")).unwrap().count()
    }

    async fn start(&self) -> Deployment {
        let command = StartPromotion {
            promotion: PlanPromotion {
                project: slug("default"),
                pipeline: slug("way"),
                target: slug("prod"),
                workflows: None,
            },
            plan_digest: None,
        };
        let started = start_promotion(&self.context, &by(&self.developer), command).await;
        started.expect("started")
    }

    fn answer(deployment: &Deployment) -> Decide {
        Decide {
            project: slug("default"),
            deployment: DeploymentName::Id(deployment.id),
            plan_digest: deployment.plan_digest,
            rule: None,
            comment: "so be it".parse().unwrap(),
        }
    }

    async fn approve_as(
        &self,
        caller: &Caller,
        deployment: &Deployment,
    ) -> Result<Decided, ApprovalError> {
        approve(&self.context, &by(caller), Self::answer(deployment)).await
    }

    async fn approved(&self) -> Deployment {
        let started = self.start().await;
        let decided = self.approve_as(&self.approver, &started).await;
        decided.expect("approved").deployment
    }

    async fn cancel(&self, deployment: &Deployment) -> bool {
        let command = CancelDeployment {
            project: slug("default"),
            deployment: DeploymentName::Id(deployment.id),
            reason: "no".parse().unwrap(),
        };
        let canceled = cancel_deployment(&self.context, &by(&self.developer), command).await;
        canceled.is_ok()
    }

    fn executor(&self) -> Executor {
        Executor::new(Arc::clone(&self.context), "test", Limits::default())
    }

    async fn carry_out(&self, deployment: &Deployment) -> Deployment {
        let mut ended = Ended::Idle;
        // Who was refused a moment ago may hold the deployment still, and then it is passed over.
        for _ in 0..100 {
            let tried = self.executor().carry_out_one(|| false).await;
            ended = tried.expect("carried out");
            if ended != Ended::Idle {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(ended, Ended::Settled);
        self.get(deployment).await
    }

    async fn get(&self, deployment: &Deployment) -> Deployment {
        let name = DeploymentName::Id(deployment.id);
        let caller = &self.developer;
        let found = get_deployment(&self.context, &by(caller), &slug("default"), name).await;
        found.expect("found").0
    }

    async fn request(&self, deployment: &Deployment) -> ApprovalRequest {
        let name = DeploymentName::Id(deployment.id);
        let caller = &self.developer;
        let found = get_approval_request(&self.context, &by(caller), &slug("default"), name).await;
        found.expect("found").request
    }

    /// The deployment waits again, nothing was touched, and nothing is left to carry out.
    async fn waits_again(&self, before: &Deployment, request: &ApprovalRequest) -> Deployment {
        let after = self.carry_out(before).await;
        assert_eq!(after.state, State::PendingApproval, "{after:?}");
        assert_eq!((after.approved_by, after.started_at), (None, None));
        assert_eq!(self.in_prod(), 0);
        let opened = self.request(before).await;
        assert_ne!(opened.id, request.id);
        assert_eq!(opened.state.kind(), StateKind::Pending);
        assert_eq!(opened.digest, after.plan_digest);
        assert_eq!(opened.decisions, []);
        let idle = self.executor().carry_out_one(|| false).await;
        assert_eq!(idle.expect("looked"), Ended::Idle);
        after
    }

    async fn disable(&self, principal: PrincipalId) {
        let command = DisablePrincipal {
            principal,
            reason: "left".parse().unwrap(),
        };
        let disabled = disable_principal(&self.context, &by(&self.root), command).await;
        disabled.expect("disabled");
    }

    async fn demote(&self, principal: PrincipalId) {
        let command = SetMembership {
            project: slug("default"),
            principal,
            roles: BTreeSet::from([Role::Developer]).try_into().unwrap(),
            groups: Groups::default(),
        };
        let set = set_membership(&self.context, &by(&self.root), command).await;
        set.expect("set");
    }
}

mod cases {
    use super::*;

    /// Demoted, shut out, or the owner of the machine shut out: each between the approval and the claim.
    pub(super) async fn who_agreed_must_still_count(world: World) {
        let [demoted, left, _] = &world.admins;
        let (machine, owner) = &world.machine;
        let deployment = world.start().await;
        for (number, approver) in [demoted, left, machine].into_iter().enumerate() {
            let approved = world.approve_as(approver, &deployment).await;
            let request = approved.expect("approved").request;
            match number {
                0 => world.demote(demoted.principal).await,
                1 => world.disable(left.principal).await,
                _ => world.disable(*owner).await,
            }
            world.waits_again(&deployment, &request).await;
        }
        let approved = world.approve_as(&world.approver, &deployment).await;
        approved.expect("approved");
        let done = world.carry_out(&deployment).await;
        assert_eq!(done.state, State::Succeeded, "{done:?}");
        assert_eq!(done.approved_by, Some(world.approver.principal));
    }

    pub(super) async fn an_approval_does_not_last_for_ever(world: World) {
        let deployment = world.approved().await;
        let request = world.request(&deployment).await;
        world.clock.pass(WEEK);
        world.waits_again(&deployment, &request).await;
    }

    pub(super) async fn a_stage_that_is_gated_meanwhile_stops_what_waits(world: World) {
        let deployment = world.start().await;
        assert_eq!(deployment.state, State::Queued);
        let command = UpdatePipeline {
            project: slug("default"),
            pipeline: slug("way"),
            display_name: None,
            description: None,
            stages: Some(stages(true)),
            etag: None,
        };
        let updated = update_pipeline(&world.context, &by(&world.root), command).await;
        updated.expect("updated");
        let waits = world.carry_out(&deployment).await;
        assert_eq!(waits.state, State::PendingApproval);
        let approved = world.approve_as(&world.approver, &waits).await;
        approved.expect("approved");
        let done = world.carry_out(&deployment).await;
        assert_eq!(done.state, State::Succeeded, "{done:?}");
    }

    /// New items, new steps, new digest; what was agreed to does not count for it.
    pub(super) async fn another_plan_is_asked_about_anew(world: World) {
        world.write("Mail", "v1");
        let deployment = world.approved().await;
        let request = world.request(&deployment).await;
        world.write("Orders", "v0");
        fs::remove_file(world.folder("dev").join("Mail.json")).unwrap();
        // What is gone from the source stands against the plan: that ends it, as where nobody is asked.
        let failed = world.carry_out(&deployment).await;
        assert_eq!(failed.state, State::Failed, "{failed:?}");
        assert_eq!(failed.problem.expect("why").reason, "PLAN_CHANGED");

        world.write("Mail", "v1");
        let deployment = world.approved().await;
        let first = world.request(&deployment).await;
        assert_ne!(first.id, request.id);
        world.write("Orders", "v1");
        let waits = world.waits_again(&deployment, &first).await;
        assert_ne!(waits.plan_digest, deployment.plan_digest);
        let item = |found: &Deployment| {
            found
                .items
                .iter()
                .find(|item| item.name == "Orders")
                .cloned()
        };
        assert_ne!(
            item(&waits).unwrap().after,
            item(&deployment).unwrap().after
        );
        let stale = world.approve_as(&world.approver, &deployment).await;
        assert!(
            matches!(stale, Err(ApprovalError::PlanChanged { .. })),
            "{stale:?}"
        );
        let approved = world.approve_as(&world.approver, &waits).await;
        approved.expect("approved");
        let done = world.carry_out(&deployment).await;
        assert_eq!(done.state, State::Succeeded, "{done:?}");
        let succeeded = |status| status == ItemStatus::Succeeded;
        assert!(done.items.iter().all(|item| succeeded(item.status)));
        assert_eq!(world.in_prod(), 2);
    }

    /// A wish to stop that comes while the preflight finds another plan is kept: either it comes first and the deployment
    /// ends, or it finds the deployment waiting and ends it there.
    pub(super) async fn who_wants_to_stop_is_not_asked_again(world: World) {
        let world = Arc::new(world);
        for number in 0..50 {
            world.write(&format!("Many-{number}"), "v1");
        }
        let mut seen = BTreeSet::new();
        for round in 0..12 {
            world.write("Orders", if round % 2 == 0 { "v1" } else { "v0" });
            let deployment = world.approved().await;
            world.write("Orders", if round % 2 == 0 { "v0" } else { "v1" });
            let executor = world.executor();
            // In the first round the executor comes too late, and in the last one it is through.
            let (late, wait) = match round {
                0 => (500, 0),
                11 => (0, 1_000),
                _ => (0, round * 3),
            };
            let millis = std::time::Duration::from_millis;
            let carried_out = tokio::spawn(async move {
                tokio::time::sleep(millis(late)).await;
                executor.carry_out_one(|| false).await
            });
            tokio::time::sleep(millis(wait)).await;
            let stopped = world.cancel(&deployment).await;
            carried_out.await.unwrap().expect("carried out");
            let found = world.get(&deployment).await;
            assert!(stopped, "{found:?}");
            assert!(found.state.is_over(), "{found:?}");
            let request = world.request(&deployment).await;
            assert_ne!(request.state.kind(), StateKind::Pending);
            seen.insert((found.state, request.state.kind()));
        }
        println!("stopped meanwhile: {seen:?}");
        for request in [StateKind::Approved, StateKind::Canceled] {
            assert!(seen.contains(&(State::Canceled, request)), "{seen:?}");
        }
        assert_eq!(world.in_prod(), 0);
    }

    pub(super) async fn a_restore_is_looked_at_again(world: World) {
        let admin = &world.root;
        let command = CreateSnapshot {
            project: slug("default"),
            environment: slug("prod"),
            notes: "".parse().unwrap(),
        };
        let snapshot = create_snapshot(&world.context, &by(admin), command).await;
        let command = RestoreSnapshot {
            project: slug("default"),
            snapshot: snapshot.expect("taken").id,
        };
        let asked = restore_snapshot(&world.context, &by(admin), command).await;
        let deployment = asked.expect("asked");
        assert_eq!(deployment.state, State::PendingApproval);
        let own = world.approve_as(admin, &deployment).await;
        assert!(
            matches!(own, Err(ApprovalError::OwnRequest { .. })),
            "{own:?}"
        );
        let [left, ..] = &world.admins;
        let approved = world.approve_as(left, &deployment).await.expect("approved");
        world.disable(left.principal).await;
        world.waits_again(&deployment, &approved.request).await;
        let approved = world.approve_as(&world.approver, &deployment).await;
        approved.expect("approved");
        let done = world.carry_out(&deployment).await;
        assert_eq!(done.state, State::Succeeded, "{done:?}");
    }

    /// Refused from the moment on at which it expires, and ended by the next look.
    pub(super) async fn nobody_agrees_too_late(world: World) {
        let deployment = world.start().await;
        world.clock.pass(WEEK - 1);
        assert_eq!(expire_approvals(&world.context).await.expect("looked"), 0);
        world.clock.pass(1);
        let state = StateKind::Expired;
        for answer in [
            approve(
                &world.context,
                &by(&world.approver),
                World::answer(&deployment),
            )
            .await,
            reject(
                &world.context,
                &by(&world.approver),
                World::answer(&deployment),
            )
            .await,
        ] {
            let late = answer.expect_err("too late");
            assert!(
                matches!(&late, ApprovalError::NotPending { state: found, .. } if *found == state),
                "{late}"
            );
        }
        assert_eq!(expire_approvals(&world.context).await.expect("looked"), 1);
        assert_eq!(expire_approvals(&world.context).await.expect("looked"), 0);
        let ended = world.get(&deployment).await;
        assert_eq!(ended.state, State::Expired);
        assert!(ended.finished_at.is_some());
        assert_eq!(world.request(&deployment).await.state.kind(), state);
        assert!(!world.cancel(&deployment).await);
    }

    /// Two approve, one rejects, one cancels, two servers look for what expires: one of them decides.
    pub(super) async fn answers_cancels_and_the_end_meet(world: World) {
        let world = Arc::new(world);
        let [second, third, _] = world.admins.clone();
        let mut seen = std::collections::BTreeMap::new();
        for round in 0..16 {
            world.write(&format!("Round-{round}"), "v1");
            let deployment = world.start().await;
            // In half of the rounds the time runs out while they answer.
            let runs_out = round % 2 == 0;
            // In half of the rounds one has a start, so that each of the ends comes about.
            let ahead = [4, 0, 3, 2][round % 4];
            let together = round / 4 % 2 == 1;
            world.clock.pass(WEEK - i64::from(runs_out));
            if !runs_out {
                world.clock.pass(-10);
            }
            let tasks = (0..6).map(|who| {
                let (world, deployment) = (Arc::clone(&world), deployment.clone());
                let (second, third) = (second.clone(), third.clone());
                tokio::spawn(async move {
                    if who != ahead && !together {
                        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
                    }
                    match who {
                        0 => world.approve_as(&world.approver, &deployment).await.is_ok(),
                        1 => world.approve_as(&second, &deployment).await.is_ok(),
                        2 => {
                            let answer = World::answer(&deployment);
                            reject(&world.context, &by(&third), answer).await.is_ok()
                        }
                        3 if ahead == 3 || round % 3 == 0 => world.cancel(&deployment).await,
                        _ => {
                            if runs_out {
                                world.clock.pass(1);
                            }
                            expire_approvals(&world.context).await.expect("looked");
                            false
                        }
                    }
                })
            });
            let won: Vec<bool> = join_all(tasks)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect();
            let request = world.request(&deployment).await;
            let state = request.state.kind();
            let answers = won[..3].iter().filter(|won| **won).count();
            assert_eq!(request.decisions.len(), answers);
            let found = world.get(&deployment).await.state;
            let fits = match state {
                StateKind::Approved => {
                    answers == 1 && matches!(found, State::Queued | State::Canceled)
                }
                StateKind::Rejected => answers == 1 && found == State::Rejected,
                StateKind::Canceled => answers == 0 && won[3] && found == State::Canceled,
                StateKind::Expired => answers == 0 && !won[3] && found == State::Expired,
                StateKind::Pending | StateKind::Superseded => false,
            };
            assert!(fits, "{state} {found} {won:?}");
            *seen.entry(state).or_insert(0) += 1;
            if found == State::Queued {
                world.carry_out(&deployment).await;
            }
        }
        println!("of answers at once: {seen:?}");
        let ends: Vec<_> = seen.keys().copied().collect();
        let [approved, rejected] = [StateKind::Approved, StateKind::Rejected];
        let mut all = [approved, rejected, StateKind::Expired, StateKind::Canceled];
        all.sort_unstable();
        assert_eq!(ends, all);
    }
}
