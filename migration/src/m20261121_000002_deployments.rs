//! Pipelines, deployments and their steps, approvals, snapshots, workflow engines.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::{
    dialect::spell,
    triggers::{
        Again::{Ignore, Refuse},
        append_only, fixed, removed_only_where, transitions_written_down,
    },
};

/// What never changes about a row that can be changed otherwise.
const FIXED: [(&str, &str); 6] = [
    ("pipeline", "id, project_id, slug, created_at"),
    ("deployment_counter", "project_id"),
    (
        "deployment",
        "id, project_id, number, kind, target_id, pipeline_id, stage, source_id, restores_id, undoes_id, \
         approval_required, source_unchanged, drift, on_failure, publish, secrets, requested_by, created_at, \
         name, description, template_id, template_version, back_to_id",
    ),
    (
        "deployment_item",
        "deployment_id, position, project_id, key, name, change, application_kind, version_after_id, message, declared_risk",
    ),
    (
        "deployment_step",
        "deployment_id, number, direction, wave, work, item",
    ),
    (
        "approval_request",
        "id, project_id, deployment_id, environment_id, plan_digest, requested_by, created_at, expires_at, rules, \
         not_before",
    ),
];

/// What is removed of a plan that was not carried out, because another one took its place.
const REMOVED: [(&str, &str); 2] = [
    (
        "deployment_item",
        "OLD.status IN ('PENDING', 'SKIPPED') AND EXISTS \
         (SELECT 1 FROM deployment d WHERE d.id = OLD.deployment_id \
         AND d.state IN ('RUNNING', 'APPROVED', 'PENDING_APPROVAL'))",
    ),
    (
        "deployment_step",
        "(OLD.work = 'PREFLIGHT' OR OLD.phase = 'WAITING') AND EXISTS \
         (SELECT 1 FROM deployment d WHERE d.id = OLD.deployment_id AND d.state = 'RUNNING')",
    ),
];

/// Everything that changes environments.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000002_deployments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let connection = manager.get_connection();
        for part in [
            include_str!("deployments/pipelines.sql"),
            include_str!("deployments/deployments.sql"),
            include_str!("deployments/approvals.sql"),
            include_str!("deployments/snapshots.sql"),
            include_str!("deployments/engines.sql"),
        ] {
            connection.execute_unprepared(&spell(part, backend)).await?;
        }
        let mut triggers = append_only(backend, "snapshot", &[(Refuse, "id = NEW.id")]);
        triggers.extend(append_only(
            backend,
            "approval_decision",
            &[(
                Ignore,
                "request_id = NEW.request_id AND person_id = NEW.person_id",
            )],
        ));
        triggers.extend(append_only(
            backend,
            "deployment_transition",
            &[(
                Refuse,
                "deployment_id = NEW.deployment_id AND position = NEW.position",
            )],
        ));
        triggers.extend(transitions_written_down(backend));
        triggers.extend(
            FIXED
                .into_iter()
                .map(|(table, columns)| fixed(backend, table, columns)),
        );
        triggers.extend(
            REMOVED
                .into_iter()
                .flat_map(|(table, condition)| removed_only_where(backend, table, condition)),
        );
        for trigger in triggers {
            connection.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "this schema holds what was done to environments and is not taken back; restore a backup instead"
                .to_owned(),
        ))
    }
}
