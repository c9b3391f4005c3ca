//! Approval policies.

use slipway_approvals::{Effective, Policy, PolicyPlace, RequiredCheck, Scope, Terms};
use slipway_kernel::{EnvironmentId, PolicyId, ProjectId, Revision, RiskLevel, StoreError, Tier};

use super::{
    given::{at, begin, commit, environment, name, principal_id, project, shop, size, uuid, walk},
    ledger::world::Dice,
};
use crate::Store;

/// The project 1 with an environment of each tier, and another project with one.
struct World {
    shop: ProjectId,
    other: ProjectId,
    environments: Vec<(EnvironmentId, Tier)>,
}

impl World {
    async fn new(store: &dyn Store) -> Self {
        let shop = shop(store).await;
        let mut work = begin(store).await;
        let other = project(2, "other");
        assert!(work.projects().insert(&other).await.expect("inserted"));
        let mut environments = Vec::new();
        for (n, tier) in (10..).zip(Tier::ALL) {
            let mut new = environment(n, shop, &tier.as_str().to_lowercase(), 0);
            new.tier = tier;
            assert!(work.environments().insert(&new).await.expect("inserted"));
            environments.push((new.id, tier));
        }
        let foreign = environment(20, other.id, "foreign", 0);
        let added = work.environments().insert(&foreign).await;
        assert!(added.expect("inserted"));
        commit(work).await;
        Self {
            shop,
            other: other.id,
            environments,
        }
    }

    fn policy(&self, n: u128, scope: Scope, terms: Terms) -> Policy {
        Policy {
            id: PolicyId::from_uuid(uuid(n)),
            project: self.shop,
            scope,
            terms,
            created_at: at(50),
            updated_at: at(60),
            updated_by: principal_id(1),
            revision: Revision::FIRST,
        }
    }
}

fn strict() -> Terms {
    Terms::built_in(Tier::Production)
}

async fn set(store: &dyn Store, policy: &Policy) {
    let mut work = begin(store).await;
    assert!(work.policies().insert(policy).await.expect("inserted"));
    commit(work).await;
}

/// All of it comes back, whatever it is about.
pub async fn what_is_set_is_found(store: &dyn Store) {
    let world = World::new(store).await;
    let mut terms = strict();
    terms.refuse_reports = true;
    terms.required_checks = vec![RequiredCheck {
        name: name("ci/tests"),
        from_risk: RiskLevel::High,
    }];
    let scopes = [
        Scope::Project,
        Scope::Tier(Tier::Testing),
        Scope::Environment(world.environments[3].0),
    ];
    for (n, scope) in (1..).zip(scopes) {
        let policy = world.policy(n, scope, terms.clone());
        let found = store.reader().policy(world.shop, scope).await;
        assert_eq!(found.expect("read"), None);
        set(store, &policy).await;
        let found = store.reader().policy(world.shop, scope).await;
        assert_eq!(found.expect("read").as_ref(), Some(&policy));
        let mut work = begin(store).await;
        let held = work.policies().find(world.shop, scope).await;
        assert_eq!(held.expect("read").as_ref(), Some(&policy));
        let elsewhere = store.reader().policy(world.other, scope).await;
        assert_eq!(elsewhere.expect("read"), None);
    }
}

/// No two of a project are about the same; and none is about another project's environment.
pub async fn one_policy_is_about_one_thing(store: &dyn Store) {
    let world = World::new(store).await;
    let scopes = [
        Scope::Project,
        Scope::Tier(Tier::Testing),
        Scope::Environment(world.environments[3].0),
    ];
    for (n, scope) in (1..).zip(scopes) {
        set(store, &world.policy(n, scope, strict())).await;
        let mut work = begin(store).await;
        let again = world.policy(n + 10, scope, strict());
        assert!(!work.policies().insert(&again).await.expect("asked"));
    }
    let mut work = begin(store).await;
    let foreign = Scope::Environment(EnvironmentId::from_uuid(uuid(20)));
    let foreign = world.policy(30, foreign, strict());
    assert!(work.policies().insert(&foreign).await.is_err());
}

