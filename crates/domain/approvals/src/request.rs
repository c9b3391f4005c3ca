//! Approval requests, and what people answer.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, ProjectId, Sha256, StoreError,
    Timestamp, text::Reason, words,
};

use crate::{Person, Voter, WhyNot, may_decide};

/// How long a request waits, and an approval counts, from when it was opened.
pub const EXPIRE_AFTER: Duration = Duration::from_hours(7 * 24);

/// The question whether a deployment may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// Its identifier.
    pub id: ApprovalRequestId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// The deployment that waits for it.
    pub deployment: DeploymentId,
    /// What people call the deployment.
    pub deployment_number: i64,
    /// The environment that would be changed.
    pub environment: EnvironmentId,
    /// The digest of what would happen: whoever agrees, agrees to this.
    pub digest: Sha256,
    /// Who asked for the deployment.
    pub requester: PrincipalId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// From when on nobody can answer it, and what was answered does not count any more.
    pub expires_at: Timestamp,
    /// Where it is.
    pub state: RequestState,
    /// What was answered, oldest first.
    pub decisions: Vec<Decision>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Waits for answers.
    Pending,
    /// Enough people agreed.
    Approved {
        /// When.
        at: Timestamp,
    },
    /// Somebody disagreed.
    Rejected {
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When that was noticed.
        at: Timestamp,
    },
    /// The deployment was stopped.
    Canceled {
        /// When.
        at: Timestamp,
    },
    /// Another request took its place, because what it asked for is not what would happen, or what was answered does not
    /// count any more.
    Superseded {
        /// When.
        at: Timestamp,
    },
}

/// A [`RequestState`] without its data, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StateKind {
    /// See [`RequestState::Pending`].
    Pending,
    /// See [`RequestState::Approved`].
    Approved,
    /// See [`RequestState::Rejected`].
    Rejected,
    /// See [`RequestState::Expired`].
    Expired,
    /// See [`RequestState::Canceled`].
    Canceled,
    /// See [`RequestState::Superseded`].
    Superseded,
}

words! {
    StateKind, "state of an approval request":
    Pending = "PENDING",
    Approved = "APPROVED",
    Rejected = "REJECTED",
    Expired = "EXPIRED",
    Canceled = "CANCELED",
    Superseded = "SUPERSEDED",
}

impl RequestState {
    /// The state of this kind that began at this moment.
    pub const fn new(kind: StateKind, at: Timestamp) -> Self {
        match kind {
            StateKind::Pending => Self::Pending,
            StateKind::Approved => Self::Approved { at },
            StateKind::Rejected => Self::Rejected { at },
            StateKind::Expired => Self::Expired { at },
            StateKind::Canceled => Self::Canceled { at },
            StateKind::Superseded => Self::Superseded { at },
        }
    }

    /// Which state it is.
    pub const fn kind(self) -> StateKind {
        match self {
            Self::Pending => StateKind::Pending,
            Self::Approved { .. } => StateKind::Approved,
            Self::Rejected { .. } => StateKind::Rejected,
            Self::Expired { .. } => StateKind::Expired,
            Self::Canceled { .. } => StateKind::Canceled,
            Self::Superseded { .. } => StateKind::Superseded,
        }
    }

    /// Since when it does not wait any more.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::Pending => None,
            Self::Approved { at }
            | Self::Rejected { at }
            | Self::Expired { at }
            | Self::Canceled { at }
            | Self::Superseded { at } => Some(at),
        }
    }
}

impl StateKind {
    /// Whether a request may go from here to there. An approval falls where it does not count any more.
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Pending => !matches!(to, Self::Pending),
            Self::Approved => matches!(to, Self::Superseded),
            Self::Rejected | Self::Expired | Self::Canceled | Self::Superseded => false,
        }
    }
}

/// A step that a request does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an approval request that is {from} can't become {to}")]
pub struct IllegalStep {
    /// Where it is.
    pub from: StateKind,
    /// Where it was to go.
    pub to: StateKind,
}

/// What somebody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Agrees.
    Approve,
    /// Disagrees, which ends the request.
    Reject,
}

words! { Verdict, "verdict": Approve = "APPROVE", Reject = "REJECT" }

