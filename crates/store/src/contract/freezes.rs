//! Freeze windows, and what deployments were let through.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use slipway_approvals::{
    FreezeAction, FreezeFilter, FreezeOverride, FreezePlace, FreezeScope, FreezeWindow,
    freeze::{Days, Recurrence, Schedule, Span, Weekday},
};
use slipway_catalog::Environment;
use slipway_deployments::Deployment;
use slipway_kernel::{FreezeWindowId, ProjectId, Revision, Sha256, StoreError, Tier, Timestamp};

use super::{
    deployments::given::World,
    given::{at, begin, commit, environment, name, principal_id, shop, size, uuid, walk},
};
use crate::{Store, UnitOfWork};

fn id(n: u128) -> FreezeWindowId {
    FreezeWindowId::from_uuid(uuid(n))
}

pub(super) fn window(n: u128, project: ProjectId, slug: &str) -> FreezeWindow {
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

pub(super) async fn add(work: &mut dyn UnitOfWork, window: &FreezeWindow) {
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

/// `prod`, a production environment, and `dev`, with windows for either, for tiers, and some that don't count.
async fn covered(store: &dyn Store) -> (Environment, Environment) {
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
    commit(work).await;
    (prod, dev)
}

fn slugs(windows: &[FreezeWindow]) -> Vec<&str> {
    windows.iter().map(|window| window.slug.as_str()).collect()
}

/// Those for it, for its tier as it is now, and for its project; no others, and none that does not count.
pub async fn windows_cover_an_environment(store: &dyn Store) {
    let (prod, dev) = covered(store).await;
    let mut work = begin(store).await;
    let covering = work.freezes().covering(prod.id).await.expect("read");
    assert_eq!(slugs(&covering), ["all", "for-prod", "production"]);
    let covering = work.freezes().covering(dev.id).await.expect("read");
    assert_eq!(slugs(&covering), ["all", "for-dev"]);
    let staged = Environment {
        tier: Tier::Staging,
        revision: Revision(2),
        ..dev.clone()
    };
    work.environments().update(&staged).await.expect("updated");
    let covering = work.freezes().covering(dev.id).await.expect("read");
    assert_eq!(slugs(&covering), ["all", "for-dev", "staging"]);
}

/// By slug, of one project, by every filter.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    let (prod, dev) = covered(store).await;
    let project = prod.project;
    let of_prod = ["all", "for-prod", "production", "suspended"];
    let of_dev = ["all", "deleted", "for-dev", "suspended"];
    let all = [
        "all",
        "for-dev",
        "for-prod",
        "production",
        "staging",
        "suspended",
    ];
    for (environment, include_deleted, expected) in [
        (Some(prod.id), false, &of_prod[..]),
        (Some(dev.id), true, &of_dev[..]),
        (None, false, &all[..]),
    ] {
        let filter = &FreezeFilter {
            environment,
            include_deleted,
        };
        for page_size in [1, 2, 50] {
            let found = walk(|after: Option<FreezePlace>| async move {
                let reader = store.reader();
                reader
                    .freeze_windows(project, filter, after.as_ref(), size(page_size))
                    .await
            });
            let found = found.await;
            assert_eq!(
                slugs(&found),
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
        digest: deployment.plan_digest,
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
    let anew = FreezeOverride {
        digest: Sha256::of_bytes(b"anew"),
        ..all[0].clone()
    };
    let added = work.freezes().add_override(&anew).await;
    added.expect("another plan");
    drop(work);
    let mut work = begin(store).await;
    let strange = made(&first, &strange, 150);
    let foreign = work.freezes().add_override(&strange);
    assert!(foreign.await.is_err(), "a window of another project");
}
