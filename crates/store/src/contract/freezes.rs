//! Freeze windows, what deployments were let through, and deployments that wait for the end of a freeze.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use slipway_approvals::{
    FreezeAction, FreezeFilter, FreezeOverride, FreezePlace, FreezeScope, FreezeWindow,
    freeze::{Days, Recurrence, Schedule, Span, Weekday},
};
use slipway_catalog::Environment;
use slipway_deployments::{Deployment, FROZEN, Problem, State};
use slipway_kernel::{FreezeWindowId, ProjectId, Revision, StoreError, Tier, Timestamp};

use super::{
    deployments::given::{LONG, World, deployment_id, found},
    given::{at, begin, commit, environment, name, principal_id, shop, size, uuid, walk},
};
use crate::{Store, UnitOfWork};

fn id(n: u128) -> FreezeWindowId {
    FreezeWindowId::from_uuid(uuid(n))
}

fn window(n: u128, project: ProjectId, slug: &str) -> FreezeWindow {
    FreezeWindow {
        id: id(n),
        project,
        slug: name(slug),
        scope: FreezeScope::Project,
        schedule: Schedule::Once(Span::new(at(100), at(200)).expect("in order")),
        actions: BTreeSet::new(),
        reason: name("because \"so\""),
        suspended: false,
        created_at: at(50),
        deleted_at: None,
        revision: Revision::FIRST,
    }
}

fn weekly(first: Option<&str>, last: Option<&str>) -> Schedule {
    let weekdays = BTreeSet::from([Weekday::Friday, Weekday::Sunday]);
    Schedule::Recurring(Recurrence {
        zone: name("America/St_Johns"),
        weekdays: weekdays.try_into().expect("some"),
        start: name("23:59"),
        length: 10_080.try_into().expect("a length"),
        days: Days::new(first.map(name), last.map(name)).expect("in order"),
    })
}

async fn add(work: &mut dyn UnitOfWork, window: &FreezeWindow) {
    let added = work.freezes().insert(window).await;
    assert!(added.expect("an answer"), "{window:?}");
}

/// All fields come back, of every scope and schedule.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let prod = environment(1, shop, "prod", 0);
    assert!(work.environments().insert(&prod).await.expect("inserted"));
    let scopes = Tier::ALL.into_iter().map(FreezeScope::Tier);
    let scopes = scopes.chain([FreezeScope::Project, FreezeScope::Environment(prod.id)]);
    let schedules = [
        weekly(None, None),
        weekly(Some("2026-12-18"), None),
        weekly(None, Some("9999-12-31")),
        weekly(Some("2028-02-29"), Some("2028-02-29")),
        Schedule::Once(Span::new(Timestamp::MIN, Timestamp::MAX).expect("in order")),
        Schedule::Once(Span::new(at(-1), at(0)).expect("in order")),
    ];
    for ((n, scope), schedule) in (1..).zip(scopes).zip(schedules) {
        let window = FreezeWindow {
            scope,
            schedule,
            actions: FreezeAction::ALL.into_iter().take(n - 1).collect(),
            suspended: n % 2 == 0,
            ..window(n as u128, shop, &format!("w-{n}"))
        };
        add(&mut *work, &window).await;
        let inside = work.freezes().find(shop, &window.slug).await;
        assert_eq!(inside.expect("read").as_ref(), Some(&window));
        let by_id = work.freezes().get(window.id).await;
        assert_eq!(by_id.expect("read").as_ref(), Some(&window));
    }
    commit(work).await;
    let outside = store.reader().freeze_window(shop, &name("w-2")).await;
    assert_eq!(outside.expect("read").map(|window| window.id), Some(id(2)));
    let absent = store.reader().freeze_window(shop, &name("prod")).await;
    assert_eq!(absent.expect("read"), None);
    let mut work = begin(store).await;
    assert_eq!(work.freezes().count(shop).await.expect("counted"), 6);
}

