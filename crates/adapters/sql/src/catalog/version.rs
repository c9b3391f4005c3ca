//! Versions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_catalog::{
    Content, Deprecation, Version, VersionRepository, version::Place as VersionPlace,
};
use slipway_kernel::{
    ApplicationId, Key, Page, PageSize, PrincipalId, ProjectId, StoreError, VersionId,
};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit, rows_per_statement},
    row::{Place, to_json},
    values::Values,
};

const TABLE: &str = "version";
const COLUMNS: &str = "v.id, v.application_id, v.identifier, v.digest, v.content_size, v.content_type, \
     v.dependencies, v.attributes, v.notes, v.author_id, v.created_by, v.created_at, v.deprecated_at, \
     v.deprecated_by, v.deprecated_reason";
/// What is inserted, without the project, which follows from the application.
const INSERTED: &str = "id, application_id, identifier, digest, content_size, content_type, dependencies, attributes, \
     notes, author_id, created_by, created_at, deprecated_at, deprecated_by, deprecated_reason";
const INSERTED_COUNT: usize = 15;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    application_id: Uuid,
    identifier: String,
    digest: Option<Vec<u8>>,
    content_size: Option<i64>,
    content_type: Option<String>,
    dependencies: String,
    attributes: String,
    notes: String,
    author_id: Uuid,
    created_by: Uuid,
    created_at: i64,
    deprecated_at: Option<i64>,
    deprecated_by: Option<Uuid>,
    deprecated_reason: Option<String>,
}

impl TryFrom<Row> for Version {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        let digest = row
            .digest
            .map(|digest| place.digest("digest", &digest))
            .transpose()?;
        let content = match (row.content_size, row.content_type) {
            (None, None) => None,
            (Some(_), Some(_)) if digest.is_none() => {
                return Err(place.inconsistent("digest", "content without a digest"));
            }
            (Some(size), Some(media_type)) => Some(Content {
                size: place.parse("content_size", size)?,
                media_type: place.parse("content_type", media_type)?,
            }),
            (None, Some(_)) => {
                return Err(place.inconsistent("content_size", "a content type without a size"));
            }
            (Some(_), None) => {
                return Err(place.inconsistent("content_type", "a content size without a type"));
            }
        };
        let deprecated = match (row.deprecated_at, row.deprecated_by, row.deprecated_reason) {
            (None, None, None) => None,
            (Some(at), Some(by), Some(reason)) => Some(Deprecation {
                at: place.parse("deprecated_at", at)?,
                by: PrincipalId::from_uuid(by),
                reason: place.parse("deprecated_reason", reason)?,
            }),
            _ => {
                let problem = "only some of the time, the principal and the reason";
                return Err(place.inconsistent("deprecated_at", problem));
            }
        };
        Ok(Self {
            id: VersionId::from_uuid(row.id),
            application: ApplicationId::from_uuid(row.application_id),
            identifier: place.parse("identifier", row.identifier)?,
            digest,
            content,
            dependencies: place.json("dependencies", &row.dependencies)?,
            attributes: place.json("attributes", &row.attributes)?,
            notes: place.parse("notes", row.notes)?,
            author: PrincipalId::from_uuid(row.author_id),
            created_by: PrincipalId::from_uuid(row.created_by),
            created_at: place.parse("created_at", row.created_at)?,
            deprecated,
        })
    }
}

fn values(version: &Version) -> Result<[Value; INSERTED_COUNT], StoreError> {
    let content = version.content.as_ref();
    let size = content
        .map(|content| i64::try_from(content.size))
        .transpose()
        .map_err(|error| StoreError::Fault(Box::new(error)))?;
    let deprecated = version.deprecated.as_ref();
    Ok([
        version.id.uuid().into(),
        version.application.uuid().into(),
        version.identifier.as_str().into(),
        version
            .digest
            .map(|digest| digest.as_bytes().to_vec())
            .into(),
        size.into(),
        content.map(|content| content.media_type.as_str()).into(),
        to_json(&version.dependencies)?.into(),
        to_json(&version.attributes)?.into(),
        version.notes.as_str().into(),
        version.author.uuid().into(),
        version.created_by.uuid().into(),
        version.created_at.micros().into(),
        deprecated.map(|deprecation| deprecation.at.micros()).into(),
        deprecated.map(|deprecation| deprecation.by.uuid()).into(),
        deprecated
            .map(|deprecation| deprecation.reason.as_str())
            .into(),
    ])
}

#[async_trait]
impl VersionRepository for SqlUnitOfWork {
    async fn insert(&mut self, versions: &[Version]) -> Result<Vec<VersionId>, StoreError> {
        #[derive(FromQueryResult)]
        struct Added {
            id: Uuid,
        }
        // In the order of the names, so that two of these wait for each other rather than deadlock.
        let mut sorted: Vec<_> = versions.iter().collect();
        sorted.sort_by(|a, b| (a.application, &a.identifier).cmp(&(b.application, &b.identifier)));
        let mut ids = Vec::with_capacity(versions.len());
        for versions in sorted.chunks(rows_per_statement(INSERTED_COUNT)) {
            let mut all = Vec::with_capacity(versions.len() * INSERTED_COUNT);
            for version in versions {
                all.extend(values(version)?);
            }
            let rows: Vec<_> = (0..versions.len()).map(row_with_project).collect();
            let sql = format!(
                "INSERT INTO version (project_id, {INSERTED}) VALUES {} \
                 ON CONFLICT (application_id, identifier) DO NOTHING RETURNING id",
                rows.join(", ")
            );
            let added: Vec<Added> = self.connection().await?.all(sql, all).await?;
            ids.extend(added.into_iter().map(|row| VersionId::from_uuid(row.id)));
        }
        Ok(ids)
    }

