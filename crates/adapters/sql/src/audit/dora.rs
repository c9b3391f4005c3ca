//! What delivery figures are made of.

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use slipway_audit::{
    dora::{Delivered, DoraQueries, Ended},
    report::Bounds,
};
use slipway_kernel::{DeploymentId, Key, StoreError};
use uuid::Uuid;

use crate::{SqlReader, row::Place, values::Values};

#[derive(FromQueryResult)]
struct DeliveredRow {
    id: Uuid,
    application: String,
    environment: String,
    at: i64,
    created_at: i64,
}

#[derive(FromQueryResult)]
struct EndedRow {
    id: Uuid,
    application: String,
    environment: String,
    kind: String,
    state: String,
    at: i64,
}

/// The conditions that a question makes for a row's project, time, environment and application.
fn within(
    values: &mut Values,
    bounds: &Bounds,
    application: Option<&Key>,
    columns: [&str; 4],
) -> String {
    let [project, time, environment, key] = columns;
    let of = values.bind(bounds.project.uuid());
    let from = values.bind(bounds.from.micros());
    let to = values.bind(bounds.to.micros());
    let only = match &bounds.environment {
        Some((id, _)) => format!(" AND {environment} = {}", values.bind(id.uuid())),
        None => String::new(),
    };
    let one = match application {
        Some(application) => format!(" AND {key} = {}", values.bind(application.as_str())),
        None => String::new(),
    };
    format!("{project} = {of} AND {time} >= {from} AND {time} < {to}{only}{one}")
}

#[async_trait]
impl DoraQueries for SqlReader {
    async fn delivered(
        &self,
        bounds: &Bounds,
        application: Option<&Key>,
        limit: u32,
    ) -> Result<Vec<Delivered>, StoreError> {
        let mut values = Values::default();
        let columns = ["r.project_id", "r.deployed_at", "r.environment_id", "a.key"];
        let within = within(&mut values, bounds, application, columns);
        let limit = values.bind(i64::from(limit));
        let sql = format!(
            "SELECT r.id, a.key AS application, e.slug AS environment, r.deployed_at AS at, v.created_at \
             FROM deployment_record r JOIN application a ON a.id = r.application_id \
             JOIN environment e ON e.id = r.environment_id JOIN version v ON v.id = r.version_id \
             WHERE {within} AND r.kind = 'DEPLOYED' AND NOT EXISTS \
             (SELECT 1 FROM record_retraction t WHERE t.record_sequence = r.sequence) LIMIT {limit}"
        );
        let rows: Vec<DeliveredRow> = self.connection.all(sql, values).await?;
        let parsed = |row: DeliveredRow| {
            let place = Place {
                table: "deployment_record",
                row: &row.id,
            };
            Ok(Delivered {
                application: place.parse("application_id", row.application)?,
                environment: place.parse("environment_id", row.environment)?,
                at: place.parse("deployed_at", row.at)?,
                version_created_at: place.parse("version_id", row.created_at)?,
            })
        };
        rows.into_iter().map(parsed).collect()
    }

    async fn ended(
        &self,
        bounds: &Bounds,
        application: Option<&Key>,
        limit: u32,
    ) -> Result<Vec<Ended>, StoreError> {
        let mut values = Values::default();
        // An index has it, spelled like this.
        let time = "COALESCE(d.succeeded_at, d.finished_at)";
        let columns = ["d.project_id", time, "d.target_id", "i.key"];
        let within = within(&mut values, bounds, application, columns);
        let limit = values.bind(i64::from(limit));
        let sql = format!(
            "SELECT d.id, i.key AS application, e.slug AS environment, d.kind, d.state, {time} AS at \
             FROM deployment d JOIN environment e ON e.id = d.target_id \
             JOIN deployment_item i ON i.deployment_id = d.id AND i.change NOT IN ('UNCHANGED', 'SKIPPED') \
             WHERE {within} AND d.state IN ('SUCCEEDED', 'FAILED', 'ROLLED_BACK') LIMIT {limit}"
        );
        let rows: Vec<EndedRow> = self.connection.all(sql, values).await?;
        let parsed = |row: EndedRow| {
            let place = Place {
                table: "deployment",
                row: &row.id,
            };
            Ok(Ended {
                application: place.parse("key", row.application)?,
                environment: place.parse("target_id", row.environment)?,
                deployment: DeploymentId::from_uuid(row.id),
                kind: place.word("kind", &row.kind)?,
                state: place.word("state", &row.state)?,
                at: place.parse("finished_at", row.at)?,
            })
        };
        rows.into_iter().map(parsed).collect()
    }
}
