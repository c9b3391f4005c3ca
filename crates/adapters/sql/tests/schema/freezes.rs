//! Freezes can't be written down in an impossible way, whoever asks the database directly; and where they were, the row is
//! named.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use slipway_approvals::FreezeFilter;
use slipway_kernel::{DeploymentId, PageSize, ProjectId, StoreError};
use slipway_sql::SqlStore;
use slipway_store::Store;
use uuid::Uuid;

use super::{
    Empty, both,
    deployments::{all_spelled, disarm, with_facts},
};

/// Beside what deployments start from: a window that stands once, one that recurs, and an override.
const FACTS: &str = "
INSERT INTO freeze_window (id, {window}) VALUES ({1}, {1}, 'once', NULL, {1}, 1, 2, NULL, NULL, NULL, NULL, NULL, NULL,
    '[]', '', FALSE, 1, NULL, 1);
INSERT INTO freeze_window (id, {window}) VALUES ({2}, {1}, 'weekly', 'STAGING', NULL, NULL, NULL, 'UTC', '[\"MONDAY\"]', 0,
    1, '2026-01-01', NULL, '[\"RELEASE\"]', '', TRUE, 1, NULL, 1);
INSERT INTO freeze_override VALUES ({1}, {1}, {1}, {1}, 1, '', {other});
";
const WINDOW: &str = "project_id, slug, tier, environment_id, starts_at, ends_at, zone, weekdays, start_minute, minutes, \
    first_day, last_day, actions, reason, suspended, created_at, deleted_at, revision";

const REFUSED: &str = "
UPDATE freeze_override SET reason = 'x'
DELETE FROM freeze_override
UPDATE freeze_window SET slug = 'x'
UPDATE freeze_window SET project_id = {2}
UPDATE freeze_window SET created_at = 2
";

const IMPOSSIBLE: &str = "
DELETE FROM freeze_window WHERE id = {1}
UPDATE freeze_window SET tier = 'HIGH' WHERE id = {2}
UPDATE freeze_window SET tier = 'STAGING', environment_id = {1}
UPDATE freeze_window SET environment_id = {3} WHERE id = {1}
UPDATE freeze_window SET starts_at = NULL WHERE id = {1}
UPDATE freeze_window SET ends_at = 1 WHERE id = {1}
UPDATE freeze_window SET zone = 'UTC' WHERE id = {1}
UPDATE freeze_window SET last_day = '2026-01-01' WHERE id = {1}
UPDATE freeze_window SET starts_at = 1, ends_at = 2 WHERE id = {2}
UPDATE freeze_window SET minutes = NULL WHERE id = {2}
UPDATE freeze_window SET minutes = 0 WHERE id = {2}
UPDATE freeze_window SET minutes = 10081 WHERE id = {2}
UPDATE freeze_window SET start_minute = 1440 WHERE id = {2}
UPDATE freeze_window SET last_day = '2025-12-31' WHERE id = {2}
UPDATE freeze_window SET revision = 0
INSERT INTO freeze_window (id, {window}) SELECT {3}, {window} FROM freeze_window WHERE id = {1}
INSERT INTO freeze_override VALUES ({2}, {9}, {1}, {1}, 1, '', {other})
INSERT INTO freeze_override VALUES ({9}, {1}, {1}, {1}, 1, '', {other})
INSERT INTO freeze_override VALUES ({2}, {1}, {2}, {1}, 1, '', {other})
INSERT INTO freeze_override VALUES ({2}, {1}, {1}, {9}, 1, '', {other})
INSERT INTO freeze_override VALUES ({1}, {1}, {1}, {1}, 1, '', {short})
";

