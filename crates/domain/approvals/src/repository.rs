//! The port to approval requests.

use async_trait::async_trait;
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, ProjectId, StoreError, VersionId,
};

use crate::{ApprovalRequest, Decision, Override, Person, Review, StateKind, Voter, Withdrawal};

/// Changes approval requests, inside a unit of work.
///
/// Whoever changes a request holds its deployment first, so that a request and its deployment move together.
#[async_trait]
pub trait ApprovalRepository: Send {
    /// Adds a request without decisions. An adapter MUST answer [`StoreError::Conflict`] where the deployment has another
    /// one that is pending or approved.
    async fn open(&mut self, request: &ApprovalRequest) -> Result<(), StoreError>;

    /// The last request of a deployment, with its decisions. An adapter MUST hold it until the unit of work ends.
    async fn last_of(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError>;

    /// Adds a decision. An adapter MUST answer [`StoreError::Conflict`] where the person has decided before.
    async fn decide(
        &mut self,
        request: ApprovalRequestId,
        decision: &Decision,
    ) -> Result<(), StoreError>;

    /// Adds that a person withdrew an approval. An adapter MUST answer [`StoreError::Conflict`] where it was withdrawn
    /// before.
    async fn withdraw(
        &mut self,
        request: ApprovalRequestId,
        person: PrincipalId,
        withdrawal: &Withdrawal,
    ) -> Result<(), StoreError>;

    /// Adds that somebody let a deployment pass. An adapter MUST answer [`StoreError::Conflict`] where somebody did before.
    async fn override_request(
        &mut self,
        request: &ApprovalRequest,
        overridden: &Override,
    ) -> Result<(), StoreError>;

    /// Adds what somebody else says about an override. An adapter MUST answer [`StoreError::Conflict`] where somebody did
    /// before.
    async fn review(
        &mut self,
        request: ApprovalRequestId,
        review: &Review,
    ) -> Result<(), StoreError>;

    /// The last request of a deployment that somebody overrode and nobody has reviewed yet, or else the last one that
    /// somebody overrode. An adapter MUST hold it until the unit of work ends.
    async fn overridden(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError>;

    /// Saves a request's state, which was `from` when it was read. An adapter MUST answer [`StoreError::Conflict`] where
    /// it is another.
    async fn update(
        &mut self,
        request: &ApprovalRequest,
        from: StateKind,
    ) -> Result<(), StoreError>;

    /// Everybody who may have a say in a project, as they are now: its members and the administrators of the installation;
    /// only these principals where they are given, members or not.
    async fn voters(
        &mut self,
        project: ProjectId,
        only: Option<&[PrincipalId]>,
    ) -> Result<Vec<Voter>, StoreError>;

    /// Everybody who had a part in a deployment: whoever asked for it, and who made the versions that it deploys, as far
    /// as the catalog knows, each once.
    async fn had_a_part(&mut self, deployment: DeploymentId) -> Result<Vec<Person>, StoreError>;

    /// Whether a deployment found its environment as an earlier one had left it to which people had agreed: whoever undoes
    /// it goes back to that.
    async fn came_after_approved(&mut self, deployment: DeploymentId) -> Result<bool, StoreError>;

    /// Whether each of these versions was put into an environment by a deployment that people had agreed to.
    async fn were_approved(
        &mut self,
        environment: EnvironmentId,
        versions: &[VersionId],
    ) -> Result<bool, StoreError>;
}
