//! The contract, on `PostgreSQL`.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

use slipway_sql::{Options, SqlStore, migrate};
use slipway_store::Store;
use slipway_test_support::postgres::{TestDatabase, database};

struct Fixture {
    store: SqlStore,
    _database: TestDatabase,
}

impl Fixture {
    fn store(&self) -> &dyn Store {
        &self.store
    }
}

async fn fixture() -> Option<Fixture> {
    let database = database().await?;
    let options = Options::new(database.url());
    migrate(&options).await.expect("migrated");
    let store = SqlStore::connect(&options).await.expect("connected");
    Some(Fixture {
        store,
        _database: database,
    })
}

slipway_store::store_contract!(fixture);
