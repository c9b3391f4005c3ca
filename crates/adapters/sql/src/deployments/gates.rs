//! What has to hold for a promotion, in stages and in deployments.

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::Gates;
use slipway_kernel::StoreError;

use crate::row::Place;

/// How many columns gates have.
pub(super) const COUNT: usize = 6;

#[derive(FromQueryResult)]
pub(super) struct GatesRow {
    approval_required: bool,
    source_unchanged: bool,
    drift: String,
    on_failure: String,
    publish: String,
    secrets: String,
}

impl GatesRow {
    pub(super) fn parse(&self, place: &Place<'_>) -> Result<Gates, StoreError> {
        Ok(Gates {
            approval_required: self.approval_required,
            source_unchanged: self.source_unchanged,
            drift: place.word("drift", &self.drift)?,
            on_failure: place.word("on_failure", &self.on_failure)?,
            publish: place.word("publish", &self.publish)?,
            secrets: place.word("secrets", &self.secrets)?,
        })
    }
}

/// The values, in the order of the row.
pub(super) fn values(gates: Gates) -> [Value; COUNT] {
    [
        gates.approval_required.into(),
        gates.source_unchanged.into(),
        gates.drift.as_str().into(),
        gates.on_failure.as_str().into(),
        gates.publish.as_str().into(),
        gates.secrets.as_str().into(),
    ]
}
