//! What is kept about workflow engines.

use futures_util::future::join_all;
use slipway_kernel::EnvironmentId;
use slipway_workflows::{CredentialTarget, EngineSettings, Link, WorkflowId};

use super::{
    deployments::given::World,
    given::{begin, commit, name},
};
use crate::{Store, StoreError};

fn link(key: &str, workflow: &str) -> Link {
    Link {
        key: name(key),
        workflow: WorkflowId(workflow.to_owned()),
    }
}

fn credential(kind: &str, name: &str, target: &str) -> CredentialTarget {
    CredentialTarget {
        kind: kind.to_owned(),
        name: name.to_owned(),
        target_id: target.to_owned(),
        target_name: format!("The {target}"),
    }
}

/// One engine takes the place of another, in its own environment only.
pub async fn settings_take_each_others_place(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let [environment, other] = world.environments[..] else {
        unreachable!("two environments");
    };
    let kept = EngineSettings::Directory {
        path: "/kept".to_owned(),
    };
    let mut work = begin(store).await;
    work.engines()
        .set_engine(other, Some(&kept))
        .await
        .expect("set");
    let links = [link("orders", "1")];
    work.engines()
        .set_links(environment, &links)
        .await
        .expect("set");
    commit(work).await;
    let n8n = |base_url: &str, api_key: &str| EngineSettings::N8n {
        base_url: base_url.to_owned(),
        api_key: api_key.to_owned(),
    };
    for settings in [
        None,
        Some(EngineSettings::Directory {
            path: "/var/lib/wörkflows".to_owned(),
        }),
        Some(n8n("https://n8n.example", "env:N8N_KEY")),
        Some(n8n("https://n8n.example/base", "file:/run/secrets/key")),
        Some(kept.clone()),
        None,
        None,
    ] {
        let mut work = begin(store).await;
        let set = work
            .engines()
            .set_engine(environment, settings.as_ref())
            .await;
        set.expect("set");
        let inside = work.engines().engine(environment).await.expect("read");
        assert_eq!(inside, settings);
        let inside = work.engines().links(environment).await.expect("read");
        assert_eq!(inside, links);
        commit(work).await;
        let reader = store.reader();
        let mut all = reader.engines(&world.environments).await.expect("read");
        assert_eq!(all.remove(&environment), settings);
        assert_eq!(all.remove(&other), Some(kept.clone()));
        assert!(all.is_empty(), "{all:?}");
        assert_eq!(reader.engine(environment).await.expect("read"), settings);
        assert_eq!(
            reader.engine(other).await.expect("read"),
            Some(kept.clone())
        );
        assert_eq!(
            reader.workflow_links(environment).await.expect("read"),
            links
        );
    }
}

/// What is no reference to a secret is refused: it may be the secret.
pub async fn a_secret_is_not_kept(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let settings = EngineSettings::N8n {
        base_url: "https://n8n.example".to_owned(),
        api_key: "eyJhbGciOi".to_owned(),
    };
    let mut work = begin(store).await;
    let set = work
        .engines()
        .set_engine(world.environments[0], Some(&settings))
        .await;
    assert!(matches!(set, Err(StoreError::Fault(_))), "{set:?}");
}

async fn set_links(store: &dyn Store, environment: EnvironmentId, links: &[Link]) -> Vec<Link> {
    let mut work = begin(store).await;
    work.engines()
        .set_links(environment, links)
        .await
        .expect("set");
    commit(work).await;
    store
        .reader()
        .workflow_links(environment)
        .await
        .expect("read")
}

