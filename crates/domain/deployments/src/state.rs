//! Where a deployment is in its life cycle.

use serde::{Deserialize, Serialize};
use slipway_kernel::words;

/// A state of a deployment. Which may follow which is written in [`State::may_become`], and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waits for people to agree.
    PendingApproval,
    /// They agreed, or nobody had to.
    Approved,
    /// Waits for the environment.
    Queued,
    /// Is being carried out.
    Running,
    /// Somebody asked to stop it; the step under way ends first.
    Canceling,
    /// What was done is being undone.
    Compensating,
    /// Nobody can tell what the outside did: a person has to look and decide.
    InDoubt,
    /// All of it was done.
    Succeeded,
    /// It was not done, or not all of it; its items say what was.
    Failed,
    /// It was stopped before it was done.
    Canceled,
    /// Somebody who was asked disagreed.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// It was done, and a later deployment undid it.
    RolledBack,
}

words! {
    State, "state of a deployment":
    PendingApproval = "PENDING_APPROVAL",
    Approved = "APPROVED",
    Queued = "QUEUED",
    Running = "RUNNING",
    Canceling = "CANCELING",
    Compensating = "COMPENSATING",
    InDoubt = "IN_DOUBT",
    Succeeded = "SUCCEEDED",
    Failed = "FAILED",
    Canceled = "CANCELED",
    Rejected = "REJECTED",
    Expired = "EXPIRED",
    RolledBack = "ROLLED_BACK",
}

/// A step that the life cycle does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deployment that is {from} can't become {to}")]
pub struct IllegalTransition {
    /// Where it is.
    pub from: State,
    /// Where it was to go.
    pub to: State,
}

impl State {
    /// Whether a deployment may go from here to there.
    pub const fn may_become(self, to: Self) -> bool {
        use State::{
            Approved, Canceled, Canceling, Compensating, Expired, Failed, InDoubt, PendingApproval,
            Queued, Rejected, RolledBack, Running, Succeeded,
        };
        match self {
            PendingApproval => matches!(to, Approved | Rejected | Expired | Canceled),
            Approved => matches!(to, PendingApproval | Queued | Expired | Canceled),
            Queued => matches!(to, Running | PendingApproval | Canceled),
            // Back to PENDING_APPROVAL only from the preflight, with nothing touched.
            Running => matches!(
                to,
                Succeeded | Compensating | Canceling | Failed | InDoubt | PendingApproval
            ),
            Canceling => matches!(to, Canceled | Compensating | InDoubt),
            Compensating => matches!(to, Failed | Canceled | InDoubt),
            InDoubt => matches!(to, Succeeded | Failed | Running | Compensating),
            Succeeded | Failed => matches!(to, RolledBack),
            Canceled | Rejected | Expired | RolledBack => false,
        }
    }

    /// The next state, where the life cycle has that step.
    pub const fn to(self, to: Self) -> Result<Self, IllegalTransition> {
        if self.may_become(to) {
            Ok(to)
        } else {
            Err(IllegalTransition { from: self, to })
        }
    }

    /// Whether nothing will happen by itself any more. A deployment in doubt waits for a person, and so is not over.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Canceled
                | Self::Rejected
                | Self::Expired
                | Self::RolledBack
        )
    }

    /// Whether no other deployment may touch the environment meanwhile.
    pub const fn holds_environment(self) -> bool {
        matches!(
            self,
            Self::Running | Self::Canceling | Self::Compensating | Self::InDoubt
        )
    }

    /// Whether an executor works on it.
    pub const fn is_carried_out(self) -> bool {
        matches!(self, Self::Running | Self::Canceling | Self::Compensating)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over_but_for_a_rollback() {
        for from in State::ALL {
            for to in State::ALL {
                let legal = from.may_become(to);
                assert_eq!(from.to(to).is_ok(), legal);
                if from.is_over() && legal {
                    assert_eq!(to, State::RolledBack, "{from} to {to}");
                }
            }
            let can_move = State::ALL.iter().any(|to| from.may_become(*to));
            assert!(can_move || from.is_over(), "{from} is a trap");
        }
    }

    #[test]
    fn an_illegal_step_is_named() {
        let error = State::Rejected.to(State::Running).expect_err("illegal");
        assert_eq!(
            error.to_string(),
            "a deployment that is REJECTED can't become RUNNING"
        );
    }
}
