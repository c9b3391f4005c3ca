//! What is told to others can't be written down in an impossible way; and where it was, the row is named.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use slipway_kernel::{PageSize, ProjectId, StoreError};
use slipway_notifications::DeliveryFilter;
use slipway_sql::SqlStore;
use slipway_store::{Store, contract::given::begin};
use uuid::Uuid;

use super::{Empty, both, deployments, spelled};

/// A webhook; what happened to the third deployment since there is one; a delivery that waits, and one that was taken.
const FACTS: &str = "
INSERT INTO webhook VALUES ({1}, {1}, 'hook', '', '{\"Slack\":{\"url\":\"env:URL\"}}', '{\"events\":[],\"environments\":[],\"tiers\":[],\"least_risk\":null}', TRUE, 1, 1);
UPDATE deployment SET state = 'CANCELED', finished_at = 3 WHERE id = {3};
INSERT INTO delivery VALUES ({1}, {1}, {1}, 1, {3}, 'deployment.canceled', '{message}', 'PENDING', 0, 1, 1, NULL, NULL, NULL, NULL, 0, NULL);
INSERT INTO delivery VALUES ({2}, {1}, {1}, NULL, NULL, 'webhook.test', '{message}', 'DELIVERED', 1, 1, 1, 2, 200, '', '', 1, NULL);
";
const MESSAGE: &str = "{\"type\":\"webhook.test\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"data\":{\"project\":\"shop\"}}";

/// Statements that change what never changes.
const REFUSED: &str = "
UPDATE webhook SET slug = 'x'
UPDATE webhook SET project_id = {2}
UPDATE outbox SET event = 'deployment.failed'
UPDATE outbox SET facts = '{}'
UPDATE outbox SET at = 0
UPDATE delivery SET message = '{}'
UPDATE delivery SET event = 'deployment.failed'
UPDATE delivery SET webhook_id = {2}
";

/// Rows that say something impossible.
const IMPOSSIBLE: &str = "
UPDATE webhook SET revision = 0
INSERT INTO webhook SELECT {2}, project_id, slug, '', target, filter, TRUE, 1, 1 FROM webhook
DELETE FROM webhook
UPDATE delivery SET state = 'GONE'
UPDATE delivery SET attempts = -1
UPDATE delivery SET state = 'DEAD' WHERE id = {1}
UPDATE delivery SET problem = NULL WHERE id = {2}
UPDATE delivery SET status = 200 WHERE id = {1}
UPDATE delivery SET lease_until = 1 WHERE id = {1}
UPDATE delivery SET lease_until = 1 WHERE id = {2}
INSERT INTO delivery SELECT {3}, project_id, webhook_id, sequence, deployment_id, event, message, state, attempts, created_at, due_at, attempted_at, status, problem, answer, epoch, lease_until FROM delivery WHERE id = {1}
INSERT INTO delivery SELECT {3}, project_id, webhook_id, 2, NULL, event, message, state, attempts, created_at, due_at, attempted_at, status, problem, answer, epoch, lease_until FROM delivery WHERE id = {1}
INSERT INTO delivery SELECT {3}, project_id, webhook_id, NULL, NULL, event, message, state, attempts, created_at, due_at, attempted_at, status, problem, answer, epoch, lease_until FROM delivery WHERE id = {1}
INSERT INTO delivery SELECT {3}, {2}, webhook_id, 2, deployment_id, event, message, state, attempts, created_at, due_at, attempted_at, status, problem, answer, epoch, lease_until FROM delivery WHERE id = {1}
INSERT INTO outbox (project_id, deployment_id, environment_id, event, facts, at) VALUES ({2}, {3}, {1}, 'deployment.failed', '{}', 1)
INSERT INTO outbox (project_id, deployment_id, environment_id, event, facts, at) VALUES ({1}, {3}, {2}, 'deployment.failed', '{}', 1)
";

