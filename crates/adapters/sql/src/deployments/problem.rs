//! Why something did not go as it should: of deployments and of items.

use sea_orm::Value;
use slipway_deployments::Problem;
use slipway_kernel::StoreError;

use crate::row::Place;

pub(super) fn parse(
    place: &Place<'_>,
    reason: Option<String>,
    message: Option<String>,
) -> Result<Option<Problem>, StoreError> {
    match (reason, message) {
        (None, None) => Ok(None),
        (Some(reason), Some(message)) => Ok(Some(Problem { reason, message })),
        (None, Some(_)) => Err(place.inconsistent("problem_reason", "a message without a reason")),
        (Some(_), None) => Err(place.inconsistent("problem_message", "a reason without a message")),
    }
}

/// The reason and the message.
pub(super) fn values(problem: Option<&Problem>) -> [Value; 2] {
    [
        problem.map(|problem| problem.reason.as_str()).into(),
        problem.map(|problem| storable(&problem.message)).into(),
    ]
}

/// A text of somebody else's that is kept for people to read. `PostgreSQL` can't store a NUL character, and what went
/// wrong has to be written down whatever is in its text.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