    async fn find(
        &mut self,
        application: ApplicationId,
        identifier: &Key,
    ) -> Result<Option<Version>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM version v WHERE v.application_id = $1 AND v.identifier = $2"
        );
        let row: Option<Row> = self
            .connection()
            .await?
            .one(sql, [application.uuid().into(), identifier.as_str().into()])
            .await?;
        row.map(Version::try_from).transpose()
    }

    async fn existing(
        &mut self,
        project: ProjectId,
        identifiers: &BTreeSet<Key>,
    ) -> Result<BTreeSet<Key>, StoreError> {
        #[derive(FromQueryResult)]
        struct Known {
            identifier: String,
        }
        let identifiers: Vec<_> = identifiers.iter().map(Key::as_str).collect();
        let mut existing = BTreeSet::new();
        for chunk in identifiers.chunks(rows_per_statement(1) - 1) {
            let mut values = Values::default();
            let project = values.bind(project.uuid());
            let sql = format!(
                "SELECT DISTINCT identifier FROM version WHERE project_id = {project} AND identifier IN ({})",
                values.bind_all(chunk.iter().copied())
            );
            let known: Vec<Known> = self.connection().await?.all(sql, values).await?;
            for Known { identifier } in known {
                let place = Place {
                    table: TABLE,
                    row: &identifier.clone(),
                };
                existing.insert(place.parse("identifier", identifier)?);
            }
        }
        Ok(existing)
    }

    async fn with_ids(&mut self, ids: &BTreeSet<VersionId>) -> Result<Vec<Version>, StoreError> {
        let connection = self.connection().await?;
        let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
        let mut versions = Vec::with_capacity(ids.len());
        for ids in ids.chunks(rows_per_statement(1)) {
            let mut values = Values::default();
            let sql = format!(
                "SELECT {COLUMNS} FROM version v WHERE v.id IN ({})",
                values.bind_all(ids.iter().copied())
            );
            let rows: Vec<Row> = connection.all(sql, values).await?;
            for row in rows {
                versions.push(row.try_into()?);
            }
        }
        Ok(versions)
    }

    async fn deprecate(
        &mut self,
        version: VersionId,
        deprecation: &Deprecation,
    ) -> Result<bool, StoreError> {
        let changed = self
            .connection()
            .await?
            .execute(
                "UPDATE version SET deprecated_at = $1, deprecated_by = $2, deprecated_reason = $3 \
                 WHERE id = $4 AND deprecated_at IS NULL",
                [
                    deprecation.at.micros().into(),
                    deprecation.by.uuid().into(),
                    deprecation.reason.as_str().into(),
                    version.uuid().into(),
                ],
            )
            .await?;
        Ok(changed == 1)
    }
}

/// The placeholders of one row, before them the project: its application's.
fn row_with_project(row: usize) -> String {
    let first = row * INSERTED_COUNT + 1;
    let values: Vec<_> = (first..first + INSERTED_COUNT)
        .map(|value| format!("${value}"))
        .collect();
    format!(
        "((SELECT project_id FROM application WHERE id = ${}), {})",
        first + 1,
        values.join(", ")
    )
}

pub(super) async fn by_names(
    connection: &Connection,
    project: ProjectId,
    application: &Key,
    identifier: &Key,
) -> Result<Option<Version>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM version v JOIN application a ON a.id = v.application_id \
         WHERE a.project_id = $1 AND a.key = $2 AND v.identifier = $3"
    );
    let row: Option<Row> = connection
        .one(
            sql,
            [
                project.uuid().into(),
                application.as_str().into(),
                identifier.as_str().into(),
            ],
        )
        .await?;
    row.map(Version::try_from).transpose()
}

pub(super) async fn with_names(
    connection: &Connection,
    project: ProjectId,
    names: &BTreeSet<(Key, Key)>,
) -> Result<Vec<Version>, StoreError> {
    let names: Vec<_> = names.iter().collect();
    let mut versions = Vec::with_capacity(names.len());
    for names in names.chunks(rows_per_statement(2) - 1) {
        let mut values = Values::default();
        let project = values.bind(project.uuid());
        let pairs: Vec<_> = names
            .iter()
            .map(|(application, identifier)| {
                let application = values.bind(application.as_str());
                format!("({application}, {})", values.bind(identifier.as_str()))
            })
            .collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM version v JOIN application a ON a.id = v.application_id \
             WHERE a.project_id = {project} AND (a.key, v.identifier) IN (VALUES {})",
            pairs.join(", ")
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            versions.push(row.try_into()?);
        }
    }
    Ok(versions)
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    application: &Key,
    exclude_deprecated: bool,
    after: Option<VersionPlace>,
    size: PageSize,
) -> Result<Page<Version, VersionPlace>, StoreError> {
    let mut values: Vec<Value> = vec![
        project.uuid().into(),
        application.as_str().into(),
        limit(size),
    ];
    // A subquery rather than a join, so that the index on (application_id, created_at, id) gives the order.
    let mut conditions =
        "v.application_id = (SELECT id FROM application WHERE project_id = $1 AND key = $2)"
            .to_owned();
    if exclude_deprecated {
        conditions.push_str(" AND v.deprecated_at IS NULL");
    }
    if let Some(after) = after {
        values.extend([after.created_at.micros().into(), after.id.uuid().into()]);
        conditions.push_str(" AND (v.created_at, v.id) < ($4, $5)");
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM version v WHERE {conditions} \
         ORDER BY v.created_at DESC, v.id DESC LIMIT $3"
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let versions = rows
        .into_iter()
        .map(Version::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(versions, size, Version::place))
}
