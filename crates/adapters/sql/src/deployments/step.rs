//! The steps of deployments. A step that can be undone has a row for each direction.

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Claim, Direction, Phase, Step, Work};
use slipway_kernel::{DeploymentId, StoreError};

use super::lease;
use crate::{
    connection::{Connection, rows_per_statement},
    row::{Place, changed_all, changed_one},
    values::Values,
};

const TABLE: &str = "deployment_step";
const COLUMNS: &str = "number, direction, wave, work, item, phase";
const INSERTED_COUNT: usize = 7;

#[derive(FromQueryResult)]
struct Row {
    number: i32,
    direction: String,
    wave: i32,
    work: String,
    item: Option<i32>,
    phase: String,
}

/// Whether there is a row.
#[derive(FromQueryResult)]
struct Any {}

/// What a step does as a word, and the item that it is about.
const fn words(work: Work) -> (&'static str, Option<u32>) {
    match work {
        Work::Preflight => ("PREFLIGHT", None),
        Work::PreSnapshot => ("PRE_SNAPSHOT", None),
        Work::Apply(item) => ("APPLY", Some(item)),
        Work::Connect(item) => ("CONNECT", Some(item)),
        Work::Verify => ("VERIFY", None),
        Work::Record => ("RECORD", None),
        Work::PostSnapshot => ("POST_SNAPSHOT", None),
    }
}

fn work(place: &Place<'_>, row: &Row) -> Result<Work, StoreError> {
    let item = place.parse_option("item", row.item)?;
    match (row.work.as_str(), item) {
        ("PREFLIGHT", None) => Ok(Work::Preflight),
        ("PRE_SNAPSHOT", None) => Ok(Work::PreSnapshot),
        ("APPLY", Some(item)) => Ok(Work::Apply(item)),
        ("CONNECT", Some(item)) => Ok(Work::Connect(item)),
        ("VERIFY", None) => Ok(Work::Verify),
        ("RECORD", None) => Ok(Work::Record),
        ("POST_SNAPSHOT", None) => Ok(Work::PostSnapshot),
        (work, item) => {
            let problem = format!("`{work}` with the item {item:?}");
            Err(place.inconsistent("work", problem))
        }
    }
}

/// The steps of one deployment's rows, which come by number, and of each number forwards first.
fn parse(deployment: DeploymentId, rows: &[Row]) -> Result<Vec<Step>, StoreError> {
    let mut steps: Vec<Step> = Vec::with_capacity(rows.len());
    let mut to_undo: Option<Step> = None;
    for row in rows {
        let key = format!("({deployment}, {}, {})", row.number, row.direction);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        let step = Step {
            number: place.parse("number", row.number)?,
            wave: place.parse("wave", row.wave)?,
            work: work(&place, row)?,
            phase: place.word("phase", &row.phase)?,
            undo: Phase::Waiting,
        };
        match (place.word("direction", &row.direction)?, to_undo.take()) {
            (Direction::Do, None) if step.work.has_undo() => to_undo = Some(step),
            (Direction::Do, None) => steps.push(step),
            (Direction::Undo, Some(done)) if is_same(&done, &step) => steps.push(Step {
                undo: step.phase,
                ..done
            }),
            (direction, expected) => {
                let expected = expected.map(|step| step.number);
                let problem =
                    format!("a row {direction} where the row back of {expected:?} comes next");
                return Err(place.inconsistent("direction", problem));
            }
        }
    }
    match to_undo {
        None => Ok(steps),
        Some(step) => {
            let key = format!("({deployment}, {}, DO)", step.number);
            let place = Place {
                table: TABLE,
                row: &key,
            };
            Err(place.inconsistent("direction", "the row back is missing"))
        }
    }
}

fn is_same(one: &Step, other: &Step) -> bool {
    (one.number, one.wave, one.work) == (other.number, other.wave, other.work)
}

pub(super) async fn add(
    connection: &Connection,
    deployment: DeploymentId,
    steps: &[Step],
) -> Result<(), StoreError> {
    let any: Option<Any> = connection
        .one(
            "SELECT number FROM deployment_step WHERE deployment_id = $1 LIMIT 1",
            [deployment.uuid().into()],
        )
        .await?;
    if any.is_some() {
        return Ok(());
    }
    let rows: Vec<_> = rows(steps).collect();
    for rows in rows.chunks(rows_per_statement(INSERTED_COUNT)) {
        let mut values = Values::default();
        let rows: Vec<_> = rows
            .iter()
            .map(|(step, direction)| {
                let (work, item) = words(step.work);
                let row: [Value; INSERTED_COUNT] = [
                    deployment.uuid().into(),
                    i64::from(step.number).into(),
                    direction.as_str().into(),
                    i64::from(step.wave).into(),
                    work.into(),
                    item.map(i64::from).into(),
                    Phase::Waiting.as_str().into(),
                ];
                format!("({})", values.bind_all(row))
            })
            .collect();
        let sql = format!(
            "INSERT INTO deployment_step (deployment_id, {COLUMNS}) VALUES {}",
            rows.join(", ")
        );
        connection.execute(sql, values).await?;
    }
    Ok(())
}

