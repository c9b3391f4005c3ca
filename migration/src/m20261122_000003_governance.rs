//! Who must agree to what, and how people prove who they are.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{dialect::spell, triggers::fixed};

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 2] = [
    (
        "principal_identity",
        "issuer, subject, principal_id, created_at",
    ),
    (
        "membership_part",
        "project_id, principal_id, source, created_at",
    ),
];

/// Everything about governance.
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
        for part in [include_str!("governance/identity.sql")] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        for (table, columns) in FIXED {
            let trigger = fixed(backend, table, columns);
            connection.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "this schema holds who agreed to what and is not taken back; restore a backup instead"
                .to_owned(),
        ))
    }
}
