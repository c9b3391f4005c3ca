//! What is kept about workflow engines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_kernel::{EnvironmentId, Key, StoreError};
use slipway_workflows::{
    CredentialTarget, EngineQueries, EngineRepository, EngineSettings, Link, WorkflowId,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, rows_per_statement},
    row::Place,
    values::Values,
};

const DIRECTORY: &str = "DIRECTORY";
const N8N: &str = "N8N";

#[derive(FromQueryResult)]
struct EngineRow {
    environment_id: Uuid,
    kind: String,
    path: Option<String>,
    base_url: Option<String>,
    api_key: Option<String>,
}

impl EngineRow {
    fn parse(self, environment: EnvironmentId) -> Result<EngineSettings, StoreError> {
        match (self.kind.as_str(), self.path, self.base_url, self.api_key) {
            (DIRECTORY, Some(path), None, None) => Ok(EngineSettings::Directory { path }),
            (N8N, None, Some(base_url), Some(api_key)) => {
                Ok(EngineSettings::N8n { base_url, api_key })
            }
            (kind, path, base_url, api_key) => {
                let place = Place {
                    table: "environment_engine",
                    row: &environment,
                };
                let given = [
                    ("path", path.is_some()),
                    ("base_url", base_url.is_some()),
                    ("api_key", api_key.is_some()),
                ];
                let given: Vec<_> = given
                    .iter()
                    .filter(|(_, is)| *is)
                    .map(|(c, _)| *c)
                    .collect();
                let problem = format!("`{kind}` with ({})", given.join(", "));
                Err(place.inconsistent("kind", problem))
            }
        }
    }
}

#[derive(FromQueryResult)]
struct LinkRow {
    key: String,
    workflow_id: String,
}

#[derive(FromQueryResult)]
struct CredentialRow {
    kind: String,
    name: String,
    target_id: String,
    target_name: String,
}

