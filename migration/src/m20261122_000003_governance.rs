//! Who is told of what.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{dialect::spell, triggers::fixed};

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 3] = [
    ("webhook", "id, project_id, slug, created_at"),
    (
        "outbox",
        "sequence, project_id, deployment_id, environment_id, event, facts, at",
    ),
    (
        "delivery",
        "id, project_id, webhook_id, sequence, deployment_id, event, message, created_at",
    ),
];

/// Governance of releases.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000003_governance"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let connection = manager.get_connection();
        for part in [include_str!("governance/notifications.sql")] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        let fixed = FIXED
            .into_iter()
            .map(|(table, columns)| fixed(backend, table, columns));
        for trigger in fixed.chain(transitions_told(backend)) {
            connection.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "this schema holds who was told of what and is not taken back; restore a backup instead"
                .to_owned(),
        ))
    }
}

/// Every state that a deployment is given goes into the outbox, in the transaction that gives it, where the project has
/// somebody to be told. The facts are those of `slipway_notifications::Facts`.
fn transitions_told(backend: DbBackend) -> Vec<String> {
    let add = "INSERT INTO outbox (project_id, deployment_id, environment_id, event, facts, at) \
               SELECT d.project_id, d.id, d.target_id, 'deployment.' || lower(NEW.state), \
               CAST({json object}('problem_reason', d.problem_reason) AS TEXT), NEW.at \
               FROM deployment d WHERE d.id = NEW.deployment_id \
               AND EXISTS (SELECT 1 FROM webhook w WHERE w.project_id = d.project_id AND w.enabled);";
    let statements = if backend == DbBackend::Postgres {
        vec![
            format!(
                "CREATE FUNCTION deployment_tell_transition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 {add} RETURN NULL; END $$"
            ),
            "CREATE TRIGGER deployment_transition_is_told AFTER INSERT ON deployment_transition \
             FOR EACH ROW EXECUTE FUNCTION deployment_tell_transition()"
                .to_owned(),
        ]
    } else {
        vec![format!(
            "CREATE TRIGGER deployment_transition_is_told AFTER INSERT ON deployment_transition BEGIN {add} END"
        )]
    };
    statements
        .iter()
        .map(|statement| spell(statement, backend))
        .collect()
}
