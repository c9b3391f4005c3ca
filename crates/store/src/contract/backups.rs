//! Which environment's backup is taken next, and by whom.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use slipway_deployments::State;
use slipway_kernel::{EnvironmentId, Slug, Timestamp};
use slipway_snapshots::{BackupClaim, BackupEnd, Snapshot, SnapshotKind};

use super::{
    deployments::given::{LONG, World, deployment_id},
    given::{at, begin, commit, name},
};
use crate::Store;

const LEASE: Duration = Duration::from_mins(10);

/// Gives an environment an interval, or none.
async fn every(world: &World<'_>, environment: usize, seconds: Option<i64>) {
    let mut work = begin(world.store).await;
    let slug: Slug = name(&format!("e-{environment}"));
    let found = work.environments().find(world.project, &slug).await;
    let mut changed = found.expect("read").expect("found");
    changed.backup_interval = seconds.map(|seconds| seconds.try_into().expect("an interval"));
    changed.revision = changed.revision.next();
    work.environments().update(&changed).await.expect("updated");
    commit(work).await;
}

async fn claim(store: &dyn Store, now: Timestamp) -> Option<BackupClaim> {
    let mut work = begin(store).await;
    let claim = work.snapshots().claim_backup(now, LEASE).await;
    let claim = claim.expect("an answer");
    commit(work).await;
    claim
}

async fn claimed(store: &dyn Store, now: Timestamp) -> Option<EnvironmentId> {
    claim(store, now).await.map(|claim| claim.environment)
}

async fn end(store: &dyn Store, claim: &BackupClaim, end: &BackupEnd, next: Timestamp) -> bool {
    let mut work = begin(store).await;
    let written = work.snapshots().end_backup(claim, end, next).await;
    let written = written.expect("an answer");
    commit(work).await;
    written
}

async fn undisturbed(store: &dyn Store, claim: &BackupClaim) -> bool {
    let mut work = begin(store).await;
    let undisturbed = work.snapshots().undisturbed(claim).await;
    undisturbed.expect("an answer")
}

fn failed(problem: &str) -> BackupEnd {
    BackupEnd::Failed {
        problem: problem.to_owned(),
    }
}

/// After so many seconds.
fn after(seconds: u64) -> Timestamp {
    at(1_000_000).plus(Duration::from_secs(seconds))
}

/// One with an interval is due at once, then when its last backup by the clock is that old; others never are.
pub async fn what_is_due_is_claimed(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    assert_eq!(claim(store, after(0)).await, None, "nobody wants any");
    every(&world, 0, Some(3_600)).await;
    every(&world, 1, Some(60)).await;
    let mut environments = BTreeSet::new();
    for _ in 0..2 {
        let claim = claim(store, after(0)).await.expect("due");
        assert_eq!((claim.epoch, claim.failures), (1, 0));
        let place = world
            .environments
            .iter()
            .position(|it| *it == claim.environment);
        let snapshot = Snapshot {
            kind: SnapshotKind::AutoBackup,
            created_at: after(1),
            created_by: None,
            ..world.snapshot(claim.environment.uuid().as_u128(), place.expect("its own"))
        };
        let mut work = begin(store).await;
        work.snapshots().insert(&snapshot).await.expect("inserted");
        let written = work
            .snapshots()
            .end_backup(&claim, &BackupEnd::Taken, after(61));
        assert!(written.await.expect("an answer"));
        commit(work).await;
        environments.insert(claim.environment);
    }
    assert_eq!(
        environments,
        world.environments[..2].iter().copied().collect()
    );
    assert_eq!(claim(store, after(60)).await, None);
    assert_eq!(claimed(store, after(61)).await, Some(world.environments[1]));
    assert_eq!(
        claim(store, after(3_600)).await.map(|it| it.epoch),
        Some(3),
        "the lease was over"
    );
    assert_eq!(
        claimed(store, after(3_601)).await,
        Some(world.environments[0])
    );
    // A backup that somebody asked for is no backup by the clock.
    let manual = Snapshot {
        created_at: after(9_000),
        ..world.snapshot(77, 0)
    };
    let mut work = begin(store).await;
    work.snapshots().insert(&manual).await.expect("inserted");
    commit(work).await;
    every(&world, 1, None).await;
    assert_eq!(
        claimed(store, after(9_001)).await,
        Some(world.environments[0])
    );
}