#[async_trait]
impl EngineRepository for SqlUnitOfWork {
    async fn set_engine(
        &mut self,
        environment: EnvironmentId,
        settings: Option<&EngineSettings>,
    ) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let id = environment.uuid();
        let (kind, path, base_url, api_key) = match settings {
            None => {
                let sql = "DELETE FROM environment_engine WHERE environment_id = $1";
                connection.execute(sql, [id.into()]).await?;
                return Ok(());
            }
            Some(EngineSettings::Directory { path }) => (DIRECTORY, Some(path), None, None),
            Some(EngineSettings::N8n { base_url, api_key }) => {
                (N8N, None, Some(base_url), Some(api_key))
            }
        };
        connection
            .execute(
                "INSERT INTO environment_engine (environment_id, kind, path, base_url, api_key) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (environment_id) DO UPDATE SET kind = excluded.kind, \
                 path = excluded.path, base_url = excluded.base_url, api_key = excluded.api_key",
                [
                    id.into(),
                    kind.into(),
                    path.map(String::as_str).into(),
                    base_url.map(String::as_str).into(),
                    api_key.map(String::as_str).into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn engine(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Option<EngineSettings>, StoreError> {
        engine(self.connection().await?, environment).await
    }

    async fn links(&mut self, environment: EnvironmentId) -> Result<Vec<Link>, StoreError> {
        links(self.connection().await?, environment).await
    }

    /// Of links that contradict each other the last one counts.
    async fn set_links(
        &mut self,
        environment: EnvironmentId,
        links: &[Link],
    ) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let links = last_ones(links);
        // What each part adds was free of all workflows before.
        for links in links.chunks(rows_per_statement(1) - 1) {
            forget_workflows(connection, environment, links).await?;
        }
        for links in links.chunks(rows_per_statement(3)) {
            let mut values = Values::default();
            let rows: Vec<_> = links
                .iter()
                .map(|link| {
                    let row: [Value; 3] = [
                        environment.uuid().into(),
                        link.key.as_str().into(),
                        link.workflow.0.as_str().into(),
                    ];
                    format!("({})", values.bind_all(row))
                })
                .collect();
            let sql = format!(
                "INSERT INTO workflow_link (environment_id, key, workflow_id) VALUES {} \
                 ON CONFLICT (environment_id, key) DO UPDATE SET workflow_id = excluded.workflow_id",
                rows.join(", ")
            );
            connection.execute(sql, values).await?;
        }
        Ok(())
    }

    async fn remove_link(
        &mut self,
        environment: EnvironmentId,
        key: &Key,
    ) -> Result<(), StoreError> {
        self.connection()
            .await?
            .execute(
                "DELETE FROM workflow_link WHERE environment_id = $1 AND key = $2",
                [environment.uuid().into(), key.as_str().into()],
            )
            .await?;
        Ok(())
    }

    /// The environment is held: of two that set them at the same time, the second would not see what the first added,
    /// and leave it there.
    async fn set_credentials(
        &mut self,
        environment: EnvironmentId,
        credentials: &[CredentialTarget],
    ) -> Result<(), StoreError> {
        #[derive(FromQueryResult)]
        struct Held {}
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        let hold = format!("SELECT id FROM environment WHERE id = $1{lock}");
        let id = environment.uuid();
        let _: Option<Held> = connection.one(hold, [id.into()]).await?;
        connection
            .execute(
                "DELETE FROM credential_target WHERE environment_id = $1",
                [id.into()],
            )
            .await?;
        for credentials in credentials.chunks(rows_per_statement(5)) {
            let mut values = Values::default();
            let rows: Vec<_> = credentials
                .iter()
                .map(|credential| {
                    let row: [Value; 5] = [
                        id.into(),
                        credential.kind.as_str().into(),
                        credential.name.as_str().into(),
                        credential.target_id.as_str().into(),
                        credential.target_name.as_str().into(),
                    ];
                    format!("({})", values.bind_all(row))
                })
                .collect();
            let sql = format!(
                "INSERT INTO credential_target (environment_id, kind, name, target_id, target_name) VALUES {}",
                rows.join(", ")
            );
            connection.execute(sql, values).await?;
        }
        Ok(())
    }
}

/// By key, each key and each workflow once: the last one given.
fn last_ones(links: &[Link]) -> Vec<&Link> {
    let mut workflows = BTreeSet::new();
    let mut keys = BTreeMap::new();
    for link in links.iter().rev() {
        if !keys.contains_key(&link.key) && workflows.insert(&link.workflow) {
            keys.insert(&link.key, link);
        }
    }
    keys.into_values().collect()
}

async fn forget_workflows(
    connection: &Connection,
    environment: EnvironmentId,
    links: &[&Link],
) -> Result<(), StoreError> {
    let mut values = Values::default();
    let environment = values.bind(environment.uuid());
    let sql = format!(
        "DELETE FROM workflow_link WHERE environment_id = {environment} AND workflow_id IN ({})",
        values.bind_all(links.iter().map(|link| link.workflow.0.as_str()))
    );
    connection.execute(sql, values).await?;
    Ok(())
}

#[async_trait]
impl EngineQueries for SqlReader {
    async fn engine(
        &self,
        environment: EnvironmentId,
    ) -> Result<Option<EngineSettings>, StoreError> {
        engine(&self.connection, environment).await
    }

    async fn engines(
        &self,
        environments: &[EnvironmentId],
    ) -> Result<HashMap<EnvironmentId, EngineSettings>, StoreError> {
        let mut found = HashMap::new();
        for environments in environments.chunks(rows_per_statement(1)) {
            let mut values = Values::default();
            let sql = format!(
                "SELECT environment_id, kind, path, base_url, api_key FROM environment_engine \
                 WHERE environment_id IN ({})",
                values.bind_all(environments.iter().map(|environment| environment.uuid()))
            );
            let rows: Vec<EngineRow> = self.connection.all(sql, values).await?;
            for row in rows {
                let environment = EnvironmentId::from_uuid(row.environment_id);
                found.insert(environment, row.parse(environment)?);
            }
        }
        Ok(found)
    }

    async fn workflow_links(&self, environment: EnvironmentId) -> Result<Vec<Link>, StoreError> {
        links(&self.connection, environment).await
    }

    async fn credentials(
        &self,
        environment: EnvironmentId,
    ) -> Result<Vec<CredentialTarget>, StoreError> {
        let rows: Vec<CredentialRow> = self
            .connection
            .all(
                "SELECT kind, name, target_id, target_name FROM credential_target WHERE environment_id = $1 \
                 ORDER BY kind, name",
                [environment.uuid().into()],
            )
            .await?;
        let credentials = rows.into_iter().map(|row| CredentialTarget {
            kind: row.kind,
            name: row.name,
            target_id: row.target_id,
            target_name: row.target_name,
        });
        Ok(credentials.collect())
    }
}

async fn engine(
    connection: &Connection,
    environment: EnvironmentId,
) -> Result<Option<EngineSettings>, StoreError> {
    let row: Option<EngineRow> = connection
        .one(
            "SELECT environment_id, kind, path, base_url, api_key FROM environment_engine WHERE environment_id = $1",
            [environment.uuid().into()],
        )
        .await?;
    row.map(|row| row.parse(environment)).transpose()
}

async fn links(
    connection: &Connection,
    environment: EnvironmentId,
) -> Result<Vec<Link>, StoreError> {
    let rows: Vec<LinkRow> = connection
        .all(
            "SELECT key, workflow_id FROM workflow_link WHERE environment_id = $1 ORDER BY key",
            [environment.uuid().into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let key = format!("({environment}, {})", row.key);
            let place = Place {
                table: "workflow_link",
                row: &key,
            };
            Ok(Link {
                key: place.parse("key", row.key)?,
                workflow: WorkflowId(row.workflow_id),
            })
        })
        .collect()
}
