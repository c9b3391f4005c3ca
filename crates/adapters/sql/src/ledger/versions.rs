//! Which versions are current.

use std::collections::BTreeSet;

use sea_orm::{FromQueryResult, prelude::Uuid};
use slipway_kernel::{ApplicationId, EnvironmentId, Key, StoreError, VersionId};
use slipway_ledger::{AsOf, CurrentVersion, HeldVersions};

use super::cells::latest_record;
use crate::{
    connection::{Connection, VALUES_PER_STATEMENT},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct Row {
    application_key: String,
    application_id: Uuid,
    kind: Option<String>,
    version_id: Option<Uuid>,
    identifier: Option<String>,
    created_at: Option<i64>,
    deployed_at: Option<i64>,
}

impl Row {
    /// Whether it changed while its lock was waited for: its columns are those of now, and what was joined to it belongs to
    /// those of before.
    const fn changed_meanwhile(&self) -> bool {
        self.version_id.is_some() && self.identifier.is_none()
    }

    fn parse(self) -> Result<Option<CurrentVersion>, StoreError> {
        let place = Place {
            table: "current_state",
            row: &self.application_key.clone(),
        };
        let (Some(version), Some(identifier), Some(created_at)) =
            (self.version_id, self.identifier, self.created_at)
        else {
            return Ok(None);
        };
        if self.kind.as_deref() != Some("DEPLOYED") {
            return Ok(None);
        }
        Ok(Some(CurrentVersion {
            key: place.parse("application_key", self.application_key)?,
            application: ApplicationId::from_uuid(self.application_id),
            version: VersionId::from_uuid(version),
            identifier: place.parse("version_id", identifier)?,
            created_at: place.parse("version_id", created_at)?,
        }))
    }
}

/// One statement for each 999 applications, and a second one where a cell that is to be held changed while it was waited
/// for. Emptied cells are read too, so that they are held where `lock` says so.
pub(super) async fn current(
    connection: &Connection,
    environment: EnvironmentId,
    applications: &BTreeSet<Key>,
    lock: &str,
) -> Result<HeldVersions, StoreError> {
    let keys: Vec<_> = applications.iter().map(Key::as_str).collect();
    let mut found = HeldVersions::default();
    for keys in keys.chunks(VALUES_PER_STATEMENT - 1) {
        let mut values = Values::default();
        let environment_id = values.bind(environment.uuid());
        let sql = format!(
            "SELECT c.application_key, c.application_id, c.kind, c.version_id, v.identifier, v.created_at, c.deployed_at \
             FROM current_state c LEFT JOIN version v ON v.id = c.version_id \
             WHERE c.environment_id = {environment_id} AND c.application_key IN ({}) \
             ORDER BY c.application_key{lock}",
            values.bind_all(keys.iter().copied())
        );
        let mut rows: Vec<Row> = connection.all(sql.clone(), values.clone()).await?;
        if rows.iter().any(Row::changed_meanwhile) {
            rows = connection.all(sql, values).await?;
        }
        for row in rows {
            let place = Place {
                table: "current_state",
                row: &row.application_key.clone(),
            };
            let deployed_at = row.deployed_at.map(|at| place.parse("deployed_at", at));
            found.latest = found.latest.max(deployed_at.transpose()?);
            found.versions.extend(row.parse()?);
        }
    }
    Ok(found)
}

/// One statement for each 995 applications.
pub(super) async fn at(
    connection: &Connection,
    environment: EnvironmentId,
    applications: &BTreeSet<Key>,
    as_of: AsOf,
) -> Result<Vec<CurrentVersion>, StoreError> {
    let keys: Vec<_> = applications.iter().map(Key::as_str).collect();
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(VALUES_PER_STATEMENT - 5) {
        let mut values = Values::default();
        let environment_id = values.bind(environment.uuid());
        let latest = latest_record(&mut values, as_of);
        let sql = format!(
            "SELECT c.application_key, c.application_id, l.kind, l.version_id, v.identifier, v.created_at, l.deployed_at \
             FROM current_state c CROSS JOIN deployment_record l JOIN version v ON v.id = l.version_id \
             WHERE c.environment_id = {environment_id} AND c.application_key IN ({}) \
             AND l.sequence = ({latest}) ORDER BY c.application_key",
            values.bind_all(keys.iter().copied())
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            found.extend(row.parse()?);
        }
    }
    Ok(found)
}
