//! The contract that every Git store passes.

use slipway_snapshots::GitStore;

use crate::world::{World, check_requests};

/// A world whose requests are compared with GitHub's description when a case has ended.
struct Checked(World);

impl Checked {
    fn store(&self) -> &dyn GitStore {
        &self.0.store
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            check_requests(&self.0.server);
        }
    }
}

async fn checked() -> Option<Checked> {
    World::new().await.map(Checked)
}

slipway_snapshots::git_store_contract!(checked);
