//! The contract, on `SQLite`.

use slipway_sql::{Options, SqlStore, migrate};
use slipway_store::Store;

struct Fixture {
    store: SqlStore,
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
        _directory: directory,
    })
}

slipway_store::store_contract!(fixture);
