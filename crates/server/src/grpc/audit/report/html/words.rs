//! What things are called on the page.

use slipway_audit::report::{Exception, Finding, FourEyes};

pub(super) const fn exception(exception: &Exception) -> &'static str {
    match exception {
        Exception::Violation { finding, .. } => violation(*finding),
        Exception::OverrideNotReviewed => "Its override was not reviewed",
        Exception::Overridden => "Let pass without those who were asked",
        Exception::OutsideGovernance => "Reported of a governed environment",
        Exception::FreezeCrossed => "Let through a freeze",
    }
}

const fn violation(finding: Finding) -> &'static str {
    match finding {
        Finding::ApprovedByRequester => "Approved by who asked for it",
        Finding::ApprovedByMaker => "Approved by who made a part of it",
        Finding::ApprovedTwice => "One person approved by two accounts",
        Finding::OtherPerson => "An answer is written down for another person",
        Finding::TooFew => "Fewer people agreed than a rule asks for",
        Finding::NotApproved => "Carried out without the approval that it needed",
        Finding::NotAsked => "Carried out though a rule was never asked",
        Finding::OtherPlan => "Carried out other than it was agreed to",
        Finding::ApprovedLate => "Approved after it had begun",
        Finding::ApprovalExpired => "Begun after its approval had expired",
        Finding::ReviewedOwn => "The override was reviewed by who had a part in it",
    }
}

pub(super) const fn four_eyes(result: FourEyes) -> &'static str {
    match result {
        FourEyes::NotRequired => "Not required: no rule asked anybody",
        FourEyes::NotCarriedOut => "People were asked; it was not carried out",
        FourEyes::Met => {
            "Met: as many people as the rules ask agreed, none of them with a part in it"
        }
        FourEyes::Overridden => "Overridden: somebody let it pass without those who were asked",
        FourEyes::Violated => "Violated: what is written down contradicts it",
    }
}
