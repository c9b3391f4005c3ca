//! An installation whose trail holds something of everything, filled through the use cases.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use sea_orm::prelude::Uuid;
use slipway_application::{
    Call, Context,
    audit::{Refusal, chain_events, export_checkpoint, flush_all_refusals, note_refusal},
    authentication::authenticate,
    bootstrap::bootstrap,
    environments::{UpdateEnvironment, update_environment},
    ledger::{
        CreateMissing, ImportBatch, ImportLine, RecordDeployment, Report, RetractRecord,
        import_batch, record_deployment, retract_deployment_record,
    },
    memberships::{RemoveMember, SetMembership, remove_member, set_membership},
    principals::{CreatePrincipal, NewPrincipal, create_principal},
    projects::{CreateProject, create_project},
};
use slipway_audit::{ChainId, Event, Link, Resource};
use slipway_identity::{Caller, Command, Role, SecretSource, membership::Groups};
use slipway_kernel::RiskLevel;
use slipway_kernel::{
    ApplicationKind, Attributes, Clock, IdGenerator, PrincipalId, ProjectId, RecordId, Sha256,
    Slug, Tier, Timestamp,
    text::{Description, DisplayName, Notes},
};
use slipway_ledger::RecordKind;
use slipway_sql::{Options, SqlStore};

use crate::superuser::Database;

/// The columns of a record and of an event that tampering copies.
const OF_RECORD: &str = "application_id, version_id, environment_id, kind, deployed_at, reported_at, recorded_at, \
                         reporter_id, deployed_by_id, risk, notes, attributes";
const OF_EVENT: &str = "at, principal_id, command, outcome, refusal_reason, resource_kind, resource_name, before_json, \
                        after_json, correlation_id, repeat_count";

/// The installation, with nobody connected to it.
pub(crate) struct Given {
    pub(crate) database: Database,
    pub(crate) admin: Caller,
    pub(crate) project: ProjectId,
    /// The head of the project's chain, before some more events were chained.
    pub(crate) checkpoint: (i64, Sha256),
    /// How many events of the project are chained.
    pub(crate) links: u64,
    /// How many rows they, and the one that waits, vouch for.
    pub(crate) facts: u64,
    /// The names that statements use, as SQL.
    names: Vec<(String, String)>,
}

impl Given {
    pub(crate) async fn on(database: Database) -> Self {
        let (context, store) = context_on(&database.options).await;
        let admin = administrator(&context).await;
        let user = fill(&context, &admin).await;
        let [run_1, run_2, run_3] = records(&context, &admin, "default").await;
        records(&context, &admin, "other").await;
        chain(&context).await;
        let exported = export_checkpoint(&context, &call(&admin), Some(&slug("default"))).await;
        let exported = exported.expect("a checkpoint");
        for version in ["8", "9"] {
            deploy(&context, &admin, "default", report("cart", version, "prod")).await;
        }
        chain(&context).await;
        deploy(&context, &admin, "default", report("cart", "10", "prod")).await;

        let project = project(&context, "default").await;
        let links = links(&context, project).await;
        let waiting = context.store.reader().unchained(project.into()).await;
        let vouched = |event: &Event| event.facts.len() as u64;
        let mut given = Self {
            admin: admin.clone(),
            project,
            checkpoint: (exported.position, exported.hash),
            links: links.len() as u64,
            facts: links.iter().map(|(_, event)| vouched(event)).sum::<u64>()
                + waiting
                    .expect("read")
                    .waiting
                    .iter()
                    .map(vouched)
                    .sum::<u64>(),
            names: Vec::new(),
            database,
        };
        let other = super::given::project(&context, "other").await;
        let (recorded, by) = link_of(&links, |event| {
            event.facts.iter().any(|fact| fact.record == run_1)
        });
        let (_, updated) = link_of(&links, |event| event.command == "UpdateEnvironment");
        let (_, refused) = link_of(&links, |event| event.repeat_count == 2);
        for (name, uuid) in [
            ("{project}", project.uuid()),
            ("{other_project}", other.uuid()),
            ("{run_1}", run_1.uuid()),
            ("{run_2}", run_2.uuid()),
            ("{retracted}", run_3.uuid()),
            ("{recorded}", by.id.uuid()),
            ("{updated}", updated.id.uuid()),
            ("{refused}", refused.id.uuid()),
            ("{user}", user.uuid()),
            (
                "{new}",
                Uuid::from_u128(0x0192_f0c1_2345_7abc_8def_0000_dead_beef),
            ),
        ] {
            let sql = given.database.uuid(uuid);
            given.names.push((name.to_owned(), sql));
        }
        for (name, sql) in [
            ("{position}", recorded.position.to_string()),
            ("{checkpoint}", exported.position.to_string()),
            ("{hash}", given.database.bytes(&"5a".repeat(32))),
            ("{short_hash}", given.database.bytes("5a5a")),
            ("{of_record}", OF_RECORD.to_owned()),
            ("{of_event}", OF_EVENT.to_owned()),
        ] {
            given.names.push((name.to_owned(), sql));
        }
        store.close().await.expect("closed");
        given
    }

