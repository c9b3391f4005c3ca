//! The schema comes up to date once, however many ask for it; a newer one is refused; facts can't be changed, whoever
//! asks the database directly.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

mod deployments;
mod freezes;
mod notifications;
mod transitions;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use slipway_sql::{Options, SchemaError, SqlStore, grant_application_role, migrate, schema_state};
use slipway_store::{
    Store,
    contract::given::{begin, commit, membership, principal_id, shop},
};
use slipway_test_support::postgres::{TestDatabase, database};

const MIGRATIONS: [&str; 3] = [
    "m20261120_000001_foundation",
    "m20261121_000002_deployments",
    "m20261122_000003_governance",
];

/// A database before its first migration, of either sort.
struct Empty {
    options: Options,
    _sqlite: Option<tempfile::TempDir>,
    _postgres: Option<TestDatabase>,
}

fn sqlite() -> Empty {
    let directory = tempfile::tempdir().expect("a directory");
    Empty {
        options: Options::sqlite_file(&directory.path().join("state 100%?.db")),
        _sqlite: Some(directory),
        _postgres: None,
    }
}

async fn both() -> Vec<Empty> {
    let postgres = database().await.map(|database| Empty {
        options: Options::new(database.url()),
        _sqlite: None,
        _postgres: Some(database),
    });
    std::iter::once(sqlite()).chain(postgres).collect()
}

async fn raw(options: &Options) -> DatabaseConnection {
    let mut connect = ConnectOptions::new(&options.url);
    connect.max_connections(1);
    Database::connect(connect).await.expect("connected")
}

#[tokio::test]
async fn many_that_migrate_at_once_migrate_once() {
    for empty in both().await {
        let several: Vec<_> = (0..4)
            .map(|_| {
                let options = empty.options.clone();
                tokio::spawn(async move { migrate(&options).await })
            })
            .collect();
        let mut added = Vec::new();
        for one in several {
            added.extend(one.await.expect("no panic").expect("migrated"));
        }
        assert_eq!(added, MIGRATIONS);
        let state = schema_state(&empty.options).await.expect("read");
        assert_eq!((state.applied, state.pending), (added, vec![]));
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    for empty in both().await {
        migrate(&empty.options).await.expect("migrated");
        raw(&empty.options)
            .await
            .execute_unprepared("INSERT INTO seaql_migrations VALUES ('m99990101_000001_later', 1)")
            .await
            .expect("inserted");
        for refused in [
            migrate(&empty.options).await.map(|_| ()),
            schema_state(&empty.options).await.map(|_| ()),
        ] {
            let Err(SchemaError::Newer { found, known }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(
                (found.as_str(), known.as_str()),
                ("m99990101_000001_later", MIGRATIONS[2])
            );
        }
    }
}

/// The rows that the statements below try to change.
const FACTS: &str = "
INSERT INTO person (id) VALUES ({1});
INSERT INTO principal (id, kind, tenant_admin, created_at) VALUES ({1}, 'USER', TRUE, 1);
INSERT INTO project VALUES ({1}, 'shop', '', '', 1, NULL, 1, '[]', '[]');
INSERT INTO environment VALUES ({1}, {1}, 'prod', '', '', 'PRODUCTION', 0, NULL, 1, NULL, 1);
INSERT INTO application VALUES ({1}, {1}, 'cart', 'SERVICE', '', '', 1, NULL, 1);
INSERT INTO application VALUES ({2}, {1}, 'list', 'SERVICE', '', '', 1, NULL, 1);
INSERT INTO version (id, project_id, application_id, identifier, dependencies, attributes, notes, author_id, created_by,
    created_at) VALUES ({1}, {1}, {1}, '1.0.0', '[]', '{}', '', {1}, {1}, 1);
INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at,
    reported_at, recorded_at, reporter_id, notes, attributes)
    VALUES ({1}, {1}, {1}, {1}, {1}, 'DEPLOYED', 1, 1, 1, {1}, '', '{}');
INSERT INTO record_retraction VALUES ((SELECT max(sequence) FROM deployment_record), {1}, {1}, 1, {1}, '');
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, facts,
    correlation_id, repeat_count) VALUES ({1}, {1}, 1, {1}, 'X', 'ALLOWED', '', '', '[]', '', 1);
