//! What cases have in common: a server, and a project of their own in it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prost_types::Timestamp;
use slipway_api::approvals::v1 as approvals;
use slipway_api::audit::v1 as audit;
use slipway_api::catalog::v1 as catalog;
use slipway_api::deployments::v1 as deployments;
use slipway_api::identity::v1 as identity;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1 as ledger;
use slipway_api::snapshots::v1 as snapshots;
use tokio::sync::Mutex;

use crate::{Backend, Client, Granted, Server};

/// A server that cases share, and its administrator.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub server: Server,
    /// The administrator of the installation.
    pub admin: Client,
}

static SHARED: [Mutex<Option<Arc<World>>>; 2] = [Mutex::const_new(None), Mutex::const_new(None)];
static UNIQUE: AtomicU32 = AtomicU32::new(1);

/// A number that this run has not used before.
pub fn unique() -> u32 {
    UNIQUE.fetch_add(1, Ordering::Relaxed)
}

impl World {
    /// The server that the cases of a database share.
    pub async fn shared(backend: Backend) -> Arc<Self> {
        let mut shared = SHARED[backend as usize].lock().await;
        if let Some(world) = &*shared {
            return Arc::clone(world);
        }
        let world = Arc::new(Self::own(backend).await);
        *shared = Some(Arc::clone(&world));
        world
    }

    /// The shared server, if some case has started it.
    pub async fn started(backend: Backend) -> Option<Arc<Self>> {
        SHARED[backend as usize].lock().await.clone()
    }

    /// Verifies every chain of the shared servers, after all that the cases did to them, and says how many there are.
    pub async fn verify_chains() -> Result<usize, String> {
        let mut chains = 0;
        for shared in &SHARED {
            let Some(world) = &*shared.lock().await else {
                continue;
            };
            let mut projects = world.all_projects().await;
            // The installation's own.
            projects.push(String::new());
            for project in projects {
                let request = audit::VerifyAuditTrailRequest {
                    project: project.clone(),
                    checkpoint: None,
                };
                let answer = world.admin.audit().verify_audit_trail(request).await;
                let verification = answer.granted().verification.unwrap_or_default();
                if !verification.verified {
                    let found = verification.first_break;
                    return Err(format!("the chain of `{project}`: {found:?}"));
                }
                chains += 1;
            }
        }
        Ok(chains)
    }

    async fn all_projects(&self) -> Vec<String> {
        let mut slugs = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = identity::ListProjectsRequest {
                include_archived: true,
                page_size: 1000,
                page_token,
            };
            let page = self.admin.identity().list_projects(request).await.granted();
            slugs.extend(page.projects.into_iter().map(|project| project.slug));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return slugs;
            }
        }
    }

    /// Ends the shared servers. Nothing else does: what is static is not dropped.
    pub async fn end_shared() {
        for shared in &SHARED {
            drop(shared.lock().await.take());
        }
    }

    /// A server for one case alone.
    pub async fn own(backend: Backend) -> Self {
        Self::own_with(backend, &[]).await
    }

    /// A server for one case alone, with further settings.
    pub async fn own_with(backend: Backend, settings: &[(&str, &str)]) -> Self {
        Self::on(Server::start_with(backend, settings).await).await
    }

    /// This server, with its administrator.
    pub async fn on(server: Server) -> Self {
        let admin = server.admin().await;
        let me = admin
            .identity()
            .who_am_i(identity::WhoAmIRequest {})
            .await
            .granted();
        let admin = admin.known_as(me.principal.unwrap_or_default().principal_id);
        Self { server, admin }
    }

    /// A new project.
    pub async fn project(&self) -> Project {
        Project::create(&self.admin).await
    }

    /// A new user without membership, with a token.
    pub async fn user(&self, display_name: &str) -> Client {
        user(&self.admin, display_name).await
    }
}

