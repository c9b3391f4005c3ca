//! Who let deployments pass without those who were asked, and what was said about that.

use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{ApprovalRequest, Override, Review};
use slipway_kernel::{ApprovalRequestId, PrincipalId, Sha256, StoreError};
use uuid::Uuid;

use crate::{
    connection::Connection,
    row::{Place, changed_one},
};

/// Of a request that was not overridden, all of it is missing.
#[derive(FromQueryResult)]
pub(super) struct OverrideRow {
    override_principal: Option<Uuid>,
    override_person: Option<Uuid>,
    overridden_at: Option<i64>,
    override_reason: Option<String>,
    review_principal: Option<Uuid>,
    review_person: Option<Uuid>,
    finding: Option<String>,
    review_comment: Option<String>,
    reviewed_at: Option<i64>,
}

impl OverrideRow {
    /// The override of a request with this digest, which its foreign key holds it to.
    pub(super) fn parse(
        self,
        request: &Uuid,
        digest: Sha256,
    ) -> Result<Option<Override>, StoreError> {
        let place = Place {
            table: "approval_override",
            row: request,
        };
        let review = self.review(request)?;
        let parts = (
            self.override_principal,
            self.override_person,
            self.overridden_at,
            self.override_reason,
        );
        match parts {
            (None, None, None, None) => Ok(None),
            (Some(principal), Some(person), Some(at), Some(reason)) => Ok(Some(Override {
                principal: PrincipalId::from_uuid(principal),
                person: PrincipalId::from_uuid(person),
                at: place.parse("overridden_at", at)?,
                reason: place.parse("reason", reason)?,
                digest,
                review,
            })),
            _ => Err(place.inconsistent("overridden_at", "a part of an override")),
        }
    }

    fn review(&self, request: &Uuid) -> Result<Option<Review>, StoreError> {
        let place = Place {
            table: "override_review",
            row: request,
        };
        let parts = (
            self.review_principal,
            self.review_person,
            &self.finding,
            &self.review_comment,
            self.reviewed_at,
        );
        match parts {
            (None, None, None, None, None) => Ok(None),
            (Some(principal), Some(person), Some(finding), Some(comment), Some(at)) => {
                Ok(Some(Review {
                    principal: PrincipalId::from_uuid(principal),
                    person: PrincipalId::from_uuid(person),
                    finding: place.word("finding", finding)?,
                    comment: place.parse("comment", comment.clone())?,
                    at: place.parse("reviewed_at", at)?,
                }))
            }
            _ => Err(place.inconsistent("reviewed_at", "a part of a review")),
        }
    }
}

pub(super) async fn insert(
    connection: &Connection,
    request: &ApprovalRequest,
    overridden: &Override,
) -> Result<(), StoreError> {
    let values: [Value; 7] = [
        request.id.uuid().into(),
        request.deployment.uuid().into(),
        overridden.principal.uuid().into(),
        overridden.person.uuid().into(),
        overridden.at.micros().into(),
        overridden.reason.as_str().into(),
        overridden.digest.as_bytes().to_vec().into(),
    ];
    let sql = "INSERT INTO approval_override (request_id, deployment_id, principal_id, person_id, overridden_at, reason, \
               plan_digest) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (request_id) DO NOTHING";
    let added = connection.execute(sql, values).await?;
    changed_one(added, "approval_override", request.id)
}

pub(super) async fn review(
    connection: &Connection,
    request: ApprovalRequestId,
    review: &Review,
) -> Result<(), StoreError> {
    let values: [Value; 6] = [
        request.uuid().into(),
        review.principal.uuid().into(),
        review.person.uuid().into(),
        review.finding.as_str().into(),
        review.comment.as_str().into(),
        review.at.micros().into(),
    ];
    let sql = "INSERT INTO override_review (request_id, principal_id, person_id, finding, comment, reviewed_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (request_id) DO NOTHING";
    let added = connection.execute(sql, values).await?;
    changed_one(added, "override_review", request)
}
