//! A request of each method that would succeed if the caller may call it, and that can be sent again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slipway_api::approvals::v1::{
    ApprovalRule, ApproveRequest, Eligible, OverrideApprovalRequest, PolicyTerms,
};
use slipway_api::catalog::v1::CreateEnvironmentRequest;
use slipway_api::deployments::v1::{
    CreateTemplateRequest, Deployment, DeploymentState, GetDeploymentRequest,
    StartPromotionRequest, TemplateItem,
};
use slipway_api::identity::v1::{LinkIdentityRequest, Role, SetMembershipRequest};
use slipway_api::notifications::v1::TestWebhookRequest;
use slipway_n8n_stand_in::StandIn;
use slipway_tests::clock::HOUR;
use slipway_tests::contract::Method;
use slipway_tests::world::{Project, report, token, unique, user, workflow};
use slipway_tests::{Client, Granted, ago};

use crate::deployments::releases;
use crate::notifications::{creation, standard};

/// What a request is about: a project that has the application `app` with the version `1`, deployed in the environment
/// `prod`, another environment `dev`, one with a workflow `flows` and a snapshot of it, pipelines `way` and, between engines,
/// `post`, `guarded` and `asking`, of which the second requires approval and the third is governed by a policy, a freeze window `still` where the
/// second leads, promotions that were canceled, succeeded and are in doubt, a webhook `hook` that nobody answers, and a
/// member.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) project: Project,
    /// The principal of methods that are about one.
    pub(super) principal_id: String,
    /// The folder that `post` promotes from.
    pub(super) outbox: PathBuf,
    /// Somebody who asks for promotions.
    pub(super) asker: Client,
    /// An administrator who lets promotions pass.
    pub(super) overrider: Client,
    /// A snapshot of `flows`.
    pub(super) snapshot_id: String,
    /// The number of a promotion that was canceled.
    pub(super) canceled: String,
    /// The number of a promotion that succeeded.
    pub(super) succeeded: String,
    /// The number of a promotion in doubt, which comes to that again and again.
    pub(super) doubtful: String,
    /// The engine that it goes to.
    pub(super) _n8n: Arc<StandIn>,
}

impl Target {
    /// The same project, with `caller` as the principal where it is the caller's own.
    pub(super) fn seen_by(&self, caller: &Client, own: bool) -> Self {
        let principal_id = if own {
            caller.principal_id.clone()
        } else {
            self.principal_id.clone()
        };
        Self {
            principal_id,
            ..self.clone()
        }
    }
}

/// The messages of one call. What a call would use up is made for it by the administrator.
pub(super) async fn for_method(method: &Method, target: &Target, caller: &Client) -> Vec<Value> {
    let (service, name) = method.path.split_once('/').unwrap();
    let project = target.project.slug.as_str();
    let message = match service {
        "slipway.identity.v1.IdentityService" => identity(name, target, caller).await,
        "slipway.catalog.v1.EnvironmentService" => environments(name, target).await,
        "slipway.catalog.v1.ApplicationService" => applications(name, target).await,
        "slipway.ledger.v1.LedgerService" if name == "ImportDeployments" => {
            let line = json!({"line": "1", "report": {
                "application": "app", "version": "1", "environment": "prod", "deployed_time": "2024-01-01T00:00:00Z",
            }});
            return vec![
                json!({"header": {"project": project}}),
                json!({"batch": {"lines": [line]}}),
            ];
        }
        "slipway.ledger.v1.LedgerService" => ledger(name, target).await,
        "slipway.deployments.v1.PipelineService" => pipelines(name, target).await,
        "slipway.deployments.v1.TemplateService" => templates(name, target).await,
        "slipway.deployments.v1.DeploymentService" => deployments(name, target).await,
        "slipway.approvals.v1.ApprovalService" => approvals(name, target, caller).await,
        "slipway.approvals.v1.FreezeService" => freezes(name, target).await,
        "slipway.notifications.v1.WebhookService" => webhooks(name, target).await,
        "slipway.snapshots.v1.SnapshotService" => snapshots(name, target),
        "slipway.audit.v1.AuditService" => Some(match name {
            "ListAuditEvents" | "ExportAuditEvents" => json!({"filter": {"project": project}}),
            "GetComplianceReport" | "GetDoraMetrics" => json!({
                "project": project,
                "fromTime": "2026-01-01T00:00:00Z",
                "toTime": "2026-12-31T00:00:00Z",
            }),
            _ => json!({"project": project}),
        }),
        _ => None,
    };
    vec![message.unwrap_or_else(|| panic!("there is no request for {}", method.path))]
}

