//! What was done to environments can't be written down in an impossible way, whoever asks the database directly; and
//! where it was, the row is named.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use slipway_approvals::ApprovalFilter;
use slipway_deployments::{DeploymentFilter, DeploymentName};
use slipway_kernel::{DeploymentId, EnvironmentId, PageSize, ProjectId, SnapshotId, StoreError};
use slipway_snapshots::SnapshotFilter;
use slipway_sql::{SqlStore, migrate};
use slipway_store::{Store, contract::given::begin};
use uuid::Uuid;

use super::{Empty, both, raw, spelled};

/// Two environments and a third of another project; a pipeline; a promotion that succeeded and waits to be undone by the
/// rollback; a restore.
const FACTS: &str = "
INSERT INTO person (id) VALUES ({1});
INSERT INTO principal (id, kind, tenant_admin, created_at) VALUES ({1}, 'USER', TRUE, 1);
INSERT INTO project VALUES ({1}, 'shop', '', '', 1, NULL, 1, '[]', '[]'),
    ({2}, 'other', '', '', 1, NULL, 1, '[]', '[]');
INSERT INTO environment VALUES ({1}, {1}, 'prod', '', '', 'PRODUCTION', 0, NULL, 1, NULL, 1),
    ({2}, {1}, 'dev', '', '', 'PRODUCTION', 0, NULL, 1, NULL, 1), ({3}, {2}, 'prod', '', '', 'PRODUCTION', 0, NULL, 1, NULL, 1);
