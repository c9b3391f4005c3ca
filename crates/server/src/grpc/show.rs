//! How values of the domain look in messages.

use std::collections::{HashMap, HashSet};

use slipway_api::identity::v1::PrincipalRef;
use slipway_application::Context;
use slipway_kernel::text::DisplayName;
use slipway_kernel::{EnvironmentId, PrincipalId, Sha256, Slug, StoreError, Timestamp};

/// A moment.
pub(super) fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// A digest, with its algorithm.
pub(super) fn digest(digest: Sha256) -> String {
    format!("sha256:{digest}")
}

/// What people call principals, for the messages of one answer.
#[derive(Default)]
pub(super) struct Names(pub(super) HashMap<PrincipalId, DisplayName>);

impl Names {
    /// A principal as other messages mention it.
    pub(super) fn principal(&self, id: PrincipalId) -> PrincipalRef {
        PrincipalRef {
            principal_id: id.to_string(),
            display_name: self.0.get(&id).map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// The slugs of environments, for the messages of one answer.
pub(super) struct Environments(HashMap<EnvironmentId, Slug>);

impl Environments {
    /// The slugs of these environments, which must be there.
    pub(super) async fn of(
        context: &Context,
        ids: impl IntoIterator<Item = EnvironmentId>,
    ) -> Result<Self, StoreError> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut slugs = HashMap::with_capacity(ids.len());
        for id in ids {
            slugs.insert(id, context.environment_slug(id).await?);
        }
        Ok(Self(slugs))
    }

    /// The slug of one of them.
    pub(super) fn slug(&self, id: EnvironmentId) -> String {
        self.0.get(&id).map(Slug::to_string).unwrap_or_default()
    }
}

/// A number of things.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