/// A slug is free again when its window is deleted; what is deleted is found by its id alone.
pub async fn a_slug_is_taken_until_its_window_is_deleted(store: &dyn Store) {
    let shop = shop(store).await;
    let first = window(1, shop, "xmas");
    let mut work = begin(store).await;
    add(&mut *work, &first).await;
    let again = work.freezes().insert(&window(2, shop, "xmas")).await;
    assert!(!again.expect("an answer"));
    let deleted = FreezeWindow {
        deleted_at: Some(at(60)),
        revision: Revision(2),
        ..first
    };
    work.freezes().update(&deleted).await.expect("deleted");
    assert_eq!(work.freezes().count(shop).await.expect("counted"), 0);
    let gone = work.freezes().find(shop, &deleted.slug).await;
    assert_eq!(gone.expect("read"), None);
    let second = window(2, shop, "xmas");
    add(&mut *work, &second).await;
    let named = work.freezes().find(shop, &second.slug).await;
    assert_eq!(named.expect("read").as_ref(), Some(&second));
    let kept = work.freezes().get(deleted.id).await;
    assert_eq!(kept.expect("read"), Some(deleted));
    commit(work).await;
    let outside = store.reader().freeze_window(shop, &second.slug).await;
    assert_eq!(outside.expect("read"), Some(second));
}

/// Whoever looks one up to change it waits for others who do; who comes with an old one is refused.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    add(&mut *work, &window(1, shop, "w")).await;
    commit(work).await;
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.freezes().find(shop, &name("w")).await;
        let found = found.expect("read").expect("found");
        let changed = FreezeWindow {
            revision: found.revision.next(),
            ..found
        };
        work.freezes().update(&changed).await.expect("updated");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let mut work = begin(store).await;
    let found = work.freezes().find(shop, &name("w")).await;
    let found = found.expect("read").expect("found");
    assert_eq!(found.revision, Revision(9));
    let changed = FreezeWindow {
        scope: FreezeScope::Tier(Tier::Production),
        schedule: weekly(None, Some("2027-01-01")),
        actions: BTreeSet::from([FreezeAction::Restore]),
        reason: name("other"),
        suspended: true,
        revision: Revision(10),
        ..found
    };
    work.freezes().update(&changed).await.expect("updated");
    let read = work.freezes().find(shop, &name("w")).await;
    assert_eq!(read.expect("read").as_ref(), Some(&changed));
    let again = work.freezes().update(&changed).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// Those for it, for its tier as it is now, and for its project; no others, and none that does not count.
pub async fn windows_cover_an_environment(store: &dyn Store) {
    let shop = shop(store).await;
    let world = World::new(store, 2, 2).await;
    let mut work = begin(store).await;
    let prod = Environment {
        tier: Tier::Production,
        ..environment(1, shop, "prod", 0)
    };
    let dev = Environment {
        tier: Tier::Development,
        ..environment(2, shop, "dev", 0)
    };
    for environment in [&prod, &dev] {
        let added = work.environments().insert(environment).await;
        assert!(added.expect("inserted"));
    }
    for (n, slug, scope) in [
        (1, "all", FreezeScope::Project),
        (2, "for-prod", FreezeScope::Environment(prod.id)),
        (3, "for-dev", FreezeScope::Environment(dev.id)),
        (4, "production", FreezeScope::Tier(Tier::Production)),
        (5, "staging", FreezeScope::Tier(Tier::Staging)),
    ] {
        let window = FreezeWindow {
            scope,
            ..window(n, shop, slug)
        };
        add(&mut *work, &window).await;
    }
    let suspended = FreezeWindow {
        suspended: true,
        ..window(6, shop, "suspended")
    };
    let deleted = FreezeWindow {
        deleted_at: Some(at(60)),
        ..window(7, shop, "deleted")
    };
    for window in [&suspended, &deleted, &window(8, world.project, "elsewhere")] {
        add(&mut *work, window).await;
    }
    let slugs = |windows: Vec<FreezeWindow>| -> Vec<String> {
        windows
            .iter()
            .map(|window| window.slug.to_string())
            .collect()
    };
    let covering = work.freezes().covering(prod.id).await.expect("read");
    assert_eq!(slugs(covering), ["all", "for-prod", "production"]);
    let covering = work.freezes().covering(dev.id).await.expect("read");
    assert_eq!(slugs(covering), ["all", "for-dev"]);
    let staged = Environment {
        tier: Tier::Staging,
        revision: Revision(2),
        ..dev.clone()
    };
    work.environments().update(&staged).await.expect("updated");
    let covering = work.freezes().covering(dev.id).await.expect("read");
    assert_eq!(slugs(covering), ["all", "for-dev", "staging"]);
    commit(work).await;

    for (environment, include_deleted, expected) in [
        (
            Some(prod.id),
            false,
            vec!["all", "for-prod", "production", "suspended"],
        ),
        (
            Some(dev.id),
            true,
            vec!["all", "deleted", "for-dev", "staging", "suspended"],
        ),
        (
            None,
            false,
            vec![
                "all",
                "for-dev",
                "for-prod",
                "production",
                "staging",
                "suspended",
            ],
        ),
    ] {
        let filter = &FreezeFilter {
            environment,
            include_deleted,
        };
        for page_size in [1, 2, 50] {
            let all = walk(|after: Option<FreezePlace>| async move {
                let reader = store.reader();
                reader
                    .freeze_windows(shop, filter, after.as_ref(), size(page_size))
                    .await
            });
            assert_eq!(
                slugs(all.await),
                expected,
                "{filter:?} in pages of {page_size}"
            );
        }
    }
}

