//! Releases that write workflows into an engine and move versions in the ledger: all of it or nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slipway_api::approvals::v1 as approvals;
use slipway_api::catalog::v1 as catalog;
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, DeploymentItem, DeploymentState, GetDeploymentRequest,
    ItemChange, ItemStatus, ReleaseItem, RollbackDeploymentRequest, StartPromotionRequest,
    Transition, release_item,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_n8n_stand_in::{Fault, Injection, Options, StandIn};
use slipway_tests::clock::{HOUR, ahead};
use slipway_tests::world::{directory, report, workflow};
use slipway_tests::{Backend, Client, Granted, Project, Refused, World, ago};
use tonic::Code;
use tonic_types::StatusExt;

use super::policies::admins;
use super::releases::{bring, execute, executing, prompt, release};
use crate::case::cases;

cases![
    prompts_and_workflows_become_current_together,
    one_workflow_that_fails_takes_all_of_it_back,
    what_becomes_current_meanwhile_takes_it_back,
    an_engine_that_changed_is_looked_at_again,
    all_of_it_is_rolled_back,
    what_can_not_be_written_is_refused,
    an_engine_that_was_added_since_is_not_passed_over,
];

/// How long a deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A workflow document; `calls` names the key of the one that it calls.
pub(super) fn document(name: &str, note: &str, calls: Option<&str>) -> Value {
    let mut document = workflow(name);
    document["nodes"][0]["notes"] = json!(note);
    if let Some(called) = calls {
        let call = json!({
            "id": "2", "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1,
            "position": [200, 0],
            "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": format!("slipway:{called}")}},
        });
        let nodes = document["nodes"].as_array_mut().unwrap();
        nodes.push(call);
    }
    document
}

/// A new application for workflows.
pub(super) async fn workflow_application(project: &Project, key: &str) {
    let request = catalog::CreateApplicationRequest {
        project: project.slug.clone(),
        key: key.to_owned(),
        kind: catalog::ApplicationKind::Workflow.into(),
        ..Default::default()
    };
    let mut applications = project.admin.applications();
    applications.create_application(request).await.granted();
}

/// A new version of a workflow with this content.
pub(super) async fn content(project: &Project, key: &str, version: &str, content: &[u8]) {
    let request = catalog::CreateVersionRequest {
        project: project.slug.clone(),
        application: key.to_owned(),
        identifier: version.to_owned(),
        content: Some(content.to_vec().into()),
        content_type: "application/json".to_owned(),
        ..Default::default()
    };
    let mut applications = project.admin.applications();
    applications.create_version(request).await.granted();
}

fn remove(application: &str) -> ReleaseItem {
    ReleaseItem {
        application: application.to_owned(),
        change: Some(release_item::Change::Remove(true)),
        ..Default::default()
    }
}

/// A project with two prompts and two workflows, of which one calls the other, and `prod` with an engine.
struct Shop {
    project: Project,
    engine: StandIn,
    _world: Arc<World>,
}

impl Shop {
    async fn new(backend: Backend) -> Self {
        let world = World::shared(backend).await;
        let project = world.project().await;
        let engine = StandIn::start(Options {
            registering: Duration::ZERO,
            releasing: Duration::ZERO,
            ..Options::default()
        })
        .await;
        project.environment_on_n8n("prod", &engine.url).await;
        prompt(&project, "greeting", &["1.0.0", "1.1.0", "1.2.0"]).await;
        prompt(&project, "farewell", &["2.0.0"]).await;
        for key in ["Mail", "Orders"] {
            workflow_application(&project, key).await;
        }
        let mail = document("Mail", "first", None).to_string();
        content(&project, "Mail", "1", mail.as_bytes()).await;
        let orders = document("Orders", "first", None).to_string();
        content(&project, "Orders", "1", orders.as_bytes()).await;
        let orders = document("Orders", "second", Some("Mail")).to_string();
        content(&project, "Orders", "2", orders.as_bytes()).await;
        Self {
            project,
            engine,
            _world: world,
        }
    }

    async fn create(&self, items: Vec<ReleaseItem>) -> Deployment {
        create(&self.project.admin, release(&self.project, items)).await
    }

    /// A release that is carried out, when it is over.
    async fn released(&self, items: Vec<ReleaseItem>) -> Deployment {
        let made = self.create(items).await;
        let executed = execute(&self.project.admin, &made).await;
        over(&self.project, &executed).await
    }

