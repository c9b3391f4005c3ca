//! Projects, who may do what in them, the catalog, the ledger, the audit trail.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{
    dialect::spell,
    triggers::{
        Again::{Ignore, Refuse},
        POSTGRES_FUNCTIONS, Same, append_only, fixed,
    },
};

/// Tables whose rows are facts, which the database itself refuses to change or remove, and what makes two rows of such a
/// table the same one.
const APPEND_ONLY: [(&str, &[Same]); 4] = [
    (
        "deployment_record",
        &[
            (
                Ignore,
                "external_id IS NOT NULL AND project_id = NEW.project_id AND reporter_id = NEW.reporter_id \
                 AND external_id = NEW.external_id",
            ),
            (
                Ignore,
                "NEW.external_id IS NULL AND external_id IS NULL AND application_id = NEW.application_id \
                 AND version_id = NEW.version_id AND environment_id = NEW.environment_id \
                 AND reported_at = NEW.reported_at AND kind = NEW.kind",
            ),
            (Refuse, "id = NEW.id OR sequence = NEW.sequence"),
        ],
    ),
    (
        "record_retraction",
        &[(
            Ignore,
            "record_sequence = NEW.record_sequence OR record_id = NEW.record_id",
        )],
    ),
    (
        "audit_event",
        &[(Refuse, "id = NEW.id OR sequence = NEW.sequence")],
    ),
    (
        "audit_chain",
        &[(
            Refuse,
            "chain_id = NEW.chain_id AND position = NEW.position OR event_id = NEW.event_id \
             OR event_sequence = NEW.event_sequence",
        )],
    ),
];

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 4] = [
    ("project", "id, slug, created_at"),
    ("environment", "id, project_id, slug, created_at"),
    ("application", "id, project_id, key, kind, created_at"),
    (
        "version",
        "id, project_id, application_id, identifier, digest, content_size, content_type, dependencies, attributes, \
         notes, author_id, created_by, created_at",
    ),
];

/// The first schema.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261120_000001_foundation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let connection = manager.get_connection();
        for part in [
            include_str!("foundation/identity.sql"),
            include_str!("foundation/catalog.sql"),
            include_str!("foundation/ledger.sql"),
            include_str!("foundation/audit.sql"),
        ] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        for statement in triggers(backend) {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "the first schema holds the ledger and is not taken back; restore a backup instead"
                .to_owned(),
        ))
    }
}

fn triggers(backend: DbBackend) -> Vec<String> {
    let functions: &[&str] = if backend == DbBackend::Postgres {
        &POSTGRES_FUNCTIONS
    } else {
        &[]
    };
    let append_only = APPEND_ONLY
        .into_iter()
        .flat_map(|(table, same)| append_only(backend, table, same));
    let fixed = FIXED
        .into_iter()
        .map(|(table, columns)| fixed(backend, table, columns));
    functions
        .iter()
        .map(|function| (*function).to_owned())
        .chain(append_only)
        .chain(fixed)
        .collect()
}
