//! What only releases have: columns that are NULL for every other deployment and item.

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Release, Released, TemplateVersion, VersionRef};
use slipway_kernel::{DeploymentId, PageSize, StoreError, TemplateId, Timestamp, VersionId};
use uuid::Uuid;

use crate::{
    connection::Connection,
    row::{Place, to_json},
};

#[derive(FromQueryResult)]
pub(super) struct ReleaseRow {
    name: Option<String>,
    description: Option<String>,
    execute_on_approval: Option<bool>,
    template_id: Option<Uuid>,
    template_version: Option<i64>,
}

impl ReleaseRow {
    pub(super) fn parse(self, place: &Place<'_>) -> Result<Option<Release>, StoreError> {
        let template = match (self.template_id, self.template_version) {
            (None, None) => None,
            (Some(id), Some(version)) => Some(TemplateVersion {
                id: TemplateId::from_uuid(id),
                version: place.revision(version)?,
            }),
            _ => return Err(place.inconsistent("template_id", "only a part of a template")),
        };
        match (self.name, self.description, self.execute_on_approval) {
            (None, None, None) if template.is_none() => Ok(None),
            (Some(name), Some(description), Some(execute_on_approval)) => Ok(Some(Release {
                name: place.parse("name", name)?,
                description: place.parse("description", description)?,
                execute_on_approval,
                template,
            })),
            _ => Err(place.inconsistent("name", "only a part of a release")),
        }
    }
}

pub(super) fn values(release: Option<&Release>) -> [Value; 5] {
    let template = release.and_then(|release| release.template);
    [
        release.map(|release| release.name.as_str()).into(),
        release.map(|release| release.description.as_str()).into(),
        release.map(|release| release.execute_on_approval).into(),
        template.map(|template| template.id.uuid()).into(),
        template.map(|template| template.version.0).into(),
    ]
}

#[derive(FromQueryResult)]
pub(super) struct ReleasedRow {
    application_kind: Option<String>,
    version_before_id: Option<Uuid>,
    version_before: Option<String>,
    version_after_id: Option<Uuid>,
    version_after: Option<String>,
    message: Option<String>,
    declared_risk: Option<String>,
    risk: Option<String>,
    risk_factors: Option<String>,
    allow_older: Option<bool>,
}

impl ReleasedRow {
    pub(super) fn parse(self, place: &Place<'_>) -> Result<Option<Released>, StoreError> {
        let said = (
            self.application_kind,
            self.message,
            self.declared_risk,
            self.risk,
            self.risk_factors,
            self.allow_older,
        );
        match said {
            (None, None, None, None, None, None) => Ok(None),
            (
                Some(kind),
                Some(message),
                Some(declared),
                Some(risk),
                Some(factors),
                Some(allow_older),
            ) => Ok(Some(Released {
                kind: place.word("application_kind", &kind)?,
                before: version(place, self.version_before_id, self.version_before)?,
                after: version(place, self.version_after_id, self.version_after)?,
                message: place.parse("message", message)?,
                declared: place.word("declared_risk", &declared)?,
                risk: place.word("risk", &risk)?,
                factors: place.json("risk_factors", &factors)?,
                allow_older,
            })),
            _ => Err(place.inconsistent("application_kind", "only a part of a chosen version")),
        }
    }
}

fn version(
    place: &Place<'_>,
    id: Option<Uuid>,
    identifier: Option<String>,
) -> Result<Option<VersionRef>, StoreError> {
    let Some((id, identifier)) = id.zip(identifier) else {
        return Ok(None);
    };
    Ok(Some(VersionRef {
        id: VersionId::from_uuid(id),
        identifier: place.parse("version_id", identifier)?,
    }))
}

pub(super) fn item_values(released: Option<&Released>) -> Result<[Value; 8], StoreError> {
    let factors = released.map(|released| to_json(&released.factors));
    Ok([
        released.map(|released| released.kind.as_str()).into(),
        released
            .and_then(|released| released.before.as_ref())
            .map(|version| version.id.uuid())
            .into(),
        released
            .and_then(|released| released.after.as_ref())
            .map(|version| version.id.uuid())
            .into(),
        released.map(|released| released.message.as_str()).into(),
        released.map(|released| released.declared.as_str()).into(),
        released.map(|released| released.risk.as_str()).into(),
        factors.transpose()?.into(),
        released.map(|released| released.allow_older).into(),
    ])
}

/// The state stands in the statement in the words of the partial index that serves it.
pub(super) async fn due(
    connection: &Connection,
    now: Timestamp,
    size: PageSize,
) -> Result<Vec<DeploymentId>, StoreError> {
    #[derive(FromQueryResult)]
    struct Due {
        id: Uuid,
    }
    let sql = "SELECT id FROM deployment WHERE state = 'APPROVED' \
               AND (kind = 'ROLLBACK' OR execute_on_approval) AND (not_before IS NULL OR not_before <= $1) \
               ORDER BY created_at, id LIMIT $2";
    let values = [now.micros().into(), i64::from(size.get()).into()];
    let due: Vec<Due> = connection.all(sql, values).await?;
    Ok(due
        .into_iter()
        .map(|row| DeploymentId::from_uuid(row.id))
        .collect())
}
