//! The enums of deployments, as messages have them.

use slipway_api::deployments::v1 as proto;
use slipway_deployments::{
    Change, DeploymentKind, Drift, ItemStatus, OnFailure, Publish, Secrets, State, Verdict,
};

/// An answer to drift; `None` where it is unspecified.
pub(in crate::grpc) fn drift(word: proto::DriftGate) -> Option<Drift> {
    match word {
        proto::DriftGate::Unspecified => None,
        proto::DriftGate::Allow => Some(Drift::Allow),
        proto::DriftGate::Refuse => Some(Drift::Refuse),
    }
}

/// An answer to drift as a message has it.
pub(in crate::grpc) fn shown_drift(word: Drift) -> proto::DriftGate {
    match word {
        Drift::Allow => proto::DriftGate::Allow,
        Drift::Refuse => proto::DriftGate::Refuse,
    }
}

/// An answer to a failure; `None` where it is unspecified.
pub(in crate::grpc) fn on_failure(word: proto::FailurePolicy) -> Option<OnFailure> {
    match word {
        proto::FailurePolicy::Unspecified => None,
        proto::FailurePolicy::Compensate => Some(OnFailure::Compensate),
        proto::FailurePolicy::Keep => Some(OnFailure::Keep),
    }
}

/// An answer to a failure as a message has it.
pub(in crate::grpc) fn shown_on_failure(word: OnFailure) -> proto::FailurePolicy {
    match word {
        OnFailure::Compensate => proto::FailurePolicy::Compensate,
        OnFailure::Keep => proto::FailurePolicy::Keep,
    }
}

/// A publish mode; `None` where it is unspecified.
pub(in crate::grpc) fn publish(word: proto::PublishMode) -> Option<Publish> {
    match word {
        proto::PublishMode::Unspecified => None,
        proto::PublishMode::Keep => Some(Publish::Keep),
        proto::PublishMode::AsSource => Some(Publish::AsSource),
        proto::PublishMode::Deactivate => Some(Publish::Deactivate),
    }
}

/// A publish mode as a message has it.
pub(in crate::grpc) fn shown_publish(word: Publish) -> proto::PublishMode {
    match word {
        Publish::Keep => proto::PublishMode::Keep,
        Publish::AsSource => proto::PublishMode::AsSource,
        Publish::Deactivate => proto::PublishMode::Deactivate,
    }
}

/// An answer to a secret; `None` where it is unspecified.
pub(in crate::grpc) fn secrets(word: proto::SecretGate) -> Option<Secrets> {
    match word {
        proto::SecretGate::Unspecified => None,
        proto::SecretGate::Warn => Some(Secrets::Warn),
        proto::SecretGate::Block => Some(Secrets::Block),
    }
}

/// An answer to a secret as a message has it.
pub(in crate::grpc) fn shown_secrets(word: Secrets) -> proto::SecretGate {
    match word {
        Secrets::Warn => proto::SecretGate::Warn,
        Secrets::Block => proto::SecretGate::Block,
    }
}

/// A state; `None` where it is unspecified.
pub(in crate::grpc) fn state(word: proto::DeploymentState) -> Option<State> {
    match word {
        proto::DeploymentState::Unspecified => None,
        proto::DeploymentState::PendingApproval => Some(State::PendingApproval),
        proto::DeploymentState::Approved => Some(State::Approved),
        proto::DeploymentState::Queued => Some(State::Queued),
        proto::DeploymentState::Running => Some(State::Running),
        proto::DeploymentState::Canceling => Some(State::Canceling),
        proto::DeploymentState::Compensating => Some(State::Compensating),
        proto::DeploymentState::InDoubt => Some(State::InDoubt),
        proto::DeploymentState::Succeeded => Some(State::Succeeded),
        proto::DeploymentState::Failed => Some(State::Failed),
        proto::DeploymentState::Canceled => Some(State::Canceled),
        proto::DeploymentState::Rejected => Some(State::Rejected),
        proto::DeploymentState::Expired => Some(State::Expired),
        proto::DeploymentState::RolledBack => Some(State::RolledBack),
    }
}

/// A state as a message has it.
pub(in crate::grpc) fn shown_state(word: State) -> proto::DeploymentState {
    match word {
        State::PendingApproval => proto::DeploymentState::PendingApproval,
        State::Approved => proto::DeploymentState::Approved,
        State::Queued => proto::DeploymentState::Queued,
        State::Running => proto::DeploymentState::Running,
        State::Canceling => proto::DeploymentState::Canceling,
        State::Compensating => proto::DeploymentState::Compensating,
        State::InDoubt => proto::DeploymentState::InDoubt,
        State::Succeeded => proto::DeploymentState::Succeeded,
        State::Failed => proto::DeploymentState::Failed,
        State::Canceled => proto::DeploymentState::Canceled,
        State::Rejected => proto::DeploymentState::Rejected,
        State::Expired => proto::DeploymentState::Expired,
        State::RolledBack => proto::DeploymentState::RolledBack,
    }
}

/// A verdict; `None` where it is unspecified.
pub(in crate::grpc) fn verdict(word: proto::Verdict) -> Option<Verdict> {
    match word {
        proto::Verdict::Unspecified => None,
        proto::Verdict::Succeeded => Some(Verdict::Succeeded),
        proto::Verdict::Failed => Some(Verdict::Failed),
        proto::Verdict::Running => Some(Verdict::Running),
        proto::Verdict::Compensating => Some(Verdict::Compensating),
    }
}

/// A verdict as a message has it.
pub(in crate::grpc) fn shown_verdict(word: Verdict) -> proto::Verdict {
    match word {
        Verdict::Succeeded => proto::Verdict::Succeeded,
        Verdict::Failed => proto::Verdict::Failed,
        Verdict::Running => proto::Verdict::Running,
        Verdict::Compensating => proto::Verdict::Compensating,
    }
}

/// A kind of deployment as a message has it.
pub(in crate::grpc) fn shown_kind(word: DeploymentKind) -> proto::DeploymentKind {
    match word {
        DeploymentKind::Release => proto::DeploymentKind::Release,
        DeploymentKind::Promotion => proto::DeploymentKind::Promotion,
        DeploymentKind::Restore => proto::DeploymentKind::Restore,
        DeploymentKind::Rollback => proto::DeploymentKind::Rollback,
    }
}

/// A change as a message has it.
pub(in crate::grpc) fn shown_change(word: Change) -> proto::ItemChange {
    match word {
        Change::Created => proto::ItemChange::Created,
        Change::Updated => proto::ItemChange::Updated,
        Change::Deleted => proto::ItemChange::Deleted,
        Change::Unchanged => proto::ItemChange::Unchanged,
        Change::Skipped => proto::ItemChange::Skipped,
    }
}

/// An item's status as a message has it.
pub(in crate::grpc) fn shown_status(word: ItemStatus) -> proto::ItemStatus {
    match word {
        ItemStatus::Pending => proto::ItemStatus::Pending,
        ItemStatus::Succeeded => proto::ItemStatus::Succeeded,
        ItemStatus::Failed => proto::ItemStatus::Failed,
        ItemStatus::Skipped => proto::ItemStatus::Skipped,
        ItemStatus::Compensated => proto::ItemStatus::Compensated,
    }
}
