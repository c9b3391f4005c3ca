//! The contract that every Git store passes, with the upstream there and without it.

use slipway_snapshots::GitStore;

use crate::world::World;

impl World {
    fn store(&self) -> &dyn GitStore {
        &self.store
    }
}

async fn together() -> Option<World> {
    Some(World::new())
}

slipway_snapshots::git_store_contract!(together);

/// All of it that can be known here, with the upstream away from the beginning: what another may have is not.
#[tokio::test]
async fn alone() {
    macro_rules! cases {
        ($($case:ident),+ $(,)?) => {$(
            let world = World::new();
            world.go_away();
            slipway_snapshots::contract::$case(&world.store).await;
            world.come_back();
            world.store.publish().await.expect("brought");
            world.fsck();
        )+};
    }
    cases![
        a_branch_begins_with_its_first_commit,
        a_commit_has_the_hash_that_git_gives_it,
        crumbs_around_an_author_are_cut_off,
        what_has_not_changed_is_not_committed,
        one_of_many_at_once_wins,
        environments_are_apart,
        commits_stay_readable,
        going_back_is_a_commit_too,
        content_comes_back_byte_for_byte,
        one_file_is_read_alone,
        differences_are_told_by_path,
        a_file_and_a_folder_change_places,
        a_few_changes_among_many_files,
        what_git_can_not_keep_is_refused,
    ];
}
