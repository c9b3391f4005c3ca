//! The schema comes up to date once, however many ask for it, and a newer one is refused.

use slipway_sql::{Options, migrate, schema_state};

#[tokio::test]
async fn sqlite_migrates_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::sqlite_file(&directory.path().join("state 100%.db"));
    migrates_once(&options).await;
    assert!(directory.path().join("state 100%.db").exists());
}

#[tokio::test]
async fn postgres_migrates_once() {
    if let Some(database) = slipway_test_support::postgres::database().await {
        migrates_once(&Options::new(database.url())).await;
    }
}

async fn migrates_once(options: &Options) {
    let several = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { migrate(&options).await })
    });
    let mut added = Vec::new();
    for one in several.collect::<Vec<_>>() {
        added.extend(one.await.expect("no panic").expect("migrates"));
    }
    assert_eq!(added, ["m20261120_000001_foundation"]);
    let state = schema_state(options).await.expect("readable");
    assert_eq!(state.applied, added);
    assert!(state.pending.is_empty());
}