/// A deployment is let through a window once, and that names the window also when it is deleted.
pub async fn an_override_is_kept(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let other = World::new(store, 2, 2).await;
    let first = world.add(world.promotion(11, 0)).await;
    let second = world.add(world.promotion(12, 1)).await;
    let mut work = begin(store).await;
    let mut windows = Vec::new();
    for (n, slug) in [(21, "b"), (22, "a"), (23, "c")] {
        let window = window(n, world.project, slug);
        add(&mut *work, &window).await;
        windows.push(window);
    }
    let strange = window(24, other.project, "a");
    add(&mut *work, &strange).await;
    let made = |deployment: &Deployment, window: &FreezeWindow, micros| FreezeOverride {
        deployment: deployment.id,
        window: window.id,
        slug: window.slug.clone(),
        project: world.project,
        by: principal_id(1),
        at: at(micros),
        reason: name("it \"burns\""),
    };
    let all = [
        made(&first, &windows[2], 150),
        made(&first, &windows[1], 160),
        made(&first, &windows[0], 160),
        made(&second, &windows[0], 140),
    ];
    for made in &all {
        work.freezes().add_override(made).await.expect("added");
    }
    let deleted = FreezeWindow {
        deleted_at: Some(at(170)),
        revision: Revision(2),
        ..windows[0].clone()
    };
    work.freezes().update(&deleted).await.expect("deleted");
    let of_first = work.freezes().overrides(first.id).await;
    assert_eq!(of_first.expect("read"), all[..3]);
    commit(work).await;
    let ids = [second.id, first.id, first.id];
    let read = store.reader().freeze_overrides(&ids);
    assert_eq!(read.await.expect("read"), all);
    let none = store.reader().freeze_overrides(&[]).await;
    assert_eq!(none.expect("read"), []);

    let mut work = begin(store).await;
    let again = work.freezes().add_override(&all[0]).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    drop(work);
    let mut work = begin(store).await;
    let strange = made(&first, &strange, 150);
    let foreign = work.freezes().add_override(&strange);
    assert!(foreign.await.is_err(), "a window of another project");
}

fn frozen(deployment: &Deployment, until: Timestamp) -> Deployment {
    Deployment {
        problem: Some(Problem {
            reason: FROZEN.to_owned(),
            message: "wait".to_owned(),
        }),
        not_before: Some(until),
        ..deployment.clone()
    }
}

/// What is not to begin yet is not claimed, and no other waits for it; its claims don't count.
pub async fn what_is_put_off_is_claimed_later(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let first = world.add(world.promotion(1, 0)).await;
    world.add(world.promotion(2, 0)).await;
    let far = Timestamp::MAX;
    let mut work = begin(store).await;
    let claim = work.deployments().claim("executor", LONG).await;
    let claim = claim.expect("an answer").expect("a claim");
    assert_eq!((claim.deployment, claim.claims), (first.id, 1));
    let put_off = work.deployments().put_off(&claim, far, Duration::ZERO);
    assert!(put_off.await.expect("an answer"));
    let waits = found(&mut *work, first.id).await;
    assert_eq!(waits.not_before, Some(far));
    commit(work).await;
    // The second one goes ahead.
    let taken = world.take(LONG).await.expect("a claim");
    assert_eq!(taken.deployment, deployment_id(2));
    world.go(taken.deployment, State::Succeeded).await;
    assert_eq!(world.take(LONG).await, None);
    // An old claim puts nothing off.
    let mut work = begin(store).await;
    let old = slipway_deployments::Claim { epoch: 0, ..claim };
    let put_off = work.deployments().put_off(&old, at(0), Duration::ZERO);
    assert!(!put_off.await.expect("an answer"));
    drop(work);

    // A moment that has passed waits for the pause.
    let mut work = begin(store).await;
    let soon = Deployment {
        not_before: Some(at(0)),
        ..waits
    };
    let saved = work.deployments().update(&soon, State::Queued).await;
    saved.expect("saved");
    let claim = work.deployments().claim("executor", LONG).await;
    let claim = claim.expect("an answer").expect("a claim");
    assert_eq!((claim.epoch, claim.claims), (2, 1), "it counts from there");
    let pause = Duration::from_millis(300);
    let put_off = work.deployments().put_off(&claim, at(0), pause).await;
    assert!(put_off.expect("an answer"));
    commit(work).await;
    assert_eq!(world.take(LONG).await, None);
    std::thread::sleep(pause + Duration::from_millis(20));
    let claim = world.take(LONG).await.expect("a claim");
    assert_eq!((claim.epoch, claim.claims), (3, 1));
}

