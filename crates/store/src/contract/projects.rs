//! Projects.

use futures_util::future::join_all;
use slipway_identity::Project;
use slipway_kernel::{
    ApplicationKind, Requirements, Revision, StoreError,
    requirements::{Operator, Severity, Test, ValidationRule},
};

use super::given::{
    at, begin, commit, membership, name, principal_id, project, project_id, shop, size, user, walk,
};
use crate::Store;

/// All fields come back, by slug and by id, inside and outside.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let shop = Project {
        requirements: requirements(),
        archived_at: Some(at(9)),
        ..project(1, "shop")
    };
    let mut work = begin(store).await;
    assert!(work.projects().insert(&shop).await.expect("inserted"));
    let by_id = work.projects().get(shop.id).await.expect("read");
    assert_eq!(by_id.as_ref(), Some(&shop));
    let absent = work.projects().get(project_id(2)).await.expect("read");
    assert_eq!(absent, None);
    commit(work).await;
    let by_id = store.reader().project_by_id(shop.id).await.expect("read");
    assert_eq!(by_id.as_ref(), Some(&shop));
    let absent = store.reader().project_by_id(project_id(2)).await;
    assert_eq!(absent.expect("read"), None);
    let by_slug = store.reader().project(&shop.slug).await.expect("read");
    assert_eq!(by_slug, Some(shop));
}

/// The second project of a slug is refused without an error.
pub async fn a_slug_is_taken_once(store: &dyn Store) {
    let mut work = begin(store).await;
    let first = project(1, "shop");
    assert!(work.projects().insert(&first).await.expect("inserted"));
    let second = work.projects().insert(&project(2, "shop")).await;
    assert!(!second.expect("refused"));
    commit(work).await;
    let found = store.reader().project(&name("shop")).await;
    assert_eq!(found.expect("read"), Some(first));
}

/// One of each sort of test.
fn requirements() -> Requirements {
    let tests = [
        (Operator::Exists, vec![]),
        (Operator::Equals, vec!["ä \"x\""]),
        (Operator::NotEquals, vec![""]),
        (Operator::Matches, vec!["^[a-z]+\\d$"]),
        (Operator::OneOf, vec!["a", "b"]),
        (Operator::AtLeast, vec!["0.80"]),
    ];
    let rules = tests.into_iter().map(|(operator, values)| ValidationRule {
        name: name(operator.as_str()),
        kinds: vec![ApplicationKind::Prompt, ApplicationKind::AiModel],
        field: name("attribute:a b"),
        test: Test::new(operator, values.into_iter().map(String::from).collect()).expect("a test"),
        message: name("Do it."),
        severity: Severity::Warning,
    });
    let locales = vec![name("en"), name("pt-BR")];
    Requirements {
        locales: locales.try_into().expect("few"),
        rules: rules.collect::<Vec<_>>().try_into().expect("few"),
    }
}

/// Of many that want a slug at once, one gets it.
pub async fn a_slug_is_taken_once_by_many_at_once(store: &dyn Store) {
    let claim = |n: u128| async move {
        let mut work = begin(store).await;
        let added = work.projects().insert(&project(n, "shop")).await;
        let added = added.expect("inserted or refused");
        commit(work).await;
        added
    };
    let added = join_all((1..=8).map(claim)).await;
    assert_eq!(added.into_iter().filter(|added| *added).count(), 1);
}

/// Whoever looks one up to change it waits for others who do, and then changes what they left.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    shop(store).await;
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.projects().find(&name("shop")).await;
        let found = found.expect("read").expect("found");
        let changed = Project {
            revision: found.revision.next(),
            ..found
        };
        work.projects().update(&changed).await.expect("updated");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let mut work = begin(store).await;
    let found = work.projects().find(&name("shop")).await;
    assert_eq!(found.expect("read").expect("found").revision, Revision(9));
}

/// An update names the revision after the stored one, or is a conflict.
pub async fn a_stale_update_is_a_conflict(store: &dyn Store) {
    shop(store).await;
    let changed = Project {
        display_name: name("Other"),
        description: name("Changed"),
        requirements: requirements(),
        archived_at: Some(at(7)),
        revision: Revision(2),
        ..project(1, "shop")
    };
    let mut work = begin(store).await;
    work.projects().update(&changed).await.expect("updated");
    commit(work).await;
    let found = store.reader().project(&changed.slug).await.expect("read");
    assert_eq!(found.as_ref(), Some(&changed));

    let mut work = begin(store).await;
    let again = work.projects().update(&changed).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let ahead = Project {
        revision: Revision(4),
        ..changed
    };
    let ahead = work.projects().update(&ahead).await;
    assert!(matches!(ahead, Err(StoreError::Conflict(_))), "{ahead:?}");
}

/// By slug, each once, whatever the page's size.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    let mut work = begin(store).await;
    let mut slugs: Vec<_> = (0..11).map(|n| format!("p-{n}")).collect();
    for (n, slug) in (1..).zip(&slugs) {
        let archived_at = (slug == "p-3").then(|| at(9));
        let project = Project {
            archived_at,
            ..project(n, slug)
        };
        assert!(work.projects().insert(&project).await.expect("inserted"));
    }
    commit(work).await;
    slugs.sort();
    for page_size in [1, 2, 11, 12] {
        let all = walk(|after| async move {
            let reader = store.reader();
            reader
                .projects(None, true, after.as_ref(), size(page_size))
                .await
        })
        .await;
        let found: Vec<_> = all.into_iter().map(|p| p.slug.to_string()).collect();
        assert_eq!(found, slugs, "in pages of {page_size}");
    }
    let open = store.reader().projects(None, false, None, size(99)).await;
    assert_eq!(open.expect("read").items.len(), 10);
}

/// A principal sees the projects it is a member of.
pub async fn members_see_their_projects_only(store: &dyn Store) {
    let mut work = begin(store).await;
    for n in 1..=3 {
        let project = project(n, &format!("p-{n}"));
        assert!(work.projects().insert(&project).await.expect("inserted"));
    }
    assert!(work.principals().insert(&user(1)).await.expect("inserted"));
    let member = membership(project_id(2), principal_id(1));
    work.memberships().set(&member).await.expect("set");
    commit(work).await;
    let seen = |principal| async move {
        let reader = store.reader();
        let page = reader.projects(Some(principal), true, None, size(9)).await;
        let items = page.expect("read").items;
        items
            .into_iter()
            .map(|project| project.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(principal_id(1)).await, [project_id(2)]);
    assert_eq!(seen(principal_id(2)).await, []);
}
