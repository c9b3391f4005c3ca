//! An installation on a temporary `SQLite`, or another database, and what its tests have in common.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

pub mod deployments;
pub mod failing_git;
pub mod outside;
pub mod promotion;
pub mod stages;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use slipway_application::{
    Call, Context,
    authentication::authenticate,
    bootstrap::bootstrap,
    environments::{CreateEnvironment, create_environment},
    memberships::{SetMembership, set_membership},
    principals::{CreatePrincipal, NewPrincipal, create_principal},
    projects::{ArchiveProject, CreateProject, archive_project, create_project},
    tokens::{CreateToken, create_token},
};
use slipway_audit::{ChainId, Event, EventFilter};
use slipway_identity::{Caller, Principal, Role, SecretSource, TokenSecret};
use slipway_kernel::{
    Clock, IdGenerator, Key, PageSize, PrincipalId, Slug, Tier, Timestamp,
    text::{Description, DisplayName},
};
use slipway_sql::{Options, SqlStore, migrate};
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).expect("within the years 1 to 9999")
    }
}

impl TestClock {
    /// Moves it.
    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

/// Identifiers and secrets that count up.
#[derive(Default)]
struct Counter(AtomicU64);

impl IdGenerator for Counter {
    fn uuid(&self) -> Uuid {
        let next = self.0.fetch_add(1, Ordering::SeqCst);
        uuid::Builder::from_unix_timestamp_millis(1_767_225_600_000 + next, &[7; 10]).into_uuid()
    }
}

impl SecretSource for Counter {
    fn secret(&self) -> [u8; 20] {
        let mut secret = [0; 20];
        secret[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        secret
    }
}

/// An installation after its first start.
pub(crate) struct Installation {
    pub(crate) context: Context,
    pub(crate) clock: Arc<TestClock>,
    /// Its first administrator.
    pub(crate) admin: Caller,
    pub(crate) directory: TempDir,
}

/// An installation on an empty database.
pub(crate) async fn empty() -> (Context, Arc<TestClock>, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::sqlite_file(&directory.path().join("state.db"));
    let (context, clock) = context_on(&options, directory.path()).await;
    (context, clock, directory)
}

async fn context_on(options: &Options, directory: &Path) -> (Context, Arc<TestClock>) {
    migrate(options).await.expect("migrated");
    let store = SqlStore::connect(options).await.expect("connected");
    let clock = Arc::new(TestClock(AtomicI64::new(START)));
    let context = Context::new(
        Arc::new(store),
        Arc::new(slipway_files::Directory::new(directory.join("objects"))),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::new(Counter::default()),
        Arc::new(Counter::default()),
    );
    (context, clock)
}

pub(crate) async fn installation() -> Installation {
    let (context, clock, directory) = empty().await;
    after_first_start(context, clock, directory).await
}

/// An installation on this database, which is empty.
pub(crate) async fn installation_on(options: &Options) -> Installation {
    let directory = tempfile::tempdir().expect("a directory");
    let (context, clock) = context_on(options, directory.path()).await;
    after_first_start(context, clock, directory).await
}

async fn after_first_start(
    context: Context,
    clock: Arc<TestClock>,
    directory: TempDir,
) -> Installation {
    let secret = first_start(&context).await.expect("a first start");
    let admin = caller(&context, &secret).await;
    Installation {
        context,
        clock,
        admin,
        directory,
    }
}

/// The administrator's secret, where this is the first start.
pub(crate) async fn first_start(context: &Context) -> Option<TokenSecret> {
    let mut kept = None;
    let keep = |secret: &TokenSecret| {
        kept = Some(secret.clone());
        Ok(())
    };
    let first = bootstrap(context, keep).await.expect("started");
    assert_eq!(first, kept.is_some());
    kept
}

/// Who bears a token, as the door would say.
pub(crate) async fn caller(context: &Context, secret: &TokenSecret) -> Caller {
    authenticate(context, secret)
        .await
        .expect("a good token")
        .as_ref()
        .clone()
}

/// A call without request id.
pub(crate) fn by(caller: &Caller) -> Call<'_> {
    Call {
        caller,
        correlation_id: "test",
        request_id: None,
    }
}

/// A call with a request id.
pub(crate) fn again<'a>(caller: &'a Caller, request_id: &'a str) -> Call<'a> {
    Call {
        request_id: Some(request_id),
        ..by(caller)
    }
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

pub(crate) fn name(text: &str) -> DisplayName {
    text.parse().expect("a name")
}

impl Installation {
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.pass(seconds);
    }

    pub(crate) async fn user(&self, display_name: &str) -> Principal {
        self.principal(display_name, NewPrincipal::User { email: None }, false)
            .await
    }

    pub(crate) async fn principal(
        &self,
        display_name: &str,
        kind: NewPrincipal,
        tenant_admin: bool,
    ) -> Principal {
        let command = CreatePrincipal {
            kind,
            display_name: name(display_name),
            tenant_admin,
        };
        create_principal(&self.context, &by(&self.admin), command)
            .await
            .expect("created")
    }

    /// A new token of a principal, and its bearer as it is now.
    pub(crate) async fn token(&self, principal: PrincipalId) -> (TokenSecret, Caller) {
        let command = CreateToken {
            principal: Some(principal),
            name: name("test"),
            expiry: None,
        };
        let made = create_token(&self.context, &by(&self.admin), command)
            .await
            .expect("created");
        let secret = made.secret.expect("shown once");
        let caller = caller(&self.context, &secret).await;
        (secret, caller)
    }

    /// A new user with these roles in the project `default`.
    pub(crate) async fn member(&self, display_name: &str, roles: &[Role]) -> Caller {
        let user = self.user(display_name).await;
        self.admit(user.id, roles).await;
        self.token(user.id).await.1
    }

    pub(crate) async fn admit(&self, principal: PrincipalId, roles: &[Role]) {
        let command = SetMembership {
            project: slug("default"),
            principal,
            roles: roles
                .iter()
                .copied()
                .collect::<std::collections::BTreeSet<_>>()
                .try_into()
                .expect("roles"),
            groups: slipway_identity::membership::Groups::default(),
        };
        set_membership(&self.context, &by(&self.admin), command)
            .await
            .expect("set");
    }

    pub(crate) async fn project(&self, text: &str) {
        let command = CreateProject {
            slug: slug(text),
            display_name: DisplayName::default(),
            description: Description::default(),
        };
        create_project(&self.context, &by(&self.admin), command)
            .await
            .expect("created");
    }

    pub(crate) async fn archive(&self, text: &str) {
        let project = slug(text);
        archive_project(&self.context, &by(&self.admin), ArchiveProject { project })
            .await
            .expect("archived");
    }

    pub(crate) async fn environment(&self, text: &str) {
        create_environment(&self.context, &by(&self.admin), new_environment(text))
            .await
            .expect("created");
    }

    /// The events of a chain, oldest first.
    pub(crate) async fn events(&self, project: Option<&str>) -> Vec<Event> {
        let chain = match project {
            None => ChainId::INSTALLATION,
            Some(text) => {
                let project = self.context.reader().project(&slug(text)).await;
                project.expect("read").expect("there").id.into()
            }
        };
        let filter = EventFilter::default();
        let page = self
            .context
            .reader()
            .events(chain, &filter, None, PageSize::MAX)
            .await
            .expect("read");
        page.items
            .into_iter()
            .rev()
            .map(|listed| listed.event)
            .collect()
    }
}

/// An environment to add to the project `default`.
pub(crate) fn new_environment(text: &str) -> CreateEnvironment {
    CreateEnvironment {
        project: slug("default"),
        slug: slug(text),
        display_name: DisplayName::default(),
        description: Description::default(),
        tier: Tier::Development,
        position: 0,
        backup_interval: None,
        engine: None,
    }
}