/// What waits for a freeze is let go, and nothing else.
pub async fn a_thaw_lets_go_of_what_is_frozen(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let other = World::new(store, 2, 2).await;
    let far = Timestamp::MAX;
    let scheduled = Deployment {
        not_before: Some(far),
        ..world.promotion(1, 0)
    };
    let waits = frozen(&world.promotion(2, 1), far);
    let elsewhere = frozen(&other.promotion(3, 0), far);
    let over = Deployment {
        state: State::PendingApproval,
        ..frozen(&world.promotion(4, 2), far)
    };
    for (world, deployment) in [
        (&world, &scheduled),
        (&world, &waits),
        (&other, &elsewhere),
        (&world, &over),
    ] {
        world.add(deployment.clone()).await;
    }
    assert_eq!(world.take(LONG).await, None);
    let mut work = begin(store).await;
    work.deployments()
        .thaw(world.project)
        .await
        .expect("thawed");
    for (deployment, kept) in [
        (&scheduled, true),
        (&waits, false),
        (&elsewhere, true),
        (&over, true),
    ] {
        let found = found(&mut *work, deployment.id).await;
        let expected = if kept {
            (deployment.not_before, deployment.problem.clone())
        } else {
            (None, None)
        };
        assert_eq!((found.not_before, found.problem), expected);
    }
    commit(work).await;
    let claim = world.take(LONG).await.expect("a claim");
    assert_eq!(claim.deployment, waits.id);
    assert_eq!(world.take(LONG).await, None);
}

/// An executor that is about to let a deployment wait for a window, and somebody who removes the window: none is left
/// waiting for what is gone.
pub async fn no_thaw_is_missed(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    for round in 0..20 {
        let mut work = begin(store).await;
        let before = found(&mut *work, deployment_id(1)).await;
        let fresh = Deployment {
            problem: None,
            not_before: None,
            ..before
        };
        let saved = work.deployments().update(&fresh, State::Queued).await;
        saved.expect("saved");
        let window = window(100 + round, world.project, &format!("w-{round}"));
        add(&mut *work, &window).await;
        commit(work).await;
        let target = fresh.target;
        let executor = async {
            let mut work = begin(store).await;
            let claim = work.deployments().claim("executor", LONG).await;
            let Some(claim) = claim.expect("an answer") else {
                return;
            };
            let deployment = found(&mut *work, claim.deployment).await;
            let covering = work.freezes().covering(target).await.expect("read");
            if !covering.is_empty() {
                // Time for the other one.
                store.ping().await.expect("an answer");
                let waits = frozen(&deployment, Timestamp::MAX);
                let saved = work.deployments().update(&waits, State::Queued).await;
                saved.expect("saved");
            }
            let until = if covering.is_empty() {
                at(0)
            } else {
                Timestamp::MAX
            };
            let put_off = work.deployments().put_off(&claim, until, Duration::ZERO);
            assert!(put_off.await.expect("an answer"));
            commit(work).await;
        };
        let remover = async {
            let mut work = begin(store).await;
            let deleted = FreezeWindow {
                deleted_at: Some(at(60)),
                revision: Revision(2),
                ..window.clone()
            };
            work.freezes().update(&deleted).await.expect("deleted");
            store.ping().await.expect("an answer");
            work.deployments()
                .thaw(world.project)
                .await
                .expect("thawed");
            commit(work).await;
        };
        futures_util::future::join(executor, remover).await;
        let mut work = begin(store).await;
        let after = found(&mut *work, deployment_id(1)).await;
        assert_ne!(
            after.not_before,
            Some(Timestamp::MAX),
            "it waits for a window that is gone, in round {round}"
        );
        drop(work);
    }
}