    /// A statement with its names replaced by what they stand for here.
    pub(crate) fn spelled(&self, statement: &str) -> String {
        self.names
            .iter()
            .fold(statement.to_owned(), |text, (name, sql)| {
                text.replace(name, sql)
            })
    }
}

/// A clock that is a second later with every look.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.fetch_add(1_000_000, Ordering::SeqCst);
        Timestamp::from_micros(micros).expect("within the years 1 to 9999")
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
        [7; 20]
    }
}

/// A server on a database that is migrated.
pub(crate) async fn context_on(options: &Options) -> (Context, SqlStore) {
    let store = SqlStore::connect(options).await.expect("connected");
    let context = Context::new(
        Arc::new(store.clone()),
        // No content is kept here.
        Arc::new(slipway_files::Directory::new("/nonexistent")),
        Arc::new(TestClock(AtomicI64::new(1_767_225_600_000_000))),
        Arc::new(Counter::default()),
        Arc::new(Counter::default()),
    );
    (context, store)
}

pub(crate) fn call(caller: &Caller) -> Call<'_> {
    Call {
        caller,
        correlation_id: "test",
        request_id: None,
    }
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

async fn administrator(context: &Context) -> Caller {
    let mut kept = None;
    let keep = |secret: &_| {
        kept = Some(Clone::clone(secret));
        Ok(())
    };
    bootstrap(context, keep).await.expect("started");
    let secret = kept.expect("a first start");
    let caller = authenticate(context, &secret).await.expect("a good token");
    Caller::clone(&caller)
}

/// Two projects; a member of one, who came and went; an environment, made and changed; a refusal, and two more.
async fn fill(context: &Context, admin: &Caller) -> PrincipalId {
    let call = &call(admin);
    let new = CreateProject {
        slug: slug("other"),
        display_name: DisplayName::default(),
        description: Description::default(),
    };
    create_project(context, call, new).await.expect("created");
    let new = CreatePrincipal {
        kind: NewPrincipal::User { email: None },
        display_name: "Dana".parse().expect("a name"),
        tenant_admin: false,
    };
    let user = create_principal(context, call, new)
        .await
        .expect("created")
        .id;
    let set = SetMembership {
        project: slug("default"),
        principal: user,
        roles: BTreeSet::from([Role::Developer]).try_into().expect("roles"),
        groups: Groups::default(),
    };
    set_membership(context, call, set).await.expect("set");
    let remove = RemoveMember {
        project: slug("default"),
        principal: user,
    };
    remove_member(context, call, remove).await.expect("removed");
    deploy(context, admin, "default", report("cart", "0", "prod")).await;
    let update = UpdateEnvironment {
        project: slug("default"),
        environment: slug("prod"),
        display_name: Some("Production".parse().expect("a name")),
        description: None,
        tier: Some(Tier::Production),
        position: None,
        backups: None,
        engine: None,
        etag: None,
    };
    update_environment(context, call, update)
        .await
        .expect("updated");
    for _ in 0..3 {
        let project = slug("default");
        let refusal = Refusal {
            caller: admin,
            command: Command::RecordDeployment,
            project: Some(&project),
            resource: Resource::new("deployment_record", &"cart"),
            reason: "VERSION_DEPRECATED",
            denied: false,
            correlation_id: "refused",
        };
        note_refusal(context, refusal).await.expect("noted");
    }
    flush_all_refusals(context).await.expect("flushed");
    user
}

