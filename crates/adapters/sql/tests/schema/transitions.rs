//! The database writes down every state that a deployment is given, whoever gives it.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};

use super::{Empty, both, deployments::with_facts, spelled};

async fn change(connection: &impl ConnectionTrait, statement: &str, empty: &Empty) {
    let statement = spelled(statement, &empty.options);
    let done = connection.execute_unprepared(&statement).await;
    assert!(done.expect(&statement).rows_affected() > 0, "{statement}");
}

/// What is written down of the third deployment, in its order.
async fn written(connection: &DatabaseConnection, empty: &Empty) -> Vec<(i32, String)> {
    let question = spelled(
        "SELECT position, state, at FROM deployment_transition WHERE deployment_id = {3} ORDER BY position",
        &empty.options,
    );
    let question = Statement::from_string(connection.get_database_backend(), question);
    let rows = connection.query_all_raw(question).await.expect("read");
    rows.iter()
        .map(|row| {
            let at: i64 = row.try_get_by_index(2).expect("a moment");
            assert!(at > 1_700_000_000_000_000, "microseconds: {at}");
            (
                row.try_get_by_index(0).expect("a position"),
                row.try_get_by_index(1).expect("a state"),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_state_a_deployment_has_had_is_written_down() {
    for empty in both().await {
        let connection = with_facts(&empty).await;
        // Two deployments hold no environment at once.
        change(
            &connection,
            "UPDATE deployment SET state = 'FAILED', finished_at = 3, lease_owner = NULL, lease_until = NULL \
             WHERE id = {2}",
            &empty,
        )
        .await;
        let running = "UPDATE deployment SET state = 'RUNNING', epoch = 1 WHERE id = {3}";
        let taken_back = connection.begin().await.expect("begun");
        change(&taken_back, running, &empty).await;
        taken_back.rollback().await.expect("taken back");
        for statement in [
            "UPDATE deployment SET claims = 7 WHERE id = {3}",
            running,
            running,
            "UPDATE deployment SET state = 'QUEUED' WHERE id = {3}",
            running,
            "UPDATE deployment SET state = 'SUCCEEDED', finished_at = 5, succeeded_at = 5 WHERE id = {3}",
        ] {
            change(&connection, statement, &empty).await;
        }
        let expected = ["QUEUED", "RUNNING", "QUEUED", "RUNNING", "SUCCEEDED"];
        let expected: Vec<_> = (0..).zip(expected.map(str::to_owned)).collect();
        assert_eq!(written(&connection, &empty).await, expected);
    }
}