/// A change names the revision after the stored one, a removal the stored one.
pub async fn a_stale_change_is_a_conflict(store: &dyn Store) {
    let world = World::new(store).await;
    let first = world.policy(1, Scope::Project, strict());
    set(store, &first).await;
    let second = Policy {
        terms: Terms::default(),
        updated_at: at(70),
        revision: Revision(2),
        ..first.clone()
    };
    let mut work = begin(store).await;
    work.policies().update(&second).await.expect("updated");
    let again = work.policies().update(&second).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let stale = work.policies().remove(&first).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    commit(work).await;
    let found = store.reader().policy(world.shop, Scope::Project).await;
    assert_eq!(found.expect("read").as_ref(), Some(&second));
    let mut work = begin(store).await;
    work.policies().remove(&second).await.expect("removed");
    commit(work).await;
    let found = store.reader().policy(world.shop, Scope::Project).await;
    assert_eq!(found.expect("read"), None);
}

/// The project's, the tier's and its own.
pub async fn those_about_an_environment_are_found(store: &dyn Store) {
    let world = World::new(store).await;
    let (production, _) = world.environments[3];
    let scopes = [
        Scope::Project,
        Scope::Tier(Tier::Production),
        Scope::Tier(Tier::Staging),
        Scope::Environment(production),
        Scope::Environment(world.environments[0].0),
    ];
    for (n, scope) in (1..).zip(scopes) {
        set(store, &world.policy(n, scope, strict())).await;
    }
    let mut work = begin(store).await;
    let found = work.policies().about(production).await.expect("read");
    let expected = [scopes[0], scopes[1], scopes[3]].map(|scope| (scope, strict()));
    assert_eq!(found, Some((Tier::Production, expected.to_vec())));
    let foreign = EnvironmentId::from_uuid(uuid(20));
    let none = work.policies().about(foreign).await.expect("read");
    assert_eq!(none, Some((Tier::Staging, Vec::new())));
    let nowhere = EnvironmentId::from_uuid(uuid(99));
    assert_eq!(work.policies().about(nowhere).await.expect("read"), None);
}

/// The cheap answer is that of the policies, with whichever of them.
pub async fn what_governs_is_told_without_reading_it(store: &dyn Store) {
    let world = World::new(store).await;
    let mut dice = Dice(23);
    let mut seen = [0; 3];
    for _ in 0..40 {
        let scopes = [
            Scope::Project,
            Scope::Tier(*dice.pick(&Tier::ALL)),
            Scope::Environment(dice.pick(&world.environments).0),
        ];
        let mut policies = Vec::new();
        let mut work = begin(store).await;
        for (n, scope) in (1..).zip(scopes) {
            if dice.one_in(2) {
                continue;
            }
            let mut terms = Terms::default();
            if dice.one_in(2) {
                terms.rules = strict().rules;
            }
            terms.refuse_reports = dice.one_in(3);
            let policy = world.policy(n, scope, terms.clone());
            assert!(work.policies().insert(&policy).await.expect("inserted"));
            policies.push((scope, terms));
        }
        for (environment, tier) in &world.environments {
            let effective = Effective::new(*environment, *tier, policies.clone());
            let found = work.policies().governed(*environment).await.expect("read");
            assert_eq!(found.governed, effective.governs(), "{effective:?}");
            assert_eq!(found.refuse_reports, effective.refuses_reports());
            seen[usize::from(found.governed) + usize::from(found.refuse_reports)] += 1;
        }
        // All of it is rolled back.
        drop(work);
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
}

/// In the order in which they were first set; of one environment only those about it.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    let world = &World::new(store).await;
    let mut all = Vec::new();
    let scopes = Tier::ALL.map(Scope::Tier).into_iter();
    let scopes = scopes.chain(
        world
            .environments
            .iter()
            .map(|(environment, _)| Scope::Environment(*environment)),
    );
    for (n, scope) in (1..).zip(scopes) {
        let policy = Policy {
            created_at: at(if n % 2 == 0 { 10 } else { 20 }),
            ..world.policy(n, scope, strict())
        };
        set(store, &policy).await;
        all.push(policy);
    }
    all.sort_by_key(|policy| (policy.created_at, policy.id));
    let about = [None, Some(world.environments[3])];
    for about in about {
        let covers = |policy: &&Policy| {
            about.is_none_or(|(environment, tier)| policy.scope.covers(environment, tier))
        };
        let expected: Vec<_> = all.iter().filter(covers).cloned().collect();
        assert_eq!(expected.len(), if about.is_none() { 8 } else { 2 });
        for page_size in [1, 3, 9] {
            let found = walk(|after: Option<PolicyPlace>| async move {
                let about = about.map(|(environment, _)| environment);
                let reader = store.reader();
                reader
                    .policies(world.shop, about, after, size(page_size))
                    .await
            })
            .await;
            assert_eq!(found, expected, "in pages of {page_size}");
        }
    }
}
