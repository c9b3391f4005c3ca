//! What the server's own database role may do, where another role owns the schema (`PostgreSQL` only).

use sea_orm::{ConnectionTrait, DbErr};

/// Tables the server only adds to.
const ADDED_TO: &str = "deployment_record, record_retraction, audit_event, audit_chain, snapshot, \
                        deployment_transition, deployment_check, template_version, approval_decision, \
                        approval_withdrawal, approval_override, override_review, freeze_override";
/// Tables the server changes.
const CHANGED: &str = "project, person, principal, membership, token, request, environment, application, version, \
                       current_state, pipeline, pipeline_stage, deployment_counter, deployment, deployment_item, \
                       deployment_step, approval_request, environment_engine, workflow_link, credential_target, \
                       environment_backup, template, approval_policy, freeze_window, webhook, outbox, delivery, \
                       principal_identity, membership_part";
/// Tables from which the server removes rows, none of which is a fact: items and steps are those of a plan that was not
/// carried out, and what policies said stands in the audit trail and on the requests that were opened under them.
const REMOVED_FROM: &str = "membership, request, pipeline_stage, deployment_item, deployment_step, \
                            environment_engine, workflow_link, credential_target, approval_policy, webhook, outbox, \
                            delivery, principal_identity, membership_part";

/// Grants `role` what the server needs and no more: it can neither change nor remove facts, nor switch off the triggers
/// that refuse it. Granting again changes nothing.
///
/// The connection is the schema owner's, on `PostgreSQL`.
pub async fn grant_application_role(
    connection: &impl ConnectionTrait,
    role: &str,
) -> Result<(), DbErr> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    connection
        .execute_unprepared(&format!(
            "GRANT USAGE ON SCHEMA public TO {role}; \
             GRANT SELECT ON seaql_migrations TO {role}; \
             GRANT SELECT, INSERT ON {ADDED_TO} TO {role}; \
             GRANT USAGE ON SEQUENCE deployment_record_sequence_seq TO {role}; \
             GRANT SELECT, INSERT, UPDATE ON {CHANGED} TO {role}; \
             GRANT DELETE ON {REMOVED_FROM} TO {role}"
        ))
        .await?;
    Ok(())
}
