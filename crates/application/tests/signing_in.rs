//! Who comes with a token of an identity provider again and again costs reads, and disturbs nobody.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use slipway_application::Context;
use slipway_application::authentication::{AuthenticationError, authenticate_issued};
use slipway_application::projects::{
    ArchiveProject, CreateProject, archive_project, create_project,
};
use slipway_audit::ChangeFeed;
use slipway_identity::issuer::{Grants, NotVerified};
use slipway_identity::{Assertion, Caller, Grant, IdentityKey, Issuers, Role};
use slipway_kernel::{
    StoreError, Timestamp,
    text::{Description, DisplayName},
};
use slipway_store::{Reader, Store, UnitOfWork};
use support::{Installation, by, deployments::at, installation, slug};

/// Counts the units of work.
struct Counting {
    store: Arc<dyn Store>,
    begun: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Counting {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.store.begin().await
    }

    fn reader(&self) -> &dyn Reader {
        self.store.reader()
    }

    async fn snapshot(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.snapshot().await
    }

    fn changes(&self) -> &dyn ChangeFeed {
        self.store.changes()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

/// Takes whatever comes: `ada 100 shop later` is ada's token of the second 100, and makes her a viewer of two projects.
struct Trusting {
    verified: Arc<AtomicUsize>,
}

#[async_trait]
impl Issuers for Trusting {
    async fn verify(&self, token: &str, _: Timestamp) -> Result<Assertion, NotVerified> {
        self.verified.fetch_add(1, Ordering::SeqCst);
        let mut words = token.split(' ');
        let subject = words.next().expect("a subject");
        let seconds: i64 = words.next().expect("a time").parse().expect("a number");
        let viewer = Grant {
            roles: BTreeSet::from([Role::Viewer]),
            groups: BTreeSet::new(),
        };
        let projects: BTreeMap<_, _> = words.map(|it| (slug(it), viewer.clone())).collect();
        Ok(Assertion {
            key: IdentityKey {
                issuer: "https://id.example".parse().expect("an issuer"),
                subject: subject.parse().expect("a subject"),
            },
            name: subject.parse().expect("a name"),
            email: None,
            email_unverified: false,
            issued_at: at(seconds),
            expires_at: at(100_000),
            grants: Grants {
                tenant_admin: false,
                projects,
            },
            provision: true,
        })
    }

    fn knows(&self, _: &str) -> bool {
        true
    }
}

struct Watched {
    i: Installation,
    begun: Arc<AtomicUsize>,
    verified: Arc<AtomicUsize>,
}

impl Watched {
    async fn new() -> Self {
        let (begun, verified) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let mut i = installation().await;
        let issuers = Arc::new(Trusting {
            verified: Arc::clone(&verified),
        });
        let mut context: Context = i.context.with_issuers(issuers);
        context.store = Arc::new(Counting {
            store: context.store,
            begun: Arc::clone(&begun),
        });
        i.context = context;
        for name in ["shop", "later"] {
            let command = CreateProject {
                slug: slug(name),
                display_name: DisplayName::default(),
                description: Description::default(),
            };
            let created = create_project(&i.context, &by(&i.admin), command).await;
            created.expect("created");
        }
        Self { i, begun, verified }
    }

    async fn sign_in(&self, token: &str) -> Arc<Caller> {
        let found: Result<_, AuthenticationError> =
            authenticate_issued(&self.i.context, token, "test").await;
        found.expect("a good token")
    }

    /// How many units of work, and how many verifications, there were meanwhile.
    async fn cost(&self, token: &str) -> (usize, usize) {
        let before = [&self.begun, &self.verified].map(|it| it.load(Ordering::SeqCst));
        self.sign_in(token).await;
        let after = [&self.begun, &self.verified].map(|it| it.load(Ordering::SeqCst));
        (after[0] - before[0], after[1] - before[1])
    }
}

#[tokio::test]
async fn a_group_of_an_archived_project_is_settled_too() {
    let w = Watched::new().await;
    let archive = ArchiveProject {
        project: slug("later"),
    };
    let archived = archive_project(&w.i.context, &by(&w.i.admin), archive).await;
    archived.expect("archived");
    assert_eq!(w.sign_in("ada 10 shop later").await.grants.len(), 1);
    // The same in other words, so that it is not remembered.
    assert_eq!(w.cost("ada 10 later shop").await, (0, 1));
    // A project that is open is not.
    w.sign_in("bob 10 shop").await;
    assert_eq!(w.cost("bob 10 shop default").await, (1, 1));
}

#[tokio::test]
async fn a_newer_token_disturbs_nobody() {
    let w = Watched::new().await;
    for token in ["ada 10 shop", "bob 10 shop"] {
        w.sign_in(token).await;
    }
    assert_eq!(w.cost("ada 10 shop").await, (0, 0));
    assert_eq!(w.cost("ada 20 shop").await, (1, 1), "its time is kept");
    assert_eq!(w.cost("ada 10 shop").await, (0, 0));
    assert_eq!(w.cost("ada 30 shop later").await, (1, 1));
    assert_eq!(w.cost("bob 10 shop").await, (0, 0));
    // Her own are looked at again, and the older one says nothing any more.
    assert_eq!(w.cost("ada 10 shop").await, (0, 1));
    assert_eq!(w.sign_in("ada 10 shop").await.grants.len(), 2);
}
