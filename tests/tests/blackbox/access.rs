//! Who may do what: every method of the contract, for every sort of caller, in the own project and in another one.
//!
//! What is expected is written out below from the comments of the protos. A method without a row fails the case, so
//! that nobody adds one without saying who may call it.

mod requests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slipway_api::audit::v1::{AuditEventFilter, AuditOutcome, ListAuditEventsRequest};
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, DeploymentState, StartPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{DisablePrincipalRequest, RevokeTokenRequest, Role, WhoAmIRequest};
use slipway_n8n_stand_in::{Fault, Injection, Options, StandIn};
use slipway_tests::clock::{DAY, HOUR, ahead};
use slipway_tests::contract::{Method, methods};
use slipway_tests::refusal::{self, check_details, reason_of};
use slipway_tests::world::{report, token, workflow};
use slipway_tests::{Backend, Client, Granted, Project, Refused, World, ago, raw};
use tonic::{Code, Status};

use crate::case::cases;
use crate::notifications::{creation, standard};
use requests::Target;

cases![
    every_method_for_every_caller,
    the_installations_chain_is_not_for_members
];

/// Who may call a method, by its comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Any caller with a token.
    Anybody,
    /// Any role in the project.
    Members,
    /// `ROLE_DEVELOPER` or `ROLE_ADMIN`.
    Writers,
    /// `ROLE_ADMIN`.
    Admins,
    /// Oneself, the owner of a service account, and administrators of the installation.
    Oneself,
    /// Administrators of the installation alone, and the method names no project.
    Installation,
    /// Administrators of the installation alone, though the method names a project.
    InstallationInProject,
}

#[rustfmt::skip]
const TABLE: &[(Who, &[&str])] = &[
    (Who::Anybody, &["WhoAmI", "ListProjects"]),
    (Who::Members, &[
        "GetProject", "ListMembers",
        "GetEnvironment", "ListEnvironments", "GetApplication", "ListApplications", "GetVersion", "ListVersions",
        "GetDeploymentRecord", "ListDeploymentRecords", "GetCurrentState", "ListCurrentState", "CompareEnvironments",
        "WatchCurrentState", "ResolveVersion", "GetStatistics",
        "CheckEngine", "ListWorkflows", "GetCredentialMapping", "GetPipeline", "ListPipelines",
        "PlanPromotion", "GetDeployment", "ListDeployments", "WatchDeployment", "GetDeploymentSummary",
        "GetTemplate", "ListTemplates", "GetSnapshot", "ListSnapshots", "GetApprovalRequest", "ListApprovalRequests", "GetPolicy", "ListPolicies",
        // Here rules ask everybody.
        "Approve", "Reject", "WithdrawApproval",
        "GetFreezeWindow", "ListFreezeWindows",
        "CompareSnapshots", "GetSnapshotWorkflow", "DetectDrift", "GetDoraMetrics",
    ]),
    (Who::Writers, &[
        "CreateApplication", "UpdateApplication", "CreateVersion", "DeprecateVersion",
        "RecordDeployment", "ImportDeployments", "StartPromotion", "CancelDeployment", "RollbackDeployment",
        "CreateRelease", "CreateReleaseFromTemplate", "ExecuteDeployment", "ReportCheck",
        "CreateSnapshot",
    ]),
    (Who::Admins, &[
        "UpdateProject", "SetMembership", "RemoveMember",
        "CreateEnvironment", "UpdateEnvironment", "ArchiveEnvironment", "ArchiveApplication",
        "RetractDeploymentRecord", "LinkWorkflow", "SetCredentialMapping",
        "CreatePipeline", "UpdatePipeline", "ArchivePipeline", "RestoreSnapshot", "ResolveInDoubt",
        "OverrideApproval", "ReviewOverride", "SetPolicy", "DeletePolicy",
        "CreateFreezeWindow", "UpdateFreezeWindow", "DeleteFreezeWindow", "OverrideFreeze",
        "CreateWebhook", "GetWebhook", "ListWebhooks", "UpdateWebhook", "DeleteWebhook", "TestWebhook", "ListDeliveries",
        "RedeliverWebhook",
        "ListAuditEvents", "ExportAuditEvents", "VerifyAuditTrail", "ExportCheckpoint", "GetComplianceReport",
        "CreateTemplate", "UpdateTemplate", "DeleteTemplate",
    ]),
    (Who::Oneself, &["GetPrincipal", "CreateToken", "ListTokens", "RevokeToken"]),
    (Who::Installation, &["CreateProject", "CreatePrincipal", "ListPrincipals", "DisablePrincipal", "LinkIdentity", "UnlinkIdentity"]),
    (Who::InstallationInProject, &["ArchiveProject"]),
];