/// A key stands for what it was set to last, and a workflow has one key; by key, bytewise.
pub async fn links_take_each_others_place(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let [environment, other] = world.environments[..] else {
        unreachable!("two environments");
    };
    let elsewhere = [link("orders", "1"), link("returns", "2")];
    assert_eq!(set_links(store, other, &elsewhere).await, elsewhere);
    let first = [link("a", "1"), link("b", "2"), link("A-c", "3")];
    let sorted = [link("A-c", "3"), link("a", "1"), link("b", "2")];
    for (set, expected) in [
        (&first[..], &sorted[..]),
        (&[], &sorted),
        (&first, &sorted),
        // Two that change places.
        (
            &[link("a", "2"), link("b", "1")],
            &[link("A-c", "3"), link("a", "2"), link("b", "1")],
        ),
        // A new key takes a workflow away from its old one.
        (
            &[link("new", "3")],
            &[link("a", "2"), link("b", "1"), link("new", "3")],
        ),
        // A key takes another's workflow, and leaves its own.
        (&[link("a", "1")], &[link("a", "1"), link("new", "3")]),
        // Of what contradicts itself the last counts.
        (
            &[
                link("a", "4"),
                link("a", "5"),
                link("x", "6"),
                link("y", "6"),
            ],
            &[link("a", "5"), link("new", "3"), link("y", "6")],
        ),
    ] {
        assert_eq!(
            set_links(store, environment, set).await,
            expected,
            "{set:?}"
        );
    }
    let mut work = begin(store).await;
    for key in ["a", "absent", "y"] {
        let removed = work.engines().remove_link(environment, &name(key)).await;
        removed.expect("removed");
    }
    commit(work).await;
    let reader = store.reader();
    let left = reader.workflow_links(environment).await.expect("read");
    assert_eq!(left, [link("new", "3")]);
    assert_eq!(reader.workflow_links(other).await.expect("read"), elsewhere);
}

/// More than fit into one statement, all of which change their places.
pub async fn many_links_are_set_at_once(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let environment = world.environments[0];
    let shifted = |by: usize| -> Vec<Link> {
        (0..2_500)
            .map(|n| link(&format!("k-{n:04}"), &format!("{}", (n + by) % 2_500)))
            .collect()
    };
    for by in [0, 1] {
        let links = shifted(by);
        assert_eq!(set_links(store, environment, &links).await, links);
    }
}

/// At the same time one comes after the other, or is a conflict: a key has one workflow, and a workflow one key.
pub async fn links_at_once_stay_unique(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let environment = world.environments[0];
    let set = |n: usize| async move {
        let links = [
            link(&format!("k-{}", n % 3), &format!("w-{}", n % 2)),
            link("same", &format!("own-{n}")),
        ];
        let mut work = begin(store).await;
        match work.engines().set_links(environment, &links).await {
            Ok(()) => commit(work).await,
            Err(StoreError::Conflict(_)) => return 0,
            Err(other) => unreachable!("{other}"),
        }
        1
    };
    let done: usize = join_all((0..12).map(set)).await.into_iter().sum();
    assert!(done > 0, "all were conflicts");
    let links = store
        .reader()
        .workflow_links(environment)
        .await
        .expect("read");
    let mut workflows: Vec<_> = links.iter().map(|link| link.workflow.clone()).collect();
    workflows.sort_unstable();
    workflows.dedup();
    assert_eq!(workflows.len(), links.len(), "{links:?}");
    let same = links.iter().filter(|link| link.key == name("same"));
    assert_eq!(same.count(), 1);
}

/// All of an environment's at once, by type and name, bytewise; those that were there before are gone.
pub async fn credentials_take_each_others_place(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let [environment, other] = world.environments[..] else {
        unreachable!("two environments");
    };
    let kept = [credential("smtp", "Mail", "9")];
    let mut work = begin(store).await;
    work.engines()
        .set_credentials(other, &kept)
        .await
        .expect("set");
    commit(work).await;
    let many: Vec<_> = (0..450)
        .map(|n| credential("httpBasicAuth", &format!("n {n:03}"), &n.to_string()))
        .collect();
    let some = vec![
        credential("httpBasicAuth", "Zoë", "1"),
        credential("httpBasicAuth", "ann's", "2"),
        credential("smtp", "Zoë", "1"),
    ];
    for set in [some, Vec::new(), many, kept.to_vec()] {
        let mut work = begin(store).await;
        let done = work.engines().set_credentials(environment, &set).await;
        done.expect("set");
        commit(work).await;
        let reader = store.reader();
        assert_eq!(reader.credentials(environment).await.expect("read"), set);
        assert_eq!(reader.credentials(other).await.expect("read"), kept);
    }
}

/// Of several sets at the same time one is there in the end, and nothing of another.
pub async fn credentials_at_once_are_one_set(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let environment = world.environments[0];
    let set = |n: usize| async move {
        let own: Vec<_> = (0..3)
            .map(|m| credential("smtp", &format!("{n}-{m}"), &n.to_string()))
            .collect();
        let mut work = begin(store).await;
        let done = work.engines().set_credentials(environment, &own).await;
        done.expect("set");
        commit(work).await;
    };
    join_all((0..12).map(set)).await;
    let found = store.reader().credentials(environment).await.expect("read");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|one| one.target_id == found[0].target_id));
}
