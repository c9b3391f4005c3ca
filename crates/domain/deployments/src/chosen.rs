//! What people agree to when they agree to a release.

use std::collections::BTreeMap;

use serde::Serialize;
use slipway_kernel::{
    ApplicationId, EnvironmentId, Key, Sha256, VersionId,
    digest::{CanonicalError, digest_of},
};

/// Everything that a release does, and what it rests on: where any of it is another one, people have to agree anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// Where.
    pub target: EnvironmentId,
    /// What becomes current, by the applications' keys.
    pub items: BTreeMap<Key, BoundItem>,
    /// What is current there before, of the items and of everything that they depend on; what is missing is not deployed.
    pub base: BTreeMap<Key, VersionId>,
}

/// What becomes current of one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BoundItem {
    /// The application.
    pub application: ApplicationId,
    /// The version; `None` where it is taken out.
    pub version: Option<VersionId>,
    /// The digest of what the version is, where it has one.
    pub content: Option<Sha256>,
}

impl Bound {
    /// The digest of all of it (`slipway.release.v1`).
    pub fn digest(&self) -> Result<Sha256, CanonicalError> {
        digest_of("slipway.release.v1", self)
    }
}
