//! Policies.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{
    Governed, Policy, PolicyPlace, PolicyQueries, PolicyRepository, Scope, SoundTerms, Terms,
};
use slipway_kernel::{
    EnvironmentId, Page, PageSize, PolicyId, PrincipalId, ProjectId, StoreError, Tier,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, limit, placeholders},
    row::{Place, changed_one, to_json},
    values::Values,
};

const TABLE: &str = "approval_policy";
const COLUMNS: &str = "id, project_id, scope, tier, environment_id, terms, governs, refuses_reports, created_at, \
    updated_at, updated_by, revision";
const COLUMN_COUNT: usize = 12;

/// That a policy `p` is about an environment `e`.
const ABOUT: &str = "p.project_id = e.project_id AND (p.scope = 'PROJECT' OR p.tier = e.tier OR p.environment_id = e.id)";

/// A scalar subquery: 0 where no policy governs the environment `e`, which the statement around it has by that name; 1
/// where one does; 2 where one refuses reports besides. What is built in for a tier governs as
/// [`Terms::built_in`] says.
pub(crate) fn governed() -> String {
    let built_in: Vec<_> = Tier::ALL
        .into_iter()
        .filter(|tier| Terms::built_in(*tier).govern())
        .map(|tier| format!("'{tier}'"))
        .collect();
    format!(
        "(CASE WHEN EXISTS (SELECT 1 FROM approval_policy p WHERE {ABOUT} AND p.governs) \
         OR (e.tier IN ({}) AND NOT EXISTS \
         (SELECT 1 FROM approval_policy p WHERE p.project_id = e.project_id AND p.scope = 'TIER' AND p.tier = e.tier)) \
         THEN CASE WHEN EXISTS (SELECT 1 FROM approval_policy p WHERE {ABOUT} AND p.refuses_reports) THEN 2 ELSE 1 END \
         ELSE 0 END)",
        built_in.join(", ")
    )
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    scope: String,
    tier: Option<String>,
    environment_id: Option<Uuid>,
    terms: String,
    governs: bool,
    refuses_reports: bool,
    created_at: i64,
    updated_at: i64,
    updated_by: Uuid,
    revision: i64,
}

impl Row {
    fn scope(&self, place: &Place<'_>) -> Result<Scope, StoreError> {
        match (self.scope.as_str(), &self.tier, self.environment_id) {
            ("PROJECT", None, None) => Ok(Scope::Project),
            ("TIER", Some(tier), None) => Ok(Scope::Tier(place.word("tier", tier)?)),
            ("ENVIRONMENT", None, Some(id)) => Ok(Scope::Environment(EnvironmentId::from_uuid(id))),
            (scope, ..) => {
                let problem = format!("{scope:?} about something else");
                Err(place.inconsistent("scope", problem))
            }
        }
    }

    fn terms(&self, place: &Place<'_>) -> Result<Terms, StoreError> {
        let terms: Terms = place.json("terms", &self.terms)?;
        let terms = SoundTerms::new(terms).map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            place.inconsistent("terms", faults.join("; "))
        })?;
        let terms = Terms::from(terms);
        if terms.govern() != self.governs {
            return Err(place.inconsistent("governs", "not what the terms say"));
        }
        if terms.refuse_reports != self.refuses_reports {
            return Err(place.inconsistent("refuses_reports", "not what the terms say"));
        }
        Ok(terms)
    }
}

impl TryFrom<Row> for Policy {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: PolicyId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            scope: row.scope(&place)?,
            terms: row.terms(&place)?,
            created_at: place.parse("created_at", row.created_at)?,
            updated_at: place.parse("updated_at", row.updated_at)?,
            updated_by: PrincipalId::from_uuid(row.updated_by),
            revision: place.revision(row.revision)?,
        })
    }
}

/// A scope as a word, and what else names it.
fn columns_of(scope: Scope) -> (&'static str, Option<&'static str>, Option<Uuid>) {
    match scope {
        Scope::Project => ("PROJECT", None, None),
        Scope::Tier(tier) => ("TIER", Some(tier.as_str()), None),
        Scope::Environment(id) => ("ENVIRONMENT", None, Some(id.uuid())),
    }
}

