//! The catalog's enums, as messages have them.

use slipway_api::catalog::v1 as proto;
use slipway_kernel::{ApplicationKind, Tier};

/// A kind of application; `None` where it is unspecified.
pub(in crate::grpc) fn application_kind(kind: proto::ApplicationKind) -> Option<ApplicationKind> {
    match kind {
        proto::ApplicationKind::Unspecified => None,
        proto::ApplicationKind::Service => Some(ApplicationKind::Service),
        proto::ApplicationKind::Workflow => Some(ApplicationKind::Workflow),
        proto::ApplicationKind::Function => Some(ApplicationKind::Function),
        proto::ApplicationKind::Prompt => Some(ApplicationKind::Prompt),
        proto::ApplicationKind::PromptAsset => Some(ApplicationKind::PromptAsset),
        proto::ApplicationKind::AiModel => Some(ApplicationKind::AiModel),
    }
}

/// A kind of application as a message has it.
pub(in crate::grpc) fn shown_application_kind(kind: ApplicationKind) -> proto::ApplicationKind {
    match kind {
        ApplicationKind::Service => proto::ApplicationKind::Service,
        ApplicationKind::Workflow => proto::ApplicationKind::Workflow,
        ApplicationKind::Function => proto::ApplicationKind::Function,
        ApplicationKind::Prompt => proto::ApplicationKind::Prompt,
        ApplicationKind::PromptAsset => proto::ApplicationKind::PromptAsset,
        ApplicationKind::AiModel => proto::ApplicationKind::AiModel,
    }
}

/// An environment's tier; `None` where it is unspecified.
pub(in crate::grpc) fn tier(tier: proto::EnvironmentTier) -> Option<Tier> {
    match tier {
        proto::EnvironmentTier::Unspecified => None,
        proto::EnvironmentTier::Development => Some(Tier::Development),
        proto::EnvironmentTier::Testing => Some(Tier::Testing),
        proto::EnvironmentTier::Staging => Some(Tier::Staging),
        proto::EnvironmentTier::Production => Some(Tier::Production),
    }
}

/// An environment's tier as a message has it.
pub(in crate::grpc) fn shown_tier(tier: Tier) -> proto::EnvironmentTier {
    match tier {
        Tier::Development => proto::EnvironmentTier::Development,
        Tier::Testing => proto::EnvironmentTier::Testing,
        Tier::Staging => proto::EnvironmentTier::Staging,
        Tier::Production => proto::EnvironmentTier::Production,
    }
}