/// However many servers ask at once, one takes each.
pub async fn each_is_claimed_once_by_many_at_once(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    for environment in 0..3 {
        every(&world, environment, Some(60)).await;
    }
    let mut taken = Vec::new();
    // Who meets another one at the same environment may go away with nothing, and comes again.
    for _ in 0..3 {
        let round = join_all((0..8).map(|_| claimed(store, after(0)))).await;
        taken.extend(round.into_iter().flatten());
    }
    let different: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), different.len()), (3, 3), "{taken:?}");
}

/// What failed is counted, told, and tried again no sooner than was said; an older claim writes nothing.
pub async fn failures_are_counted_and_told(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    every(&world, 0, Some(60)).await;
    let reader = store.reader();
    let first = claim(store, after(0)).await.expect("due");
    assert!(end(store, &first, &failed("no \0 engine"), after(120)).await);
    assert_eq!(claim(store, after(119)).await, None);
    let told = reader
        .failing_backups(&world.environments)
        .await
        .expect("read");
    let told = &told[&world.environments[0]];
    assert_eq!((told.failures, told.not_before), (1, after(120)));
    assert_eq!(told.problem, "no   engine");

    let second = claim(store, after(120)).await.expect("due again");
    assert_eq!((second.epoch, second.failures), (2, 1));
    assert!(!end(store, &first, &BackupEnd::Taken, after(0)).await);
    assert!(!undisturbed(store, &first).await);
    assert!(undisturbed(store, &second).await);
    assert!(end(store, &second, &BackupEnd::PutOff, after(180)).await);
    let third = claim(store, after(180)).await.expect("due again");
    assert_eq!(third.failures, 1, "what is put off has not succeeded");
    assert!(end(store, &third, &failed("still"), after(180)).await);
    let told = reader
        .failing_backups(&world.environments)
        .await
        .expect("read");
    assert_eq!(told[&world.environments[0]].failures, 2);
    let fourth = claim(store, after(180)).await.expect("due again");
    assert!(end(store, &fourth, &BackupEnd::Taken, after(240)).await);
    let told = reader
        .failing_backups(&world.environments)
        .await
        .expect("read");
    assert_eq!(told.len(), 0);
}

/// While a deployment holds an environment its backup waits, and one that began before is not kept.
pub async fn a_deployment_comes_first(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    every(&world, 0, Some(60)).await;
    world.add(world.promotion(1, 0)).await;
    let before = claim(store, after(0))
        .await
        .expect("one that waits changes nothing");
    assert!(undisturbed(store, &before).await);
    world.take(LONG).await.expect("claimed");
    assert!(
        !undisturbed(store, &before).await,
        "it is being carried out"
    );
    assert!(end(store, &before, &BackupEnd::PutOff, after(1)).await);
    assert_eq!(claim(store, after(2)).await, None);
    world.go(deployment_id(1), State::InDoubt).await;
    assert_eq!(claim(store, after(2)).await, None, "one in doubt holds it");
    world.go(deployment_id(1), State::Failed).await;
    assert!(
        !undisturbed(store, &before).await,
        "it was changed meanwhile"
    );
    let now = claim(store, after(2)).await.expect("free");
    assert!(undisturbed(store, &now).await);
    // Another environment's deployments disturb nobody.
    world.add(world.promotion(2, 1)).await;
    world.take(LONG).await.expect("claimed");
    assert!(undisturbed(store, &now).await);
}

/// Nothing that is archived is backed up.
pub async fn archived_ones_are_never_due(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    every(&world, 0, Some(60)).await;
    every(&world, 1, Some(60)).await;
    let mut work = begin(store).await;
    let slug: Slug = name("e-0");
    let found = work.environments().find(world.project, &slug).await;
    let mut closed = found.expect("read").expect("found");
    closed.archived_at = Some(at(9));
    closed.revision = closed.revision.next();
    work.environments().update(&closed).await.expect("updated");
    commit(work).await;
    let open = claim(store, after(0)).await.expect("due");
    assert_eq!(open.environment, world.environments[1]);
    assert!(end(store, &open, &BackupEnd::PutOff, after(0)).await);

    let mut work = begin(store).await;
    let found = work.projects().get(world.project).await;
    let mut project = found.expect("read").expect("found");
    project.archived_at = Some(at(9));
    project.revision = project.revision.next();
    work.projects().update(&project).await.expect("updated");
    commit(work).await;
    assert_eq!(claim(store, after(1)).await, None);
}