async fn identity(name: &str, target: &Target, caller: &Client) -> Option<Value> {
    let (project, id) = (target.project.slug.as_str(), target.principal_id.as_str());
    let admin = &target.project.admin;
    let is_admin = caller.principal_id == admin.principal_id;
    Some(match name {
        "WhoAmI" | "ListProjects" | "ListPrincipals" => json!({}),
        "CreateProject" => json!({"slug": format!("walk-{}", unique())}),
        "UpdateProject" => {
            json!({"project": project, "display_name": "Walked", "update_mask": "displayName"})
        }
        // The administrator succeeds, and must not take the project away.
        "ArchiveProject" if is_admin => {
            json!({"project": Project::create(admin).await.slug})
        }
        "GetProject" | "ListMembers" | "ArchiveProject" => json!({"project": project}),
        "CreatePrincipal" => json!({"kind": "PRINCIPAL_KIND_USER", "display_name": "Walker"}),
        "GetPrincipal" | "ListTokens" => json!({"principal_id": id}),
        "DisablePrincipal" => {
            let spare = user(admin, "spare").await.principal_id;
            json!({"principal_id": spare, "reason": "walked over"})
        }
        "LinkIdentity" => {
            let spare = user(admin, "spare").await.principal_id;
            json!({"principal_id": spare, "issuer": "certificate", "subject": format!("cn:walk-{}", unique())})
        }
        "UnlinkIdentity" => {
            let subject = format!("cn:walk-{}", unique());
            let link = LinkIdentityRequest {
                principal_id: user(admin, "spare").await.principal_id,
                issuer: "certificate".to_owned(),
                subject: subject.clone(),
                ..Default::default()
            };
            admin.identity().link_identity(link).await.granted();
            json!({"issuer": "certificate", "subject": subject})
        }
        "SetMembership" => {
            let spare = user(admin, "spare").await.principal_id;
            json!({"project": project, "principal_id": spare, "roles": ["ROLE_VIEWER"]})
        }
        "RemoveMember" => {
            let spare = user(admin, "spare").await.principal_id;
            admin
                .identity()
                .set_membership(SetMembershipRequest {
                    project: project.to_owned(),
                    principal_id: spare.clone(),
                    roles: vec![Role::Viewer.into()],
                    ..Default::default()
                })
                .await
                .granted();
            json!({"project": project, "principal_id": spare})
        }
        "CreateToken" => json!({"principal_id": id, "name": "walk", "ttl": "60s"}),
        "RevokeToken" => {
            let spare = token(admin, id, None).await.token.unwrap().token_id;
            json!({"token_id": spare})
        }
        _ => return None,
    })
}

async fn environments(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let fresh = format!("walk-{}", unique());
    Some(match name {
        "CreateEnvironment" => json!({"project": project, "slug": fresh}),
        "GetEnvironment" | "GetCredentialMapping" => {
            json!({"project": project, "environment": "prod"})
        }
        "ListEnvironments" => json!({"project": project}),
        "UpdateEnvironment" => json!({
            "project": project, "environment": "dev", "position": 3, "update_mask": "position",
        }),
        "CheckEngine" | "ListWorkflows" => json!({"project": project, "environment": "flows"}),
        "LinkWorkflow" => {
            let workflow = target.project.workflows("flows").await.remove(0);
            json!({
                "project": project, "environment": "flows", "key": fresh, "workflow_id": workflow.workflow_id,
            })
        }
        "SetCredentialMapping" => json!({"project": project, "environment": "prod", "mappings": [
            {"type": "httpBasicAuth", "name": "Shop", "target_id": "7", "target_name": "Shop (production)"},
        ]}),
        "ArchiveEnvironment" => {
            target
                .project
                .admin
                .environments()
                .create_environment(CreateEnvironmentRequest {
                    project: project.to_owned(),
                    slug: fresh.clone(),
                    ..Default::default()
                })
                .await
                .granted();
            json!({"project": project, "environment": fresh})
        }
        _ => return None,
    })
}

