//! The enums of approvals, as messages have them.

use slipway_api::approvals::v1 as proto;
use slipway_approvals::freeze::Weekday;
use slipway_approvals::{Finding, FreezeAction, StateKind, Verdict, VoterRole};

/// A state; `None` where it is unspecified.
pub(super) fn state(word: proto::ApprovalState) -> Option<StateKind> {
    match word {
        proto::ApprovalState::Unspecified => None,
        proto::ApprovalState::Pending => Some(StateKind::Pending),
        proto::ApprovalState::Approved => Some(StateKind::Approved),
        proto::ApprovalState::Rejected => Some(StateKind::Rejected),
        proto::ApprovalState::Expired => Some(StateKind::Expired),
        proto::ApprovalState::Canceled => Some(StateKind::Canceled),
        proto::ApprovalState::Superseded => Some(StateKind::Superseded),
    }
}

/// A state as a message has it.
pub(in crate::grpc) fn shown_state(word: StateKind) -> proto::ApprovalState {
    match word {
        StateKind::Pending => proto::ApprovalState::Pending,
        StateKind::Approved => proto::ApprovalState::Approved,
        StateKind::Rejected => proto::ApprovalState::Rejected,
        StateKind::Expired => proto::ApprovalState::Expired,
        StateKind::Canceled => proto::ApprovalState::Canceled,
        StateKind::Superseded => proto::ApprovalState::Superseded,
    }
}

/// A verdict as a message has it.
pub(super) fn shown_verdict(word: Verdict) -> proto::Verdict {
    match word {
        Verdict::Approve => proto::Verdict::Approve,
        Verdict::Reject => proto::Verdict::Reject,
    }
}

/// A finding; `None` where it is unspecified.
pub(super) fn finding(word: proto::OverrideFinding) -> Option<Finding> {
    match word {
        proto::OverrideFinding::Unspecified => None,
        proto::OverrideFinding::Justified => Some(Finding::Justified),
        proto::OverrideFinding::Unjustified => Some(Finding::Unjustified),
    }
}

/// A finding as a message has it.
pub(super) fn shown_finding(word: Finding) -> proto::OverrideFinding {
    match word {
        Finding::Justified => proto::OverrideFinding::Justified,
        Finding::Unjustified => proto::OverrideFinding::Unjustified,
    }
}

/// A role; `None` where it is unspecified.
pub(super) fn role(word: proto::EligibleRole) -> Option<VoterRole> {
    match word {
        proto::EligibleRole::Unspecified => None,
        proto::EligibleRole::Viewer => Some(VoterRole::Viewer),
        proto::EligibleRole::Developer => Some(VoterRole::Developer),
        proto::EligibleRole::Approver => Some(VoterRole::Approver),
        proto::EligibleRole::Admin => Some(VoterRole::Admin),
        proto::EligibleRole::TenantAdmin => Some(VoterRole::TenantAdmin),
    }
}

/// A role as a message has it.
pub(super) fn shown_role(word: VoterRole) -> proto::EligibleRole {
    match word {
        VoterRole::Viewer => proto::EligibleRole::Viewer,
        VoterRole::Developer => proto::EligibleRole::Developer,
        VoterRole::Approver => proto::EligibleRole::Approver,
        VoterRole::Admin => proto::EligibleRole::Admin,
        VoterRole::TenantAdmin => proto::EligibleRole::TenantAdmin,
    }
}

/// What can be frozen; `None` where it is unspecified.
pub(super) fn action(word: proto::FreezeAction) -> Option<FreezeAction> {
    match word {
        proto::FreezeAction::Unspecified => None,
        proto::FreezeAction::Release => Some(FreezeAction::Release),
        proto::FreezeAction::Promotion => Some(FreezeAction::Promotion),
        proto::FreezeAction::Restore => Some(FreezeAction::Restore),
        proto::FreezeAction::Function => Some(FreezeAction::Function),
    }
}

/// What can be frozen as a message has it.
pub(super) fn shown_action(word: FreezeAction) -> proto::FreezeAction {
    match word {
        FreezeAction::Release => proto::FreezeAction::Release,
        FreezeAction::Promotion => proto::FreezeAction::Promotion,
        FreezeAction::Restore => proto::FreezeAction::Restore,
        FreezeAction::Function => proto::FreezeAction::Function,
    }
}

/// A day of the week; `None` where it is unspecified.
pub(super) fn weekday(word: proto::Weekday) -> Option<Weekday> {
    match word {
        proto::Weekday::Unspecified => None,
        proto::Weekday::Monday => Some(Weekday::Monday),
        proto::Weekday::Tuesday => Some(Weekday::Tuesday),
        proto::Weekday::Wednesday => Some(Weekday::Wednesday),
        proto::Weekday::Thursday => Some(Weekday::Thursday),
        proto::Weekday::Friday => Some(Weekday::Friday),
        proto::Weekday::Saturday => Some(Weekday::Saturday),
        proto::Weekday::Sunday => Some(Weekday::Sunday),
    }
}

/// A day of the week as a message has it.
pub(super) fn shown_weekday(word: Weekday) -> proto::Weekday {
    match word {
        Weekday::Monday => proto::Weekday::Monday,
        Weekday::Tuesday => proto::Weekday::Tuesday,
        Weekday::Wednesday => proto::Weekday::Wednesday,
        Weekday::Thursday => proto::Weekday::Thursday,
        Weekday::Friday => proto::Weekday::Friday,
        Weekday::Saturday => proto::Weekday::Saturday,
        Weekday::Sunday => proto::Weekday::Sunday,
    }
}
