//! Slipway's contract in Rust: the messages, clients and servers of `proto/`, and their descriptors.
//!
//! All of it is generated when the crate is built; only the tree of modules stands here. The comments are those of the
//! protos, which are the reference: limits, defaults, orders and refusals are told there.

// The generators write for every compiler and every message, not for our lints.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::pedantic,
    reason = "generated code"
)]

/// All protos and what they import, as an encoded `google.protobuf.FileDescriptorSet` without comments: what server
/// reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// Snapshots of environments.
pub mod snapshots {
    /// Package `slipway.snapshots.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.snapshots.v1.rs"));
    }
}

/// Who may call and what they may do.
pub mod identity {
    /// Package `slipway.identity.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.identity.v1.rs"));
    }
}

/// Environments, applications and versions.
pub mod catalog {
    /// Package `slipway.catalog.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.catalog.v1.rs"));
    }
}

/// What may change, and how.
pub mod deployments {
    /// Package `slipway.deployments.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.deployments.v1.rs"));
    }
}

/// Who has to agree before it does.
pub mod approvals {
    /// Package `slipway.approvals.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.approvals.v1.rs"));
    }
}

/// What is deployed where, now and at any past moment.
pub mod ledger {
    /// Package `slipway.ledger.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.ledger.v1.rs"));
    }
}

/// Who is told what happens.
pub mod notifications {
    /// Package `slipway.notifications.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.notifications.v1.rs"));
    }
}

/// Who did what, and the proof that nobody has changed it since.
pub mod audit {
    /// Package `slipway.audit.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.audit.v1.rs"));
    }
}

/// Why a call was refused.
pub mod errors {
    /// Package `slipway.errors.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/slipway.errors.v1.rs"));
    }
}