async fn pipelines(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let fresh = format!("walk-{}", unique());
    Some(match name {
        "CreatePipeline" => json!({"project": project, "slug": fresh, "stages": [
            {"source_environment": "dev", "target_environment": "prod", "gates": {"drift": "DRIFT_GATE_REFUSE"}},
        ]}),
        "GetPipeline" => json!({"project": project, "pipeline": "way"}),
        "ListPipelines" => json!({"project": project}),
        "UpdatePipeline" => json!({
            "project": project, "pipeline": "way", "description": "walked", "update_mask": "description",
        }),
        "ArchivePipeline" => {
            target.project.pipeline(&fresh, "dev", "prod").await;
            json!({"project": project, "pipeline": fresh})
        }
        _ => return None,
    })
}

async fn templates(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let fresh = format!("walk-{}", unique());
    let items = json!([{"application": "app", "version": "{{version}}"}]);
    Some(match name {
        "CreateTemplate" => json!({"project": project, "slug": fresh, "items": items}),
        "ListTemplates" => json!({"project": project}),
        "GetTemplate" | "UpdateTemplate" | "DeleteTemplate" | "CreateReleaseFromTemplate" => {
            let mut templates = target.project.admin.templates();
            let created = templates.create_template(CreateTemplateRequest {
                project: project.to_owned(),
                slug: fresh.clone(),
                items: vec![TemplateItem {
                    application: to_release(target).await,
                    version: "1".to_owned(),
                    ..Default::default()
                }],
                ..Default::default()
            });
            created.await.granted();
            let mut message = json!({"project": project, "template": fresh});
            if name == "CreateReleaseFromTemplate" {
                message["name"] = json!("Walk");
                message["environment"] = json!("prod");
            }
            if name == "UpdateTemplate" {
                message["items"] = items;
                message["update_mask"] = json!("items");
            }
            message
        }
        _ => return None,
    })
}

async fn webhooks(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let mut webhooks = target.project.admin.webhooks();
    let fresh = format!("walk-{}", unique());
    Some(match name {
        "CreateWebhook" => {
            json!({"project": project, "slug": fresh, "disabled": true, "target": {"standard": {
                "url": "https://hooks.example", "secret_reference": "env:WEBHOOK_SECRET",
            }}})
        }
        "ListWebhooks" | "ListDeliveries" => json!({"project": project}),
        "GetWebhook" | "TestWebhook" => json!({"project": project, "webhook": "hook"}),
        "UpdateWebhook" => json!({
            "project": project, "webhook": "hook", "display_name": "Walked", "update_mask": "displayName",
        }),
        "DeleteWebhook" => {
            let made = creation(&target.project, &fresh, standard("https://hooks.example"));
            webhooks.create_webhook(made).await.granted();
            json!({"project": project, "webhook": fresh})
        }
        "RedeliverWebhook" => {
            let test = webhooks.test_webhook(TestWebhookRequest {
                project: project.to_owned(),
                webhook: "hook".to_owned(),
                ..Default::default()
            });
            let id = test.await.granted().delivery.unwrap().delivery_id;
            json!({"project": project, "delivery_id": id})
        }
        _ => return None,
    })
}

async fn deployments(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let promotion = json!({"project": project, "pipeline": "post", "target": "inbox"});
    Some(match name {
        "PlanPromotion" => promotion,
        "StartPromotion" => {
            // Something new to promote each time.
            let name = format!("Walked {}", unique());
            let file = target.outbox.join(format!("{}.json", unique()));
            std::fs::write(file, workflow(&name).to_string()).unwrap();
            promotion
        }
        "GetDeployment" => json!({"project": project, "deployment": target.canceled}),
        "WatchDeployment" => json!({"project": project, "deployment": target.succeeded}),
        "ListDeployments" | "GetDeploymentSummary" => json!({"project": project}),
        "RollbackDeployment" => json!({
            "project": project, "deployment": target.succeeded, "reason": "walked over", "validate_only": true,
        }),
        "ResolveInDoubt" => {
            becomes(&target.project, &target.doubtful, DeploymentState::InDoubt).await;
            json!({
                "project": project, "deployment": target.doubtful, "verdict": "VERDICT_RUNNING", "reason": "walked over",
            })
        }
        "ReportCheck" => {
            let waits = waiting(target, "guarded", "vault").await;
            json!({
                "project": project, "deployment": waits.deployment_id, "name": "walk", "status": "CHECK_STATUS_PASSED",
                "plan_digest": waits.plan_digest,
            })
        }
        "CreateRelease" => json!({
            "project": project, "name": "Walk", "environment": "prod",
            "items": [{"application": to_release(target).await, "version": "1"}],
        }),
        "ExecuteDeployment" => {
            let application = to_release(target).await;
            let release =
                releases::release(&target.project, vec![releases::bring(&application, "1")]);
            let mut deployments = target.project.admin.deployments();
            let made = deployments.create_release(release).await.granted();
            let made = made.deployment.unwrap();
            json!({"project": project, "deployment": made.deployment_id, "plan_digest": made.plan_digest})
        }
        "CancelDeployment" => {
            json!({"project": project, "deployment": target.canceled, "reason": "walked over"})
        }
        _ => return None,
    })
}

