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
    /// The digest of what the workflows among the items take in the target's engine; `None` where it has none, or none of the
    /// items is a workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflows: Option<Sha256>,
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
    /// The digest of all of it: `slipway.release.v1` of what changes the ledger alone, `slipway.release.v2` of what changes
    /// workflows in an engine too.
    pub fn digest(&self) -> Result<Sha256, CanonicalError> {
        let form = match self.workflows {
            None => "slipway.release.v1",
            Some(_) => "slipway.release.v2",
        };
        digest_of(form, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workflows_take_is_bound_where_there_are_some() {
        let ledger_only = Bound {
            target: EnvironmentId::from_uuid(uuid::Uuid::from_u128(1)),
            items: BTreeMap::new(),
            base: BTreeMap::new(),
            workflows: None,
        };
        let with = |what: &[u8]| Bound {
            workflows: Some(Sha256::of_bytes(what)),
            ..ledger_only.clone()
        };
        let digest = |bound: &Bound| bound.digest().expect("a digest");
        assert_ne!(digest(&ledger_only), digest(&with(b"one")));
        assert_ne!(digest(&with(b"one")), digest(&with(b"another")));
        let json = serde_json::to_value(&ledger_only).expect("serialized");
        assert!(
            json.get("workflows").is_none(),
            "an old digest stays: {json}"
        );
    }
}
