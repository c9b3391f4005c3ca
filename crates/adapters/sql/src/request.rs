//! Requests that were made before.

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use slipway_kernel::{ProjectId, StoreError, Timestamp};
use slipway_store::{RequestKey, RequestRecord, RequestRepository};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    row::{Place, changed_one},
};

const TABLE: &str = "request";

#[derive(FromQueryResult)]
struct Row {
    digest: Vec<u8>,
    resource: String,
    at: i64,
}

impl Row {
    fn parse(self, key: &RequestKey) -> Result<RequestRecord, StoreError> {
        let row = format!(
            "({}, {}, {}, {})",
            key.principal,
            project(key),
            key.method,
            key.request_id
        );
        let place = Place {
            table: TABLE,
            row: &row,
        };
        Ok(RequestRecord {
            digest: place.digest("digest", &self.digest)?,
            resource: self.resource,
            at: place.parse("at", self.at)?,
        })
    }
}

/// The project's column: a primary key has no NULL, so requests about the installation have the nil UUID.
fn project(key: &RequestKey) -> Uuid {
    key.project.map_or(Uuid::nil(), ProjectId::uuid)
}

#[async_trait]
impl RequestRepository for SqlUnitOfWork {
    async fn remember(
        &mut self,
        key: &RequestKey,
        record: &RequestRecord,
        forget_before: Timestamp,
    ) -> Result<Option<RequestRecord>, StoreError> {
        // A second unit of work with the same key waits here until the first ends.
        let remembered = self.connection().await?
            .execute(
                "INSERT INTO request (principal_id, project_id, method, request_id, digest, resource, at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (principal_id, project_id, method, request_id) DO UPDATE \
                 SET digest = excluded.digest, resource = excluded.resource, at = excluded.at \
                 WHERE request.at < $8",
                [
                    key.principal.uuid().into(),
                    project(key).into(),
                    key.method.into(),
                    key.request_id.as_str().into(),
                    record.digest.as_bytes().to_vec().into(),
                    record.resource.as_str().into(),
                    record.at.micros().into(),
                    forget_before.micros().into(),
                ],
            )
            .await?;
        if remembered == 1 {
            return Ok(None);
        }
        let earlier: Option<Row> = self
            .connection()
            .await?
            .one(
                "SELECT digest, resource, at FROM request \
                 WHERE principal_id = $1 AND project_id = $2 AND method = $3 AND request_id = $4",
                [
                    key.principal.uuid().into(),
                    project(key).into(),
                    key.method.into(),
                    key.request_id.as_str().into(),
                ],
            )
            .await?;
        match earlier {
            Some(row) => row.parse(key).map(Some),
            // Forgotten between the two statements.
            None => changed_one(0, TABLE, &key.request_id).map(|()| None),
        }
    }

    async fn forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        // Rows that another unit of work holds are left for the next time.
        let lock = self
            .connection()
            .await?
            .dialect()
            .postgres_only("FOR UPDATE SKIP LOCKED");
        let sql = format!(
            "DELETE FROM request WHERE (principal_id, project_id, method, request_id) IN \
             (SELECT principal_id, project_id, method, request_id FROM request WHERE at < $1 ORDER BY at LIMIT $2 {lock})"
        );
        self.connection()
            .await?
            .execute(sql, [before.micros().into(), i64::from(limit).into()])
            .await
    }
}
