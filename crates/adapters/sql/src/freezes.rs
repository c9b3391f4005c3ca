//! Freeze windows, and what deployments were let through.

mod overrides;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{
    FreezeFilter, FreezeOverride, FreezePlace, FreezeQueries, FreezeRepository, FreezeScope,
    FreezeWindow,
    freeze::{Days, Recurrence, Schedule, Span},
};
use slipway_kernel::{
    DeploymentId, EnvironmentId, FreezeWindowId, Page, PageSize, ProjectId, Slug, StoreError,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, limit, placeholders},
    identity::project::hold,
    row::{Place, changed_one, micros, to_json},
    values::Values,
};

const TABLE: &str = "freeze_window";
const COLUMNS: &str = "id, project_id, slug, created_at, tier, environment_id, starts_at, ends_at, zone, weekdays, \
    start_minute, minutes, first_day, last_day, actions, reason, suspended, deleted_at, revision";
/// Of these, the first ones never change.
const FIXED_COUNT: usize = 4;
const COLUMN_COUNT: usize = 19;
/// That a window `w` covers an environment `e`.
const COVERS: &str = "w.project_id = e.project_id AND (w.environment_id = e.id OR w.tier = e.tier \
    OR (w.environment_id IS NULL AND w.tier IS NULL))";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    slug: String,
    created_at: i64,
    tier: Option<String>,
    environment_id: Option<Uuid>,
    #[sea_orm(nested)]
    schedule: ScheduleRow,
    actions: String,
    reason: String,
    suspended: bool,
    deleted_at: Option<i64>,
    revision: i64,
}

#[derive(FromQueryResult)]
struct ScheduleRow {
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    zone: Option<String>,
    weekdays: Option<String>,
    start_minute: Option<i32>,
    minutes: Option<i32>,
    first_day: Option<String>,
    last_day: Option<String>,
}

impl ScheduleRow {
    fn parse(self, place: &Place<'_>) -> Result<Schedule, StoreError> {
        let days = (self.first_day, self.last_day);
        match (
            (self.starts_at, self.ends_at),
            (self.zone, self.weekdays, self.start_minute, self.minutes),
            days,
        ) {
            ((Some(start), Some(end)), (None, None, None, None), (None, None)) => {
                let start = place.parse("starts_at", start)?;
                let span = Span::new(start, place.parse("ends_at", end)?);
                span.map(Schedule::Once)
                    .map_err(|error| place.inconsistent("ends_at", error))
            }
            (
                (None, None),
                (Some(zone), Some(weekdays), Some(start), Some(minutes)),
                (first, last),
            ) => {
                let days = Days::new(
                    place.parse_option("first_day", first)?,
                    place.parse_option("last_day", last)?,
                );
                Ok(Schedule::Recurring(Recurrence {
                    zone: place.parse("zone", zone)?,
                    weekdays: place.json("weekdays", &weekdays)?,
                    start: place.parse("start_minute", start)?,
                    length: place.parse("minutes", minutes)?,
                    days: days.map_err(|error| place.inconsistent("last_day", error))?,
                }))
            }
            _ => {
                let problem = "a window that is neither once nor again and again, or both";
                Err(place.inconsistent("starts_at", problem))
            }
        }
    }
}

impl TryFrom<Row> for FreezeWindow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        let scope = match (row.tier, row.environment_id) {
            (None, None) => FreezeScope::Project,
            (Some(tier), None) => FreezeScope::Tier(place.word("tier", &tier)?),
            (None, Some(environment)) => {
                FreezeScope::Environment(EnvironmentId::from_uuid(environment))
            }
            (Some(_), Some(_)) => {
                return Err(place.inconsistent("tier", "a tier beside an environment"));
            }
        };
        Ok(Self {
            id: FreezeWindowId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            slug: place.parse("slug", row.slug)?,
            scope,
            schedule: row.schedule.parse(&place)?,
            actions: place.json("actions", &row.actions)?,
            reason: place.parse("reason", row.reason)?,
            suspended: row.suspended,
            created_at: place.parse("created_at", row.created_at)?,
            deleted_at: place.parse_option("deleted_at", row.deleted_at)?,
            revision: place.revision(row.revision)?,
        })
    }
}

/// The values of all columns, in their order.
fn values(window: &FreezeWindow) -> Result<[Value; COLUMN_COUNT], StoreError> {
    let (tier, environment) = match window.scope {
        FreezeScope::Project => (None, None),
        FreezeScope::Tier(tier) => (Some(tier.as_str()), None),
        FreezeScope::Environment(environment) => (None, Some(environment.uuid())),
    };
    let (once, recurring) = match &window.schedule {
        Schedule::Once(span) => (Some(span), None),
        Schedule::Recurring(recurrence) => (None, Some(recurrence)),
    };
    let weekdays = recurring.map(|recurring| to_json(&recurring.weekdays));
    let first = recurring.and_then(|recurring| recurring.days.first());
    let last = recurring.and_then(|recurring| recurring.days.last());
    Ok([
        window.id.uuid().into(),
        window.project.uuid().into(),
        window.slug.as_str().into(),
        window.created_at.micros().into(),
        tier.into(),
        environment.into(),
        once.map(|span| span.start().micros()).into(),
        once.map(|span| span.end().micros()).into(),
        recurring.map(|recurring| recurring.zone.name()).into(),
        weekdays.transpose()?.into(),
        recurring.map(|recurring| i32::from(recurring.start)).into(),
        recurring
            .map(|recurring| i32::from(recurring.length))
            .into(),
        first.map(|day| day.to_string()).into(),
        last.map(|day| day.to_string()).into(),
        to_json(&window.actions)?.into(),
        window.reason.as_str().into(),
        window.suspended.into(),
        micros(window.deleted_at).into(),
        window.revision.0.into(),
    ])
}

