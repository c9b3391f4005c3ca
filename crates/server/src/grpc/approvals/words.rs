//! The enums of approvals, as messages have them.

use slipway_api::approvals::v1 as proto;
use slipway_approvals::{StateKind, Verdict};

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
pub(super) fn shown_state(word: StateKind) -> proto::ApprovalState {
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
