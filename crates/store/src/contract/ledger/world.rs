//! A project with a small catalog, and what happens in it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use slipway_catalog::{Application, Environment, Version};
use slipway_identity::{Principal, PrincipalKind, Project};
use slipway_kernel::{
    ApplicationId, ApplicationKind, Attributes, EnvironmentId, Key, PersonId, PrincipalId,
    ProjectId, RecordId, Requirements, Revision, Slug, Tier, Timestamp, VersionId,
};
use slipway_ledger::{
    CellPlace, NewRecord, RecordKind,
    record::{DeployedBy, Known, Placed, TargetNames},
};
use uuid::Uuid;

use crate::{Store, StoreError};

/// Identifiers that no other world has.
pub(crate) fn unique() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128((0xace << 64) | u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A moment, in seconds since the epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).expect("in range")
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % limit
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Whether something happens that happens in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// An application with its versions.
pub(crate) struct App {
    pub(crate) id: ApplicationId,
    pub(crate) key: Key,
    pub(crate) versions: Vec<(VersionId, Key)>,
}

/// What became of a report.
#[derive(Debug)]
pub(crate) enum Reported {
    /// It was added at this place in the ledger.
    Added(i64),
    /// It was there already.
    Present(Known),
}

/// A project with a small catalog.
pub(crate) struct World<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) project: ProjectId,
    pub(crate) reporters: Vec<PrincipalId>,
    pub(crate) applications: Vec<App>,
    pub(crate) environments: Vec<(EnvironmentId, Slug)>,
    pub(crate) people: Vec<(PersonId, DeployedBy)>,
}

impl<'a> World<'a> {
    pub(crate) async fn new(
        store: &'a dyn Store,
        applications: usize,
        environments: usize,
    ) -> Self {
        let created_at = at(0);
        let project = ProjectId::from_uuid(unique());
        let mut world = Self {
            store,
            project,
            reporters: Vec::new(),
            applications: Vec::new(),
            environments: Vec::new(),
            people: Vec::new(),
        };
        let mut unit = world.store.begin().await.expect("begins");
        let inserted = unit
            .projects()
            .insert(&Project {
                id: project,
                slug: format!("p{}", project.uuid().as_u128() & 0xffff_ffff)
                    .parse()
                    .expect("a slug"),
                display_name: "Shop".parse().expect("short"),
                description: "".parse().expect("short"),
                requirements: Requirements::default(),
                created_at,
                archived_at: None,
                revision: Revision::FIRST,
            })
            .await;
        assert!(inserted.expect("inserts"));
        for name in ["Ann", "Ben"] {
            let id = PrincipalId::from_uuid(unique());
            let principal = Principal {
                id,
                kind: PrincipalKind::User,
                display_name: name.parse().expect("short"),
                email: None,
                tenant_admin: false,
                created_at,
                disabled: None,
            };
            assert!(unit.principals().insert(&principal).await.expect("inserts"));
            world.reporters.push(id);
        }
        for number in 0..environments {
            // Not in the order of their slugs, and one with a dash: some collations pass over dashes.
            let slug: Slug = format!("e-{}", (number * 7 + 3) % 11 + 11 * (number / 11))
                .parse()
                .expect("a slug");
            let id = EnvironmentId::from_uuid(unique());
            let environment = Environment {
                id,
                project,
                slug: slug.clone(),
                display_name: format!("Environment {number}").parse().expect("short"),
                description: "".parse().expect("short"),
                tier: Tier::ALL[number % 4],
                position: 0,
                backup_interval: None,
                created_at,
                archived_at: None,
                revision: Revision::FIRST,
            };
            assert!(
                unit.environments()
                    .insert(&environment)
                    .await
                    .expect("inserts")
            );
            world.environments.push((id, slug));
        }
        for number in 0..applications {
            // Keys whose bytewise order is not a dictionary's.
            let stem = ["b", "A", "a/x", "B-", "ab", "~", "a.x", "Z"][number % 8];
            let key: Key = format!("{stem}{number}").parse().expect("a key");
            world.add_application(&mut *unit, key).await;
        }
        for name in ["Cy", "cy", "Dö"] {
            let name: DeployedBy = name.parse().expect("short");
            let id = PersonId::from_uuid(unique());
            let ids = unit.records().claim_names(project, &[(&name, id)]).await;
            assert_eq!(ids.expect("claims"), [id]);
            world.people.push((id, name));
        }
        unit.commit().await.expect("commits");
        world
    }

