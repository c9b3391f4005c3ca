//! What is out of the ordinary.

use serde::{Deserialize, Serialize};
use slipway_kernel::{PrincipalId, words};

/// Whether four eyes looked at a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FourEyes {
    /// No rule asked anybody.
    NotRequired,
    /// People were asked, and the deployment was never carried out.
    NotCarriedOut,
    /// As many people as the rules ask agreed, none of them with a part in it.
    Met,
    /// Somebody let it pass without those who were asked.
    Overridden,
    /// The facts contradict it.
    Violated,
}

words! {
    FourEyes, "result of four eyes":
    NotRequired = "NOT_REQUIRED",
    NotCarriedOut = "NOT_CARRIED_OUT",
    Met = "MET",
    Overridden = "OVERRIDDEN",
    Violated = "VIOLATED",
}

/// Something that Slipway does not let happen, and that the facts say all the same: somebody changed them, or Slipway has a
/// fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Finding {
    /// Who asked for the deployment agreed to it, by whatever account.
    ApprovedByRequester,
    /// Who wrote or added a version that it deploys agreed to it, by whatever account.
    ApprovedByMaker,
    /// One person agreed by two accounts.
    ApprovedTwice,
    /// An answer is written down for another person than the one whose account gave it.
    OtherPerson,
    /// Fewer people agreed than the rules ask for.
    TooFew,
    /// It was carried out though nobody agreed who had to.
    NotApproved,
    /// It was carried out though rules that stood since before it was created were never asked.
    NotAsked,
    /// What was agreed to is not what was carried out.
    OtherPlan,
    /// It was agreed to after it had begun.
    ApprovedLate,
    /// It began after the agreement had expired.
    ApprovalExpired,
    /// Who overrode it, or had a part in it, reviewed that.
    ReviewedOwn,
}

words! {
    Finding, "finding of a report":
    ApprovedByRequester = "APPROVED_BY_REQUESTER",
    ApprovedByMaker = "APPROVED_BY_MAKER",
    ApprovedTwice = "APPROVED_TWICE",
    OtherPerson = "OTHER_PERSON",
    TooFew = "TOO_FEW",
    NotApproved = "NOT_APPROVED",
    NotAsked = "NOT_ASKED",
    OtherPlan = "OTHER_PLAN",
    ApprovedLate = "APPROVED_LATE",
    ApprovalExpired = "APPROVAL_EXPIRED",
    ReviewedOwn = "REVIEWED_OWN",
}

/// Something that an auditor looks at first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exception {
    /// The facts contradict four eyes.
    Violation {
        /// How.
        finding: Finding,
        /// Whose account it is about, where it is about one.
        principal: Option<PrincipalId>,
        /// Which rule it is about, where it is about one.
        rule: Option<String>,
    },
    /// Somebody let it pass without those who were asked, and nobody else said whether that was right.
    OverrideNotReviewed,
    /// Somebody let it pass without those who were asked.
    Overridden,
    /// It was reported of an environment that policies governed.
    OutsideGovernance,
    /// Somebody let it through a freeze.
    FreezeCrossed,
}

impl Exception {
    /// How far up in a report it stands: higher is further up.
    pub const fn severity(&self) -> u8 {
        match self {
            Self::Violation { .. } => 5,
            Self::OverrideNotReviewed => 4,
            Self::Overridden => 3,
            Self::OutsideGovernance => 2,
            Self::FreezeCrossed => 1,
        }
    }

    /// A word for it, for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Violation { finding, .. } => finding.as_str(),
            Self::OverrideNotReviewed => "OVERRIDE_NOT_REVIEWED",
            Self::Overridden => "OVERRIDDEN",
            Self::OutsideGovernance => "OUTSIDE_GOVERNANCE",
            Self::FreezeCrossed => "FREEZE_CROSSED",
        }
    }
}
