//! Whatever fails at whichever call.

use std::time::Duration;

use futures_util::future::join_all;
use slipway_github::GitHub;
use slipway_github_stand_in::{Access, Fault, When};
use slipway_snapshots::{
    CommitSha, GitError, GitStore,
    git::{Committed, Files},
};

use crate::world::{World, files, options_for, production};

/// Of a commit that makes a blob, upon a parent that is not remembered.
const CALLS: usize = 7;

fn before() -> Files {
    files(&[("a", "1"), ("b", "\0")])
}

fn after() -> Files {
    files(&[("a", "2"), ("b", "\0\0")])
}

/// A world with one commit, whose store has to ask for everything.
async fn world() -> Option<(World, CommitSha)> {
    let mut world = World::new().await?;
    let first = world.commit(None, &before()).await;
    world.restart();
    world.server.forget();
    Some((world, first))
}

/// Commits what a caller commits who had no answer: upon what the branch points to.
async fn try_again(world: &World) -> CommitSha {
    let parent = world.head().await.expect("a head");
    match world.try_commit(Some(&parent), &after()).await {
        Ok(Committed::New(sha) | Committed::Unchanged(sha)) => sha,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_commit_is_so_many_calls() {
    let Some((world, first)) = world().await else {
        return;
    };
    world.commit(Some(&first), &after()).await;
    assert_eq!(world.server.recorded().len(), CALLS);
    world.finish(2).await;
}

#[tokio::test]
async fn one_fault_at_any_call_is_got_over() {
    let faults = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Status(500),
        Fault::Status(502),
        Fault::StatusAfter(502),
    ];
    let cases = faults
        .iter()
        .flat_map(|fault| (0..CALLS).map(move |call| (fault, call)));
    let run = async |fault: &Fault, call: usize| {
        let Some((world, first)) = world().await else {
            return;
        };
        world.server.plan(When::next().after(call), fault.clone());
        let second = world.commit(Some(&first), &after()).await;
        assert_eq!(world.head().await, Some(second));
        assert_eq!(world.cloned().await, after());
        world.finish(2).await;
    };
    join_all(cases.map(|(fault, call)| run(fault, call))).await;
}

#[tokio::test]
async fn a_network_that_stays_down_from_any_call_on_is_told_and_a_retry_succeeds() {
    let faults = [Fault::DropBefore, Fault::DropAfter, Fault::StatusAfter(500)];
    let cases = faults
        .iter()
        .flat_map(|fault| (0..CALLS).map(move |call| (fault, call)));
    let run = async |fault: &Fault, call: usize| {
        let Some((world, first)) = world().await else {
            return;
        };
        world
            .server
            .plan(When::next().after(call).times(1_000), fault.clone());
        let lost = world.try_commit(Some(&first), &after()).await;
        assert!(
            matches!(lost, Err(GitError::Unavailable { .. })),
            "{call}: {lost:?}"
        );
        world.server.clear_faults();
        // Carried out or not, the branch tells: nothing is committed twice.
        let second = try_again(&world).await;
        assert_eq!(world.head().await, Some(second));
        assert_eq!(world.cloned().await, after());
        world.finish(2).await;
    };
    join_all(cases.map(|(fault, call)| run(fault, call))).await;
}

#[tokio::test]
async fn a_branch_that_can_not_be_moved_stays_and_says_so() {
    let Some((world, first)) = world().await else {
        return;
    };
    world.server.plan(
        When::first("PATCH", "/git/refs/").times(1_000),
        Fault::DropBefore,
    );
    let lost = world.try_commit(Some(&first), &after()).await;
    let Err(GitError::Unavailable { problem }) = lost else {
        panic!("{lost:?}");
    };
    assert!(problem.contains("the branch tells"), "{problem}");
    assert_eq!(world.head().await, Some(first.clone()));
    world.server.clear_faults();
    // A rule of the repository, for instance.
    world
        .server
        .plan(When::first("PATCH", "/git/refs/"), Fault::Status(422));
    let refused = world.try_commit(Some(&first), &after()).await;
    assert!(
        matches!(refused, Err(GitError::Refused { .. })),
        "{refused:?}"
    );
    try_again(&world).await;
    world.finish(2).await;
}

#[tokio::test]
async fn a_repository_that_is_away_for_a_moment_is_not_taken_for_an_empty_one() {
    let Some((world, first)) = world().await else {
        return;
    };
    for (method, part) in [
        ("GET", "/git/ref/"),
        ("GET", "/git/commits/"),
        ("POST", "/git/trees"),
        ("PATCH", "/git/refs/"),
    ] {
        world
            .server
            .plan(When::first(method, part), Fault::Status(409));
        let lost = world.try_commit(Some(&first), &after()).await;
        assert!(
            matches!(lost, Err(GitError::Unavailable { .. })),
            "{method} {part}: {lost:?}"
        );
        assert_eq!(world.branch().await, first.as_str());
    }
    world.commit(Some(&first), &after()).await;
    world.finish(2).await;
}

#[tokio::test]
async fn a_branch_is_made_whatever_happens_to_the_answer() {
    for fault in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Status(500),
        Fault::StatusAfter(502),
    ] {
        let Some(world) = World::new().await else {
            return;
        };
        world.server.plan(When::first("POST", "/git/refs"), fault);
        let first = world.commit(None, &before()).await;
        assert_eq!(world.branch().await, first.as_str());
        world.finish(1).await;
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_at_any_call_is_told_and_the_branch_stays() {
    let run = async |call: usize| {
        let Some((world, first)) = world().await else {
            return;
        };
        world.server.plan(When::next().after(call), Fault::Revoke);
        let refused = world.try_commit(Some(&first), &after()).await;
        let Err(error @ GitError::Unauthenticated { .. }) = refused else {
            panic!("{call}: {refused:?}");
        };
        let said = format!("{error} {error:?} {:?}", world.store);
        assert!(said.contains("Bad credentials"), "{said}");
        assert!(!said.contains("ghp_"), "{said}");
        assert_eq!(world.branch().await, first.as_str());
        world.server.grant("ghp_write", Access::Write);
        world.commit(Some(&first), &after()).await;
        world.finish(2).await;
    };
    join_all((0..CALLS).map(run)).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_asked_for_again() {
    let Some((world, first)) = world().await else {
        return;
    };
    let mut options = options_for(&world.server);
    options.timeout = Duration::from_millis(500);
    let store = GitHub::new(&options).expect("a store");
    for (method, part) in [("GET", "/git/ref/"), ("PATCH", "/git/refs/")] {
        let parent = world.head().await;
        let slow = Fault::Delay(Duration::from_secs(2));
        world.server.plan(When::first(method, part), slow);
        let content = files(&[("a", method)]);
        let made = crate::world::commit(&store, parent.as_ref(), &content).await;
        assert!(matches!(made, Ok(Committed::New(_))), "{made:?}");
    }
    let slow = Fault::Delay(Duration::from_secs(2));
    world.server.plan(When::next().times(4), slow);
    let lost = store.head(&production()).await;
    assert!(
        matches!(lost, Err(GitError::Unavailable { .. })),
        "{lost:?}"
    );
    let all = world.store.read(&first).await.expect("read");
    assert_eq!(all, Some(before()));
    world.finish(3).await;
}
