//! What is out of the ordinary: approvals that are withdrawn, and deployments that somebody lets pass without those who
//! were asked.

use serde::{Deserialize, Serialize};
use slipway_kernel::{PrincipalId, Sha256, Timestamp, text::Reason, words};

use crate::{ApprovalRequest, Person, RequestState, StateKind, Voter, WhyNot};

/// That somebody took an approval back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// By which account.
    pub principal: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// That an administrator let a deployment pass without those who were asked. It never changes, and stays on the deployment
/// for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// By which account.
    pub principal: PrincipalId,
    /// Whose: the account's owner, or itself.
    pub person: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The digest of what was looked at.
    pub digest: Sha256,
    /// What somebody else said about it afterwards, where somebody has.
    pub review: Option<Review>,
}

/// What somebody said about an override that was not theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// By which account.
    pub principal: PrincipalId,
    /// Whose.
    pub person: PrincipalId,
    /// What.
    pub finding: Finding,
    /// Why.
    pub comment: Reason,
    /// When.
    pub at: Timestamp,
}

/// What a review finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Finding {
    /// It was right to let the deployment pass.
    Justified,
    /// It was not.
    Unjustified,
}

words! { Finding, "finding": Justified = "JUSTIFIED", Unjustified = "UNJUSTIFIED" }

/// Why a deployment was not let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOverridden {
    /// It does not wait for answers.
    #[error("it is {state}")]
    NotPending {
        /// Where it is.
        state: StateKind,
    },
    /// What was looked at is not what would happen.
    #[error("what would happen is not what was looked at")]
    OtherDigest,
    /// This one may not.
    #[error("who overrides {0}")]
    WhyNot(WhyNot),
}

/// Why a review was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReviewed {
    /// Nobody let it pass.
    #[error("nobody overrode it")]
    NothingToReview,
    /// Somebody reviewed it before.
    #[error("it was reviewed before")]
    AlreadyReviewed,
    /// The same person let it pass, or had a part in it.
    #[error("you overrode it, asked for it or made it, or the same person did by another account")]
    OwnDoing,
}

impl Override {
    /// Whether who let it pass is still one who may.
    pub(crate) fn still_counts(&self, voters: &[Voter]) -> bool {
        let is_voter = |voter: &&Voter| voter.person.principal == self.principal;
        let voter = voters.iter().find(is_voter);
        voter.is_some_and(|voter| !voter.disabled && voter.administers())
    }
}

impl ApprovalRequest {
    /// Lets the deployment pass without those who were asked. Who asked for it may do so too: that is what it is for.
    pub fn override_by(
        mut self,
        overridden: Override,
        voter: &Voter,
    ) -> Result<Self, NotOverridden> {
        let state = self.state_at(overridden.at);
        if state != StateKind::Pending {
            return Err(NotOverridden::NotPending { state });
        }
        if voter.disabled {
            return Err(NotOverridden::WhyNot(WhyNot::Disabled));
        }
        if !voter.administers() {
            return Err(NotOverridden::WhyNot(WhyNot::NotEligible));
        }
        if overridden.digest != self.digest {
            return Err(NotOverridden::OtherDigest);
        }
        self.state = RequestState::Approved { at: overridden.at };
        self.overridden = Some(overridden);
        Ok(self)
    }

    /// Takes what somebody says about the override, who had no part in it.
    pub fn review(mut self, review: Review, excluded: &[Person]) -> Result<Self, NotReviewed> {
        let Some(overridden) = &mut self.overridden else {
            return Err(NotReviewed::NothingToReview);
        };
        if overridden.review.is_some() {
            return Err(NotReviewed::AlreadyReviewed);
        }
        let had_a_part = |person: &Person| person.behind() == review.person;
        if overridden.person == review.person || excluded.iter().any(had_a_part) {
            return Err(NotReviewed::OwnDoing);
        }
        overridden.review = Some(review);
        Ok(self)
    }
}