/// Two runs that are told of with all there is to tell, a third one, taken back, and a removal; an import.
async fn records(context: &Context, admin: &Caller, project: &str) -> [RecordId; 3] {
    let mut runs = Vec::new();
    for (n, application) in [(1, "cart"), (2, "list"), (3, "cart")] {
        let told = Report {
            deployed_by: Some("Dana".parse().expect("a name")),
            risk: Some(RiskLevel::High),
            notes: format!("run {n}").parse().expect("notes"),
            attributes: BTreeMap::from([("commit".to_owned(), format!("c0ffee{n}"))])
                .try_into()
                .expect("attributes"),
            external_id: Some(format!("{project}-{n}").parse().expect("an id")),
            ..report(
                application,
                &n.to_string(),
                if n == 2 { "staging" } else { "prod" },
            )
        };
        runs.push(deploy(context, admin, project, told).await);
    }
    let removal = Report {
        kind: RecordKind::Removed,
        ..report("list", "2", "staging")
    };
    deploy(context, admin, project, removal).await;
    let batch = ImportBatch {
        project: slug(project),
        create_missing: everything(),
        lines: (1..=3)
            .map(|line| ImportLine {
                line,
                report: report("imported", &line.to_string(), "prod"),
            })
            .collect(),
    };
    import_batch(context, &call(admin), &batch)
        .await
        .expect("imported");
    let retraction = RetractRecord {
        project: slug(project),
        record: runs[2],
        reason: "another environment".parse().expect("a reason"),
    };
    retract_deployment_record(context, &call(admin), retraction)
        .await
        .expect("retracted");
    runs.try_into().expect("three")
}

async fn deploy(context: &Context, admin: &Caller, project: &str, report: Report) -> RecordId {
    let command = RecordDeployment {
        project: slug(project),
        report,
        create_missing: everything(),
        validate_only: false,
    };
    let recorded = record_deployment(context, &call(admin), command).await;
    recorded.expect("recorded").record.id
}

fn report(application: &str, version: &str, environment: &str) -> Report {
    Report {
        application: application.parse().expect("a key"),
        version: version.parse().expect("a key"),
        environment: slug(environment),
        deployed_at: None,
        kind: RecordKind::Deployed,
        deployed_by: None,
        risk: None,
        notes: Notes::default(),
        attributes: Attributes::default(),
        external_id: None,
    }
}

fn everything() -> CreateMissing {
    CreateMissing {
        applications: Some(ApplicationKind::Service),
        versions: true,
        environments: Some(Tier::Development),
    }
}

async fn chain(context: &Context) {
    let chained = chain_events(context).await.expect("chained");
    assert!(chained > 0);
}

async fn project(context: &Context, text: &str) -> ProjectId {
    let found = context.store.reader().project(&slug(text)).await;
    found.expect("read").expect("a project").id
}

async fn links(context: &Context, project: ProjectId) -> Vec<(Link, Event)> {
    let links = context
        .store
        .reader()
        .links(ChainId::from(project), 0, 1_000)
        .await;
    links
        .expect("read")
        .into_iter()
        .map(|(link, event)| (link, event.expect("an event")))
        .collect()
}

fn link_of(links: &[(Link, Event)], wanted: impl Fn(&Event) -> bool) -> (&Link, &Event) {
    let found = links.iter().find(|(_, event)| wanted(event));
    found.map(|(link, event)| (link, event)).expect("an event")
}
