//! Pipelines with their stages.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Pipeline, PipelineRepository, Stage};
use slipway_kernel::{EnvironmentId, Page, PageSize, PipelineId, ProjectId, Slug, StoreError};
use uuid::Uuid;

use super::gates::{self, GatesRow};
use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit},
    row::{Place, changed_one, micros},
    values::Values,
};

const TABLE: &str = "pipeline";
const STAGE_TABLE: &str = "pipeline_stage";
const COLUMNS: &str =
    "id, project_id, slug, display_name, description, created_at, archived_at, revision";
/// A pipeline `p` once for each of its stages `s`, in their order.
const WITH_STAGES: &str = "SELECT p.id, p.project_id, p.slug, p.display_name, p.description, p.created_at, \
    p.archived_at, p.revision, s.position AS stage_position, s.source_id, s.target_id, s.approval_required, \
    s.source_unchanged, s.drift, s.on_failure, s.publish, s.secrets FROM ";
const STAGES: &str =
    " LEFT JOIN pipeline_stage s ON s.pipeline_id = p.id ORDER BY p.slug, s.position";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    slug: String,
    display_name: String,
    description: String,
    created_at: i64,
    archived_at: Option<i64>,
    revision: i64,
    #[sea_orm(nested)]
    stage: Option<StageRow>,
}

#[derive(FromQueryResult)]
struct StageRow {
    stage_position: i32,
    source_id: Uuid,
    target_id: Uuid,
    #[sea_orm(nested)]
    gates: GatesRow,
}

/// The stage at the next place of a pipeline.
fn stage(pipeline: &Pipeline, row: &StageRow) -> Result<Stage, StoreError> {
    let key = format!("({}, {})", pipeline.id, row.stage_position);
    let place = Place {
        table: STAGE_TABLE,
        row: &key,
    };
    let next = pipeline.stages.len();
    if usize::try_from(row.stage_position) != Ok(next) {
        let problem = format!("a stage at {} where {next} comes next", row.stage_position);
        return Err(place.inconsistent("position", problem));
    }
    Ok(Stage {
        source: EnvironmentId::from_uuid(row.source_id),
        target: EnvironmentId::from_uuid(row.target_id),
        gates: row.gates.parse(&place)?,
    })
}

fn without_stages(row: Row) -> Result<Pipeline, StoreError> {
    let place = Place {
        table: TABLE,
        row: &row.id,
    };
    Ok(Pipeline {
        id: PipelineId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        slug: place.parse("slug", row.slug)?,
        display_name: place.parse("display_name", row.display_name)?,
        description: place.parse("description", row.description)?,
        stages: Vec::new(),
        created_at: place.parse("created_at", row.created_at)?,
        archived_at: place.parse_option("archived_at", row.archived_at)?,
        revision: place.revision(row.revision)?,
    })
}

/// The pipelines of rows that stand together.
fn pipelines(rows: Vec<Row>) -> Result<Vec<Pipeline>, StoreError> {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for mut row in rows {
        let Some(stage_row) = row.stage.take() else {
            let place = Place {
                table: TABLE,
                row: &row.id,
            };
            return Err(place.inconsistent("id", "a pipeline without stages"));
        };
        let mut pipeline = match pipelines.pop_if(|last| last.id.uuid() == row.id) {
            Some(pipeline) => pipeline,
            None => without_stages(row)?,
        };
        let stage = stage(&pipeline, &stage_row)?;
        pipeline.stages.push(stage);
        pipelines.push(pipeline);
    }
    Ok(pipelines)
}