INSERT INTO audit_chain VALUES ({1}, 1, {1}, 1, {hash}, 1);
INSERT INTO principal_identity VALUES ('https://a.example', 'ada', {1}, FALSE, NULL, 1);
INSERT INTO membership_part VALUES ({1}, {1}, '', '[]', '[]', 1, 1);
";

/// Statements that change a fact, or what never changes about a thing.
const REFUSED: &str = "
UPDATE deployment_record SET notes = 'x'
DELETE FROM deployment_record
UPDATE record_retraction SET reason = 'x'
DELETE FROM record_retraction
UPDATE audit_event SET command = 'x'
DELETE FROM audit_event
UPDATE audit_chain SET position = 2
DELETE FROM audit_chain
UPDATE project SET slug = 'x'
UPDATE environment SET slug = 'x'
UPDATE application SET key = 'x'
UPDATE application SET kind = 'PROMPT'
UPDATE version SET identifier = 'x'
UPDATE version SET digest = NULL
UPDATE principal_identity SET subject = 'x'
UPDATE principal_identity SET principal_id = {2}
UPDATE membership_part SET source = 'x'
";

/// The same by other ways. Each of the replaced rows keeps one of its keys.
const SQLITE_REFUSED: &str = "
UPDATE OR REPLACE deployment_record SET notes = 'x'
UPDATE OR IGNORE deployment_record SET notes = 'x'
UPDATE OR REPLACE audit_event SET command = 'x'
INSERT OR REPLACE INTO deployment_record SELECT sequence, {2}, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, deployed_by_id, risk, 'x', attributes, 'x', deployment_id, outside_governance FROM deployment_record
INSERT OR REPLACE INTO deployment_record SELECT sequence + 1, id, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, deployed_by_id, risk, 'x', attributes, 'x', deployment_id, outside_governance FROM deployment_record
INSERT INTO deployment_record SELECT sequence, {2}, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, deployed_by_id, risk, 'x', attributes, 'x', deployment_id, outside_governance FROM deployment_record WHERE TRUE ON CONFLICT DO UPDATE SET notes = 'x'
INSERT OR REPLACE INTO audit_event (sequence, id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, facts, correlation_id, repeat_count) SELECT sequence, {2}, chain_id, at, principal_id, 'x', outcome, resource_kind, resource_name, facts, correlation_id, repeat_count FROM audit_event
INSERT OR REPLACE INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, facts, correlation_id, repeat_count) SELECT id, chain_id, at, principal_id, 'x', outcome, resource_kind, resource_name, facts, correlation_id, repeat_count FROM audit_event
INSERT OR REPLACE INTO audit_chain SELECT chain_id, position, {2}, 2, hash, 2 FROM audit_chain
INSERT OR REPLACE INTO audit_chain SELECT chain_id, 2, event_id, 2, hash, 2 FROM audit_chain
INSERT OR REPLACE INTO audit_chain SELECT chain_id, 2, {2}, event_sequence, hash, 2 FROM audit_chain
";
/// What is there stays, as with what is reported again.
const SQLITE_KEPT: &str = "
INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, notes, attributes) VALUES ({2}, {1}, {1}, {1}, {1}, 'DEPLOYED', 1, 1, 2, {1}, '', '{}')
INSERT OR REPLACE INTO record_retraction SELECT record_sequence, record_id, project_id, retracted_at, retracted_by, 'x' FROM record_retraction
INSERT OR REPLACE INTO deployment_record SELECT sequence + 1, {2}, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, deployed_by_id, risk, 'x', attributes, external_id, deployment_id, outside_governance FROM deployment_record
";
const POSTGRES_AGAIN: &str = "INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, notes, attributes) VALUES ({2}, {1}, {1}, {1}, {1}, 'DEPLOYED', 1, 1, 2, {1}, '', '{}')";
const POSTGRES_REFUSED: &str = "
TRUNCATE deployment_record CASCADE
TRUNCATE record_retraction
TRUNCATE audit_event
TRUNCATE audit_chain
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, facts, correlation_id, repeat_count) SELECT id, chain_id, at, principal_id, 'x', outcome, resource_kind, resource_name, facts, correlation_id, repeat_count FROM audit_event ON CONFLICT (id) DO UPDATE SET command = 'x'
";