async fn one<const N: usize>(
    connection: &Connection,
    condition: &str,
    values: [Value; N],
) -> Result<Option<FreezeWindow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM freeze_window WHERE {condition}");
    let row: Option<Row> = connection.one(sql, values).await?;
    row.map(FreezeWindow::try_from).transpose()
}

fn named(project: ProjectId, slug: &Slug) -> [Value; 2] {
    [project.uuid().into(), slug.as_str().into()]
}

const NAMED: &str = "project_id = $1 AND slug = $2 AND deleted_at IS NULL";

#[async_trait]
impl FreezeRepository for SqlUnitOfWork {
    async fn insert(&mut self, window: &FreezeWindow) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO freeze_window ({COLUMNS}) VALUES {} \
             ON CONFLICT (project_id, slug) WHERE deleted_at IS NULL DO NOTHING",
            placeholders(1, COLUMN_COUNT)
        );
        let values = values(window)?;
        Ok(self.connection().await?.execute(sql, values).await? == 1)
    }

    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<FreezeWindow>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        one(connection, &format!("{NAMED}{lock}"), named(project, slug)).await
    }

    async fn get(&mut self, id: FreezeWindowId) -> Result<Option<FreezeWindow>, StoreError> {
        one(self.connection().await?, "id = $1", [id.uuid().into()]).await
    }

    async fn update(&mut self, window: &FreezeWindow) -> Result<(), StoreError> {
        let mut bound = Values::default();
        let columns = COLUMNS.split(", ").zip(values(window)?).skip(FIXED_COUNT);
        let assignments: Vec<_> = columns
            .map(|(column, value)| format!("{column} = {}", bound.bind(value)))
            .collect();
        let sql = format!(
            "UPDATE freeze_window SET {} WHERE id = {} AND revision = {} - 1",
            assignments.join(", "),
            bound.bind(window.id.uuid()),
            bound.bind(window.revision.0)
        );
        let changed = self.connection().await?.execute(sql, bound).await?;
        changed_one(changed, TABLE, window.id)
    }

    async fn count(&mut self, project: ProjectId) -> Result<u64, StoreError> {
        #[derive(FromQueryResult)]
        struct Counted {
            windows: i64,
        }
        let sql = "SELECT count(*) AS windows FROM freeze_window WHERE project_id = $1 AND deleted_at IS NULL";
        let connection = self.connection().await?;
        hold(connection, project).await?;
        let counted: Option<Counted> = connection.one(sql, [project.uuid().into()]).await?;
        let windows = counted.map_or(0, |counted| counted.windows);
        Ok(u64::try_from(windows).unwrap_or_default())
    }

    async fn covering(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Vec<FreezeWindow>, StoreError> {
        let columns = COLUMNS.replace(", ", ", w.");
        let sql = format!(
            "SELECT w.{columns} FROM freeze_window w JOIN environment e ON {COVERS} \
             WHERE e.id = $1 AND w.deleted_at IS NULL AND NOT w.suspended ORDER BY w.slug"
        );
        let connection = self.connection().await?;
        let rows: Vec<Row> = connection.all(sql, [environment.uuid().into()]).await?;
        rows.into_iter().map(FreezeWindow::try_from).collect()
    }

    async fn add_override(&mut self, made: &FreezeOverride) -> Result<(), StoreError> {
        overrides::add(self.connection().await?, made).await
    }

    async fn overrides(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Vec<FreezeOverride>, StoreError> {
        overrides::of(self.connection().await?, &[deployment]).await
    }
}

#[async_trait]
impl FreezeQueries for SqlReader {
    async fn freeze_window(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<FreezeWindow>, StoreError> {
        one(&self.connection, NAMED, named(project, slug)).await
    }

    async fn freeze_windows(
        &self,
        project: ProjectId,
        filter: &FreezeFilter,
        after: Option<&FreezePlace>,
        size: PageSize,
    ) -> Result<Page<FreezeWindow, FreezePlace>, StoreError> {
        let mut values = Values::default();
        let mut conditions = vec![format!("w.project_id = {}", values.bind(project.uuid()))];
        if !filter.include_deleted {
            conditions.push("w.deleted_at IS NULL".to_owned());
        }
        if let Some(environment) = filter.environment {
            let environment = values.bind(environment.uuid());
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM environment e WHERE e.id = {environment} AND {COVERS})"
            ));
        }
        if let Some(FreezePlace { slug, id }) = after {
            let (slug, id) = (values.bind(slug.as_str()), values.bind(id.uuid()));
            conditions.push(format!("(w.slug, w.id) > ({slug}, {id})"));
        }
        let columns = COLUMNS.replace(", ", ", w.");
        let sql = format!(
            "SELECT w.{columns} FROM freeze_window w WHERE {} ORDER BY w.slug, w.id LIMIT {}",
            conditions.join(" AND "),
            values.bind(limit(size))
        );
        let rows: Vec<Row> = self.connection.all(sql, values).await?;
        let windows: Result<Vec<_>, _> = rows.into_iter().map(FreezeWindow::try_from).collect();
        let place = |window: &FreezeWindow| FreezePlace {
            slug: window.slug.clone(),
            id: window.id,
        };
        Ok(Page::from_rows(windows?, size, place))
    }

    async fn freeze_overrides(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<Vec<FreezeOverride>, StoreError> {
        overrides::of(&self.connection, deployments).await
    }
}