const BROKEN: &[(&str, &str)] = &[
    (
        "UPDATE freeze_window SET ends_at = starts_at",
        "freeze_window, column ends_at",
    ),
    (
        "UPDATE freeze_window SET zone = 'UTC'",
        "freeze_window, column starts_at",
    ),
    (
        "UPDATE freeze_window SET starts_at = NULL, ends_at = NULL",
        "freeze_window, column starts_at",
    ),
    (
        "UPDATE freeze_window SET tier = 'STAGING'",
        "freeze_window, column tier",
    ),
    (
        "UPDATE freeze_window SET environment_id = NULL, tier = 'HIGH'",
        "freeze_window, column tier",
    ),
    (
        "UPDATE freeze_window SET zone = 'Berlin' WHERE id = {2}",
        "freeze_window, column zone",
    ),
    (
        "UPDATE freeze_window SET weekdays = '[]' WHERE id = {2}",
        "freeze_window, column weekdays",
    ),
    (
        "UPDATE freeze_window SET weekdays = '[\"FUNDAY\"]' WHERE id = {2}",
        "freeze_window, column weekdays",
    ),
    (
        "UPDATE freeze_window SET start_minute = 1440 WHERE id = {2}",
        "freeze_window, column start_minute",
    ),
    (
        "UPDATE freeze_window SET minutes = 0 WHERE id = {2}",
        "freeze_window, column minutes",
    ),
    (
        "UPDATE freeze_window SET first_day = '2026-02-30' WHERE id = {2}",
        "freeze_window, column first_day",
    ),
    (
        "UPDATE freeze_window SET last_day = '2025-12-31' WHERE id = {2}",
        "freeze_window, column last_day",
    ),
    (
        "UPDATE freeze_window SET actions = '[\"ROLLBACK\"]'",
        "freeze_window, column actions",
    ),
    (
        "UPDATE freeze_window SET slug = 'No Slug' WHERE id = {1}",
        "freeze_window, column slug",
    ),
    (
        "UPDATE freeze_window SET revision = 0",
        "freeze_window, column revision",
    ),
    (
        "UPDATE freeze_override SET overridden_at = 9223372036854775807",
        "freeze_override, column overridden_at",
    ),
];

const TABLES: [&str; 2] = ["freeze_override", "freeze_window"];

fn spelled(text: &str, empty: &Empty) -> String {
    all_spelled(&text.replace("{window}", WINDOW), empty)
}

async fn with_freezes(empty: &Empty) -> DatabaseConnection {
    let connection = with_facts(empty).await;
    let facts = spelled(FACTS, empty);
    connection.execute_unprepared(&facts).await.expect("facts");
    connection
}

#[tokio::test]
async fn freezes_are_kept_and_impossible_ones_refused_by_the_database() {
    for empty in both().await {
        let connection = with_freezes(&empty).await;
        for (statements, words) in [
            (REFUSED, ["append-only", "keeps its identity"]),
            (IMPOSSIBLE, ["constraint", "constraint"]),
        ] {
            for statement in spelled(statements, &empty).trim().lines() {
                let done = connection.execute_unprepared(statement).await;
                let error = done.expect_err(statement).to_string().to_lowercase();
                assert!(
                    words.iter().any(|word| error.contains(word)),
                    "{statement}: {error}"
                );
            }
        }
        // Its slug is free when the window is deleted.
        let again = spelled(
            "UPDATE freeze_window SET deleted_at = 2 WHERE id = {1};
             INSERT INTO freeze_window (id, {window}) SELECT {3}, {window} FROM freeze_window WHERE id = {1};
             UPDATE freeze_window SET deleted_at = NULL WHERE id = {3}",
            &empty,
        );
        connection.execute_unprepared(&again).await.expect("free");
    }
}

/// Reads everything there is.
async fn read_all(store: &SqlStore) -> Result<(), StoreError> {
    let one = Uuid::from_u128(1);
    let size = PageSize::from_request(9).expect("a size");
    let reader = store.reader();
    let project = ProjectId::from_uuid(one);
    let page = reader
        .freeze_windows(project, &FreezeFilter::default(), None, size)
        .await?;
    assert_eq!(page.items.len(), 2);
    let deployment = DeploymentId::from_uuid(one);
    let overrides = reader.freeze_overrides(&[deployment]).await?;
    assert_eq!(overrides.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_freeze_nobody_would_have_written_is_named() {
    for empty in both().await {
        let connection = with_freezes(&empty).await;
        let sqlite = empty.options.url.starts_with("sqlite");
        disarm(&connection, sqlite, &TABLES).await;
        let store = SqlStore::connect(&empty.options).await.expect("connected");
        read_all(&store).await.expect("nothing is broken yet");
        for (broken, expected) in BROKEN {
            let done = connection
                .execute_unprepared(&spelled(broken, &empty))
                .await;
            assert!(done.expect(broken).rows_affected() > 0, "{broken}");
            let error = read_all(&store).await.expect_err(broken).to_string();
            let expected = format!("inconsistent data in table {expected}, row ");
            assert!(error.starts_with(&expected), "{broken}: {error}");
            assert!(error.contains("00000000-"), "{broken}: {error}");
            let facts = format!(
                "DELETE FROM freeze_override; DELETE FROM freeze_window; {}",
                spelled(FACTS, &empty)
            );
            connection.execute_unprepared(&facts).await.expect("facts");
        }
        read_all(&store).await.expect("all is as it was");
    }
}