/// Rows that say something impossible.
const IMPOSSIBLE: &str = "
UPDATE principal SET owner_id = {1}
UPDATE principal SET disabled_at = 1
UPDATE version SET deprecated_at = 1
UPDATE environment SET tier = 'HIGH'
UPDATE environment SET backup_seconds = 59
UPDATE environment SET backup_seconds = 2592001
INSERT INTO principal_identity VALUES ('', 'ada', {1}, FALSE, NULL, 1)
INSERT INTO principal_identity VALUES ('https://b.example', '', {1}, FALSE, NULL, 1)
INSERT INTO principal_identity VALUES ('https://a.example', 'second', {1}, FALSE, NULL, 1)
INSERT INTO principal_identity VALUES ('certificate', 'dns:a', {1}, TRUE, NULL, 1)
INSERT INTO principal_identity VALUES ('certificate', 'dns:a', {1}, FALSE, 1, 1)
INSERT INTO principal_identity VALUES ('https://b.example', 'ada', {3}, FALSE, NULL, 1)
INSERT INTO version (id, project_id, application_id, identifier, content_size, content_type, dependencies, attributes, notes, author_id, created_by, created_at) VALUES ({2}, {1}, {1}, '2', 1, '', '[]', '{}', '', {1}, {1}, 1)
INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, notes, attributes) VALUES ({2}, {1}, {1}, {1}, {1}, 'DEPLOYED', 2, 2, 1, {1}, '', '{}')
INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, reporter_id, notes, attributes) VALUES ({2}, {1}, {2}, {1}, {1}, 'DEPLOYED', 2, 2, 2, {1}, '', '{}')
INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug, kind) VALUES ({1}, {1}, {1}, 'cart', 'prod', 'DEPLOYED')
";

fn spelled(text: &str, options: &Options) -> String {
    let (before, after, bytes) = if options.url.starts_with("sqlite") {
        ("x'", "'", "x'")
    } else {
        ("'", "'", "'\\x")
    };
    let hash = format!("{bytes}{}'", "00".repeat(32));
    (1..=9).fold(text.replace("{hash}", &hash), |text, n| {
        text.replace(&format!("{{{n}}}"), &format!("{before}{n:032x}{after}"))
    })
}