const ROLES: [Role; 4] = [Role::Viewer, Role::Developer, Role::Approver, Role::Admin];

/// What a caller must be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Granted,
    Refused(Code, ErrorReason),
}

impl Who {
    fn of(method: &Method) -> Self {
        let rows: Vec<_> = TABLE
            .iter()
            .filter(|(_, methods)| methods.contains(&method.name()))
            .collect();
        match rows.as_slice() {
            [(who, _)] => *who,
            rows => panic!(
                "{} has {} rows in the table, not one",
                method.path,
                rows.len()
            ),
        }
    }

    /// What a member with this role is answered, in its own project (or about itself) and elsewhere.
    fn answer(self, role: Role, own: bool, method: &Method) -> Expected {
        use Expected::{Granted, Refused};
        let denied = Refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
        let no_project = Refused(Code::NotFound, ErrorReason::ProjectNotFound);
        let has = |roles: &[Role]| {
            if roles.contains(&role) {
                Granted
            } else {
                denied.clone()
            }
        };
        match (self, own) {
            (Self::Anybody, _) | (Self::Members | Self::Oneself, true) => Granted,
            (Self::Writers, true) => has(&[Role::Developer, Role::Admin]),
            (Self::Admins, true) => has(&[Role::Admin]),
            (Self::Installation, _) | (Self::InstallationInProject, true) => denied,
            (Self::Oneself, false) if method.name() == "RevokeToken" => {
                Refused(Code::NotFound, ErrorReason::TokenNotFound)
            }
            (Self::Oneself, false) => Refused(Code::NotFound, ErrorReason::PrincipalNotFound),
            (Self::Members | Self::Writers | Self::Admins | Self::InstallationInProject, false) => {
                no_project
            }
        }
    }
}

/// What was found, over all pairs.
#[derive(Default)]
struct Walk {
    pairs: usize,
    unexpected_allows: usize,
    faults: Vec<String>,
}

impl Walk {
    async fn step(
        &mut self,
        who: &str,
        caller: &Client,
        target: &Target,
        method: &Method,
        expected: &Expected,
    ) {
        let messages = requests::for_method(method, target, caller).await;
        let messages = messages
            .into_iter()
            .map(|message| raw::encode(method, message))
            .collect();
        let answer = raw::call(caller, method, messages).await.map(drop_message);
        self.pairs += 1;
        let found = match &answer {
            Ok(()) => Expected::Granted,
            Err(status) => {
                if let Err(fault) = check_details(status) {
                    self.faults
                        .push(format!("{} as {who}: {fault}", method.name()));
                }
                Expected::Refused(status.code(), known_reason(status))
            }
        };
        if found != *expected {
            if found == Expected::Granted {
                self.unexpected_allows += 1;
            }
            let words = answer
                .err()
                .map(|s| s.message().to_owned())
                .unwrap_or_default();
            self.faults.push(format!(
                "{} as {who}: expected {expected:?}, found {found:?} {words}",
                method.name()
            ));
        }
    }
}

fn drop_message<T>(_: tonic::Response<T>) {}

fn known_reason(status: &Status) -> ErrorReason {
    let name = reason_of(status).unwrap_or_default();
    ErrorReason::from_str_name(&format!("ERROR_REASON_{name}")).unwrap_or_default()
}

async fn every_method_for_every_caller(backend: Backend) {
    let world = World::shared(backend).await;
    let (own, other) = (target(&world).await, target(&world).await);
    let mut members = Vec::new();
    for role in ROLES {
        members.push((role, own.project.member(role).await));
    }
    let strangers = strangers(&own.project).await;

    let mut walk = Walk::default();
    for method in methods() {
        let who = Who::of(&method);
        for (name, stranger, reason) in &strangers {
            let expected = Expected::Refused(Code::Unauthenticated, *reason);
            walk.step(name, stranger, &own, &method, &expected).await;
        }
        for (role, member) in &members {
            for (place, target, is_own) in [("own", &own, true), ("other", &other, false)] {
                let name = format!("{role:?} towards its {place}");
                let expected = who.answer(*role, is_own, &method);
                walk.step(
                    &name,
                    member,
                    &target.seen_by(member, is_own),
                    &method,
                    &expected,
                )
                .await;
            }
        }
        for target in [&own, &other] {
            walk.step(
                "administrator",
                &world.admin,
                target,
                &method,
                &Expected::Granted,
            )
            .await;
        }
    }
    println!(
        "{backend}: pairs checked {}, unexpected allows {}",
        walk.pairs, walk.unexpected_allows
    );
    assert!(walk.faults.is_empty(), "{}", walk.faults.join("\n"));
    let (_, viewer) = &members[0];
    every_denial_is_in_the_trail(&world, &own, viewer).await;
}

