//! Who asks for releases and who approves them, and the calls that they make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slipway_api::approvals::v1 as approvals;
use slipway_api::approvals::v1::approval_service_client::ApprovalServiceClient;
use slipway_api::catalog::v1::EnvironmentTier;
use slipway_api::deployments::v1 as deployments;
use slipway_api::deployments::v1::deployment_service_client::DeploymentServiceClient;
use slipway_api::deployments::v1::{DeploymentState, ItemStatus};
use slipway_api::identity::v1 as identity;
use slipway_api::identity::v1::identity_service_client::IdentityServiceClient;

use crate::Failure;
use crate::client::{CLIENTS, Callers, PROJECT, VERSIONS};

/// What a release brings.
pub(super) const ITEMS: u64 = 10;
/// Environments of each client, so that none waits for another one's release.
pub(super) const OF_EACH: u64 = 10;
/// Environments into which the RPCs release; as many more are `minimal.sql`'s.
pub(super) const ENVIRONMENTS: u64 = CLIENTS as u64 * OF_EACH;
/// People of the project, besides the administrator.
const MEMBERS: usize = 20;

/// A release on its way.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) id: String,
    digest: String,
}

/// The callers, each with a token of its own, over the same connections.
#[derive(Clone)]
pub(super) struct People {
    /// Asks, and executes.
    pub(super) requester: (Callers, String),
    /// Approve.
    pub(super) approvers: [(Callers, String); 2],
    /// How many releases each environment had.
    had: Arc<Vec<AtomicU64>>,
}

impl People {
    /// Makes everybody, and the policy: in the tier of the environments two administrators have to agree.
    pub(super) async fn new(root: &Callers) -> Result<Self, Failure> {
        let requester = member(root, "requester", identity::Role::Developer).await?;
        let approvers = [
            member(root, "first", identity::Role::Admin).await?,
            member(root, "second", identity::Role::Admin).await?,
        ];
        for number in 3..MEMBERS {
            member(root, &format!("member {number}"), identity::Role::Admin).await?;
        }
        let request = approvals::SetPolicyRequest {
            project: PROJECT.to_owned(),
            scope: Some(approvals::PolicyScope {
                scope: Some(approvals::policy_scope::Scope::Tier(
                    EnvironmentTier::Staging.into(),
                )),
            }),
            terms: Some(terms()),
            ..Default::default()
        };
        ApprovalServiceClient::new(root.channel())
            .set_policy(root.request(request))
            .await?;
        let had = (0..ENVIRONMENTS).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            requester,
            approvers,
            had: Arc::new(had),
        })
    }

    /// Asks for a release into one of a client's environments, by turns.
    pub(super) async fn create(&self, client: usize, number: u64) -> Result<Release, Failure> {
        self.create_of(client, number, ITEMS).await
    }

    /// The same, with so many items.
    pub(super) async fn create_of(
        &self,
        client: usize,
        number: u64,
        items: u64,
    ) -> Result<Release, Failure> {
        let environment = client as u64 * OF_EACH + number % OF_EACH;
        let had = &self.had[usize::try_from(environment)?];
        // Everything has `v0` at first.
        let version = (had.fetch_add(1, Ordering::Relaxed) + 1) % VERSIONS;
        let item = |application| deployments::ReleaseItem {
            application: format!("app-{application}"),
            change: Some(deployments::release_item::Change::Version(format!(
                "v{version}"
            ))),
            // Behind the last version comes the first again.
            allow_older: true,
            ..Default::default()
        };
        let request = self.requester.0.request(deployments::CreateReleaseRequest {
            project: PROJECT.to_owned(),
            name: "release".to_owned(),
            environment: format!("env-{environment}"),
            items: (0..items).map(item).collect(),
            ..Default::default()
        });
        let connection = self.requester.0.connection(client);
        let made = DeploymentServiceClient::new(connection)
            .create_release(request)
            .await?;
        let made = made.into_inner().deployment.ok_or("no deployment")?;
        if made.state() != DeploymentState::PendingApproval || made.items.len() as u64 != items {
            return Err(format!("a release became {made:?}").into());
        }
        Ok(Release {
            id: made.deployment_id,
            digest: made.plan_digest,
        })
    }

    /// One of the approvers agrees; what the release is then.
    pub(super) async fn approve(
        &self,
        client: usize,
        release: &Release,
        approver: usize,
    ) -> Result<(), Failure> {
        let (callers, _) = &self.approvers[approver];
        let request = callers.request(approvals::ApproveRequest {
            project: PROJECT.to_owned(),
            deployment: release.id.clone(),
            plan_digest: release.digest.clone(),
            ..Default::default()
        });
        let answer = ApprovalServiceClient::new(callers.connection(client))
            .approve(request)
            .await?;
        let state = answer
            .into_inner()
            .deployment
            .ok_or("no deployment")?
            .state();
        let expected = [DeploymentState::PendingApproval, DeploymentState::Approved];
        if state == expected[approver] {
            Ok(())
        } else {
            Err(format!("an answer release is {state:?}").into())
        }
    }

    /// Carries it out.
    pub(super) async fn execute(&self, client: usize, release: &Release) -> Result<(), Failure> {
        let (callers, _) = &self.requester;
        let request = callers.request(deployments::ExecuteDeploymentRequest {
            project: PROJECT.to_owned(),
            deployment: release.id.clone(),
            plan_digest: release.digest.clone(),
            ..Default::default()
        });
        let done = DeploymentServiceClient::new(callers.connection(client))
            .execute_deployment(request)
            .await?;
        let done = done.into_inner().deployment.ok_or("no deployment")?;
        let all = done
            .items
            .iter()
            .all(|item| item.status() == ItemStatus::Succeeded);
        if done.state() == DeploymentState::Succeeded && all {
            Ok(())
        } else {
            Err(format!("a release that was executed is {done:?}").into())
        }
    }
}

/// Two out of those who administer.
fn terms() -> approvals::PolicyTerms {
    approvals::PolicyTerms {
        rules: vec![approvals::ApprovalRule {
            name: "two".to_owned(),
            required: 2,
            eligible: Some(approvals::Eligible {
                roles: vec![approvals::EligibleRole::Admin.into()],
                ..Default::default()
            }),
            ..Default::default()
        }],
        requesters: Some(approvals::Eligible {
            roles: vec![approvals::EligibleRole::Developer.into()],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A new user with this role and a token, and its id.
async fn member(
    root: &Callers,
    name: &str,
    role: identity::Role,
) -> Result<(Callers, String), Failure> {
    let mut service = IdentityServiceClient::new(root.channel());
    let request = identity::CreatePrincipalRequest {
        kind: identity::PrincipalKind::User.into(),
        display_name: name.to_owned(),
        ..Default::default()
    };
    let made = service.create_principal(root.request(request)).await?;
    let id = made.into_inner().principal.ok_or("no principal")?;
    let id = id.principal_id;
    let request = identity::SetMembershipRequest {
        project: PROJECT.to_owned(),
        principal_id: id.clone(),
        roles: vec![role.into()],
        ..Default::default()
    };
    service.set_membership(root.request(request)).await?;
    let request = identity::CreateTokenRequest {
        principal_id: id.clone(),
        name: "benchmark".to_owned(),
        ..Default::default()
    };
    let token = service.create_token(root.request(request)).await?;
    Ok((root.known_by(&token.into_inner().secret)?, id))
}
