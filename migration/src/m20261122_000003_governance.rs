//! What must hold before an environment is changed.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{
    dialect::spell,
    triggers::{Again::Ignore, append_only, fixed},
};

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 1] = [("freeze_window", "id, project_id, slug, created_at")];

/// Who has to agree, and when nothing begins.
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
        for part in [include_str!("governance/freezes.sql")] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        let mut triggers = append_only(
            backend,
            "freeze_override",
            &[(
                Ignore,
                "deployment_id = NEW.deployment_id AND window_id = NEW.window_id",
            )],
        );
        triggers.extend(
            FIXED
                .into_iter()
                .map(|(table, columns)| fixed(backend, table, columns)),
        );
        for trigger in triggers {
            connection.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "this schema holds what was decided about changes and is not taken back; restore a backup instead"
                .to_owned(),
        ))
    }
}
