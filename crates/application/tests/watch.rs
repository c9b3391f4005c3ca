//! Following the current state.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on fails"
)]

mod support;

use std::{sync::Arc, time::Duration};

use slipway_application::{
    Context,
    environments::{ArchiveEnvironment, archive_environment},
    ledger::{Watch, WatchError, WatchEvent, feed_watchers},
    tokens::{RevokeToken, revoke_token},
};
use slipway_identity::{Caller, Role};
use slipway_ledger::{CellFilter, CellPlace, RecordKind};
use support::deployments::report;
use support::{Installation, by, installation, key, slug};
use tokio::time::timeout;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(watch: &mut Watch) -> Result<WatchEvent, WatchError> {
    timeout(PATIENCE, watch.next()).await.expect("told in time")
}

async fn filled(watch: &mut Watch) -> (String, String) {
    match next(watch).await {
        Ok(WatchEvent::Filled(cell)) => (cell.application.to_string(), cell.version.to_string()),
        other => panic!("{other:?} is no filled cell"),
    }
}

async fn emptied(watch: &mut Watch) -> CellPlace {
    match next(watch).await {
        Ok(WatchEvent::Emptied(place)) => place,
        other => panic!("{other:?} is no emptied cell"),
    }
}

async fn complete(watch: &mut Watch) -> u64 {
    match next(watch).await {
        Ok(WatchEvent::SnapshotComplete { cells }) => cells,
        other => panic!("{other:?} does not complete the snapshot"),
    }
}

fn cell(application: &str, version: &str) -> (String, String) {
    (application.to_owned(), version.to_owned())
}

/// Another server on the same installation; the changes are made on the first one.
fn neighbour(i: &Installation) -> Arc<Context> {
    Arc::new(Context::new(
        Arc::clone(&i.context.store),
        Arc::clone(&i.context.objects),
        Arc::clone(&i.context.clock),
        Arc::clone(&i.context.ids),
        Arc::clone(&i.context.secrets),
    ))
}

async fn watch(context: &Arc<Context>, caller: &Caller, filter: CellFilter) -> Watch {
    Watch::start(context, &by(caller), &slug("default"), filter)
        .await
        .expect("started")
}

fn feed(context: &Arc<Context>) {
    let context = Arc::clone(context);
    tokio::spawn(async move { feed_watchers(&context).await });
}

#[tokio::test]
async fn a_watcher_sees_the_picture_and_then_what_others_change() {
    let i = installation().await;
    let context = neighbour(&i);
    feed(&context);
    i.deploy(report("cart", "1", "prod")).await;
    i.deploy(report("pay", "1", "prod")).await;
    let mut watch = watch(&context, &i.admin, CellFilter::default()).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "1"));
    assert_eq!(filled(&mut watch).await, cell("pay", "1"));
    assert_eq!(complete(&mut watch).await, 2);

    i.pass(1);
    let second = i.deploy(report("cart", "2", "prod")).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "2"));
    i.retract(second).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "1"));
    i.pass(1);
    let mut removal = report("pay", "1", "prod");
    removal.kind = RecordKind::Removed;
    i.deploy(removal).await;
    assert_eq!(emptied(&mut watch).await.application, key("pay"));
    i.deploy(report("new", "7", "staging")).await;
    assert_eq!(filled(&mut watch).await, cell("new", "7"));
}

#[tokio::test]
async fn what_is_archived_leaves_the_picture() {
    let i = installation().await;
    let context = neighbour(&i);
    feed(&context);
    i.deploy(report("cart", "1", "prod")).await;
    let mut watch = watch(&context, &i.admin, CellFilter::default()).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "1"));
    assert_eq!(complete(&mut watch).await, 1);
    let command = ArchiveEnvironment {
        project: slug("default"),
        environment: slug("prod"),
    };
    archive_environment(&i.context, &by(&i.admin), command)
        .await
        .expect("archived");
    assert_eq!(emptied(&mut watch).await.environment, slug("prod"));
}

#[tokio::test]
async fn what_changes_while_the_picture_is_told_is_not_missed() {
    let i = installation().await;
    let context = neighbour(&i);
    feed(&context);
    i.deploy(report("cart", "1", "prod")).await;
    let mut watch = watch(&context, &i.admin, CellFilter::default()).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "1"));
    i.pass(1);
    i.deploy(report("cart", "2", "prod")).await;
    assert_eq!(complete(&mut watch).await, 1);
    assert_eq!(filled(&mut watch).await, cell("cart", "2"));
}

#[tokio::test]
async fn a_watcher_that_fell_behind_is_told_the_difference() {
    let i = installation().await;
    let context = neighbour(&i);
    let mut watch = watch(&context, &i.admin, CellFilter::default()).await;
    assert_eq!(complete(&mut watch).await, 0);
    feed(&context);
    // More messages than wait for anybody: each deployment has time to become one.
    for version in 0..80 {
        i.pass(1);
        i.deploy(report("cart", &version.to_string(), "prod")).await;
        tokio::time::sleep(Duration::from_millis(170)).await;
    }
    assert_eq!(filled(&mut watch).await, cell("cart", "79"));
}

#[tokio::test]
async fn a_watcher_sees_only_what_it_asked_for() {
    let i = installation().await;
    let context = neighbour(&i);
    feed(&context);
    i.deploy(report("cart", "1", "prod")).await;
    i.deploy(report("cart", "1", "staging")).await;
    let filter = CellFilter {
        environment: Some(slug("prod")),
        ..CellFilter::default()
    };
    let mut watch = watch(&context, &i.admin, filter).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "1"));
    assert_eq!(complete(&mut watch).await, 1);
    i.pass(1);
    i.deploy(report("cart", "2", "staging")).await;
    i.deploy(report("cart", "3", "prod")).await;
    assert_eq!(filled(&mut watch).await, cell("cart", "3"));
}

#[tokio::test]
async fn a_watch_ends_with_the_watchers_token() {
    let i = installation().await;
    let context = neighbour(&i);
    let viewer = i.member("Vera", &[Role::Viewer]).await;
    let mut watch = watch(&context, &viewer, CellFilter::default()).await;
    assert_eq!(complete(&mut watch).await, 0);
    let token = viewer.credential.token().expect("a token");
    revoke_token(&i.context, &by(&i.admin), RevokeToken { token })
        .await
        .expect("revoked");
    assert!(matches!(
        next(&mut watch).await,
        Err(WatchError::Authentication(_))
    ));
}