INSERT INTO application VALUES ({3}, {2}, 'cart', 'WORKFLOW', '', '', 1, NULL, 1);
INSERT INTO pipeline VALUES ({1}, {1}, 'main', '', '', 1, NULL, 1), ({2}, {2}, 'main', '', '', 1, NULL, 1);
INSERT INTO pipeline_stage VALUES ({1}, 0, {1}, {2}, {1}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN');
INSERT INTO deployment_counter VALUES ({1}, 3);
INSERT INTO deployment (id, project_id, number, kind, state, target_id, pipeline_id, stage, source_id, {gates},
    plan_digest, requested_by, created_at, finished_at, succeeded_at, epoch, claims)
    VALUES ({1}, {1}, 1, 'PROMOTION', 'SUCCEEDED', {1}, {1}, 0, {2}, {of_gates}, {hash}, {1}, 1, 2, 2, 1, 0);
INSERT INTO deployment_item VALUES ({1}, 0, {1}, 'cart', '', NULL, 'CREATED', 'SUCCEEDED', 'wf', NULL, {hash}, 0, FALSE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO deployment_step VALUES ({1}, 0, 'DO', 0, 'PREFLIGHT', NULL, 'DONE'),
    ({1}, 1, 'DO', 1, 'APPLY', 0, 'DONE'), ({1}, 1, 'UNDO', 1, 'APPLY', 0, 'WAITING');
INSERT INTO snapshot VALUES ({1}, {1}, {1}, '{sha}', {hash}, 'POST_PROMOTION', 1, NULL, {1}, '', 1);
INSERT INTO snapshot VALUES ({2}, {1}, {2}, '{sha}', {hash}, 'MANUAL_BACKUP', 1, {1}, NULL, '', 1);
INSERT INTO deployment (id, project_id, number, kind, state, target_id, undoes_id, {gates}, plan_digest, requested_by,
    created_at, epoch, claims, lease_owner, lease_until)
    VALUES ({2}, {1}, 2, 'ROLLBACK', 'RUNNING', {1}, {1}, {of_gates}, {hash}, {1}, 1, 1, 1, 'me', 9);
INSERT INTO deployment (id, project_id, number, kind, state, target_id, restores_id, {gates}, plan_digest, requested_by,
    created_at, epoch, claims)
    VALUES ({3}, {1}, 3, 'RESTORE', 'QUEUED', {1}, {1}, {of_gates}, {hash}, {1}, 1, 0, 0);
INSERT INTO template VALUES ({1}, {1}, 'chat', 1, NULL);
INSERT INTO template_version VALUES ({1}, 1, 'Chat', '', '[{\"application\":\"a\",\"version\":\"1\",\"message\":\"\",\"declared\":\"LOW\",\"allow_older\":false}]', {1}, 1);
INSERT INTO deployment_check VALUES ({1}, 0, 'unit tests', 'PASSED', {hash}, '', '', {1}, 1);
INSERT INTO approval_request VALUES ({1}, {1}, {1}, {1}, {hash}, {1}, 1, 9, 'APPROVED', 2, '[]', NULL),
    ({2}, {1}, {3}, {1}, {hash}, {1}, 1, 9, 'PENDING', NULL, '[]', 5);
INSERT INTO approval_decision VALUES ({1}, {1}, 'APPROVE', '', 2, {hash}, {1}, 'stage');
INSERT INTO approval_withdrawal VALUES ({1}, {1}, {1}, 3, '');
INSERT INTO approval_override VALUES ({1}, {1}, {1}, {1}, 2, '', {hash});
INSERT INTO override_review VALUES ({1}, {1}, {1}, 'JUSTIFIED', '', 4);
INSERT INTO approval_policy VALUES ({1}, {1}, 'ENVIRONMENT', NULL, {1}, '{terms}', FALSE, FALSE, 1, 1, {1}, 1);
INSERT INTO environment_engine VALUES ({1}, 'N8N', NULL, 'https://n8n.example', 'env:KEY');
INSERT INTO workflow_link VALUES ({1}, 'cart', 'wf');
INSERT INTO environment_backup VALUES ({1}, 1, 1, 0, NULL);
INSERT INTO credential_target VALUES ({1}, 'smtp', 'Mail', '1', 'Mail');
";

/// Statements that change what never changes.
const REFUSED: &str = "
UPDATE snapshot SET notes = 'x'
DELETE FROM snapshot
UPDATE deployment_transition SET state = 'QUEUED'
UPDATE deployment_transition SET at = 0
DELETE FROM deployment_transition
UPDATE approval_decision SET verdict = 'REJECT'
DELETE FROM approval_decision
UPDATE template SET slug = 'x'
UPDATE template_version SET items = '[]'
DELETE FROM template_version
UPDATE deployment_check SET status = 'FAILED'
DELETE FROM deployment_check
UPDATE approval_withdrawal SET reason = 'x'
DELETE FROM approval_withdrawal
UPDATE approval_override SET reason = 'x'
DELETE FROM approval_override
UPDATE override_review SET finding = 'UNJUSTIFIED'
DELETE FROM override_review
UPDATE approval_policy SET scope = 'PROJECT'
UPDATE approval_policy SET environment_id = {2}
UPDATE approval_request SET rules = '[]'
UPDATE approval_request SET not_before = 1
UPDATE approval_request SET plan_digest = {hash}
UPDATE approval_request SET requested_by = {1}
UPDATE approval_request SET expires_at = 99
DELETE FROM deployment_step
DELETE FROM deployment_step WHERE number = 0
DELETE FROM deployment_item
UPDATE pipeline SET slug = 'x'
UPDATE pipeline SET project_id = {2}
UPDATE deployment_counter SET project_id = {2}
UPDATE deployment SET number = number + 10
UPDATE deployment SET target_id = {2}
UPDATE deployment SET kind = 'RESTORE'
UPDATE deployment SET undoes_id = NULL
UPDATE deployment SET on_failure = 'KEEP'
UPDATE deployment SET requested_by = {1}
UPDATE deployment SET created_at = 0
UPDATE deployment SET template_id = {1}, template_version = 1
UPDATE deployment_item SET key = 'x'
UPDATE deployment_item SET change = 'UPDATED'
UPDATE deployment_step SET work = 'VERIFY'
UPDATE deployment_step SET item = 1
";
const SQLITE_REFUSED: &str = "
UPDATE OR REPLACE snapshot SET notes = 'x'
INSERT OR REPLACE INTO deployment_transition VALUES ({1}, 0, 'QUEUED', 1)
INSERT OR REPLACE INTO deployment_check VALUES ({1}, 0, 'unit tests', 'FAILED', {hash}, '', '', {1}, 1)
INSERT OR REPLACE INTO snapshot SELECT id, project_id, environment_id, commit_sha, content_hash, kind, created_at, created_by, deployment_id, 'x', workflows FROM snapshot
";
const POSTGRES_REFUSED: &str = "
TRUNCATE snapshot CASCADE
TRUNCATE deployment_transition
TRUNCATE deployment_check
TRUNCATE template_version CASCADE
INSERT INTO snapshot SELECT * FROM snapshot WHERE TRUE ON CONFLICT (id) DO UPDATE SET notes = 'x'
";

/// Rows that say something impossible.
const IMPOSSIBLE: &str = "
INSERT INTO pipeline_stage VALUES ({1}, 20, {1}, {2}, {1}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN')
INSERT INTO pipeline_stage VALUES ({1}, 1, {1}, {1}, {1}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN')
INSERT INTO pipeline_stage VALUES ({1}, 1, {1}, {3}, {1}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN')
INSERT INTO pipeline_stage VALUES ({1}, 1, {1}, {1}, {3}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN')
INSERT INTO pipeline_stage VALUES ({1}, 1, {2}, {1}, {2}, FALSE, FALSE, 'ALLOW', 'KEEP', 'KEEP', 'WARN')
UPDATE pipeline_stage SET drift = 'IGNORE'
UPDATE pipeline SET revision = 0
UPDATE deployment_counter SET last_number = 0
UPDATE deployment SET state = 'DONE'
UPDATE deployment SET state = 'RUNNING' WHERE id = {3}
UPDATE deployment SET state = 'IN_DOUBT' WHERE id = {3}
UPDATE deployment SET state = 'FAILED' WHERE id = {3}
UPDATE deployment SET finished_at = 1 WHERE id = {3}
UPDATE deployment SET finished_at = NULL WHERE id = {1}
UPDATE deployment SET succeeded_at = NULL WHERE id = {1}
UPDATE deployment SET succeeded_at = 1 WHERE id = {2}
UPDATE deployment SET state = 'CANCELING' WHERE id = {2}
UPDATE deployment SET state = 'ROLLED_BACK' WHERE id = {1}
UPDATE deployment SET state = 'ROLLED_BACK', rolled_back_by = {1} WHERE id = {1}
UPDATE deployment SET rolled_back_by = {2} WHERE id = {1}
UPDATE deployment SET problem_reason = 'X'
UPDATE deployment SET problem_message = 'x'
UPDATE deployment SET cancel_by = {1}
UPDATE deployment SET cancel_at = 1, cancel_reason = ''
UPDATE deployment SET cancel_by = {9}, cancel_at = 1, cancel_reason = ''
UPDATE deployment SET approved_by = {9}
UPDATE deployment SET approved_by = {1}, state = 'PENDING_APPROVAL' WHERE id = {3}
INSERT INTO deployment (id, number, kind, restores_id, {copied}) SELECT {4}, 4, kind, restores_id, project_id, state, target_id, TRUE, source_unchanged, drift, on_failure, publish, secrets, plan_digest, requested_by, created_at, epoch, claims FROM deployment WHERE id = {3}
UPDATE deployment SET plan_digest = {short}
UPDATE approval_request SET state = 'PENDING'
UPDATE approval_request SET state = 'GONE'
UPDATE approval_request SET closed_at = NULL WHERE id = {1}
UPDATE approval_request SET closed_at = 1 WHERE id = {2}
INSERT INTO approval_request VALUES ({3}, {1}, {1}, {1}, {hash}, {1}, 1, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_request VALUES ({3}, {1}, {2}, {2}, {hash}, {1}, 1, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_request VALUES ({3}, {2}, {2}, {1}, {hash}, {1}, 1, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_request VALUES ({3}, {1}, {2}, {1}, {short}, {1}, 1, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_request VALUES ({3}, {1}, {2}, {1}, {hash}, {9}, 1, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_request VALUES ({3}, {1}, {2}, {1}, {hash}, {1}, 9, 9, 'PENDING', NULL, '[]', NULL)
INSERT INTO approval_decision VALUES ({2}, {9}, 'APPROVE', '', 2, {hash}, {1}, NULL)
INSERT INTO approval_decision VALUES ({2}, {1}, 'APPROVE', '', 2, {hash}, {9}, NULL)
INSERT INTO approval_decision VALUES ({2}, {1}, 'PERHAPS', '', 2, {hash}, {1}, NULL)
INSERT INTO approval_decision VALUES ({2}, {1}, 'APPROVE', '', 2, {short}, {1}, NULL)
INSERT INTO approval_decision VALUES ({2}, {1}, 'APPROVE', '', 2, {other}, {1}, NULL)
INSERT INTO approval_decision VALUES ({2}, {1}, 'REJECT', '', 2, {hash}, {1}, 'stage')
INSERT INTO approval_withdrawal VALUES ({2}, {1}, {1}, 3, '')
INSERT INTO approval_override VALUES ({2}, {1}, {1}, {1}, 2, '', {hash})
INSERT INTO approval_override VALUES ({2}, {3}, {1}, {1}, 2, '', {other})
INSERT INTO approval_override VALUES ({2}, {3}, {9}, {1}, 2, '', {hash})
INSERT INTO override_review VALUES ({2}, {1}, {1}, 'JUSTIFIED', '', 4)
INSERT INTO approval_policy VALUES ({2}, {1}, 'ENVIRONMENT', NULL, {1}, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'ENVIRONMENT', NULL, {3}, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'ENVIRONMENT', NULL, NULL, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'TIER', NULL, NULL, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'TIER', 'OTHER', NULL, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'PROJECT', 'STAGING', NULL, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO approval_policy VALUES ({2}, {1}, 'OTHER', NULL, NULL, '', FALSE, FALSE, 1, 1, {1}, 1)
INSERT INTO deployment_transition VALUES ({9}, 0, 'QUEUED', 1)
INSERT INTO deployment_transition VALUES ({1}, -1, 'QUEUED', 1)
UPDATE deployment SET pre_snapshot_id = {2}
UPDATE deployment SET post_snapshot_id = {9}
UPDATE deployment SET lease_owner = NULL WHERE id = {2}
UPDATE deployment SET lease_until = 1 WHERE id = {3}
UPDATE deployment SET lease_owner = 'x', lease_until = 1 WHERE id = {3}
UPDATE deployment SET lease_owner = 'x', lease_until = 1 WHERE id = {1}
UPDATE deployment SET epoch = -1
UPDATE deployment SET claims = -1
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', NULL, NULL, NULL, NULL FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', {1}, 0, {2}, {1} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', {1}, NULL, {2}, NULL FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', {1}, 0, {1}, NULL FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', {2}, 0, {2}, NULL FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'PROMOTION', {1}, 0, {3}, NULL FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'RELEASE', NULL, NULL, NULL, {1} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'ROLLBACK', NULL, NULL, NULL, {1} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, pipeline_id, stage, source_id, restores_id) SELECT {5}, {copied}, 9, 'RESTORE', NULL, NULL, NULL, {2} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, undoes_id) SELECT {5}, {copied}, 9, 'ROLLBACK', {5} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, restores_id) SELECT {5}, {copied}, 3, 'RESTORE', {1} FROM deployment WHERE id = {3}
INSERT INTO deployment (id, {copied}, number, kind, restores_id) SELECT {5}, {copied}, 0, 'RESTORE', {1} FROM deployment WHERE id = {3}
UPDATE deployment_item SET status = 'FAILED'
UPDATE deployment_item SET status = 'GONE'
UPDATE deployment_item SET problem_reason = 'X'
UPDATE deployment_item SET before_digest = after_digest
UPDATE deployment_item SET after_digest = {short}
UPDATE deployment_item SET rank = -1
UPDATE deployment_item SET application_id = {3}
INSERT INTO deployment_item VALUES ({1}, 5000, {1}, 'k', '', NULL, 'CREATED', 'PENDING', NULL, NULL, NULL, 0, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO deployment_item VALUES ({1}, 1, {1}, 'cart', '', NULL, 'CREATED', 'PENDING', NULL, NULL, NULL, 0, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO deployment_item VALUES ({1}, 1, {2}, 'k', '', NULL, 'CREATED', 'PENDING', NULL, NULL, NULL, 0, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO deployment_item VALUES ({1}, 1, {1}, 'k', '', NULL, 'DELETED', 'PENDING', NULL, NULL, {hash}, 0, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
UPDATE deployment_step SET phase = 'GONE'
INSERT INTO deployment_step VALUES ({1}, 1, 'DO', 1, 'APPLY', 0, 'DONE')
INSERT INTO deployment_step VALUES ({1}, 2, 'DO', 1, 'APPLY', NULL, 'DONE')
INSERT INTO deployment_step VALUES ({1}, 2, 'DO', 1, 'VERIFY', 0, 'DONE')
INSERT INTO deployment_step VALUES ({1}, 2, 'UNDO', 1, 'CONNECT', 0, 'DONE')
INSERT INTO deployment_step VALUES ({1}, 2, 'DO', 1, 'APPLY', 1, 'DONE')
INSERT INTO deployment_step VALUES ({1}, 2, 'BACK', 1, 'APPLY', 0, 'DONE')
INSERT INTO deployment_step VALUES ({9}, 2, 'DO', 1, 'VERIFY', NULL, 'DONE')
INSERT INTO snapshot VALUES ({5}, {1}, {3}, '{sha}', {hash}, 'MANUAL_BACKUP', 1, NULL, NULL, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {2}, '{sha}', {hash}, 'PRE_PROMOTION', 1, NULL, {1}, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {1}, '{sha}', {hash}, 'PRE_PROMOTION', 1, NULL, NULL, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {1}, 'abc', {hash}, 'MANUAL_BACKUP', 1, NULL, NULL, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {1}, '{sha}', {short}, 'MANUAL_BACKUP', 1, NULL, NULL, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {1}, '{sha}', {hash}, 'OTHER', 1, NULL, NULL, '', 1)
INSERT INTO snapshot VALUES ({5}, {1}, {1}, '{sha}', {hash}, 'MANUAL_BACKUP', 1, NULL, NULL, '', -1)
UPDATE environment_engine SET kind = 'DIRECTORY'
UPDATE environment_engine SET path = '/'
UPDATE environment_engine SET api_key = NULL
UPDATE environment_engine SET api_key = 'secret'
INSERT INTO environment_engine VALUES ({2}, 'OTHER', NULL, NULL, NULL)
UPDATE environment_backup SET failures = 1
UPDATE environment_backup SET problem = 'x'
UPDATE environment_backup SET failures = -1, problem = 'x'
UPDATE environment_backup SET epoch = 0
INSERT INTO environment_backup VALUES ({9}, 1, 1, 0, NULL)
INSERT INTO environment_engine VALUES ({9}, 'DIRECTORY', '/', NULL, NULL)
INSERT INTO workflow_link VALUES ({1}, 'list', 'wf')
INSERT INTO template VALUES ({2}, {1}, 'chat', 1, NULL)
INSERT INTO template VALUES ({2}, {1}, 'x', 0, NULL)
INSERT INTO template VALUES ({2}, {9}, 'x', 1, NULL)
INSERT INTO template_version VALUES ({1}, 0, '', '', '[]', {1}, 1)
INSERT INTO template_version VALUES ({9}, 1, '', '', '[]', {1}, 1)
INSERT INTO template_version VALUES ({1}, 2, '', '', '[]', {9}, 1)
INSERT INTO deployment_check VALUES ({1}, 1000, 'x', 'PASSED', {hash}, '', '', {1}, 1)
INSERT INTO deployment_check VALUES ({1}, 1, '', 'PASSED', {hash}, '', '', {1}, 1)
INSERT INTO deployment_check VALUES ({1}, 1, 'x', 'OK', {hash}, '', '', {1}, 1)
INSERT INTO deployment_check VALUES ({1}, 1, 'x', 'PASSED', {short}, '', '', {1}, 1)
INSERT INTO deployment_check VALUES ({1}, 1, 'x', 'PASSED', {hash}, '', '', {9}, 1)
INSERT INTO deployment_check VALUES ({9}, 1, 'x', 'PASSED', {hash}, '', '', {1}, 1)
INSERT INTO workflow_link VALUES ({1}, 'cart', 'wf-2')
INSERT INTO workflow_link VALUES ({9}, 'cart', 'wf')
INSERT INTO credential_target VALUES ({1}, 'smtp', 'Mail', '2', 'Mail')
";

/// What a policy says that asks for nothing.
const TERMS: &str = r#"{"rules":[],"required_checks":[],"expire_after":60,"wait":0,"refuse_reports":false,"rollback_needs_approval":false,"requesters":{"principals":[],"roles":[],"groups":[]}}"#;

/// What `{copied}` stands for: everything that a deployment needs but its id, its number and where it comes from.
const COPIED: &str = "project_id, state, target_id, approval_required, source_unchanged, drift, on_failure, publish, \
     secrets, plan_digest, requested_by, created_at, epoch, claims";

pub(super) fn all_spelled(text: &str, empty: &Empty) -> String {
    let (short, bytes) = if empty.options.url.starts_with("sqlite") {
        ("x'00'", "x'")
    } else {
        ("'\\x00'", "'\\x")
    };
    let other = format!("{bytes}{}'", "11".repeat(32));
    let text = text
        .replace("{copied}", COPIED)
        .replace(
            "{gates}",
            "approval_required, source_unchanged, drift, on_failure, publish, secrets",
        )
        .replace(
            "{of_gates}",
            "FALSE, FALSE, 'ALLOW', 'COMPENSATE', 'KEEP', 'WARN'",
        )
        .replace("{terms}", TERMS)
        .replace("{sha}", &"0a".repeat(20))
        .replace("{short}", short)
        .replace("{other}", &other);
    spelled(&text, &empty.options)
}

/// A migrated database with the facts in it, and a connection to it.
pub(super) async fn with_facts(empty: &Empty) -> DatabaseConnection {
    migrate(&empty.options).await.expect("migrated");
    let connection = raw(&empty.options).await;
    let facts = all_spelled(FACTS, empty);
    connection.execute_unprepared(&facts).await.expect("facts");
    connection
}

#[tokio::test]
async fn deployments_are_kept_and_impossible_ones_refused_by_the_database() {
    for empty in both().await {
        let connection = with_facts(&empty).await;
        let only_here = if empty.options.url.starts_with("sqlite") {
            SQLITE_REFUSED
        } else {
            POSTGRES_REFUSED
        };
        for (statements, words) in [
            (REFUSED, ["append-only", "keeps its identity"]),
            (only_here, ["append-only", "keeps its identity"]),
            (IMPOSSIBLE, ["constraint", "constraint"]),
        ] {
            for statement in all_spelled(statements, &empty).trim().lines() {
                let done = connection.execute_unprepared(statement).await;
                let error = done.expect_err(statement).to_string().to_lowercase();
                assert!(
                    words.iter().any(|word| error.contains(word)),
                    "{statement}: {error}"
                );
            }
        }
    }
}

/// What is done to rows past all constraints, and how they are named then.
const BROKEN: &[(&str, &str)] = &[
    (
        "UPDATE deployment SET pipeline_id = NULL WHERE number = 1",
        "deployment, column kind",
    ),
    (
        "UPDATE deployment SET stage = NULL WHERE number = 1",
        "deployment, column kind",
    ),
    (
        "UPDATE deployment SET stage = -1 WHERE number = 1",
        "deployment, column stage",
    ),
    (
        "UPDATE deployment SET undoes_id = {2} WHERE number = 1",
        "deployment, column kind",
    ),
    (
        "UPDATE deployment SET kind = 'RESTORE' WHERE number = 1",
        "deployment, column kind",
    ),
    (
        "UPDATE deployment SET kind = 'MYSTERY' WHERE number = 1",
        "deployment, column kind",
    ),
    (
        "UPDATE deployment SET kind = 'RELEASE' WHERE number = 1",
        "deployment, column name",
    ),
    (
        "UPDATE deployment SET name = 'x' WHERE number = 1",
        "deployment, column name",
    ),
    (
        "UPDATE deployment SET risk = 'NONE' WHERE number = 1",
        "deployment, column risk",
    ),
    (
        "UPDATE deployment_item SET message = 'x'",
        "deployment_item, column application_kind",
    ),
    (
        "UPDATE deployment SET state = 'DONE' WHERE number = 1",
        "deployment, column state",
    ),
    (
        "UPDATE deployment SET finished_at = NULL WHERE number = 1",
        "deployment, column finished_at",
    ),
    (
        "UPDATE deployment SET state = 'QUEUED' WHERE number = 1",
        "deployment, column finished_at",
    ),
    (
        "UPDATE deployment SET state = 'FAILED' WHERE number = 1",
        "deployment, column succeeded_at",
    ),
    (
        "UPDATE deployment SET succeeded_at = NULL WHERE number = 1",
        "deployment, column succeeded_at",
    ),
    (
        "UPDATE deployment SET state = 'ROLLED_BACK' WHERE number = 1",
        "deployment, column rolled_back_by",
    ),
    (
        "UPDATE deployment SET rolled_back_by = {2} WHERE number = 1",
        "deployment, column rolled_back_by",
    ),
    (
        "UPDATE deployment SET state = 'CANCELING' WHERE number = 2",
        "deployment, column cancel_by",
    ),
    (
        "UPDATE deployment SET cancel_at = 1 WHERE number = 1",
        "deployment, column cancel_by",
    ),
    (
        "UPDATE deployment SET problem_reason = 'X' WHERE number = 1",
        "deployment, column problem_message",
    ),
    (
        "UPDATE deployment SET problem_message = 'x' WHERE number = 1",
        "deployment, column problem_reason",
    ),
    (
        "UPDATE deployment SET plan_digest = {short} WHERE number = 1",
        "deployment, column plan_digest",
    ),
    (
        "UPDATE deployment SET drift = 'IGNORE' WHERE number = 1",
        "deployment, column drift",
    ),
    (
        "UPDATE deployment SET created_at = 9223372036854775807 WHERE number = 1",
        "deployment, column created_at",
    ),
    (
        "UPDATE deployment_item SET position = -1",
        "deployment_item, column position",
    ),
    (
        "UPDATE deployment_item SET key = 'no key'",
        "deployment_item, column key",
    ),
    (
        "UPDATE deployment_item SET change = 'MOVED'",
        "deployment_item, column change",
    ),
    (
        "UPDATE deployment_item SET status = 'GONE'",
        "deployment_item, column status",
    ),
    (
        "UPDATE deployment_item SET after_digest = {short}",
        "deployment_item, column after_digest",
    ),
    (
        "UPDATE deployment_item SET problem_reason = 'X'",
        "deployment_item, column problem_message",
    ),
    (
        "UPDATE deployment_step SET item = NULL WHERE number = 1",
        "deployment_step, column work",
    ),
    (
        "UPDATE deployment_step SET work = 'WAIT' WHERE number = 1",
        "deployment_step, column work",
    ),
    (
        "UPDATE deployment_step SET phase = 'GONE' WHERE number = 1",
        "deployment_step, column phase",
    ),
    (
        "UPDATE deployment_step SET wave = 2 WHERE direction = 'UNDO'",
        "deployment_step, column direction",
    ),
    (
        "DELETE FROM deployment_step WHERE direction = 'UNDO'",
        "deployment_step, column direction",
    ),
    (
        "DELETE FROM deployment_step WHERE number = 1 AND direction = 'DO'",
        "deployment_step, column direction",
    ),
    (
        "UPDATE snapshot SET commit_sha = 'head'",
        "snapshot, column commit_sha",
    ),
    (
        "UPDATE snapshot SET kind = 'OTHER'",
        "snapshot, column kind",
    ),
    (
        "UPDATE snapshot SET deployment_id = NULL",
        "snapshot, column deployment_id",
    ),
    (
        "UPDATE snapshot SET workflows = -1",
        "snapshot, column workflows",
    ),
    ("DELETE FROM pipeline_stage", "pipeline, column id"),
    (
        "UPDATE pipeline_stage SET position = 1",
        "pipeline_stage, column position",
    ),
    (
        "UPDATE pipeline_stage SET publish = 'X'",
        "pipeline_stage, column publish",
    ),
    (
        "UPDATE pipeline SET slug = 'main' || 'X' WHERE id = {1}",
        "pipeline, column slug",
    ),
    (
        "UPDATE approval_request SET state = 'GONE'",
        "approval_request, column state",
    ),
    (
        "UPDATE approval_request SET state = 'PENDING'",
        "approval_request, column closed_at",
    ),
    (
        "UPDATE approval_request SET closed_at = NULL",
        "approval_request, column closed_at",
    ),
    (
        "UPDATE approval_request SET plan_digest = {short}",
        "approval_request, column plan_digest",
    ),
    (
        "UPDATE approval_request SET rules = '[7]'",
        "approval_request, column rules",
    ),
    (
        r#"UPDATE approval_request SET rules = '[{"source":"stage","rule":{"name":"x","required":0,"eligible":{"principals":[],"roles":["ADMIN"],"groups":[]},"from_risk":"LOW","kinds":[]},"candidates":[]}]'"#,
        "approval_request, column rules",
    ),
    (
        r#"UPDATE approval_request SET rules = '[{"source":"stage","rule":{"name":"x","required":1,"eligible":{"principals":[],"roles":["ADMIN"],"groups":[]},"from_risk":"LOW","kinds":[]},"candidates":["00000000-0000-0000-0000-000000000002","00000000-0000-0000-0000-000000000001"]}]'"#,
        "approval_request, column rules",
    ),
    (
        "UPDATE approval_decision SET decided_at = 9223372036854775807",
        "approval_decision, column decided_at",
    ),
    (
        "UPDATE approval_decision SET verdict = 'REJECT'",
        "approval_decision, column verdict",
    ),
    (
        "UPDATE approval_decision SET rule = 'No Rule'",
        "approval_decision, column rule",
    ),
    (
        "UPDATE approval_withdrawal SET withdrawn_at = 9223372036854775807",
        "approval_decision, column withdrawn_at",
    ),
    (
        "UPDATE approval_override SET overridden_at = 9223372036854775807",
        "approval_override, column overridden_at",
    ),
    (
        "UPDATE override_review SET finding = 'FINE'",
        "override_review, column finding",
    ),
    (
        "UPDATE approval_policy SET scope = 'PROJECT'",
        "approval_policy, column scope",
    ),
    (
        "UPDATE approval_policy SET scope = 'TIER', environment_id = NULL, tier = 'HIGH'",
        "approval_policy, column tier",
    ),
    (
        "UPDATE approval_policy SET governs = TRUE",
        "approval_policy, column governs",
    ),
    (
        "UPDATE approval_policy SET refuses_reports = TRUE",
        "approval_policy, column refuses_reports",
    ),
    (
        "UPDATE approval_policy SET revision = 0",
        "approval_policy, column revision",
    ),
    (
        "UPDATE approval_policy SET terms = '{}'",
        "approval_policy, column terms",
    ),
    (
        "UPDATE approval_policy SET terms = replace(terms, '\"expire_after\":60', '\"expire_after\":0')",
        "approval_policy, column terms",
    ),
    (
        r#"UPDATE approval_policy SET governs = TRUE, terms = '{"rules":[{"name":"x","required":0,"eligible":{"principals":[],"roles":["ADMIN"],"groups":[]},"from_risk":"LOW","kinds":[]}],"required_checks":[],"expire_after":60,"wait":0,"refuse_reports":false,"rollback_needs_approval":false,"requesters":{"principals":[],"roles":[],"groups":[]}}'"#,
        "approval_policy, column terms",
    ),
    (
        "UPDATE approval_decision SET verdict = 'PERHAPS'",
        "approval_decision, column verdict",
    ),
    (
        "UPDATE approval_decision SET plan_digest = {short}",
        "approval_decision, column plan_digest",
    ),
    (
        "UPDATE template_version SET items = '[]'",
        "template_version, column items",
    ),
    (
        "UPDATE template_version SET description = '{{'",
        "template_version, column description",
    ),
    (
        "UPDATE deployment_check SET status = 'OK'",
        "deployment_check, column status",
    ),
    (
        "UPDATE deployment_check SET plan_digest = {short}",
        "deployment_check, column plan_digest",
    ),
    (
        "UPDATE environment_engine SET path = '/'",
        "environment_engine, column kind",
    ),
    (
        "UPDATE environment_engine SET kind = 'DIRECTORY'",
        "environment_engine, column kind",
    ),
    (
        "UPDATE environment_engine SET base_url = NULL",
        "environment_engine, column kind",
    ),
    (
        "UPDATE workflow_link SET key = 'no key'",
        "workflow_link, column key",
    ),
];

const TABLES: [&str; 18] = [
    "pipeline",
    "pipeline_stage",
    "deployment",
    "deployment_item",
    "deployment_step",
    "snapshot",
    "approval_request",
    "approval_decision",
    "approval_withdrawal",
    "approval_override",
    "override_review",
    "approval_policy",
    "environment_engine",
    "workflow_link",
    "credential_target",
    "deployment_check",
    "template",
    "template_version",
];

/// Lets everything pass in these tables: triggers, foreign keys and checks.
pub(super) async fn disarm(connection: &DatabaseConnection, sqlite: bool, tables: &[&str]) {
    let (settings, names, remove) = if sqlite {
        (
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON",
            "SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'".to_owned(),
            "triggers",
        )
    } else {
        let tables: Vec<_> = tables.iter().map(|t| format!("'{t}'::regclass")).collect();
        let names = format!(
            "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname FROM pg_constraint \
             WHERE conrelid IN ({}) AND contype = 'c'",
            tables.join(", ")
        );
        ("SET session_replication_role = replica", names, "checks")
    };
    connection
        .execute_unprepared(settings)
        .await
        .expect(settings);
    let names = Statement::from_string(connection.get_database_backend(), names);
    let rows = connection.query_all_raw(names).await.expect(remove);
    assert!(!rows.is_empty(), "no {remove}");
    for row in rows {
        let statement: String = row.try_get_by_index(0).expect("a statement");
        connection
            .execute_unprepared(&statement)
            .await
            .expect(remove);
    }
}

/// Reads everything there is.
async fn read_all(store: &SqlStore) -> Result<(), StoreError> {
    let one = Uuid::from_u128(1);
    let (project, environment) = (ProjectId::from_uuid(one), EnvironmentId::from_uuid(one));
    let reader = store.reader();
    let size = PageSize::from_request(9).expect("a size");
    reader.pipelines(project, true, None, size).await?;
    let number = DeploymentName::Number(1);
    reader.deployment(project, number).await?;
    let page = reader
        .deployments(project, &DeploymentFilter::default(), None, size)
        .await?;
    assert_eq!(page.items.len(), 3);
    reader.snapshot(project, SnapshotId::from_uuid(one)).await?;
    let page = reader
        .snapshots(project, &SnapshotFilter::default(), None, size)
        .await?;
    assert_eq!(page.items.len(), 2);
    let page = reader
        .approval_requests(project, &ApprovalFilter::default(), None, size)
        .await?;
    assert_eq!(page.items.len(), 2);
    reader.policies(project, None, None, size).await?;
    reader.checks(DeploymentId::from_uuid(one)).await?;
    reader.templates(project, None, size).await?;
    reader.engine(environment).await?;
    reader.workflow_links(environment).await?;
    reader.credentials(environment).await?;
    let mut work = begin(store).await;
    work.deployments().find(project, number).await?;
    work.deployments()
        .steps(DeploymentId::from_uuid(one))
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_deployment_nobody_would_have_written_is_named() {
    for empty in both().await {
        let sqlite = empty.options.url.starts_with("sqlite");
        let connection = with_facts(&empty).await;
        disarm(&connection, sqlite, &TABLES).await;
        let store = SqlStore::connect(&empty.options).await.expect("connected");
        read_all(&store).await.expect("nothing is broken yet");
        let clear = TABLES
            .map(|table| format!("DELETE FROM {table}"))
            .join("; ");
        // The rest of the facts stays.
        let facts = all_spelled(FACTS, &empty);
        let facts: Vec<_> = facts
            .split_inclusive(";\n")
            .filter(|insert| {
                let into = insert.trim().trim_start_matches("INSERT INTO ");
                TABLES
                    .iter()
                    .any(|table| into.starts_with(&format!("{table} ")))
            })
            .collect();
        for (broken, expected) in BROKEN {
            let done = connection
                .execute_unprepared(&all_spelled(broken, &empty))
                .await;
            assert!(done.expect(broken).rows_affected() > 0, "{broken}");
            let error = read_all(&store).await.expect_err(broken).to_string();
            let expected = format!("inconsistent data in table {expected}, row ");
            assert!(error.starts_with(&expected), "{broken}: {error}");
            assert!(error.contains("00000000-"), "{broken}: {error}");
            connection
                .execute_unprepared(&clear)
                .await
                .expect("cleared");
            let again = connection.execute_unprepared(&facts.concat()).await;
            again.expect("facts");
        }
        read_all(&store).await.expect("all is as it was");
    }
}
