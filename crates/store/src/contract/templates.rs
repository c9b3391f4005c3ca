//! Templates for releases.

use futures_util::future::join_all;
use slipway_deployments::{Template, TemplateItem};
use slipway_kernel::{Revision, RiskLevel, StoreError, TemplateId};

use super::given::{
    at, begin, commit, name, principal_id, project, project_id, size, user, uuid, walk,
};
use crate::Store;

fn template(n: u128, slug: &str) -> Template {
    let item = |key: &str, version: Option<&str>| TemplateItem {
        application: name(key),
        version: version.map(|text| text.to_owned().try_into().expect("a text")),
        message: "for {{why}} \"ü\"".to_owned().try_into().expect("a text"),
        declared: RiskLevel::High,
        allow_older: version.is_none(),
    };
    let items = vec![item("@acme/chat", Some("{{v}}")), item("old", None)];
    Template {
        id: TemplateId::from_uuid(uuid(n)),
        project: project_id(1),
        slug: name(slug),
        version: Revision::FIRST,
        display_name: name("Chät"),
        description: "All of {{v}}".to_owned().try_into().expect("a text"),
        items: items.try_into().expect("few"),
        created_by: principal_id(1),
        created_at: at(7),
    }
}

fn next(template: &Template) -> Template {
    Template {
        version: template.version.next(),
        display_name: name("Next"),
        created_at: at(8),
        ..template.clone()
    }
}

/// The projects 1 and 2, and the user 1.
async fn projects(store: &dyn Store) {
    let mut work = begin(store).await;
    for (n, slug) in [(1, "shop"), (2, "other")] {
        let project = project(n, slug);
        assert!(work.projects().insert(&project).await.expect("inserted"));
    }
    assert!(work.principals().insert(&user(1)).await.expect("inserted"));
    commit(work).await;
}

async fn add(store: &dyn Store, template: &Template) -> bool {
    let mut work = begin(store).await;
    let added = work.templates().insert(template).await.expect("answered");
    commit(work).await;
    added
}

/// All fields come back, inside and outside, in this project alone.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    projects(store).await;
    let template = template(1, "chat");
    assert!(add(store, &template).await);
    let mut work = begin(store).await;
    let found = work.templates().find(project_id(1), &name("chat")).await;
    assert_eq!(found.expect("read").as_ref(), Some(&template));
    for (project, slug) in [(1, "chats"), (2, "chat")] {
        let slug = name(slug);
        let absent = work.templates().find(project_id(project), &slug);
        assert_eq!(absent.await.expect("read"), None);
    }
    drop(work);
    let reader = store.reader();
    let found = reader.template(project_id(1), &name("chat"), None).await;
    assert_eq!(found.expect("read"), Some(template));
    let absent = reader.template(project_id(2), &name("chat"), None).await;
    assert_eq!(absent.expect("read"), None);
}

/// The last version counts, older ones can be read, and the same one is not added twice.
pub async fn versions_follow_each_other_and_stay(store: &dyn Store) {
    projects(store).await;
    let first = template(1, "chat");
    assert!(add(store, &first).await);
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.templates().find(project_id(1), &name("chat")).await;
        let found = found.expect("read").expect("found");
        let added = work.templates().add_version(&next(&found)).await;
        added.expect("added");
        commit(work).await;
    };
    join_all((0..4).map(change)).await;
    let reader = store.reader();
    let get = |version| async move {
        let found = reader.template(project_id(1), &name("chat"), version).await;
        found.expect("read")
    };
    assert_eq!(get(None).await.expect("found").version, Revision(5));
    assert_eq!(get(Some(Revision(1))).await, Some(first.clone()));
    assert_eq!(get(Some(Revision(2))).await, Some(next(&first)));
    assert_eq!(get(Some(Revision(6))).await, None);
    let mut work = begin(store).await;
    let stale = work.templates().add_version(&next(&first)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
}

/// Of many that want a slug at once one gets it; when it is deleted, it is free, and nothing is left to be found.
pub async fn a_slug_is_taken_once_until_it_is_deleted(store: &dyn Store) {
    projects(store).await;
    let claim = |n| async move { add(store, &template(n, "chat")).await };
    let added = join_all((1..=4).map(claim)).await;
    assert_eq!(added.into_iter().filter(|added| *added).count(), 1);
    let mut work = begin(store).await;
    let found = work.templates().find(project_id(1), &name("chat")).await;
    let id = found.expect("read").expect("found").id;
    work.templates().delete(id, at(9)).await.expect("deleted");
    commit(work).await;
    let reader = store.reader();
    for version in [None, Some(Revision(1))] {
        let gone = reader.template(project_id(1), &name("chat"), version).await;
        assert_eq!(gone.expect("read"), None);
    }
    // Releases made from it say so still.
    let slug = reader.template_slug(id).await.expect("read");
    assert_eq!(slug, Some(name("chat")));
    let absent = reader.template_slug(TemplateId::from_uuid(uuid(99)));
    assert_eq!(absent.await.expect("read"), None);
    let mut work = begin(store).await;
    let again = work.templates().delete(id, at(9)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    drop(work);
    let second = template(9, "chat");
    assert!(add(store, &second).await);
    let found = reader.template(project_id(1), &name("chat"), None).await;
    assert_eq!(found.expect("read"), Some(second));
}

/// By slug, each once in its last version, whatever the page's size, without those that were deleted.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    projects(store).await;
    for n in 0..7_u128 {
        let template = template(n + 1, &format!("t-{}", (n * 3) % 7));
        assert!(add(store, &template).await);
        let mut work = begin(store).await;
        if n == 2 {
            let added = work.templates().add_version(&next(&template)).await;
            added.expect("added");
        }
        if n == 4 {
            let deleted = work.templates().delete(template.id, at(9)).await;
            deleted.expect("deleted");
        }
        commit(work).await;
    }
    for page_size in [1, 3, 6, 7] {
        let all = walk(|after| async move {
            let reader = store.reader();
            reader
                .templates(project_id(1), after.as_ref(), size(page_size))
                .await
        })
        .await;
        let told: Vec<_> = all
            .iter()
            .map(|template| (template.slug.as_str(), template.version.0))
            .collect();
        assert_eq!(
            told,
            [
                ("t-0", 1),
                ("t-1", 1),
                ("t-2", 1),
                ("t-3", 1),
                ("t-4", 1),
                ("t-6", 2)
            ]
        );
    }
}
