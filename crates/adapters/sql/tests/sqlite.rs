//! The contract, on `SQLite`.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

use slipway_sql::{Options, SqlStore, migrate};
use slipway_store::{
    Store,
    contract::given::{begin, commit, name, project},
};

struct Fixture {
    store: SqlStore,
    options: Options,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn store(&self) -> &dyn Store {
        &self.store
    }
}

async fn fixture() -> Option<Fixture> {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::sqlite_file(&directory.path().join("slipway.db"));
    migrate(&options).await.expect("migrated");
    let store = SqlStore::connect(&options).await.expect("connected");
    Some(Fixture {
        store,
        options,
        _directory: directory,
    })
}

slipway_store::store_contract!(fixture);

/// As two processes do: a server and the command line.
#[tokio::test]
async fn writers_of_two_stores_on_one_file_wait_for_each_other() {
    let fixture = fixture().await.expect("a database");
    let other = SqlStore::connect(&fixture.options)
        .await
        .expect("connected");
    let write = |store: SqlStore, n: u128| async move {
        let slug = format!("p-{n}");
        let mut work = begin(&store).await;
        let before = work.projects().find(&name(&slug)).await.expect("read");
        assert_eq!(before, None);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let added = work.projects().insert(&project(n, &slug)).await;
        assert!(added.expect("inserted"));
        commit(work).await;
    };
    let writers: Vec<_> = (0..40)
        .map(|n| {
            let store = if n % 2 == 0 { &fixture.store } else { &other };
            tokio::spawn(write(store.clone(), n))
        })
        .collect();
    for writer in writers {
        writer.await.expect("written");
    }
}