/// A new user without membership, with a token, on the connection of the administrator.
pub async fn user(admin: &Client, display_name: &str) -> Client {
    let created = admin
        .identity()
        .create_principal(identity::CreatePrincipalRequest {
            kind: identity::PrincipalKind::User.into(),
            display_name: display_name.to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    let principal_id = created.principal.unwrap().principal_id;
    let secret = token(admin, &principal_id, None).await.secret;
    admin.with_token(Some(&secret)).known_as(principal_id)
}

/// A new token for a principal, which stops working after `ttl`.
pub async fn token(
    caller: &Client,
    principal_id: &str,
    ttl: Option<Duration>,
) -> identity::CreateTokenResponse {
    use identity::create_token_request::Expiry;
    caller
        .identity()
        .create_token(identity::CreateTokenRequest {
            principal_id: principal_id.to_owned(),
            name: "for a test".to_owned(),
            expiry: ttl.map(|ttl| Expiry::Ttl(ttl.try_into().unwrap())),
            ..Default::default()
        })
        .await
        .granted()
}

/// One project, and its administrator.
#[derive(Debug, Clone)]
pub struct Project {
    /// What requests call it.
    pub slug: String,
    /// The administrator of the installation, who may do everything in it.
    pub admin: Client,
}

impl Project {
    /// A new project.
    pub async fn create(admin: &Client) -> Self {
        Self::named(admin, format!("project-{}", unique())).await
    }

    /// A new project of this name.
    pub async fn named(admin: &Client, slug: String) -> Self {
        admin
            .identity()
            .create_project(identity::CreateProjectRequest {
                slug: slug.clone(),
                ..Default::default()
            })
            .await
            .granted();
        Self {
            slug,
            admin: admin.clone(),
        }
    }

    /// A new user with this role in the project.
    pub async fn member(&self, role: Role) -> Client {
        let user = user(&self.admin, &format!("{role:?} of {}", self.slug)).await;
        self.set_roles(&user.principal_id, &[role]).await;
        user
    }

    /// Makes a principal a member with these roles.
    pub async fn set_roles(&self, principal_id: &str, roles: &[Role]) {
        self.admin
            .identity()
            .set_membership(identity::SetMembershipRequest {
                project: self.slug.clone(),
                principal_id: principal_id.to_owned(),
                roles: roles.iter().map(|role| (*role).into()).collect(),
                ..Default::default()
            })
            .await
            .granted();
    }

    /// A new environment.
    pub async fn environment(&self, slug: &str) -> catalog::Environment {
        self.admin
            .environments()
            .create_environment(catalog::CreateEnvironmentRequest {
                project: self.slug.clone(),
                slug: slug.to_owned(),
                ..Default::default()
            })
            .await
            .granted()
            .environment
            .unwrap()
    }

    /// A new environment whose workflows lie in this folder.
    pub async fn environment_on(&self, slug: &str, folder: &Path) -> catalog::Environment {
        self.admin
            .environments()
            .create_environment(catalog::CreateEnvironmentRequest {
                project: self.slug.clone(),
                slug: slug.to_owned(),
                workflow_engine: Some(directory(folder)),
                ..Default::default()
            })
            .await
            .granted()
            .environment
            .unwrap()
    }

    /// A new environment whose workflows are in a stand-in for n8n, at this address.
    pub async fn environment_on_n8n(&self, slug: &str, url: &str) -> catalog::Environment {
        let instance = catalog::N8nInstance {
            base_url: url.to_owned(),
            api_key_reference: "env:STAND_IN_KEY".to_owned(),
        };
        let engine = catalog::WorkflowEngine {
            engine: Some(catalog::workflow_engine::Engine::N8n(instance)),
        };
        self.admin
            .environments()
            .create_environment(catalog::CreateEnvironmentRequest {
                project: self.slug.clone(),
                slug: slug.to_owned(),
                workflow_engine: Some(engine),
                ..Default::default()
            })
            .await
            .granted()
            .environment
            .unwrap()
    }

    /// What an environment's engine holds, page by page.
    pub async fn workflows(&self, environment: &str) -> Vec<catalog::Workflow> {
        let mut request = catalog::ListWorkflowsRequest {
            project: self.slug.clone(),
            environment: environment.to_owned(),
            page_size: 2,
            ..Default::default()
        };
        let mut workflows = Vec::new();
        loop {
            let page = self
                .admin
                .environments()
                .list_workflows(request.clone())
                .await
                .granted();
            workflows.extend(page.workflows);
            if page.next_page_token.is_empty() {
                return workflows;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// A new pipeline with one stage.
    pub async fn pipeline(&self, slug: &str, source: &str, target: &str) -> deployments::Pipeline {
        self.admin
            .pipelines()
            .create_pipeline(deployments::CreatePipelineRequest {
                project: self.slug.clone(),
                slug: slug.to_owned(),
                stages: vec![stage(source, target)],
                ..Default::default()
            })
            .await
            .granted()
            .pipeline
            .unwrap()
    }

    /// A new pipeline with one stage that requires approval.
    pub async fn guarded_pipeline(&self, slug: &str, source: &str, target: &str) {
        let gates = deployments::Gates {
            approval_required: true,
            ..Default::default()
        };
        let guarded = deployments::CreatePipelineRequest {
            project: self.slug.clone(),
            slug: slug.to_owned(),
            stages: vec![deployments::Stage {
                gates: Some(gates),
                ..stage(source, target)
            }],
            ..Default::default()
        };
        let mut pipelines = self.admin.pipelines();
        pipelines.create_pipeline(guarded).await.granted();
    }

    /// Sets the policy about an environment.
    pub async fn set_policy(&self, environment: &str, terms: approvals::PolicyTerms) {
        use approvals::policy_scope::Scope;
        let scope = approvals::PolicyScope {
            scope: Some(Scope::Environment(environment.to_owned())),
        };
        self.admin
            .approvals()
            .set_policy(approvals::SetPolicyRequest {
                project: self.slug.clone(),
                scope: Some(scope),
                terms: Some(terms),
                ..Default::default()
            })
            .await
            .granted();
    }

    /// A new user in a group of the project, with this role.
    pub async fn member_in(&self, role: Role, group: &str) -> Client {
        let user = user(&self.admin, &format!("{group} of {}", self.slug)).await;
        self.set_groups(&user.principal_id, &[role], &[group]).await;
        user
    }

    /// Makes a principal a member with these roles, in these groups.
    pub async fn set_groups(&self, principal_id: &str, roles: &[Role], groups: &[&str]) {
        self.admin
            .identity()
            .set_membership(identity::SetMembershipRequest {
                project: self.slug.clone(),
                principal_id: principal_id.to_owned(),
                roles: roles.iter().map(|role| (*role).into()).collect(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                ..Default::default()
            })
            .await
            .granted();
    }

    /// A freeze window for an environment, from one moment to another.
    pub async fn freeze(
        &self,
        slug: &str,
        environment: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> approvals::FreezeWindow {
        let request = approvals::CreateFreezeWindowRequest {
            project: self.slug.clone(),
            slug: slug.to_owned(),
            scope: Some(approvals::FreezeScope {
                scope: Some(approvals::freeze_scope::Scope::Environment(
                    environment.to_owned(),
                )),
            }),
            schedule: Some(once(start, end)),
            reason: "quiet".to_owned(),
            ..Default::default()
        };
        let created = self.admin.freezes().create_freeze_window(request).await;
        created.granted().freeze_window.unwrap()
    }

    /// A backup of an environment.
    pub async fn backup(&self, environment: &str) -> snapshots::Snapshot {
        let request = snapshots::CreateSnapshotRequest {
            project: self.slug.clone(),
            environment: environment.to_owned(),
            ..Default::default()
        };
        let taken = self.admin.snapshots().create_snapshot(request).await;
        taken.granted().snapshot.unwrap()
    }

    /// A new application.
    pub async fn application(&self, key: &str) -> catalog::Application {
        self.admin
            .applications()
            .create_application(catalog::CreateApplicationRequest {
                project: self.slug.clone(),
                key: key.to_owned(),
                ..Default::default()
            })
            .await
            .granted()
            .application
            .unwrap()
    }

    /// A new version without content.
    pub async fn version(&self, application: &str, identifier: &str) -> catalog::Version {
        self.admin
            .applications()
            .create_version(catalog::CreateVersionRequest {
                project: self.slug.clone(),
                application: application.to_owned(),
                identifier: identifier.to_owned(),
                ..Default::default()
            })
            .await
            .granted()
            .version
            .unwrap()
    }

    /// A request to record `report`, which may create whatever is missing.
    pub fn recording(&self, report: ledger::DeploymentReport) -> ledger::RecordDeploymentRequest {
        ledger::RecordDeploymentRequest {
            project: self.slug.clone(),
            report: Some(report),
            create_missing: Some(everything()),
            ..Default::default()
        }
    }

    /// Records a deployment and creates whatever is missing.
    pub async fn record(&self, report: ledger::DeploymentReport) -> ledger::DeploymentRecord {
        let recorded = self
            .admin
            .ledger()
            .record_deployment(self.recording(report))
            .await
            .granted();
        assert!(!recorded.already_present, "{recorded:?}");
        recorded.record.unwrap()
    }

    /// Retracts a record.
    pub async fn retract(&self, record_id: &str) -> ledger::DeploymentRecord {
        self.admin
            .ledger()
            .retract_deployment_record(ledger::RetractDeploymentRecordRequest {
                project: self.slug.clone(),
                record_id: record_id.to_owned(),
                reason: "it was never deployed".to_owned(),
                ..Default::default()
            })
            .await
            .granted()
            .record
            .unwrap()
    }

    /// One cell as it is now.
    pub async fn cell(&self, application: &str, environment: &str) -> Option<ledger::CurrentState> {
        self.cell_at(application, environment, None, None).await
    }

    /// One cell as of a time, with the knowledge of a time.
    pub async fn cell_at(
        &self,
        application: &str,
        environment: &str,
        as_of_time: Option<prost_types::Timestamp>,
        known_at_time: Option<prost_types::Timestamp>,
    ) -> Option<ledger::CurrentState> {
        self.admin
            .ledger()
            .get_current_state(ledger::GetCurrentStateRequest {
                project: self.slug.clone(),
                application: application.to_owned(),
                environment: environment.to_owned(),
                as_of_time,
                known_at_time,
            })
            .await
            .granted()
            .state
    }

    /// The whole matrix, page by page.
    pub async fn matrix(
        &self,
        as_of_time: Option<prost_types::Timestamp>,
    ) -> Vec<ledger::CurrentState> {
        let mut request = ledger::ListCurrentStateRequest {
            project: self.slug.clone(),
            as_of_time,
            page_size: 1_000,
            ..Default::default()
        };
        let mut cells = Vec::new();
        loop {
            let page = self
                .admin
                .ledger()
                .list_current_state(request.clone())
                .await
                .granted();
            cells.extend(page.states);
            if page.next_page_token.is_empty() {
                return cells;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// The whole history that a filter lets through, page by page. The filter's project is set here.
    pub async fn history(
        &self,
        filter: ledger::ListDeploymentRecordsRequest,
    ) -> Vec<ledger::DeploymentRecord> {
        let mut request = ledger::ListDeploymentRecordsRequest {
            project: self.slug.clone(),
            page_size: if filter.page_size == 0 {
                1_000
            } else {
                filter.page_size
            },
            ..filter
        };
        let mut records = Vec::new();
        loop {
            let page = self
                .admin
                .ledger()
                .list_deployment_records(request.clone())
                .await
                .granted();
            records.extend(page.records);
            if page.next_page_token.is_empty() {
                return records;
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// A folder as a workflow engine.
pub fn directory(folder: &Path) -> catalog::WorkflowEngine {
    catalog::WorkflowEngine {
        engine: Some(catalog::workflow_engine::Engine::Directory(
            catalog::WorkflowDirectory {
                path: folder.display().to_string(),
            },
        )),
    }
}

/// A workflow document with one node.
pub fn workflow(name: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "nodes": [{
            "id": "1", "name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1,
            "position": [0, 0], "parameters": {},
        }],
        "connections": {},
        "settings": {},
    })
}

/// A stage without gates.
pub fn stage(source: &str, target: &str) -> deployments::Stage {
    deployments::Stage {
        source_environment: source.to_owned(),
        target_environment: target.to_owned(),
        gates: None,
    }
}

/// Permission to create whatever is missing.
pub fn everything() -> ledger::CreateMissing {
    ledger::CreateMissing {
        applications: true,
        versions: true,
        environments: true,
        ..Default::default()
    }
}

/// A report of a deployment now.
pub fn report(application: &str, version: &str, environment: &str) -> ledger::DeploymentReport {
    ledger::DeploymentReport {
        application: application.to_owned(),
        version: version.to_owned(),
        environment: environment.to_owned(),
        ..Default::default()
    }
}

/// A report of a deployment at a time.
pub fn report_at(
    application: &str,
    version: &str,
    environment: &str,
    time: prost_types::Timestamp,
) -> ledger::DeploymentReport {
    ledger::DeploymentReport {
        deployed_time: Some(time),
        ..report(application, version, environment)
    }
}

/// A report of a removal at a time.
pub fn removal_at(
    application: &str,
    version: &str,
    environment: &str,
    time: prost_types::Timestamp,
) -> ledger::DeploymentReport {
    ledger::DeploymentReport {
        kind: ledger::RecordKind::Removed.into(),
        ..report_at(application, version, environment, time)
    }
}

/// A schedule from one moment to another.
pub fn once(start: Timestamp, end: Timestamp) -> approvals::FreezeSchedule {
    approvals::FreezeSchedule {
        schedule: Some(approvals::freeze_schedule::Schedule::Once(
            approvals::OnceSchedule {
                start_time: Some(start),
                end_time: Some(end),
            },
        )),
    }
}