/// What a viewer was denied in its own project stands in the project's chain or in the installation's, method by method.
async fn every_denial_is_in_the_trail(world: &World, own: &Target, viewer: &Client) {
    let mut told = BTreeSet::new();
    for project in [own.project.slug.clone(), String::new()] {
        let page = world
            .admin
            .audit()
            .list_audit_events(ListAuditEventsRequest {
                filter: Some(AuditEventFilter {
                    project,
                    principal_id: viewer.principal_id.clone(),
                    outcome: AuditOutcome::Refused.into(),
                    ..Default::default()
                }),
                page_size: 1_000,
                ..Default::default()
            })
            .await
            .granted();
        told.extend(page.events.into_iter().map(|event| event.command));
    }
    let denied = Expected::Refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    for method in methods() {
        let expected = Who::of(&method).answer(Role::Viewer, true, &method);
        assert!(
            expected != denied || told.contains(method.name()),
            "no event tells that {} was denied",
            method.name()
        );
    }
}

/// A project with one of everything that a request may name.
async fn target(world: &World) -> Target {
    let project = world.project().await;
    project.record(report("app", "1", "prod")).await;
    project.environment("dev").await;
    let folder = world.server.workflows(&[("one", workflow("One"))]);
    project.environment_on("flows", &folder).await;
    project.pipeline("way", "dev", "prod").await;
    let outbox = world.server.workflows(&[("first", workflow("First"))]);
    project.environment_on("outbox", &outbox).await;
    let inbox = world.server.workflows(&[]);
    project.environment_on("inbox", &inbox).await;
    project.pipeline("post", "outbox", "inbox").await;
    let vault = world.server.workflows(&[]);
    project.environment_on("vault", &vault).await;
    project.guarded_pipeline("guarded", "outbox", "vault").await;
    project
        .freeze("still", "vault", ago(HOUR), ahead(DAY))
        .await;
    let asker = project.member(Role::Developer).await;
    let overrider = project.member(Role::Admin).await;
    let board = world.server.workflows(&[]);
    project.environment_on("board", &board).await;
    project.pipeline("asking", "outbox", "board").await;
    project.set_policy("board", requests::everybody(2)).await;
    let snapshot_id = project.backup("flows").await.snapshot_id;
    let sent = world.server.workflows(&[]);
    project.environment_on("sent", &sent).await;
    project.pipeline("sending", "flows", "sent").await;
    let succeeded = promoted(&project, "sending", "sent", DeploymentState::Succeeded).await;
    let n8n = StandIn::start(Options::default()).await;
    n8n.inject(Injection::always("POST /workflows", Fault::DropBefore));
    project.environment_on_n8n("lossy", &n8n.url).await;
    project.pipeline("losing", "flows", "lossy").await;
    let doubtful = promoted(&project, "losing", "lossy", DeploymentState::InDoubt).await;
    let hook = creation(&project, "hook", standard("http://127.0.0.1:9/"));
    project
        .admin
        .webhooks()
        .create_webhook(hook)
        .await
        .granted();
    let member = project.member(Role::Viewer).await;
    Target {
        canceled: canceled(&project).await,
        project,
        principal_id: member.principal_id,
        outbox,
        asker,
        overrider,
        snapshot_id,
        succeeded,
        doubtful,
        _n8n: Arc::new(n8n),
    }
}

/// The number of a promotion that has come to this state.
async fn promoted(project: &Project, pipeline: &str, to: &str, state: DeploymentState) -> String {
    let mut deployments = project.admin.deployments();
    let started = deployments.start_promotion(StartPromotionRequest {
        project: project.slug.clone(),
        pipeline: pipeline.to_owned(),
        target: to.to_owned(),
        ..Default::default()
    });
    let number = started.await.granted().deployment.unwrap().number;
    requests::becomes(project, &number.to_string(), state).await;
    number.to_string()
}