/// Removes the steps of a deployment that was not begun, but for its preflight.
pub(super) async fn remove(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<(), StoreError> {
    let begun = "FROM deployment_step WHERE deployment_id = $1 AND phase <> 'WAITING' AND work <> 'PREFLIGHT'";
    let id = || [deployment.uuid().into()];
    let any: Option<Any> = connection
        .one(format!("SELECT number {begun} LIMIT 1"), id())
        .await?;
    if any.is_some() {
        return Err(StoreError::Conflict(
            format!("deployment {deployment} was begun: its plan stays").into(),
        ));
    }
    let sql = "DELETE FROM deployment_step WHERE deployment_id = $1";
    connection.execute(sql, id()).await?;
    Ok(())
}

pub(super) async fn all(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<Vec<Step>, StoreError> {
    // DO comes before UNDO.
    let sql = format!(
        "SELECT {COLUMNS} FROM deployment_step WHERE deployment_id = $1 ORDER BY number, direction"
    );
    let rows: Vec<Row> = connection.all(sql, [deployment.uuid().into()]).await?;
    parse(deployment, &rows)
}

/// Two statements, and one for each 333 rows.
pub(super) async fn rewrite(
    connection: &Connection,
    deployment: DeploymentId,
    steps: &[Step],
) -> Result<(), StoreError> {
    let sql = "UPDATE deployment SET epoch = epoch + 1 WHERE id = $1 AND state = 'IN_DOUBT'";
    let changed = connection.execute(sql, [deployment.uuid().into()]).await?;
    changed_one(changed, super::deployment::TABLE, deployment)?;
    let rows: Vec<_> = rows(steps).collect();
    for rows in rows.chunks(rows_per_statement(3) - 1) {
        let mut values = Values::default();
        let phases: Vec<_> = rows
            .iter()
            .map(|(step, direction)| {
                let row: [Value; 3] = [
                    i64::from(step.number).into(),
                    direction.as_str().into(),
                    step.in_direction(*direction).as_str().into(),
                ];
                format!("({})", values.bind_all(row))
            })
            .collect();
        // Both databases call the columns of VALUES column1, column2, …
        let sql = format!(
            "UPDATE deployment_step SET phase = n.column3 FROM (VALUES {}) AS n \
             WHERE deployment_step.deployment_id = {} AND deployment_step.number = n.column1 \
             AND deployment_step.direction = n.column2",
            phases.join(", "),
            values.bind(deployment.uuid())
        );
        let changed = connection.execute(sql, values).await?;
        changed_all(changed, rows.len(), TABLE, deployment)?;
    }
    Ok(())
}

/// The rows of steps: one for each direction that they have.
fn rows(steps: &[Step]) -> impl Iterator<Item = (&Step, Direction)> {
    steps.iter().flat_map(|step| {
        let undo = step.work.has_undo().then_some((step, Direction::Undo));
        [(step, Direction::Do)].into_iter().chain(undo)
    })
}

/// The step that a claim may write. The deployment is held, so that nobody can claim it before this is committed: and
/// whoever had claimed it just before is seen, because the lock waits for that.
fn fence(connection: &Connection) -> String {
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    format!(
        "deployment_id = (SELECT id FROM deployment WHERE id = $1 AND epoch = $2{lock}) \
         AND number = $3 AND direction = $4"
    )
}

pub(super) async fn begin(
    connection: &Connection,
    claim: &Claim,
    number: u32,
    direction: Direction,
) -> Result<bool, StoreError> {
    let sql = format!(
        "UPDATE deployment_step SET phase = 'BEGUN' WHERE {} AND phase IN ('WAITING', 'BEGUN')",
        fence(connection)
    );
    let [id, epoch] = lease::values(claim);
    let number = i64::from(number).into();
    let begun = connection
        .execute(sql, [id, epoch, number, direction.as_str().into()])
        .await?;
    Ok(begun == 1)
}

pub(super) async fn end(
    connection: &Connection,
    claim: &Claim,
    number: u32,
    direction: Direction,
    phase: Phase,
) -> Result<bool, StoreError> {
    let sql = format!(
        "UPDATE deployment_step SET phase = $5 WHERE {} AND phase = 'BEGUN'",
        fence(connection)
    );
    let [id, epoch] = lease::values(claim);
    let values = [
        id,
        epoch,
        i64::from(number).into(),
        direction.as_str().into(),
        phase.as_str().into(),
    ];
    Ok(connection.execute(sql, values).await? == 1)
}
