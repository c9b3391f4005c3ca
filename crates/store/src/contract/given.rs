//! What cases start from.

use std::{collections::BTreeSet, future::Future};

use slipway_catalog::{Application, Environment, Version};
use slipway_identity::{Membership, Principal, PrincipalKind, Project, Role};
use slipway_kernel::{
    ApplicationId, ApplicationKind, EnvironmentId, Page, PageSize, PrincipalId, ProjectId,
    Requirements, Revision, StoreError, Tier, Timestamp, VersionId,
};
use uuid::Uuid;

use crate::{Store, UnitOfWork};

/// A value from its text.
pub fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

/// A moment, in microseconds since the epoch.
pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("a valid time")
}

/// Identifiers that ascend with `n`.
pub const fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 + n)
}

/// A project's identifier.
pub const fn project_id(n: u128) -> ProjectId {
    ProjectId::from_uuid(uuid(n))
}

/// A principal's identifier.
pub const fn principal_id(n: u128) -> PrincipalId {
    PrincipalId::from_uuid(uuid(n))
}

/// A page of `n` items.
pub fn size(n: i32) -> PageSize {
    PageSize::from_request(n).expect("a valid size")
}

/// A project.
pub fn project(n: u128, slug: &str) -> Project {
    Project {
        id: project_id(n),
        slug: name(slug),
        display_name: name("Ünïcode"),
        description: name("For \"tests\"; all of them."),
        requirements: Requirements::default(),
        created_at: at(1_000_001),
        archived_at: None,
        revision: Revision::FIRST,
    }
}

/// A user without an e-mail address.
pub fn user(n: u128) -> Principal {
    Principal {
        id: principal_id(n),
        kind: PrincipalKind::User,
        display_name: name(&format!("User {n}")),
        email: None,
        tenant_admin: false,
        created_at: at(2_000_002),
        disabled: None,
    }
}

/// A membership as a viewer.
pub fn membership(project: ProjectId, principal: PrincipalId) -> Membership {
    Membership {
        project,
        principal,
        roles: BTreeSet::from([Role::Viewer]),
        groups: BTreeSet::new(),
        created_at: at(3),
        updated_at: at(3),
    }
}

/// An environment.
pub fn environment(n: u128, project: ProjectId, slug: &str, position: i32) -> Environment {
    Environment {
        id: EnvironmentId::from_uuid(uuid(n)),
        project,
        slug: name(slug),
        display_name: name(slug),
        description: name(""),
        tier: Tier::Staging,
        position,
        backup_interval: None,
        created_at: at(4),
        archived_at: None,
        revision: Revision::FIRST,
    }
}

/// A service.
pub fn application(n: u128, project: ProjectId, key: &str) -> Application {
    Application {
        id: ApplicationId::from_uuid(uuid(n)),
        project,
        key: name(key),
        kind: ApplicationKind::Service,
        display_name: name(key),
        description: name(""),
        created_at: at(5),
        archived_at: None,
        revision: Revision::FIRST,
    }
}

/// A version without content, by the principal 1.
pub fn version(n: u128, application: ApplicationId, identifier: &str) -> Version {
    Version {
        id: VersionId::from_uuid(uuid(n)),
        application,
        identifier: name(identifier),
        digest: None,
        content: None,
        dependencies: Vec::new(),
        attributes: slipway_kernel::Attributes::default(),
        notes: name(""),
        author: principal_id(1),
        created_by: principal_id(1),
        created_at: at(6),
        deprecated: None,
    }
}

/// A unit of work.
pub async fn begin(store: &dyn Store) -> Box<dyn UnitOfWork> {
    store.begin().await.expect("a unit of work")
}

/// Ends a unit of work.
pub async fn commit(work: Box<dyn UnitOfWork>) {
    work.commit().await.expect("committed");
}

/// The project 1, `shop`, and the user 1.
pub async fn shop(store: &dyn Store) -> ProjectId {
    let mut work = begin(store).await;
    let shop = project(1, "shop");
    assert!(work.projects().insert(&shop).await.expect("inserted"));
    assert!(work.principals().insert(&user(1)).await.expect("inserted"));
    commit(work).await;
    shop.id
}

/// All items of a list, page by page. It fails where a list does not end.
pub async fn walk<T, C, F>(mut page: impl FnMut(Option<C>) -> F) -> Vec<T>
where
    F: Future<Output = Result<Page<T, C>, StoreError>>,
{
    let mut items = Vec::new();
    let mut after = None;
    for _ in 0..1_000 {
        let page = page(after).await.expect("a page");
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return items,
        }
    }
    unreachable!("the list does not end after 1,000 pages");
}
