use serde::Serialize;
use slipway_kernel::{
    ApplicationKind, Attributes, Key, PrincipalId, RiskLevel, Slug, Tier, Timestamp, text::Notes,
};
use slipway_ledger::{
    CellPlace, RecordKind,
    record::{DeployedBy, ExternalId, TargetNames},
};

/// What a tool tells Slipway about one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The application.
    pub application: Key,
    /// The version put in, or taken out.
    pub version: Key,
    /// The environment.
    pub environment: Slug,
    /// When it happened; `None` is now.
    pub deployed_at: Option<Timestamp>,
    /// What happened.
    pub kind: RecordKind,
    /// Who did it, as claimed; `None` is the caller.
    pub deployed_by: Option<DeployedBy>,
    /// How risky it is said to be.
    pub risk: Option<RiskLevel>,
    /// What is said about it.
    pub notes: Notes,
    /// What the reporter wants to remember about it.
    pub attributes: Attributes,
    /// The reporter's own identifier of it.
    pub external_id: Option<ExternalId>,
}

impl Report {
    pub(super) fn names(&self, reporter: PrincipalId, now: Timestamp) -> TargetNames<'_> {
        TargetNames {
            application: &self.application,
            version: &self.version,
            environment: &self.environment,
            deployed_by: self.deployed_by.as_ref(),
            reporter,
            external_id: self.external_id.as_ref(),
            reported_at: self.deployed_at.unwrap_or(now),
            kind: self.kind,
        }
    }

    pub(super) fn cell(&self) -> CellPlace {
        CellPlace {
            application: self.application.clone(),
            environment: self.environment.clone(),
        }
    }
}

/// Which parts of the catalog a report may create where they don't exist. Each needs the permission of the command that
/// creates it by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CreateMissing {
    /// Unknown applications, of this kind.
    pub applications: Option<ApplicationKind>,
    /// Unknown versions, without content.
    pub versions: bool,
    /// Unknown environments, of this tier.
    pub environments: Option<Tier>,
}