/// The number of a promotion that was stopped before it began.
async fn canceled(project: &Project) -> String {
    let mut deployments = project.admin.deployments();
    for _ in 0..20 {
        let started = deployments.start_promotion(StartPromotionRequest {
            project: project.slug.clone(),
            pipeline: "post".to_owned(),
            target: "inbox".to_owned(),
            ..Default::default()
        });
        let number = started
            .await
            .granted()
            .deployment
            .unwrap()
            .number
            .to_string();
        let stopped = deployments.cancel_deployment(CancelDeploymentRequest {
            project: project.slug.clone(),
            deployment: number.clone(),
            reason: "walked over".to_owned(),
            ..Default::default()
        });
        // Also one that is stopped while it is carried out keeps what was asked.
        if stopped.await.is_ok() {
            return number;
        }
    }
    panic!("the executor was always faster");
}

/// Callers whom the server must not know, with the reason it must give.
async fn strangers(project: &Project) -> Vec<(&'static str, Client, ErrorReason)> {
    let admin = &project.admin;
    let member = project.member(Role::Admin).await;
    let id = &member.principal_id;
    let expired = token(admin, id, Some(Duration::from_secs(1))).await.secret;
    let revoked = token(admin, id, None).await;
    admin
        .identity()
        .revoke_token(RevokeTokenRequest {
            token_id: revoked.token.unwrap().token_id,
            ..Default::default()
        })
        .await
        .granted();
    let disabled = project.member(Role::Admin).await;
    admin
        .identity()
        .disable_principal(DisablePrincipalRequest {
            principal_id: disabled.principal_id.clone(),
            reason: "left".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    let good = token(admin, id, None).await.secret;
    // One character of the secret's middle differs.
    let middle = good.len() / 2;
    let replaced = if good.as_bytes()[middle] == b'a' {
        "b"
    } else {
        "a"
    };
    let altered = format!("{}{replaced}{}", &good[..middle], &good[middle + 1..]);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    vec![
        ("nobody", admin.with_token(None), ErrorReason::TokenMissing),
        (
            "garbage",
            admin.with_token(Some("x")),
            ErrorReason::TokenInvalid,
        ),
        (
            "altered",
            admin.with_token(Some(&altered)),
            ErrorReason::TokenInvalid,
        ),
        (
            "expired",
            admin.with_token(Some(&expired)),
            ErrorReason::TokenExpired,
        ),
        (
            "revoked",
            admin.with_token(Some(&revoked.secret)),
            ErrorReason::TokenRevoked,
        ),
        ("disabled", disabled, ErrorReason::PrincipalDisabled),
    ]
}

async fn the_installations_chain_is_not_for_members(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let administrator = project.member(Role::Admin).await;
    // Naming no project means the chain of the installation.
    for name in [
        "ListAuditEvents",
        "ExportAuditEvents",
        "VerifyAuditTrail",
        "ExportCheckpoint",
    ] {
        let method = slipway_tests::contract::method(name);
        let empty = vec![bytes::Bytes::new()];
        let refused = raw::call(&administrator, &method, empty.clone())
            .await
            .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
        let info = tonic_types::StatusExt::get_details_error_info(&refused).unwrap();
        assert_eq!(
            info.metadata.get("roles").map(String::as_str),
            Some("TENANT_ADMIN")
        );
        assert_eq!(info.metadata.get("command").map(String::as_str), Some(name));
        raw::call(&world.admin, &method, empty).await.granted();
    }
    // What a refusal says of the roles is what the comments say.
    let viewer = project.member(Role::Viewer).await;
    let refused = viewer
        .ledger()
        .record_deployment(project.recording(report("a", "1", "prod")))
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    let info = tonic_types::StatusExt::get_details_error_info(&refused).unwrap();
    assert_eq!(
        info.metadata.get("command").map(String::as_str),
        Some("RecordDeployment")
    );
    assert_eq!(
        info.metadata.get("roles").map(String::as_str),
        Some("DEVELOPER,ADMIN")
    );
    assert_eq!(refusal::name(ErrorReason::PermissionMissing), info.reason);
    // Everybody may ask who they are.
    let me = viewer.identity().who_am_i(WhoAmIRequest {}).await.granted();
    assert_eq!(me.principal.unwrap().principal_id, viewer.principal_id);
}
