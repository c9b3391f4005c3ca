//! What a release has that other deployments don't: a name, and chosen versions.

use serde::Serialize;
use slipway_kernel::{
    ApplicationKind, Key, RiskLevel, VersionId,
    text::{Description, DisplayName, Notes},
};

use crate::{TemplateVersion, release::RiskFactor};

/// What people say a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// What they call it, besides its number.
    pub name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// Whether it is carried out as soon as nobody has to agree any more, rather than when somebody executes it.
    pub execute_on_approval: bool,
    /// What it was made from; `None` where its items were named one by one.
    pub template: Option<TemplateVersion>,
}

/// A version, as requests call it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRef {
    /// The version.
    pub id: VersionId,
    /// What it is called.
    pub identifier: Key,
}

/// A version chosen for an environment, in place of what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// What sort of thing the application is.
    pub kind: ApplicationKind,
    /// What was current in the target when the release was made or last agreed to; `None` where nothing was.
    pub before: Option<VersionRef>,
    /// What becomes current; `None` where the application is taken out.
    pub after: Option<VersionRef>,
    /// What changes, in the words of who asked for it.
    pub message: Notes,
    /// How risky they said it is.
    pub declared: RiskLevel,
    /// How risky it is taken to be: never less than declared.
    pub risk: RiskLevel,
    /// What raised it.
    pub factors: Vec<RiskFactor>,
    /// Whether what becomes current may be an older version than what is.
    pub allow_older: bool,
}
