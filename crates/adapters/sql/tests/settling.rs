//! On `PostgreSQL` a lower sequence can appear after a higher one: whoever reads in the order of sequences must wait.

#![expect(
    clippy::expect_used,
    reason = "what tests share is a test too: a panic is how it fails"
)]

use slipway_audit::{ChainId, Event, Outcome, Resource};
use slipway_kernel::{EventId, PrincipalId, Timestamp};
use slipway_sql::{Options, SqlStore, migrate};
use slipway_store::{Store, UnitOfWork};
use slipway_test_support::postgres::{TestDatabase, database};
use uuid::Uuid;

fn event(n: u128) -> Event {
    Event {
        id: EventId::from_uuid(Uuid::from_u128(n)),
        chain: ChainId::INSTALLATION,
        at: Timestamp::from_micros(0).expect("in range"),
        principal: PrincipalId::from_uuid(Uuid::from_u128(1)),
        command: "CreateProject".to_owned(),
        outcome: Outcome::Allowed,
        resource: Resource::new("project", &"shop"),
        before: None,
        after: None,
        facts: Vec::new(),
        correlation_id: String::new(),
        repeat_count: 1,
    }
}

async fn fixture() -> Option<(SqlStore, TestDatabase)> {
    let database = database().await?;
    let options = Options::new(database.url());
    migrate(&options).await.expect("migrated");
    let store = SqlStore::connect(&options).await.expect("connected");
    Some((store, database))
}

/// A unit of work that has written an event and is still open.
async fn open(store: &SqlStore, n: u128) -> Box<dyn UnitOfWork> {
    let mut unit = store.begin().await.expect("begins");
    unit.audit().append(&event(n)).await.expect("appends");
    // An event waits for the unit's next statement, which is to see it.
    let heads = unit.chain().heads(&[ChainId::INSTALLATION]).await;
    assert_eq!(heads.expect("reads"), []);
    unit
}

async fn waiting(store: &SqlStore) -> Vec<u128> {
    let mut unit = store.begin().await.expect("begins");
    let events = unit.chain().waiting(100).await.expect("reads");
    events
        .iter()
        .map(|event| event.id.uuid().as_u128())
        .collect()
}

async fn settled(store: &SqlStore) -> i64 {
    store
        .changes()
        .settled_after(0, 0)
        .await
        .expect("reads")
        .through
}

#[tokio::test]
async fn nobody_passes_a_transaction_that_is_still_open() {
    let Some((store, _database)) = fixture().await else {
        return;
    };
    // The lower sequence is written first, and by a transaction that writes nothing else: it is the last to get a
    // number of its own.
    let late = open(&store, 1).await;
    open(&store, 2).await.commit().await.expect("commits");
    for _ in 0..3 {
        assert_eq!(waiting(&store).await, [0; 0]);
        assert_eq!(settled(&store).await, 0);
    }
    late.commit().await.expect("commits");
    assert_eq!(waiting(&store).await, [1, 2]);
    assert_eq!(settled(&store).await, 2);
}

#[tokio::test]
async fn one_that_rolls_back_holds_nothing_up() {
    let Some((store, _database)) = fixture().await else {
        return;
    };
    let lost = open(&store, 1).await;
    open(&store, 2).await.commit().await.expect("commits");
    assert_eq!(waiting(&store).await, [0; 0]);
    drop(lost);
    // A dropped transaction is rolled back when its connection is used again, at the latest.
    for _ in 0..100 {
        if waiting(&store).await == [2] {
            return;
        }
    }
    panic!("the event never settled");
}

#[tokio::test]
async fn writers_that_follow_each_other_do_not_hold_it_up() {
    let Some((store, _database)) = fixture().await else {
        return;
    };
    let mut before = open(&store, 1).await;
    let mut most = 0;
    for n in 2..30 {
        let next = open(&store, n).await;
        before.commit().await.expect("commits");
        most = settled(&store).await;
        before = next;
    }
    assert!(most >= 25, "{most}");
    drop(before);
}

#[tokio::test]
async fn one_leads_and_nobody_waits_for_it() {
    let Some((store, _database)) = fixture().await else {
        return;
    };
    let mut first = store.begin().await.expect("begins");
    assert!(first.chain().lead().await.expect("answers"));
    let mut second = store.begin().await.expect("begins");
    assert!(!second.chain().lead().await.expect("answers"));
    first.commit().await.expect("commits");
    assert!(second.chain().lead().await.expect("answers"));
}
