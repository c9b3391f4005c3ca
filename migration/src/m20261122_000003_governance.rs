//! Who has to agree to what, and what else must hold before an environment is changed.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{
    dialect::spell,
    triggers::{
        Again::{Ignore, Refuse},
        Same, append_only, fixed,
    },
};

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 8] = [
    (
        "approval_policy",
        "id, project_id, scope, tier, environment_id, created_at",
    ),
    ("template", "id, project_id, slug"),
    ("freeze_window", "id, project_id, slug, created_at"),
    (
        "principal_identity",
        "issuer, subject, principal_id, created_at",
    ),
    (
        "membership_part",
        "project_id, principal_id, source, created_at",
    ),
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

/// Tables whose rows are facts.
const APPEND_ONLY: [(&str, &[Same]); 6] = [
    (
        "approval_withdrawal",
        &[(
            Ignore,
            "request_id = NEW.request_id AND person_id = NEW.person_id",
        )],
    ),
    (
        "approval_override",
        &[(Ignore, "request_id = NEW.request_id")],
    ),
    (
        "override_review",
        &[(Ignore, "request_id = NEW.request_id")],
    ),
    (
        "freeze_override",
        &[(
            Ignore,
            "deployment_id = NEW.deployment_id AND window_id = NEW.window_id AND plan_digest = NEW.plan_digest",
        )],
    ),
    (
        "deployment_check",
        &[(
            Refuse,
            "deployment_id = NEW.deployment_id AND position = NEW.position",
        )],
    ),
    (
        "template_version",
        &[(
            Refuse,
            "template_id = NEW.template_id AND version = NEW.version",
        )],
    ),
];

/// Governance.
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
        for part in [
            include_str!("governance/policies.sql"),
            include_str!("governance/checks.sql"),
            include_str!("governance/templates.sql"),
            include_str!("governance/freezes.sql"),
            include_str!("governance/notifications.sql"),
            include_str!("governance/identity.sql"),
        ] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        let append_only = APPEND_ONLY
            .into_iter()
            .flat_map(|(table, same)| append_only(backend, table, same));
        let fixed = FIXED
            .into_iter()
            .map(|(table, columns)| fixed(backend, table, columns));
        for trigger in append_only.chain(fixed).chain(transitions_told(backend)) {
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

/// Every state that a deployment is given goes into the outbox, in the transaction that gives it, where the project has
/// somebody to be told. The facts are those of `slipway_notifications::Facts`.
fn transitions_told(backend: DbBackend) -> Vec<String> {
    let add = "INSERT INTO outbox (project_id, deployment_id, environment_id, event, facts, at) \
               SELECT d.project_id, d.id, d.target_id, 'deployment.' || lower(NEW.state), \
               CAST({json object}('problem_reason', d.problem_reason, 'risk', d.risk, 'name', d.name) AS TEXT), NEW.at \
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
