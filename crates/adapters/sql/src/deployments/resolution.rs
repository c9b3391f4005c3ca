//! How a person resolved a deployment's last doubt.

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::Resolution;
use slipway_kernel::{PrincipalId, StoreError};
use uuid::Uuid;

use super::problem;
use crate::row::Place;

pub(super) const COLUMNS: [&str; 6] = [
    "resolved_by",
    "resolved_at",
    "verdict",
    "verdict_reason",
    "doubt_reason",
    "doubt_message",
];

#[derive(FromQueryResult)]
pub(super) struct ResolutionRow {
    resolved_by: Option<Uuid>,
    resolved_at: Option<i64>,
    verdict: Option<String>,
    verdict_reason: Option<String>,
    doubt_reason: Option<String>,
    doubt_message: Option<String>,
}

impl ResolutionRow {
    pub(super) fn parse(self, place: &Place<'_>) -> Result<Option<Resolution>, StoreError> {
        let doubt = problem::parse(place, self.doubt_reason, self.doubt_message)?;
        match (
            self.resolved_by,
            self.resolved_at,
            self.verdict,
            self.verdict_reason,
        ) {
            (Some(by), Some(at), Some(verdict), Some(reason)) => Ok(Some(Resolution {
                by: PrincipalId::from_uuid(by),
                at: place.parse("resolved_at", at)?,
                verdict: place.word("verdict", &verdict)?,
                reason: place.parse("verdict_reason", reason)?,
                doubt,
            })),
            (None, None, None, None) if doubt.is_none() => Ok(None),
            _ => {
                let problem = "only some of the principal, the time, the verdict and the reason";
                Err(place.inconsistent("resolved_by", problem))
            }
        }
    }
}

/// In the order of [`COLUMNS`].
pub(super) fn values(resolution: Option<&Resolution>) -> [Value; 6] {
    let doubt = resolution.and_then(|resolution| resolution.doubt.as_ref());
    let [doubt_reason, doubt_message] = problem::values(doubt);
    [
        resolution.map(|resolution| resolution.by.uuid()).into(),
        resolution.map(|resolution| resolution.at.micros()).into(),
        resolution
            .map(|resolution| resolution.verdict.as_str())
            .into(),
        resolution
            .map(|resolution| resolution.reason.as_str())
            .into(),
        doubt_reason,
        doubt_message,
    ]
}