/// One principal's answer to one request. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whose.
    pub principal: PrincipalId,
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub comment: Reason,
    /// When.
    pub at: Timestamp,
    /// The digest of what was looked at.
    pub digest: Sha256,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// It does not wait for answers any more.
    #[error("it is {state}")]
    NotPending {
        /// Where it is.
        state: StateKind,
    },
    /// The same principal answered before.
    #[error("you answered it before")]
    AlreadyDecided,
    /// What was looked at is not what would happen.
    #[error("what would happen is not what was looked at")]
    OtherDigest,
    /// This one may not answer.
    #[error("who answers {0}")]
    WhyNot(#[from] WhyNot),
}

/// Why what was answered does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEnough {
    /// It was not approved, or is not the last request any more.
    #[error("the approval request is {state}")]
    NotApproved {
        /// Where it is.
        state: StateKind,
    },
    /// It was approved too long ago.
    #[error("the approval has expired")]
    Expired,
    /// Something else was agreed to.
    #[error("what would happen is not what was agreed to")]
    OtherDigest,
    /// Nobody who agreed counts.
    #[error("nobody who agreed counts any more: who did {0}")]
    Nobody(WhyNot),
}

impl ApprovalRequest {
    /// The request in another state from now on.
    pub fn become_state(self, to: StateKind, now: Timestamp) -> Result<Self, IllegalStep> {
        let from = self.state.kind();
        if from.may_become(to) {
            let state = RequestState::new(to, now);
            Ok(Self { state, ..self })
        } else {
            Err(IllegalStep { from, to })
        }
    }

    /// Whether its time is over, be it written down yet or not.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// Takes an answer. One rejection ends the request; one approval is enough.
    pub fn decide(
        mut self,
        decision: Decision,
        voter: Voter,
        excluded: &[Person],
    ) -> Result<Self, NotDecided> {
        let now = decision.at;
        let decided = |made: &Decision| made.principal == decision.principal;
        if self.decisions.iter().any(decided) {
            return Err(NotDecided::AlreadyDecided);
        }
        let overdue = self.state == RequestState::Pending && self.is_overdue(now);
        let state = if overdue {
            StateKind::Expired
        } else {
            self.state.kind()
        };
        if state != StateKind::Pending {
            return Err(NotDecided::NotPending { state });
        }
        may_decide(voter, excluded)?;
        if decision.digest != self.digest {
            return Err(NotDecided::OtherDigest);
        }
        self.state = match decision.verdict {
            Verdict::Approve => RequestState::Approved { at: now },
            Verdict::Reject => RequestState::Rejected { at: now },
        };
        self.decisions.push(decision);
        Ok(self)
    }
}

/// Who agreed, where that suffices for what would happen now. The voters are those who decided, as they are now.
pub fn enough(
    request: &ApprovalRequest,
    digest: Sha256,
    voters: &[Voter],
    excluded: &[Person],
    now: Timestamp,
) -> Result<PrincipalId, NotEnough> {
    let state = request.state.kind();
    if state != StateKind::Approved {
        return Err(NotEnough::NotApproved { state });
    }
    if request.is_overdue(now) {
        return Err(NotEnough::Expired);
    }
    if request.digest != digest {
        return Err(NotEnough::OtherDigest);
    }
    let mut why_not = WhyNot::NotEligible;
    let agrees = |made: &&Decision| made.verdict == Verdict::Approve && made.digest == digest;
    for decision in request.decisions.iter().filter(agrees) {
        let is_voter = |voter: &&Voter| voter.person.principal == decision.principal;
        let Some(voter) = voters.iter().find(is_voter) else {
            continue;
        };
        match may_decide(*voter, excluded) {
            Ok(()) => return Ok(decision.principal),
            Err(found) => why_not = found,
        }
    }
    Err(NotEnough::Nobody(why_not))
}

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

    /// Adds a decision. An adapter MUST answer [`StoreError::Conflict`] where the principal has decided before.
    async fn decide(
        &mut self,
        request: ApprovalRequestId,
        decision: &Decision,
    ) -> Result<(), StoreError>;

    /// Saves a request's state, which was `from` when it was read. An adapter MUST answer [`StoreError::Conflict`] where
    /// it is another.
    async fn update(
        &mut self,
        request: &ApprovalRequest,
        from: StateKind,
    ) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
