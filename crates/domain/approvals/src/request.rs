//! Approval requests, and what people answer.

use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, ProjectId, Sha256, Slug,
    Timestamp, text::Reason, words,
};

use crate::{Asked, Override, Withdrawal};

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
    /// What has to be met, as it was when the request was opened: whoever loosens or removes a policy meanwhile meets
    /// nothing by that.
    pub rules: Vec<Asked>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When the deployment may begin at the soonest, by the policies at that time; `None` where at once.
    pub not_before: Option<Timestamp>,
    /// From when on nobody can answer it, and what was answered does not count any more.
    pub expires_at: Timestamp,
    /// Where it is.
    pub state: RequestState,
    /// What was answered, oldest first.
    pub decisions: Vec<Decision>,
    /// Who let the deployment pass without those who were asked, where somebody did.
    pub overridden: Option<Override>,
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
    /// Whether a request may go from here to there. An approval falls where it does not count any more, and waits again
    /// where one of those who agreed withdraws.
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Pending => !matches!(to, Self::Pending),
            Self::Approved => matches!(to, Self::Superseded | Self::Pending),
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

/// One person's answer to one request. It never changes, but that an approval may be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// By which account.
    pub principal: PrincipalId,
    /// Whose: the account's owner, or itself. Nobody answers a request twice.
    pub person: PrincipalId,
    /// What.
    pub verdict: Verdict,
    /// The rule that an approval is given for; `None` where it counts for whichever needs it.
    pub rule: Option<Slug>,
    /// Why.
    pub comment: Reason,
    /// When.
    pub at: Timestamp,
    /// The digest of what was looked at.
    pub digest: Sha256,
    /// When and why it was withdrawn, where it was.
    pub withdrawn: Option<Withdrawal>,
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

    /// Where it is, be it written down yet or not.
    pub(crate) fn state_at(&self, now: Timestamp) -> StateKind {
        match self.state {
            RequestState::Pending if self.is_overdue(now) => StateKind::Expired,
            state => state.kind(),
        }
    }
}

#[cfg(test)]
mod tests;