#[async_trait]
impl PolicyRepository for SqlUnitOfWork {
    async fn find(
        &mut self,
        project: ProjectId,
        scope: Scope,
    ) -> Result<Option<Policy>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR UPDATE");
        by_scope(connection, project, scope, lock).await
    }

    async fn insert(&mut self, policy: &Policy) -> Result<bool, StoreError> {
        let (scope, tier, environment) = columns_of(policy.scope);
        let values: [Value; COLUMN_COUNT] = [
            policy.id.uuid().into(),
            policy.project.uuid().into(),
            scope.into(),
            tier.into(),
            environment.into(),
            to_json(&policy.terms)?.into(),
            policy.terms.govern().into(),
            policy.terms.refuse_reports.into(),
            policy.created_at.micros().into(),
            policy.updated_at.micros().into(),
            policy.updated_by.uuid().into(),
            policy.revision.0.into(),
        ];
        let sql = format!(
            "INSERT INTO approval_policy ({COLUMNS}) VALUES {} ON CONFLICT DO NOTHING",
            placeholders(1, COLUMN_COUNT)
        );
        Ok(self.connection().await?.execute(sql, values).await? == 1)
    }

    async fn update(&mut self, policy: &Policy) -> Result<(), StoreError> {
        let values: [Value; 7] = [
            to_json(&policy.terms)?.into(),
            policy.terms.govern().into(),
            policy.terms.refuse_reports.into(),
            policy.updated_at.micros().into(),
            policy.updated_by.uuid().into(),
            policy.revision.0.into(),
            policy.id.uuid().into(),
        ];
        let sql = "UPDATE approval_policy SET terms = $1, governs = $2, refuses_reports = $3, updated_at = $4, \
                   updated_by = $5, revision = $6 WHERE id = $7 AND revision = $6 - 1";
        let changed = self.connection().await?.execute(sql, values).await?;
        changed_one(changed, TABLE, policy.id)
    }

    async fn remove(&mut self, policy: &Policy) -> Result<(), StoreError> {
        let values = [policy.id.uuid().into(), policy.revision.0.into()];
        let sql = "DELETE FROM approval_policy WHERE id = $1 AND revision = $2";
        let removed = self.connection().await?.execute(sql, values).await?;
        changed_one(removed, TABLE, policy.id)
    }

    async fn about(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Option<(Tier, Vec<(Scope, Terms)>)>, StoreError> {
        #[derive(FromQueryResult)]
        struct Found {
            environment_tier: String,
            #[sea_orm(nested)]
            policy: Option<Row>,
        }
        let sql = format!(
            "SELECT e.tier AS environment_tier, p.* FROM environment e LEFT JOIN approval_policy p ON {ABOUT} \
             WHERE e.id = $1 ORDER BY p.id"
        );
        let connection = self.connection().await?;
        let rows: Vec<Found> = connection.all(sql, [environment.uuid().into()]).await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let place = Place {
            table: "environment",
            row: &environment,
        };
        let tier = place.word("tier", &first.environment_tier)?;
        let policies = rows.into_iter().filter_map(|row| row.policy);
        let terms = policies.map(|row| {
            let policy = Policy::try_from(row)?;
            Ok((policy.scope, policy.terms))
        });
        Ok(Some((tier, terms.collect::<Result<_, StoreError>>()?)))
    }

    async fn governed(&mut self, environment: EnvironmentId) -> Result<Governed, StoreError> {
        #[derive(FromQueryResult)]
        struct Found {
            governed: i32,
        }
        let sql = format!(
            "SELECT {} AS governed FROM environment e WHERE e.id = $1",
            governed()
        );
        let connection = self.glance().await?;
        let found: Option<Found> = connection.one(sql, [environment.uuid().into()]).await?;
        let governed = found.map_or(0, |found| found.governed);
        Ok(Governed {
            governed: governed > 0,
            refuse_reports: governed > 1,
        })
    }
}

async fn by_scope(
    connection: &Connection,
    project: ProjectId,
    scope: Scope,
    lock: &str,
) -> Result<Option<Policy>, StoreError> {
    let mut values = Values::default();
    let (word, tier, environment) = columns_of(scope);
    let mut conditions = vec![
        format!("project_id = {}", values.bind(project.uuid())),
        format!("scope = {}", values.bind(word)),
    ];
    conditions.extend(tier.map(|tier| format!("tier = {}", values.bind(tier))));
    conditions.extend(environment.map(|id| format!("environment_id = {}", values.bind(id))));
    let sql = format!(
        "SELECT {COLUMNS} FROM approval_policy WHERE {}{lock}",
        conditions.join(" AND ")
    );
    let row: Option<Row> = connection.one(sql, values).await?;
    row.map(Policy::try_from).transpose()
}

#[async_trait]
impl PolicyQueries for SqlReader {
    async fn policy(&self, project: ProjectId, scope: Scope) -> Result<Option<Policy>, StoreError> {
        by_scope(&self.connection, project, scope, "").await
    }

    async fn policies(
        &self,
        project: ProjectId,
        about: Option<EnvironmentId>,
        after: Option<PolicyPlace>,
        size: PageSize,
    ) -> Result<Page<Policy, PolicyPlace>, StoreError> {
        let mut values = Values::default();
        let mut conditions = vec![format!("p.project_id = {}", values.bind(project.uuid()))];
        if let Some(environment) = about {
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM environment e WHERE e.id = {} AND {ABOUT})",
                values.bind(environment.uuid())
            ));
        }
        if let Some(after) = after {
            let created_at = values.bind(after.created_at.micros());
            let id = values.bind(after.id.uuid());
            conditions.push(format!("(p.created_at, p.id) > ({created_at}, {id})"));
        }
        let limit = values.bind(limit(size));
        let sql = format!(
            "SELECT p.* FROM approval_policy p WHERE {} ORDER BY p.created_at, p.id LIMIT {limit}",
            conditions.join(" AND ")
        );
        let rows: Vec<Row> = self.connection.all(sql, values).await?;
        let policies: Result<Vec<_>, _> = rows.into_iter().map(Policy::try_from).collect();
        Ok(Page::from_rows(policies?, size, |policy: &Policy| {
            PolicyPlace {
                created_at: policy.created_at,
                id: policy.id,
            }
        }))
    }
}
