//! Projects, who may do what in them, the catalog, the ledger, the audit trail.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::spell;

/// Tables whose rows are facts: the database itself refuses to change or remove them.
const APPEND_ONLY: [&str; 4] = [
    "deployment_record",
    "record_retraction",
    "audit_event",
    "audit_chain",
];

/// What makes two rows of such a table the same one, for `SQLite`: `INSERT OR REPLACE` removes the row that is there, and
/// unless a connection asks for recursive triggers, it removes it past the triggers that refuse DELETE. So a row that is
/// there is found before another one takes its place. Adding it again is nothing where the server adds with
/// `ON CONFLICT DO NOTHING`, and refused elsewhere.
const SAME: [(&str, &str, &str); 6] = [
    (
        "deployment_record",
        "IGNORE",
        "external_id IS NOT NULL AND project_id = NEW.project_id AND reporter_id = NEW.reporter_id \
         AND external_id = NEW.external_id",
    ),
    (
        "deployment_record",
        "IGNORE",
        "NEW.external_id IS NULL AND external_id IS NULL AND application_id = NEW.application_id \
         AND version_id = NEW.version_id AND environment_id = NEW.environment_id \
         AND reported_at = NEW.reported_at AND kind = NEW.kind",
    ),
    (
        "deployment_record",
        "ABORT",
        "id = NEW.id OR sequence = NEW.sequence",
    ),
    (
        "record_retraction",
        "IGNORE",
        "record_sequence = NEW.record_sequence OR record_id = NEW.record_id",
    ),
    (
        "audit_event",
        "ABORT",
        "id = NEW.id OR sequence = NEW.sequence",
    ),
    (
        "audit_chain",
        "ABORT",
        "chain_id = NEW.chain_id AND position = NEW.position OR event_id = NEW.event_id \
         OR event_sequence = NEW.event_sequence",
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
    if backend == DbBackend::Postgres {
        postgres_triggers()
    } else {
        sqlite_triggers()
    }
}

fn sqlite_triggers() -> Vec<String> {
    let append_only = APPEND_ONLY.into_iter().flat_map(|table| {
        ["UPDATE", "DELETE"].map(|verb| {
            format!(
                "CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} is refused'); END"
            )
        })
    });
    let fixed = FIXED.into_iter().map(|(table, columns)| {
        format!(
            "CREATE TRIGGER {table}_keeps_its_identity BEFORE UPDATE OF {columns} ON {table} \
             BEGIN SELECT RAISE(ABORT, '{table} keeps its identity: {columns} never change'); END"
        )
    });
    let kept = APPEND_ONLY.into_iter().map(|table| {
        let checks: Vec<_> = SAME
            .iter()
            .filter(|(of, ..)| *of == table)
            .map(|(_, answer, same)| {
                let raise = if *answer == "IGNORE" {
                    "RAISE(IGNORE)".to_owned()
                } else {
                    format!("RAISE(ABORT, '{table} is append-only: the row is there already')")
                };
                format!("SELECT {raise} WHERE EXISTS (SELECT 1 FROM {table} WHERE {same});")
            })
            .collect();
        format!(
            "CREATE TRIGGER {table}_refuses_REPLACE BEFORE INSERT ON {table} BEGIN {} END",
            checks.join(" ")
        )
    });
    append_only.chain(kept).chain(fixed).collect()
}

fn postgres_triggers() -> Vec<String> {
    let functions = [
        "CREATE FUNCTION slipway_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$",
        "CREATE FUNCTION slipway_keep_identity() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION '% keeps its identity: % never change', TG_TABLE_NAME, TG_ARGV[0]; END $$",
    ]
    .map(str::to_owned);
    let append_only = APPEND_ONLY.into_iter().map(|table| {
        format!(
            "CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION slipway_refuse_change()"
        )
    });
    let fixed = FIXED.into_iter().map(|(table, columns)| {
        format!(
            "CREATE TRIGGER {table}_keeps_its_identity BEFORE UPDATE OF {columns} ON {table} \
             FOR EACH ROW EXECUTE FUNCTION slipway_keep_identity('{columns}')"
        )
    });
    functions
        .into_iter()
        .chain(append_only)
        .chain(fixed)
        .collect()
}
