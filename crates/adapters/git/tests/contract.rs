//! The contract, on a repository in a temporary directory.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

use slipway_git::LocalRepository;
use slipway_snapshots::GitStore;
use tempfile::TempDir;

struct Fixture {
    repository: LocalRepository,
    _directory: TempDir,
}

impl Fixture {
    fn store(&self) -> &dyn GitStore {
        &self.repository
    }
}

async fn fixture() -> Option<Fixture> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("snapshots.git");
    let repository = LocalRepository::open_or_create(path).expect("a repository");
    Some(Fixture {
        repository,
        _directory: directory,
    })
}

slipway_snapshots::git_store_contract!(fixture);