    async fn current(&self, application: &str) -> Option<String> {
        let cell = self.project.cell(application, "prod").await;
        cell.map(|cell| cell.version)
    }

    /// The notes of the workflows in the engine, by their names.
    fn notes(&self) -> Vec<(String, String)> {
        let ids = self.engine.ids();
        let rows = ids.iter().filter_map(|id| self.engine.workflow(id));
        let mut notes: Vec<_> = rows
            .map(|row| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&row["name"]), text(&row["nodes"][0]["notes"]))
            })
            .collect();
        notes.sort_unstable();
        notes
    }
}

async fn create(client: &Client, request: CreateReleaseRequest) -> Deployment {
    let made = client.deployments().create_release(request).await;
    made.granted().deployment.unwrap()
}

async fn get(project: &Project, deployment: &Deployment) -> Deployment {
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
    };
    let found = project.admin.deployments().get_deployment(request).await;
    found.granted().deployment.unwrap()
}

async fn until(
    project: &Project,
    deployment: &Deployment,
    so: impl Fn(&Deployment) -> bool,
) -> Deployment {
    let begin = Instant::now();
    loop {
        let found = get(project, deployment).await;
        if so(&found) {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The deployment when it is over.
async fn over(project: &Project, deployment: &Deployment) -> Deployment {
    until(project, deployment, |found| found.finished_time.is_some()).await
}

fn reason(deployment: &Deployment) -> &str {
    let problem = deployment.problem.as_ref();
    problem.map_or("", |problem| &problem.reason)
}

fn states(deployment: &Deployment) -> Vec<DeploymentState> {
    deployment.history.iter().map(Transition::state).collect()
}

/// Demands that somebody else agrees to what goes to `prod`.
async fn guard(project: &Project) {
    project.set_policy("prod", admins(1)).await;
}

async fn agree(who: &Client, deployment: &Deployment) -> Deployment {
    let request = approvals::ApproveRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    };
    let approved = who.approvals().approve(request).await;
    approved.granted().deployment.unwrap()
}

async fn promoted(project: &Project) {
    let request = StartPromotionRequest {
        project: project.slug.clone(),
        pipeline: "way".to_owned(),
        target: "staging".to_owned(),
        ..Default::default()
    };
    let started = project.admin.deployments().start_promotion(request).await;
    let done = over(project, &started.granted().deployment.unwrap()).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
}

fn file(folder: &Path, name: &str) -> Value {
    let text = std::fs::read(folder.join(name)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

async fn prompts_and_workflows_become_current_together(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    // What a promotion brought to staging is what goes to prod.
    let mut orders = document("Orders", "first", Some("x"));
    orders["nodes"][1]["parameters"]["workflowId"]["value"] = json!("b");
    let dev = [("a", orders), ("b", workflow("Mail"))];
    let (dev, staging, prod) = (
        world.server.workflows(&dev),
        world.server.workflows(&[]),
        world.server.workflows(&[]),
    );
    project.environment_on("dev", &dev).await;
    project.environment_on("staging", &staging).await;
    project.environment_on("prod", &prod).await;
    project.pipeline("way", "dev", "staging").await;
    promoted(&project).await;
    guard(&project).await;
    let (asker, other) = (
        project.member(Role::Admin).await,
        project.member(Role::Admin).await,
    );
    prompt(&project, "greeting", &["1.0.0"]).await;
    prompt(&project, "farewell", &["2.0.0"]).await;
    let mut items = vec![bring("greeting", "1.0.0"), bring("farewell", "2.0.0")];
    let mut versions = vec!["1.0.0".to_owned(), "2.0.0".to_owned()];
    for key in ["Orders", "Mail"] {
        let version = project.cell(key, "staging").await.unwrap().version;
        items.push(bring(key, &version));
        versions.push(version);
    }
    let wanted = release(&project, items);
    let looked_at = CreateReleaseRequest {
        validate_only: true,
        ..wanted.clone()
    };
    let looked_at = create(&asker, looked_at).await;
    let made = create(&asker, wanted).await;
    assert_eq!(looked_at.plan_digest, made.plan_digest);
    assert_eq!(made.state(), DeploymentState::PendingApproval);
    let approved = agree(&other, &made).await;
    assert_eq!(approved.state(), DeploymentState::Approved);
    let queued = execute(&asker, &approved).await;
    assert_eq!(queued.state(), DeploymentState::Queued);
    let done = over(&project, &queued).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    for item in &done.items {
        assert_eq!(item.change(), ItemChange::Created, "{item:?}");
        assert_eq!(item.status(), ItemStatus::Succeeded, "{item:?}");
    }
    assert!(!done.pre_snapshot_id.is_empty() && !done.post_snapshot_id.is_empty());
    let expected = [
        DeploymentState::PendingApproval,
        DeploymentState::Approved,
        DeploymentState::Queued,
        DeploymentState::Running,
        DeploymentState::Succeeded,
    ];
    assert_eq!(states(&done), expected);

    // All of them at one moment, by the versions that were chosen.
    let filter = ListDeploymentRecordsRequest {
        environment: "prod".to_owned(),
        ..Default::default()
    };
    let records = project.history(filter).await;
    assert_eq!(records.len(), 4, "{records:?}");
    for record in &records {
        assert_eq!(record.deployment_id, done.deployment_id);
        assert_eq!(record.deployed_time, records[0].deployed_time);
    }
    let keys = ["greeting", "farewell", "Orders", "Mail"];
    for (key, version) in keys.into_iter().zip(versions) {
        let cell = project.cell(key, "prod").await.unwrap();
        assert_eq!(cell.version, version, "{key}");
    }
    let orders = file(&prod, "Orders.json");
    let called = &orders["nodes"][1]["parameters"]["workflowId"]["value"];
    assert_eq!(called, "Mail");
    assert_eq!(file(&prod, "Mail.json")["name"], "Mail");

    // Nothing of it would change anything.
    let again = vec![
        bring("greeting", "1.0.0"),
        bring("Mail", &records_version(&records, "Mail")),
    ];
    let again = asker
        .deployments()
        .create_release(release(&project, again))
        .await;
    let refused = again.refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
    assert!(refused.message().contains("nothing to do"), "{refused:?}");
}

fn records_version(
    records: &[slipway_api::ledger::v1::DeploymentRecord],
    application: &str,
) -> String {
    let mut of = records.iter().filter(|it| it.application == application);
    of.next().unwrap().version.clone()
}

async fn one_workflow_that_fails_takes_all_of_it_back(backend: Backend) {
    let shop = Shop::new(backend).await;
    let first = shop
        .released(vec![bring("greeting", "1.0.0"), bring("Orders", "1")])
        .await;
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    let before = (shop.notes(), shop.engine.ids());
    // Mail is made, and Orders, which calls it, can't be changed then.
    let refuse = Injection::always("PUT /workflows/{id}", Fault::FailBefore);
    shop.engine.inject(refuse);
    let items = vec![
        bring("greeting", "1.1.0"),
        bring("farewell", "2.0.0"),
        bring("Orders", "2"),
        bring("Mail", "1"),
    ];
    let failed = shop.released(items).await;
    assert_eq!(failed.state(), DeploymentState::Failed, "{failed:?}");
    assert!(states(&failed).contains(&DeploymentState::Compensating));
    let statuses: Vec<_> = failed.items.iter().map(DeploymentItem::status).collect();
    let expected = [
        ItemStatus::Skipped,
        ItemStatus::Skipped,
        ItemStatus::Failed,
        ItemStatus::Compensated,
    ];
    assert_eq!(statuses, expected, "{failed:?}");
    shop.engine.behave();
    assert_eq!((shop.notes(), shop.engine.ids()), before);
    assert_eq!(shop.current("greeting").await.as_deref(), Some("1.0.0"));
    assert_eq!(shop.current("Orders").await.as_deref(), Some("1"));
    assert_eq!(shop.current("farewell").await, None);
    assert_eq!(shop.current("Mail").await, None);
    let records = shop
        .project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert!(
        records
            .iter()
            .all(|it| it.deployment_id == first.deployment_id),
        "{records:?}"
    );
}

async fn what_becomes_current_meanwhile_takes_it_back(backend: Backend) {
    let shop = Shop::new(backend).await;
    let hold = Injection::once("POST /workflows", Fault::HoldBefore);
    shop.engine.inject(hold);
    let made = shop
        .create(vec![bring("greeting", "1.0.0"), bring("Mail", "1")])
        .await;
    let queued = execute(&shop.project.admin, &made).await;
    shop.engine.held().await;
    // What changes the ledger alone does not wait for the environment.
    let other = shop.released(vec![bring("greeting", "1.1.0")]).await;
    assert_eq!(other.state(), DeploymentState::Succeeded, "{other:?}");
    shop.engine.release();
    let failed = over(&shop.project, &queued).await;
    assert_eq!(failed.state(), DeploymentState::Failed, "{failed:?}");
    assert_eq!(reason(&failed), "PLAN_CHANGED");
    assert!(shop.engine.ids().is_empty());
    assert_eq!(shop.current("greeting").await.as_deref(), Some("1.1.0"));
    assert_eq!(shop.current("Mail").await, None);
}

async fn an_engine_that_changed_is_looked_at_again(backend: Backend) {
    let shop = Shop::new(backend).await;
    let first = shop.released(vec![bring("Orders", "1")]).await;
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    let id = shop.engine.ids()[0].clone();
    let by_hand = |note: &str| {
        let changed = shop.engine.edit(&id, |fields| {
            fields["nodes"][0]["notes"] = json!(note);
        });
        assert!(changed);
    };
    let items = || {
        vec![
            bring("greeting", "1.0.0"),
            bring("Mail", "1"),
            bring("Orders", "2"),
        ]
    };

    // Nobody had to agree, and so nobody is asked.
    let made = shop.create(items()).await;
    by_hand("by hand");
    let queued = execute(&shop.project.admin, &made).await;
    let failed = over(&shop.project, &queued).await;
    assert_eq!(failed.state(), DeploymentState::Failed, "{failed:?}");
    assert_eq!(reason(&failed), "PLAN_CHANGED");

    guard(&shop.project).await;
    let (asker, other) = (
        shop.project.member(Role::Admin).await,
        shop.project.member(Role::Admin).await,
    );
    let made = create(&asker, release(&shop.project, items())).await;
    let approved = agree(&other, &made).await;
    by_hand("by hand again");
    let queued = execute(&asker, &approved).await;
    assert_eq!(queued.state(), DeploymentState::Queued);
    let asked_again = until(&shop.project, &queued, |found| {
        found.state() == DeploymentState::PendingApproval
    })
    .await;
    assert_ne!(asked_again.plan_digest, made.plan_digest);
    assert_eq!(asked_again.executed_by, "");
    assert_eq!(
        shop.notes(),
        [("Orders".to_owned(), "by hand again".to_owned())]
    );
    let approved = agree(&other, &asked_again).await;
    assert_eq!(approved.state(), DeploymentState::Approved);
    let done = over(&shop.project, &execute(&asker, &approved).await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let expected = [("Mail", "first"), ("Orders", "second")];
    assert_eq!(
        shop.notes(),
        expected.map(|(name, note)| (name.to_owned(), note.to_owned()))
    );

    // What somebody changed by hand is put back by a release of what is current.
    by_hand("by hand once more");
    let repair = create(&asker, release(&shop.project, vec![bring("Orders", "2")])).await;
    agree(&other, &repair).await;
    let done = over(&shop.project, &execute(&asker, &repair).await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(
        shop.notes(),
        expected.map(|(name, note)| (name.to_owned(), note.to_owned()))
    );
}

async fn all_of_it_is_rolled_back(backend: Backend) {
    let shop = Shop::new(backend).await;
    let first = shop
        .released(vec![bring("greeting", "1.0.0"), bring("Orders", "1")])
        .await;
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    let second = CreateReleaseRequest {
        execute_on_approval: true,
        ..release(
            &shop.project,
            vec![
                bring("greeting", "1.1.0"),
                bring("Orders", "2"),
                bring("Mail", "1"),
            ],
        )
    };
    let second = create(&shop.project.admin, second).await;
    assert_eq!(second.state(), DeploymentState::Queued);
    let second = over(&shop.project, &second).await;
    assert_eq!(second.state(), DeploymentState::Succeeded, "{second:?}");
    shop.project
        .freeze("quiet", "prod", ago(HOUR), ahead(HOUR))
        .await;
    let undo = RollbackDeploymentRequest {
        project: shop.project.slug.clone(),
        deployment: second.number.to_string(),
        reason: "customers see nonsense".to_owned(),
        ..Default::default()
    };
    let mut deployments = shop.project.admin.deployments();
    let planned = RollbackDeploymentRequest {
        validate_only: true,
        ..undo.clone()
    };
    deployments.rollback_deployment(planned).await.granted();
    let rollback = deployments.rollback_deployment(undo).await.granted();
    let rollback = over(&shop.project, &rollback.deployment.unwrap()).await;
    assert_eq!(rollback.state(), DeploymentState::Succeeded, "{rollback:?}");
    assert_eq!(rollback.back_to_deployment_id, first.deployment_id);
    let changes: Vec<_> = rollback.items.iter().map(DeploymentItem::change).collect();
    let expected = [
        ItemChange::Updated,
        ItemChange::Updated,
        ItemChange::Deleted,
    ];
    assert_eq!(changes, expected);
    assert_eq!(shop.notes(), [("Orders".to_owned(), "first".to_owned())]);
    assert_eq!(shop.current("greeting").await.as_deref(), Some("1.0.0"));
    assert_eq!(shop.current("Orders").await.as_deref(), Some("1"));
    assert_eq!(shop.current("Mail").await, None);
    let undone = get(&shop.project, &second).await;
    assert_eq!(undone.state(), DeploymentState::RolledBack);
    assert_eq!(undone.rolled_back_by_id, rollback.deployment_id);
}

async fn what_can_not_be_written_is_refused(backend: Backend) {
    let shop = Shop::new(backend).await;
    let project = &shop.project;
    project.version("Mail", "bare").await;
    content(project, "Mail", "none", b"{\"locale\": \"en\"}").await;
    let mut secured = document("Orders", "third", Some("Nobody"));
    secured["nodes"][0]["credentials"] = json!({"httpBasicAuth": {"id": "7", "name": "Shop"}});
    content(project, "Orders", "3", secured.to_string().as_bytes()).await;
    let mut deployments = project.admin.deployments();
    for (items, expected) in [
        (
            vec![bring("Mail", "bare")],
            vec![("NO_CONTENT", "items[0]")],
        ),
        (
            vec![bring("greeting", "1.0.0"), bring("Mail", "none")],
            vec![("NOT_A_WORKFLOW", "items[1]")],
        ),
        (
            vec![bring("Orders", "3")],
            vec![("CREDENTIAL_UNMAPPED", "")],
        ),
        (vec![bring("Orders", "2")], vec![("WORKFLOW_UNMAPPED", "")]),
    ] {
        let refused = deployments.create_release(release(project, items)).await;
        let refused = refused.refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
        let details = refused.get_details_precondition_failure().unwrap();
        let told: Vec<_> = details
            .violations
            .iter()
            .map(|it| (it.r#type.as_str(), it.subject.as_str()))
            .collect();
        assert_eq!(told, expected, "{refused:?}");
    }

    // Nobody can go back to what Slipway keeps no content of.
    project.record(report("Mail", "bare", "prod")).await;
    let older = ReleaseItem {
        allow_older: true,
        ..bring("Mail", "1")
    };
    let done = shop.released(vec![older, bring("Orders", "2")]).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let undo = RollbackDeploymentRequest {
        project: project.slug.clone(),
        deployment: done.number.to_string(),
        reason: "nonsense".to_owned(),
        ..Default::default()
    };
    let refused = deployments.rollback_deployment(undo).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::VersionWithoutContent);
    assert!(refused.message().contains("`bare`"), "{refused:?}");

    // What is called is not removed under whoever calls it, unless that goes too.
    let refused = vec![bring("Orders", "2"), remove("Mail")];
    let refused = deployments.create_release(release(project, refused)).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
    let gone = shop.released(vec![remove("Orders"), remove("Mail")]).await;
    assert_eq!(gone.state(), DeploymentState::Succeeded, "{gone:?}");
    assert!(shop.engine.ids().is_empty());
    assert_eq!(shop.current("Mail").await, None);
}

async fn an_engine_that_was_added_since_is_not_passed_over(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    project.environment("prod").await;
    workflow_application(&project, "Mail").await;
    let mail = document("Mail", "first", None).to_string();
    content(&project, "Mail", "1", mail.as_bytes()).await;
    let made = create(&project.admin, release(&project, vec![bring("Mail", "1")])).await;
    let folder = world.server.workflows(&[]);
    let engine = catalog::UpdateEnvironmentRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        workflow_engine: Some(directory(&folder)),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["workflow_engine".to_owned()],
        }),
        ..Default::default()
    };
    let mut environments = project.admin.environments();
    environments.update_environment(engine).await.granted();
    let mut deployments = project.admin.deployments();
    let refused = deployments.execute_deployment(executing(&made)).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    assert!(refused.message().contains("engine"), "{refused:?}");
    let again = create(&project.admin, release(&project, vec![bring("Mail", "1")])).await;
    let done = over(&project, &execute(&project.admin, &again).await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(file(&folder, "Mail.json")["name"], "Mail");
}