#[async_trait]
impl PipelineRepository for SqlUnitOfWork {
    async fn insert(&mut self, pipeline: &Pipeline) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO pipeline ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (project_id, slug) DO NOTHING"
        );
        let connection = self.connection().await?;
        let added = connection
            .execute(
                sql,
                [
                    pipeline.id.uuid().into(),
                    pipeline.project.uuid().into(),
                    pipeline.slug.as_str().into(),
                    pipeline.display_name.as_str().into(),
                    pipeline.description.as_str().into(),
                    pipeline.created_at.micros().into(),
                    micros(pipeline.archived_at).into(),
                    pipeline.revision.0.into(),
                ],
            )
            .await?;
        if added == 1 {
            insert_stages(connection, pipeline).await?;
        }
        Ok(added == 1)
    }

    /// Two statements: a join would show the stages as they were before the lock was waited for.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Pipeline>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        let held: Option<Held> = connection
            .one(
                format!("SELECT id FROM pipeline WHERE project_id = $1 AND slug = $2{lock}"),
                [project.uuid().into(), slug.as_str().into()],
            )
            .await?;
        match held {
            None => Ok(None),
            Some(held) => {
                let sql = format!("{WITH_STAGES}(SELECT * FROM pipeline WHERE id = $1) p{STAGES}");
                let rows = connection.all(sql, [held.id.into()]).await?;
                Ok(pipelines(rows)?.pop())
            }
        }
    }

    async fn guarding(&mut self, target: EnvironmentId) -> Result<Vec<PipelineId>, StoreError> {
        let sql = "SELECT p.id FROM pipeline_stage s JOIN pipeline p ON p.id = s.pipeline_id \
                   WHERE s.target_id = $1 AND s.approval_required AND p.archived_at IS NULL ORDER BY p.id";
        let found: Vec<Held> = self
            .connection()
            .await?
            .all(sql, [target.uuid().into()])
            .await?;
        let id = |found: Held| PipelineId::from_uuid(found.id);
        Ok(found.into_iter().map(id).collect())
    }

    async fn update(&mut self, pipeline: &Pipeline) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let changed = connection
            .execute(
                "UPDATE pipeline SET display_name = $1, description = $2, archived_at = $3, revision = $4 \
                 WHERE id = $5 AND revision = $4 - 1",
                [
                    pipeline.display_name.as_str().into(),
                    pipeline.description.as_str().into(),
                    micros(pipeline.archived_at).into(),
                    pipeline.revision.0.into(),
                    pipeline.id.uuid().into(),
                ],
            )
            .await?;
        changed_one(changed, TABLE, pipeline.id)?;
        connection
            .execute(
                "DELETE FROM pipeline_stage WHERE pipeline_id = $1",
                [pipeline.id.uuid().into()],
            )
            .await?;
        insert_stages(connection, pipeline).await
    }
}

#[derive(FromQueryResult)]
struct Held {
    id: Uuid,
}

async fn insert_stages(connection: &Connection, pipeline: &Pipeline) -> Result<(), StoreError> {
    let mut values = Values::default();
    let rows: Vec<_> = (0_i32..)
        .zip(&pipeline.stages)
        .map(|(position, stage)| {
            let place: [Value; 5] = [
                pipeline.id.uuid().into(),
                position.into(),
                pipeline.project.uuid().into(),
                stage.source.uuid().into(),
                stage.target.uuid().into(),
            ];
            let row = place.into_iter().chain(gates::values(stage.gates));
            format!("({})", values.bind_all(row))
        })
        .collect();
    if rows.is_empty() {
        let place = Place {
            table: TABLE,
            row: &pipeline.id,
        };
        return Err(place.inconsistent("id", "a pipeline without stages"));
    }
    let sql = format!(
        "INSERT INTO pipeline_stage (pipeline_id, position, project_id, source_id, target_id, approval_required, \
         source_unchanged, drift, on_failure, publish, secrets) VALUES {}",
        rows.join(", ")
    );
    connection.execute(sql, values).await?;
    Ok(())
}

pub(super) async fn by_slug(
    connection: &Connection,
    project: ProjectId,
    slug: &Slug,
) -> Result<Option<Pipeline>, StoreError> {
    let sql = format!(
        "{WITH_STAGES}(SELECT * FROM pipeline WHERE project_id = $1 AND slug = $2) p{STAGES}"
    );
    let rows = connection
        .all(sql, [project.uuid().into(), slug.as_str().into()])
        .await?;
    Ok(pipelines(rows)?.pop())
}

pub(super) async fn by_id(
    connection: &Connection,
    id: PipelineId,
) -> Result<Option<Pipeline>, StoreError> {
    let sql = format!("{WITH_STAGES}(SELECT * FROM pipeline WHERE id = $1) p{STAGES}");
    let rows = connection.all(sql, [id.uuid().into()]).await?;
    Ok(pipelines(rows)?.pop())
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    include_archived: bool,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Pipeline, Slug>, StoreError> {
    let archived = if include_archived {
        ""
    } else {
        " AND archived_at IS NULL"
    };
    // Every slug is behind the empty text.
    let sql = format!(
        "{WITH_STAGES}(SELECT * FROM pipeline WHERE project_id = $1 AND slug > $2{archived} \
         ORDER BY slug LIMIT $3) p{STAGES}"
    );
    let after = after.map_or("", Slug::as_str);
    let rows = connection
        .all(sql, [project.uuid().into(), after.into(), limit(size)])
        .await?;
    Ok(Page::from_rows(
        pipelines(rows)?,
        size,
        |pipeline: &Pipeline| pipeline.slug.clone(),
    ))
}
