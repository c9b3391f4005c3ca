//! Pipelines.

use futures_util::future::join_all;
use slipway_deployments::{Drift, Gates, OnFailure, Pipeline, Publish, Secrets, Stage};
use slipway_kernel::{PipelineId, Revision, StoreError};

use super::{
    deployments::given::World,
    given::{at, begin, commit, name, size, uuid, walk},
};
use crate::Store;

fn id(n: u128) -> PipelineId {
    PipelineId::from_uuid(uuid(n))
}

/// All fields come back, of every gate, and the stages in their order.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let world = World::new(store, 1, 21).await;
    let mut full = world.pipeline(id(1), "full");
    full.archived_at = Some(at(9));
    assert_eq!(full.stages.len(), slipway_deployments::MAX_STAGES);
    for (n, stage) in full.stages.iter_mut().enumerate() {
        stage.gates = Gates {
            approval_required: n % 2 == 0,
            source_unchanged: n % 3 == 0,
            drift: Drift::ALL[n % 2],
            on_failure: OnFailure::ALL[n / 2 % 2],
            publish: Publish::ALL[n % 3],
            secrets: Secrets::ALL[n / 3 % 2],
        };
    }
    // Not in the order of anything about them.
    full.stages.swap(2, 17);
    let short = Pipeline {
        stages: vec![full.stages[3].clone()],
        ..world.pipeline(id(2), "short")
    };
    for pipeline in [full, short] {
        let mut work = begin(store).await;
        let added = work.pipelines().insert(&pipeline).await;
        assert!(added.expect("inserted"));
        let inside = work.pipelines().find(world.project, &pipeline.slug).await;
        assert_eq!(inside.expect("read").as_ref(), Some(&pipeline));
        commit(work).await;
        let reader = store.reader();
        let outside = reader.pipeline(world.project, &pipeline.slug).await;
        assert_eq!(outside.expect("read"), Some(pipeline));
    }
    let absent = store.reader().pipeline(world.project, &name("none")).await;
    assert_eq!(absent.expect("read"), None);
}

/// The same slug in another project is another pipeline; what is refused changes nothing.
pub async fn a_slug_is_taken_once_per_project(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 3).await, World::new(store, 2, 3).await);
    let mut work = begin(store).await;
    for (world, n, expected) in [(&one, 1, true), (&one, 2, false), (&other, 3, true)] {
        let mut pipeline = world.pipeline(id(n), "release");
        pipeline.stages.truncate(usize::try_from(n).expect("small"));
        let added = work.pipelines().insert(&pipeline).await;
        assert_eq!(added.expect("an answer"), expected);
    }
    commit(work).await;
    let found = store.reader().pipeline(one.project, &name("release")).await;
    let found = found.expect("read").expect("found");
    assert_eq!((found.id, found.stages.len()), (id(1), 1));
}

/// A stage between environments of other projects is refused.
pub async fn environments_of_other_projects_are_refused(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    for (source, target) in [
        (one.environments[0], other.environments[0]),
        (other.environments[0], one.environments[0]),
    ] {
        let pipeline = Pipeline {
            stages: vec![Stage {
                source,
                target,
                gates: Gates::default(),
            }],
            ..one.pipeline(id(1), "astray")
        };
        let mut work = begin(store).await;
        let added = work.pipelines().insert(&pipeline).await;
        assert!(matches!(added, Err(StoreError::Fault(_))), "{added:?}");
        drop(work);
    }
    let found = store.reader().pipeline(one.project, &name("astray")).await;
    assert_eq!(found.expect("read"), None);
}

/// Whoever looks one up to change it waits for others who do, and then changes what they left, stages included.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    let world = &World::new(store, 1, 10).await;
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.pipelines().find(world.project, &name("main")).await;
        let mut changed = found.expect("read").expect("found");
        changed.stages.pop();
        changed.revision = changed.revision.next();
        work.pipelines().update(&changed).await.expect("updated");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let found = store.reader().pipeline(world.project, &name("main")).await;
    let found = found.expect("read").expect("found");
    assert_eq!((found.revision, found.stages.len()), (Revision(9), 1));
}

/// An update replaces the stages, and names the revision after the stored one, or is a conflict.
pub async fn a_stale_update_is_a_conflict(store: &dyn Store) {
    let world = World::new(store, 1, 4).await;
    let first = world.pipeline(world.pipeline, "main");
    let mut changed = Pipeline {
        display_name: name("Main"),
        description: name(""),
        archived_at: Some(at(8)),
        revision: Revision(2),
        ..first.clone()
    };
    changed.stages.reverse();
    changed.stages[0].gates.drift = Drift::Refuse;
    let mut work = begin(store).await;
    work.pipelines().update(&changed).await.expect("updated");
    let found = work.pipelines().find(world.project, &first.slug).await;
    assert_eq!(found.expect("read").as_ref(), Some(&changed));
    let again = work.pipelines().update(&changed).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// By slug, each once, with all of its stages.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    let world = &World::new(store, 1, 5).await;
    let other = World::new(store, 2, 2).await;
    let mut work = begin(store).await;
    for (n, slug) in (1..).zip(["hotfix", "a", "old", "a-b", "ab"]) {
        let pipeline = Pipeline {
            archived_at: (slug == "old").then(|| at(9)),
            ..world.pipeline(id(n), slug)
        };
        let added = work.pipelines().insert(&pipeline).await;
        assert!(added.expect("inserted"));
    }
    let elsewhere = other.pipeline(id(9), "elsewhere");
    assert!(work.pipelines().insert(&elsewhere).await.expect("inserted"));
    commit(work).await;
    for (include_archived, expected) in [
        (true, vec!["a", "a-b", "ab", "hotfix", "main", "old"]),
        (false, vec!["a", "a-b", "ab", "hotfix", "main"]),
    ] {
        for page_size in [1, 2, 6] {
            let all = walk(|after| async move {
                let reader = store.reader();
                let size = size(page_size);
                reader
                    .pipelines(world.project, include_archived, after.as_ref(), size)
                    .await
            })
            .await;
            let found: Vec<_> = all.iter().map(|found| found.slug.as_str()).collect();
            assert_eq!(found, expected, "in pages of {page_size}");
            assert!(all.iter().all(|found| found.stages.len() == 4));
        }
    }
}

/// Pipelines that are not archived guard the environments that a stage with approval leads to.
pub async fn stages_in_use_guard_environments(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let guarded = |n, slug: &str, stage: usize| {
        let mut pipeline = world.pipeline(id(n), slug);
        pipeline.stages[stage].gates.approval_required = true;
        pipeline
    };
    let mut old = guarded(3, "old", 1);
    old.archived_at = Some(at(9));
    let mut work = begin(store).await;
    for pipeline in [guarded(1, "a", 0), guarded(2, "b", 0), old] {
        let added = work.pipelines().insert(&pipeline).await;
        assert!(added.expect("inserted"));
    }
    for (environment, expected) in [(0, vec![]), (1, vec![id(1), id(2)]), (2, vec![])] {
        let environment = world.environments[environment];
        let found = work.pipelines().guarding(environment).await;
        assert_eq!(found.expect("read"), expected);
    }
}