    async fn add_application(&mut self, unit: &mut dyn crate::UnitOfWork, key: Key) {
        let id = ApplicationId::from_uuid(unique());
        let application = Application {
            id,
            project: self.project,
            key: key.clone(),
            kind: ApplicationKind::Service,
            display_name: format!("The {key}").parse().expect("short"),
            description: "".parse().expect("short"),
            created_at: at(0),
            archived_at: None,
            revision: Revision::FIRST,
        };
        let added = unit.applications().insert(&[application]).await;
        assert_eq!(added.expect("inserts").len(), 1);
        let versions: Vec<Version> = ["1.0", "1.1", "2.0"]
            .iter()
            .map(|identifier| Version {
                id: VersionId::from_uuid(unique()),
                application: id,
                identifier: identifier.parse().expect("a key"),
                digest: None,
                content: None,
                dependencies: Vec::new(),
                attributes: Attributes::default(),
                notes: "".parse().expect("short"),
                author: self.reporters[0],
                created_by: self.reporters[0],
                created_at: at(1),
                deprecated: None,
            })
            .collect();
        let added = unit.versions().insert(&versions).await.expect("inserts");
        assert_eq!(added.len(), 3);
        self.applications.push(App {
            id,
            key,
            versions: versions
                .into_iter()
                .map(|version| (version.id, version.identifier))
                .collect(),
        });
    }

    /// A record of an application's first version in an environment.
    pub(crate) fn record(
        &self,
        application: usize,
        environment: usize,
        deployed_at: Timestamp,
    ) -> NewRecord {
        let application = &self.applications[application];
        NewRecord {
            id: RecordId::from_uuid(unique()),
            project: self.project,
            application: application.id,
            version: application.versions[0].0,
            environment: self.environments[environment].0,
            kind: RecordKind::Deployed,
            deployed_at,
            reported_at: deployed_at,
            recorded_at: deployed_at,
            reporter: self.reporters[0],
            deployed_by: None,
            risk: None,
            notes: "".parse().expect("short"),
            attributes: Attributes::default(),
            external_id: None,
            deployment: None,
            outside_governance: false,
        }
    }

    /// Where a record stands.
    pub(crate) fn place(&self, record: &NewRecord) -> CellPlace {
        let key = |app: &&App| app.id == record.application;
        let slug = |environment: &&(EnvironmentId, Slug)| environment.0 == record.environment;
        CellPlace {
            application: self
                .applications
                .iter()
                .find(key)
                .expect("ours")
                .key
                .clone(),
            environment: self.environments.iter().find(slug).expect("ours").1.clone(),
        }
    }

    /// What the report of a record names.
    pub(crate) fn names<'r>(&'r self, record: &'r NewRecord) -> TargetNames<'r> {
        let app = |app: &&App| app.id == record.application;
        let app = self.applications.iter().find(app).expect("ours");
        let version = |version: &&(VersionId, Key)| version.0 == record.version;
        let environment =
            |environment: &&(EnvironmentId, Slug)| environment.0 == record.environment;
        TargetNames {
            application: &app.key,
            version: &app.versions.iter().find(version).expect("the app's").1,
            environment: &self.environments.iter().find(environment).expect("ours").1,
            deployed_by: None,
            reporter: record.reporter,
            external_id: record.external_id.as_ref(),
            reported_at: record.reported_at,
            kind: record.kind,
        }
    }

    /// Adds records in a unit of work of their own, as a use case does.
    pub(crate) async fn report(&self, records: &[NewRecord]) -> Result<Vec<Reported>, StoreError> {
        let mut unit = self.store.begin().await?;
        let names: Vec<_> = records.iter().map(|record| self.names(record)).collect();
        let targets = unit.records().targets(self.project, &names).await?;
        let mut firsts = HashMap::new();
        let mut placed = Vec::new();
        let mut reported = Vec::new();
        for (record, target) in records.iter().zip(targets) {
            let first = firsts.get(&record.natural_key()).copied();
            if let Some(known) = target.known.or(first) {
                reported.push(Reported::Present(known));
                continue;
            }
            firsts.insert(record.natural_key(), record.known());
            reported.push(Reported::Added(target.sequence));
            placed.push(Placed {
                record,
                sequence: target.sequence,
                cell: self.place(record),
            });
        }
        unit.records().add(&placed).await?;
        unit.commit().await?;
        Ok(reported)
    }

    /// The names of every place there is.
    pub(crate) fn places(&self) -> BTreeMap<CellPlace, (ApplicationId, EnvironmentId)> {
        let mut places = BTreeMap::new();
        for app in &self.applications {
            for (environment, slug) in &self.environments {
                let place = CellPlace {
                    application: app.key.clone(),
                    environment: slug.clone(),
                };
                places.insert(place, (app.id, *environment));
            }
        }
        places
    }
}