/// What is done to rows past the triggers, and how they are named then.
const BROKEN: &[(&str, &str)] = &[
    ("UPDATE webhook SET target = '{}'", "webhook, column target"),
    ("UPDATE webhook SET filter = '[]'", "webhook, column filter"),
    (
        "UPDATE outbox SET event = 'deployment.exploded'",
        "outbox, column event",
    ),
    ("UPDATE outbox SET facts = '7'", "outbox, column facts"),
    (
        "UPDATE delivery SET message = '{}' WHERE id = {1}",
        "delivery, column message",
    ),
    (
        "UPDATE delivery SET event = 'deployment.exploded' WHERE id = {1}",
        "delivery, column event",
    ),
    (
        "UPDATE delivery SET status = 999, attempted_at = 9223372036854775807, problem = '', answer = '' WHERE id = {1}",
        "delivery, column attempted_at",
    ),
];

fn all_spelled(text: &str, empty: &Empty) -> String {
    spelled(&text.replace("{message}", MESSAGE), &empty.options)
}

async fn with_facts(empty: &Empty) -> DatabaseConnection {
    let connection = deployments::with_facts(empty).await;
    let facts = all_spelled(FACTS, empty);
    connection.execute_unprepared(&facts).await.expect("facts");
    connection
}

#[tokio::test]
async fn notifications_are_kept_and_impossible_ones_refused_by_the_database() {
    for empty in both().await {
        let connection = with_facts(&empty).await;
        for (statements, word) in [(REFUSED, "keeps its identity"), (IMPOSSIBLE, "constraint")] {
            for statement in all_spelled(statements, &empty).trim().lines() {
                let done = connection.execute_unprepared(statement).await;
                let error = done.expect_err(statement).to_string().to_lowercase();
                assert!(error.contains(word), "{statement}: {error}");
            }
        }
    }
}

/// Reads everything there is, and takes what waits, without keeping that.
async fn read_all(store: &SqlStore) -> Result<(), StoreError> {
    let project = ProjectId::from_uuid(Uuid::from_u128(1));
    let size = PageSize::from_request(9).expect("a size");
    let reader = store.reader();
    let webhooks = reader.webhooks(project, None, size).await?;
    assert_eq!(webhooks.items.len(), 1);
    let every = DeliveryFilter::default();
    let deliveries = reader.deliveries(project, &every, None, size).await?;
    assert_eq!(deliveries.items.len(), 2);
    let mut work = begin(store).await;
    let events = work.notifications().take_events(9).await?;
    assert_eq!(events.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_notification_nobody_would_have_written_is_named() {
    for empty in both().await {
        let connection = with_facts(&empty).await;
        let sqlite = empty.options.url.starts_with("sqlite");
        let disarm = if sqlite {
            "DROP TRIGGER webhook_keeps_its_identity; DROP TRIGGER outbox_keeps_its_identity; \
             DROP TRIGGER delivery_keeps_its_identity"
        } else {
            "SET session_replication_role = replica"
        };
        connection.execute_unprepared(disarm).await.expect(disarm);
        let store = SqlStore::connect(&empty.options).await.expect("connected");
        read_all(&store).await.expect("nothing is broken yet");
        for (broken, expected) in BROKEN {
            let kept = ["webhook", "outbox", "delivery"];
            for table in kept {
                let copy = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
                connection.execute_unprepared(&copy).await.expect("copied");
            }
            let done = connection
                .execute_unprepared(&all_spelled(broken, &empty))
                .await;
            assert!(done.expect(broken).rows_affected() > 0, "{broken}");
            let error = read_all(&store).await.expect_err(broken).to_string();
            let expected = format!("inconsistent data in table {expected}, row ");
            assert!(error.starts_with(&expected), "{broken}: {error}");
            let put_back = "
                UPDATE webhook SET (target, filter) = (SELECT target, filter FROM kept_webhook k WHERE k.id = webhook.id);
                UPDATE outbox SET (event, facts) = (SELECT event, facts FROM kept_outbox k WHERE k.sequence = outbox.sequence);
                UPDATE delivery SET (event, message, status, attempted_at, problem, answer) = (SELECT event, message, status,
                    attempted_at, problem, answer FROM kept_delivery k WHERE k.id = delivery.id);
                DROP TABLE kept_webhook; DROP TABLE kept_outbox; DROP TABLE kept_delivery";
            connection
                .execute_unprepared(put_back)
                .await
                .expect("put back");
        }
    }
}