/// An application that nothing was released of yet, with the version `1`.
async fn to_release(target: &Target) -> String {
    let key = format!("walk-{}", unique());
    target.project.application(&key).await;
    target.project.version(&key, "1").await;
    key
}

/// So many people of any role have to agree, and developers ask.
pub(super) fn everybody(required: i32) -> PolicyTerms {
    let all = Eligible {
        roles: (1..6).collect(),
        ..Default::default()
    };
    PolicyTerms {
        rules: vec![ApprovalRule {
            name: "everybody".to_owned(),
            required,
            eligible: Some(all.clone()),
            ..Default::default()
        }],
        requesters: Some(all),
        ..Default::default()
    }
}

async fn approvals(name: &str, target: &Target, caller: &Client) -> Option<Value> {
    let project = target.project.slug.as_str();
    Some(match name {
        "ListApprovalRequests" | "ListPolicies" => json!({"project": project}),
        "GetPolicy" => json!({"project": project, "scope": {"tier": "ENVIRONMENT_TIER_STAGING"}}),
        "SetPolicy" => json!({"project": project, "scope": {"environment": "dev"}, "terms": {}}),
        "DeletePolicy" => {
            let terms = PolicyTerms::default();
            target.project.set_policy("flows", terms).await;
            json!({"project": project, "scope": {"environment": "flows"}})
        }
        "GetApprovalRequest" => {
            let waits = waiting(target, "guarded", "vault").await;
            json!({"project": project, "deployment": waits.deployment_id})
        }
        "OverrideApproval" => {
            let waits = waiting(target, "guarded", "vault").await;
            json!({"project": project, "deployment": waits.deployment_id, "plan_digest": waits.plan_digest,
                "reason": "walked over"})
        }
        "ReviewOverride" => {
            let waits = waiting(target, "guarded", "vault").await;
            let passing = OverrideApprovalRequest {
                project: project.to_owned(),
                deployment: waits.deployment_id.clone(),
                plan_digest: waits.plan_digest,
                reason: "walked over".to_owned(),
                ..Default::default()
            };
            let mut approvals = target.overrider.approvals();
            approvals.override_approval(passing).await.granted();
            json!({"project": project, "deployment": waits.deployment_id,
                "finding": "OVERRIDE_FINDING_JUSTIFIED", "comment": "walked over"})
        }
        "Approve" | "Reject" => {
            let waits = waiting(target, "asking", "board").await;
            json!({"project": project, "deployment": waits.deployment_id, "plan_digest": waits.plan_digest,
                "comment": "walked over"})
        }
        "WithdrawApproval" => {
            let waits = waiting(target, "asking", "board").await;
            let approval = ApproveRequest {
                project: project.to_owned(),
                deployment: waits.deployment_id.clone(),
                plan_digest: waits.plan_digest,
                ..Default::default()
            };
            // Of those who may not withdraw nobody could approve.
            drop(caller.approvals().approve(approval).await);
            json!({"project": project, "deployment": waits.deployment_id, "reason": "walked over"})
        }
        _ => return None,
    })
}

/// Something new that waits for approval, and in `vault` behind that for the end of a freeze.
async fn waiting(target: &Target, pipeline: &str, to: &str) -> Deployment {
    let key = format!("Waiting-{}", unique());
    let file = target.outbox.join(format!("{}.json", unique()));
    std::fs::write(file, workflow(&key).to_string()).unwrap();
    let mut deployments = target.asker.deployments();
    let started = deployments.start_promotion(StartPromotionRequest {
        project: target.project.slug.clone(),
        pipeline: pipeline.to_owned(),
        target: to.to_owned(),
        workflows: vec![key],
        ..Default::default()
    });
    started.await.granted().deployment.unwrap()
}