#[tokio::test]
async fn facts_are_kept_and_impossible_rows_refused_by_the_database() {
    for empty in both().await {
        migrate(&empty.options).await.expect("migrated");
        let connection = raw(&empty.options).await;
        let facts = spelled(FACTS, &empty.options);
        connection.execute_unprepared(&facts).await.expect("facts");
        let only_here = if empty.options.url.starts_with("sqlite") {
            SQLITE_REFUSED
        } else {
            POSTGRES_REFUSED
        };
        let statements = format!("{REFUSED}{only_here}");
        for statement in spelled(&statements, &empty.options)
            .lines()
            .filter(|line| !line.is_empty())
        {
            let error = connection
                .execute_unprepared(statement)
                .await
                .expect_err(statement)
                .to_string();
            assert!(
                error.contains("append-only") || error.contains("keeps its identity"),
                "{statement}: {error}"
            );
        }
        if empty.options.url.starts_with("sqlite") {
            for statement in spelled(SQLITE_KEPT, &empty.options).trim().lines() {
                let kept = connection.execute_unprepared(statement).await;
                assert_eq!(kept.expect(statement).rows_affected(), 0, "{statement}");
            }
        } else {
            let again = connection
                .execute_unprepared(&spelled(POSTGRES_AGAIN, &empty.options))
                .await;
            let error = again.expect_err("a record twice").to_string();
            assert!(error.contains("deployment_record_natural"), "{error}");
        }
        for statement in spelled(IMPOSSIBLE, &empty.options).trim().lines() {
            let error = connection
                .execute_unprepared(statement)
                .await
                .expect_err(statement)
                .to_string();
            assert!(
                error.to_lowercase().contains("constraint"),
                "{statement}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_row_nobody_would_have_written_is_named() {
    for empty in both().await {
        migrate(&empty.options).await.expect("migrated");
        let store = SqlStore::connect(&empty.options).await.expect("connected");
        let shop = shop(&store).await;
        let mut work = begin(&store).await;
        let member = membership(shop, principal_id(1));
        work.memberships().set(&member).await.expect("set");
        commit(work).await;
        for (broken, expected) in [
            (
                "UPDATE membership SET roles = '[\"OWNER\"]'",
                "inconsistent data in table membership, column roles, row (0192f0c1-",
            ),
            (
                "UPDATE membership SET roles = '[]'",
                "inconsistent data in table membership, column roles, row (0192f0c1-",
            ),
            (
                "UPDATE membership SET roles = '[\"ADMIN\"]', created_at = 9223372036854775807",
                "inconsistent data in table membership, column created_at, row (0192f0c1-",
            ),
        ] {
            let connection = raw(&empty.options).await;
            connection.execute_unprepared(broken).await.expect("broken");
            let read = store.reader().memberships(principal_id(1)).await;
            let error = read.expect_err(broken).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

#[tokio::test]
async fn a_role_of_its_own_does_the_servers_work_and_no_more() {
    let Some(database) = database().await else {
        return;
    };
    let owner = Options::new(database.url());
    migrate(&owner).await.expect("migrated");
    let role = format!("server \"{}\"", std::process::id());
    let quoted = role.replace('"', "\"\"");
    let connection = raw(&owner).await;
    let create = format!("CREATE ROLE \"{quoted}\" LOGIN PASSWORD 'p'");
    connection
        .execute_unprepared(&create)
        .await
        .expect("a role");
    for _ in 0..2 {
        grant_application_role(&owner, &role)
            .await
            .expect("granted");
    }
    connection
        .execute_unprepared(&format!("SET SESSION AUTHORIZATION \"{quoted}\""))
        .await
        .expect("the server's role");
    for (statement, allowed) in [
        ("SELECT * FROM deployment_record", true),
        ("SELECT version FROM seaql_migrations", true),
        ("UPDATE project SET revision = revision", true),
        ("DELETE FROM request", true),
        ("SELECT * FROM snapshot", true),
        ("UPDATE deployment SET claims = claims", true),
        ("UPDATE deployment_step SET phase = phase", true),
        ("DELETE FROM pipeline_stage", true),
        ("DELETE FROM workflow_link", true),
        ("DELETE FROM credential_target", true),
        ("DELETE FROM environment_engine", true),
        ("DELETE FROM deployment_item", true),
        ("DELETE FROM principal_identity", true),
        ("DELETE FROM membership_part", true),
        ("UPDATE principal_identity SET asserted_at = 1", true),
        ("DELETE FROM deployment_step", true),
        ("UPDATE approval_request SET state = state", true),
        ("SELECT * FROM approval_decision", true),
        ("SELECT * FROM deployment_transition", true),
        ("UPDATE deployment_transition SET state = state", false),
        ("DELETE FROM deployment_transition", false),
        ("UPDATE outbox SET dispatched_at = 1", true),
        ("UPDATE delivery SET attempts = attempts", true),
        ("DELETE FROM webhook", true),
        ("UPDATE approval_decision SET comment = ''", false),
        ("DELETE FROM approval_decision", false),
        ("DELETE FROM approval_policy", true),
        ("UPDATE approval_withdrawal SET reason = ''", false),
        ("UPDATE approval_override SET reason = ''", false),
        ("UPDATE override_review SET comment = ''", false),
        ("DELETE FROM approval_request", false),
        ("UPDATE template SET version = version", true),
        ("DELETE FROM template", false),
        ("UPDATE template_version SET items = items", false),
        ("DELETE FROM template_version", false),
        ("SELECT * FROM deployment_check", true),
        ("UPDATE deployment_check SET status = 'PASSED'", false),
        ("DELETE FROM deployment_check", false),
        ("UPDATE freeze_window SET suspended = suspended", true),
        ("SELECT * FROM freeze_override", true),
        ("DELETE FROM freeze_window", false),
        ("UPDATE freeze_override SET reason = ''", false),
        ("DELETE FROM freeze_override", false),
        ("UPDATE snapshot SET notes = ''", false),
        ("DELETE FROM snapshot", false),
        ("DELETE FROM deployment", false),
        ("UPDATE deployment_record SET notes = ''", false),
        ("TRUNCATE audit_event", false),
        ("DELETE FROM project", false),
        ("ALTER TABLE audit_event DISABLE TRIGGER ALL", false),
        ("INSERT INTO seaql_migrations VALUES ('x', 1)", false),
    ] {
        let done = connection.execute_unprepared(statement).await;
        assert_eq!(done.is_ok(), allowed, "{statement}: {done:?}");
    }
    connection.close().await.expect("closed");
    let connection = raw(&owner).await;
    let drop_role = format!("DROP OWNED BY \"{quoted}\"; DROP ROLE \"{quoted}\"");
    connection
        .execute_unprepared(&drop_role)
        .await
        .expect("dropped");
}
