//! On `PostgreSQL` units of work meet: one waits for the other where both can't be right.

#![expect(
    clippy::expect_used,
    reason = "what tests share is a test too: a panic is how it fails"
)]

use std::{sync::Arc, time::Duration};

use slipway_approvals::{
    FreezeScope, FreezeWindow,
    freeze::{Schedule, Span},
};
use slipway_kernel::{DeliveryId, FreezeWindowId, ProjectId, Revision, WebhookId};
use slipway_notifications::{
    Delivery, DeliveryFilter, DeliveryState, EventKind, Filter, Message, Target, Webhook,
};
use slipway_sql::{Options, SqlStore, migrate};
use slipway_store::{
    Store, UnitOfWork,
    contract::given::{at, begin, commit, name, principal_id, shop, size, uuid},
};
use slipway_test_support::postgres::{TestDatabase, database};
use tokio::{task::JoinHandle, time::sleep};

/// Long enough for a statement to come to where it waits.
const A_WHILE: Duration = Duration::from_millis(300);

async fn fixture() -> Option<(Arc<SqlStore>, ProjectId, TestDatabase)> {
    let database = database().await?;
    let options = Options::new(database.url());
    migrate(&options).await.expect("migrated");
    let store = SqlStore::connect(&options).await.expect("connected");
    let shop = shop(&store).await;
    Some((Arc::new(store), shop, database))
}

async fn webhook(store: &SqlStore, project: ProjectId) -> Webhook {
    let webhook = Webhook {
        id: WebhookId::from_uuid(uuid(1)),
        project,
        slug: name("calls"),
        display_name: name("Calls"),
        target: Target::Slack {
            url: name("env:URL"),
        },
        filter: Filter::default(),
        enabled: true,
        created_at: at(7),
        revision: Revision::FIRST,
    };
    let mut work = begin(store).await;
    let added = work.notifications().insert_webhook(&webhook).await;
    assert!(added.expect("inserted"));
    commit(work).await;
    webhook
}

fn delivery(webhook: &Webhook) -> Delivery {
    let message = Message::test(name("shop"), principal_id(1), at(8));
    Delivery {
        id: DeliveryId::from_uuid(uuid(1)),
        project: webhook.project,
        webhook: webhook.id,
        sequence: None,
        deployment: None,
        kind: EventKind::Test,
        message,
        state: DeliveryState::Pending,
        attempts: 0,
        last: None,
        created_at: at(8),
        due_at: at(8),
    }
}

async fn insert(work: &mut dyn UnitOfWork, webhook: &Webhook) {
    let deliveries = [delivery(webhook)];
    let inserted = work.notifications().insert_deliveries(&deliveries).await;
    inserted.expect("inserted");
}

fn deletes(store: &Arc<SqlStore>, webhook: &Webhook) -> JoinHandle<()> {
    let (store, id) = (Arc::clone(store), webhook.id);
    tokio::spawn(async move {
        let mut work = begin(&*store).await;
        let deleted = work.notifications().delete_webhook(id).await;
        deleted.expect("deleted, with all that was on its way to it");
        commit(work).await;
    })
}

async fn deliveries(store: &SqlStore, project: ProjectId) -> usize {
    let all = DeliveryFilter::default();
    let found = store.reader().deliveries(project, &all, None, size(10));
    found.await.expect("read").items.len()
}

#[tokio::test]
async fn who_deletes_a_webhook_waits_for_what_is_put_on_its_way() {
    let Some((store, project, _database)) = fixture().await else {
        return;
    };
    let webhook = webhook(&store, project).await;
    let mut work = begin(&*store).await;
    insert(&mut *work, &webhook).await;
    let deleting = deletes(&store, &webhook);
    sleep(A_WHILE).await;
    assert!(!deleting.is_finished());
    commit(work).await;
    deleting.await.expect("no panic");
    assert_eq!(deliveries(&store, project).await, 0);
}

#[tokio::test]
async fn a_webhook_that_is_read_to_be_told_stays_until_it_is() {
    let Some((store, project, _database)) = fixture().await else {
        return;
    };
    let webhook = webhook(&store, project).await;
    let mut work = begin(&*store).await;
    let enabled = work.notifications().enabled_webhooks(project).await;
    assert_eq!(enabled.expect("read").len(), 1);
    let deleting = deletes(&store, &webhook);
    sleep(A_WHILE).await;
    insert(&mut *work, &webhook).await;
    commit(work).await;
    deleting.await.expect("no panic");
    assert_eq!(deliveries(&store, project).await, 0);
}

fn window(project: ProjectId, n: u128) -> FreezeWindow {
    FreezeWindow {
        id: FreezeWindowId::from_uuid(uuid(n)),
        project,
        slug: name(&format!("w-{n}")),
        scope: FreezeScope::Project,
        schedule: Schedule::Once(Span::new(at(100), at(200)).expect("in order")),
        actions: [].into(),
        reason: name("because"),
        suspended: false,
        created_at: at(50),
        deleted_at: None,
        revision: Revision::FIRST,
    }
}

#[tokio::test]
async fn freeze_windows_are_counted_one_after_the_other() {
    let Some((store, project, _database)) = fixture().await else {
        return;
    };
    let adds = (1..9).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut work = begin(&*store).await;
            let counted = work.freezes().count(project).await.expect("counted");
            sleep(Duration::from_millis(5)).await;
            let inserted = work.freezes().insert(&window(project, n)).await;
            assert!(inserted.expect("an answer"));
            commit(work).await;
            counted
        })
    });
    let adds: Vec<_> = adds.collect();
    let mut counted = Vec::new();
    for add in adds {
        counted.push(add.await.expect("no panic"));
    }
    counted.sort_unstable();
    assert_eq!(counted, [0, 1, 2, 3, 4, 5, 6, 7]);
}