async fn freezes(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let fresh = format!("walk-{}", unique());
    Some(match name {
        "CreateFreezeWindow" => json!({
            "project": project, "slug": fresh, "reason": "walked over", "suspended": true,
            "schedule": {"recurring": {
                "timeZone": "Europe/Berlin", "weekdays": ["WEEKDAY_FRIDAY"], "startTimeOfDay": "16:00", "duration": "3600s",
            }},
        }),
        "GetFreezeWindow" => json!({"project": project, "freeze_window": "still"}),
        "ListFreezeWindows" => json!({"project": project}),
        "UpdateFreezeWindow" => json!({
            "project": project, "freeze_window": "still", "reason": "walked over", "update_mask": "reason",
        }),
        "DeleteFreezeWindow" => {
            let once = target
                .project
                .freeze(&fresh, "dev", ago(HOUR), ago(Duration::ZERO));
            once.await;
            json!({"project": project, "freeze_window": fresh})
        }
        "OverrideFreeze" => json!({
            "project": project, "deployment": waiting(target, "guarded", "vault").await.deployment_id,
            "freeze_windows": ["still"],
            "reason": "walked over",
        }),
        _ => return None,
    })
}

/// Waits until a deployment is in this state.
pub(super) async fn becomes(project: &Project, number: &str, state: DeploymentState) {
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: number.to_owned(),
    };
    let begin = Instant::now();
    loop {
        let mut deployments = project.admin.deployments();
        let found = deployments.get_deployment(request.clone()).await.granted();
        let found = found.deployment.unwrap();
        if found.state() == state {
            return;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "{found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn snapshots(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    Some(match name {
        "CreateSnapshot" | "DetectDrift" => json!({"project": project, "environment": "flows"}),
        "GetSnapshot" | "RestoreSnapshot" => {
            json!({"project": project, "snapshot_id": target.snapshot_id})
        }
        "ListSnapshots" => json!({"project": project}),
        "CompareSnapshots" => json!({
            "project": project, "earlier_snapshot_id": target.snapshot_id, "later_snapshot_id": target.snapshot_id,
        }),
        "GetSnapshotWorkflow" => {
            json!({"project": project, "snapshot_id": target.snapshot_id, "application": "One"})
        }
        _ => return None,
    })
}

async fn applications(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    let fresh = format!("walk-{}", unique());
    Some(match name {
        "CreateApplication" => json!({"project": project, "key": fresh}),
        "GetApplication" | "ListVersions" => json!({"project": project, "application": "app"}),
        "ListApplications" => json!({"project": project}),
        "UpdateApplication" => json!({
            "project": project, "application": "app", "description": "walked", "update_mask": "description",
        }),
        "ArchiveApplication" => {
            target.project.application(&fresh).await;
            json!({"project": project, "application": fresh})
        }
        "CreateVersion" => json!({"project": project, "application": "app", "identifier": fresh}),
        "GetVersion" => json!({"project": project, "application": "app", "version": "1"}),
        "DeprecateVersion" => {
            target.project.version("app", &fresh).await;
            json!({"project": project, "application": "app", "version": fresh, "reason": "walked over"})
        }
        _ => return None,
    })
}

async fn ledger(name: &str, target: &Target) -> Option<Value> {
    let project = target.project.slug.as_str();
    Some(match name {
        "RecordDeployment" => json!({"project": project, "report": {
            "application": "app", "version": "1", "environment": "prod", "external_id": format!("walk-{}", unique()),
        }}),
        "GetDeploymentRecord" | "RetractDeploymentRecord" => {
            let report = report("app", "1", "dev");
            let record = target.project.record(report).await.record_id;
            if name == "GetDeploymentRecord" {
                json!({"project": project, "record_id": record})
            } else {
                json!({"project": project, "record_id": record, "reason": "walked over"})
            }
        }
        "ListDeploymentRecords" | "ListCurrentState" | "WatchCurrentState" | "GetStatistics" => {
            json!({"project": project})
        }
        "GetCurrentState" | "ResolveVersion" => {
            json!({"project": project, "application": "app", "environment": "prod"})
        }
        "CompareEnvironments" => {
            json!({"project": project, "left_environment": "prod", "right_environment": "dev"})
        }
        _ => return None,
    })
}
