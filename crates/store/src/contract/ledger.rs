//! The ledger: every case compares the store with a list in memory.

mod at_once;
mod model;
pub(crate) mod world;

pub use at_once::{
    concurrent_changes_of_a_cell_leave_the_right_one, concurrent_repeats_add_each_record_once,
    what_is_held_is_what_was_committed_last,
};

use std::collections::BTreeMap;

use slipway_kernel::{Page, PageSize, PersonId, RecordId, RiskLevel, Timestamp};
use slipway_ledger::{
    AsOf, Cell, CellFilter, NewRecord, RecordFilter, RecordKind, Retraction, record::TargetNames,
};

use self::{
    model::Model,
    world::{Dice, World, at, unique},
};
use crate::{Store, StoreError};

/// Up to which second things happen in these cases.
const END: usize = 200;

fn page(size: i32) -> PageSize {
    PageSize::from_request(size).expect("a size")
}

fn retraction(world: &World<'_>, record: RecordId, at: Timestamp) -> Retraction {
    Retraction {
        record,
        at,
        by: world.reporters[1],
        reason: "reported by mistake".parse().expect("short"),
    }
}

fn some_time(dice: &mut Dice) -> Timestamp {
    at(i64::try_from(dice.below(END)).expect("small"))
}

/// A report as it may come: late, at the same second as others, a removal, again, with an external id that was used.
fn some_record(world: &World<'_>, dice: &mut Dice) -> NewRecord {
    let app = dice.pick(&world.applications);
    let deployed_at = some_time(dice);
    let late = i64::try_from(dice.below(50)).expect("small");
    NewRecord {
        id: RecordId::from_uuid(unique()),
        project: world.project,
        application: app.id,
        version: dice.pick(&app.versions).0,
        environment: dice.pick(&world.environments).0,
        kind: if dice.one_in(5) {
            RecordKind::Removed
        } else {
            RecordKind::Deployed
        },
        deployed_at,
        reported_at: deployed_at,
        recorded_at: at(deployed_at.micros() / 1_000_000 + late),
        reporter: *dice.pick(&world.reporters),
        deployed_by: dice.one_in(2).then(|| dice.pick(&world.people).0),
        risk: dice.one_in(3).then(|| *dice.pick(&RiskLevel::ALL)),
        notes: "näh 🚢".parse().expect("short"),
        attributes: BTreeMap::from([("commit".to_owned(), "2be20d5".to_owned())])
            .try_into()
            .expect("few"),
        external_id: dice
            .one_in(4)
            .then(|| format!("x{}", dice.below(40)).parse().expect("short")),
        deployment: None,
        outside_governance: false,
    }
}

async fn random_ledger(store: &dyn Store, seed: u64) -> (World<'_>, Model) {
    let world = World::new(store, 5, 4).await;
    let mut dice = Dice(seed);
    let mut model = Model::default();
    for step in 0..40 {
        let records: Vec<_> = (0..dice.below(15))
            .map(|_| some_record(&world, &mut dice))
            .collect();
        let inserted = world.report(&records).await.expect("reports");
        model.insert(&records, &inserted);
        if dice.one_in(2) && !model.entries.is_empty() {
            let number = dice.below(model.entries.len());
            let entry = &mut model.entries[number];
            let retracted_at = some_time(&mut dice);
            let mut unit = world.store.begin().await.expect("begins");
            let done = unit
                .records()
                .retract(
                    world.project,
                    &retraction(&world, entry.record.id, retracted_at),
                )
                .await
                .expect("retracts");
            unit.commit().await.expect("commits");
            assert_eq!(
                done,
                entry.retracted_at.is_none(),
                "a record is taken back once"
            );
            entry.retracted_at.get_or_insert(retracted_at);
        }
        if step % 8 == 0 {
            check_matrix(&world, &model, None).await;
        }
    }
    (world, model)
}

/// Every page of the cells.
async fn cells(
    world: &World<'_>,
    filter: &CellFilter,
    as_of: Option<AsOf>,
    size: i32,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut after = None;
    loop {
        let Page { items, next } = world
            .store
            .reader()
            .cells(world.project, filter, as_of, after.as_ref(), page(size))
            .await
            .expect("reads");
        cells.extend(items);
        after = next;
        if after.is_none() {
            return cells;
        }
    }
}

async fn check_matrix(world: &World<'_>, model: &Model, as_of: Option<AsOf>) {
    let mut expected = Vec::new();
    for (place, (application, environment)) in world.places() {
        if let Some(entry) = model.cell(application, environment, as_of) {
            expected.push((
                place,
                entry.record.id,
                entry.record.version,
                entry.record.deployed_at,
            ));
        }
    }
    let found: Vec<_> = cells(world, &CellFilter::default(), as_of, 3)
        .await
        .into_iter()
        .map(|cell| (cell.place(), cell.record, cell.version_id, cell.deployed_at))
        .collect();
    assert_eq!(found, expected, "{as_of:?}");
}

/// Late reports, ties, removals, repeats and retractions: the projection is what the records give.
pub async fn the_projection_equals_the_records(store: &dyn Store) {
    let (world, model) = random_ledger(store, 1).await;
    assert!(
        model
            .entries
            .iter()
            .any(|entry| entry.retracted_at.is_some())
    );
    check_matrix(&world, &model, None).await;
    let end_of_time = AsOf {
        at: Timestamp::MAX,
        known_at: None,
    };
    let all = CellFilter::default();
    assert_eq!(
        cells(&world, &all, None, 7).await,
        cells(&world, &all, Some(end_of_time), 7).await
    );
    let reader = world.store.reader();
    for (place, (application, environment)) in world.places() {
        let expected = model.cell(application, environment, None);
        let cell = reader
            .cell(world.project, &place.application, &place.environment, None)
            .await;
        let record = cell.expect("reads").map(|cell| cell.record);
        assert_eq!(record, expected.map(|entry| entry.record.id));
        let resolved = reader
            .resolve(world.project, &place.application, &place.environment)
            .await;
        let resolved = resolved
            .expect("reads")
            .map(|resolved| (resolved.record, resolved.version));
        assert_eq!(
            resolved,
            expected.map(|entry| (entry.record.id, entry.record.version))
        );
        for filter in [
            CellFilter {
                environment: Some(place.environment.clone()),
                ..CellFilter::default()
            },
            CellFilter {
                application: Some(place.application.clone()),
                ..CellFilter::default()
            },
        ] {
            let mut wanted = cells(&world, &all, None, 1_000).await;
            wanted.retain(|cell| {
                filter
                    .environment
                    .as_ref()
                    .is_none_or(|slug| *slug == cell.environment)
                    && filter
                        .application
                        .as_ref()
                        .is_none_or(|key| *key == cell.application)
            });
            assert_eq!(cells(&world, &filter, None, 2).await, wanted);
            assert_eq!(cells(&world, &filter, Some(end_of_time), 2).await, wanted);
        }
    }
    let records: Vec<_> = model.entries.iter().map(|entry| entry.record.id).collect();
    let now = reader
        .cells_of_records(world.project, &records)
        .await
        .expect("reads");
    let filled: Vec<_> = now.iter().filter_map(|now| now.cell.clone()).collect();
    assert_eq!(filled, cells(&world, &all, None, 1_000).await);
    assert!(now.len() > filled.len(), "emptied cells are told too");
}

/// The matrix at other times, with today's knowledge and with that of a time.
pub async fn other_times_equal_the_records(store: &dyn Store) {
    let (world, model) = random_ledger(store, 2).await;
    let mut dice = Dice(3);
    for _ in 0..40 {
        let as_of = AsOf {
            at: some_time(&mut dice),
            known_at: dice.one_in(2).then(|| some_time(&mut dice)),
        };
        check_matrix(&world, &model, Some(as_of)).await;
    }
}

/// Every filter, in pages of several sizes.
pub async fn the_history_equals_the_records(store: &dyn Store) {
    let (world, model) = random_ledger(store, 4).await;
    let mut dice = Dice(5);
    for _ in 0..60 {
        let app = dice.pick(&world.applications);
        let application = dice.one_in(2).then(|| app.key.clone());
        let filter = RecordFilter {
            version: (application.is_some() && dice.one_in(2))
                .then(|| dice.pick(&app.versions).1.clone()),
            application,
            environment: dice
                .one_in(2)
                .then(|| dice.pick(&world.environments).1.clone()),
            from: dice.one_in(3).then(|| some_time(&mut dice)),
            to: dice.one_in(3).then(|| some_time(&mut dice)),
            deployed_by: dice.one_in(3).then(|| dice.pick(&world.people).1.clone()),
            kind: dice
                .one_in(3)
                .then(|| *dice.pick(&[RecordKind::Deployed, RecordKind::Removed])),
            include_retracted: dice.one_in(2),
        };
        let size = page(*dice.pick(&[1, 2, 7, 50, 1_000]));
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = world
                .store
                .reader()
                .records(world.project, &filter, after, size)
                .await;
            let page = page.expect("reads");
            found.extend(page.items.iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(
            found,
            model.history(&world, &filter),
            "{filter:?} by {size:?}"
        );
    }
    for entry in &model.entries {
        let read = world
            .store
            .reader()
            .record(world.project, entry.record.id)
            .await;
        let read = read.expect("reads").expect("is there");
        assert_eq!(read.sequence, entry.sequence);
        assert_eq!(read.attributes, entry.record.attributes);
        assert_eq!(
            read.retraction.map(|retraction| retraction.at),
            entry.retracted_at
        );
    }
}

async fn retract(world: &World<'_>, record: RecordId) -> Result<(), StoreError> {
    let mut unit = world.store.begin().await?;
    let retraction = retraction(world, record, at(500));
    assert!(unit.records().retract(world.project, &retraction).await?);
    unit.commit().await
}

/// Names stand for what the catalog says, in the reports' order, also for a thousand.
pub async fn targets_come_in_the_order_of_the_reports(store: &dyn Store) {
    let world = World::new(store, 4, 3).await;
    let foreign = World::new(store, 1, 1).await;
    let unknown = "no-such-thing".parse().expect("a key");
    let nowhere = "nowhere".parse().expect("a slug");
    let stranger = "Stranger".parse().expect("short");
    let mut dice = Dice(6);
    let mut names = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..1_000 {
        let app = dice.pick(&world.applications);
        let version = dice.pick(&app.versions);
        let environment = dice.pick(&world.environments);
        let person = dice.pick(&world.people);
        let (no_app, no_version, no_environment) = (dice.one_in(5), dice.one_in(5), dice.one_in(5));
        let claims = dice.below(3);
        names.push(TargetNames {
            application: if no_app { &unknown } else { &app.key },
            version: if no_version { &unknown } else { &version.1 },
            environment: if no_environment {
                &nowhere
            } else {
                &environment.1
            },
            deployed_by: [None, Some(&stranger), Some(&person.1)][claims],
            reporter: world.reporters[0],
            external_id: None,
            reported_at: at(7),
            kind: RecordKind::Deployed,
        });
        expected.push((
            (!no_app).then_some(app.id),
            (!no_app && !no_version).then_some(version.0),
            (!no_environment).then_some(environment.0),
            (claims == 2).then_some(person.0),
        ));
    }
    let mut unit = world.store.begin().await.expect("begins");
    for (names, expected) in [(&names[..], &expected[..]), (&names[..1], &expected[..1])] {
        let targets = unit
            .records()
            .targets(world.project, names)
            .await
            .expect("reads");
        let found: Vec<_> = targets
            .iter()
            .map(|target| {
                (
                    target
                        .application
                        .as_ref()
                        .map(|application| application.id),
                    target.version.map(|version| version.id),
                    target
                        .environment
                        .as_ref()
                        .map(|environment| environment.id),
                    target.deployed_by,
                )
            })
            .collect();
        assert_eq!(found, expected);
    }
    let elsewhere = unit
        .records()
        .targets(foreign.project, &names[..1])
        .await
        .expect("reads");
    assert_ne!(
        elsewhere[0].application.as_ref().map(|found| found.id),
        expected[0].0
    );
    let (known, claimed) = (&world.people[0], PersonId::from_uuid(unique()));
    let claims = [
        (&stranger, claimed),
        (&known.1, claimed),
        (&stranger, PersonId::from_uuid(unique())),
    ];
    let people = unit
        .records()
        .claim_names(world.project, &claims)
        .await
        .expect("claims");
    assert_eq!(people[1], known.0);
    assert_eq!(people[0], people[2], "one row for each spelling");
    unit.commit().await.expect("commits");
}

/// Another project's records are neither read nor taken back.
pub async fn projects_are_apart(store: &dyn Store) {
    let world = World::new(store, 1, 1).await;
    let other = World::new(store, 1, 1).await;
    let record = world.record(0, 0, at(5));
    world
        .report(std::slice::from_ref(&record))
        .await
        .expect("reports");
    let mut unit = other.store.begin().await.expect("begins");
    let stolen = retraction(&other, record.id, at(6));
    assert!(
        !unit
            .records()
            .retract(other.project, &stolen)
            .await
            .expect("answers")
    );
    assert_eq!(
        unit.records()
            .get(other.project, record.id)
            .await
            .expect("reads"),
        None
    );
    drop(unit);
    let reader = other.store.reader();
    assert_eq!(
        reader
            .record(other.project, record.id)
            .await
            .expect("reads"),
        None
    );
    assert_eq!(
        reader
            .cells_of_records(other.project, &[record.id])
            .await
            .expect("reads"),
        []
    );
    assert_eq!(cells(&other, &CellFilter::default(), None, 10).await, []);
    let history = reader
        .records(other.project, &RecordFilter::default(), None, page(10))
        .await;
    assert_eq!(history.expect("reads").items, []);
}

/// The figures, with days before 1970 among them.
pub async fn statistics_count_what_was_not_taken_back(store: &dyn Store) {
    let world = World::new(store, 2, 2).await;
    let day = 86_400;
    let times = [-day - 1, -day, -1, 0, day - 1, day, day + 1];
    let mut records: Vec<_> = times
        .iter()
        .map(|time| world.record(0, 0, at(*time)))
        .collect();
    records.push(world.record(1, 1, at(day)));
    records[5].kind = RecordKind::Removed;
    world.report(&records).await.expect("reports");
    retract(&world, records[6].id).await.expect("retracts");
    let reader = world.store.reader();
    let figures = reader
        .statistics(world.project, at(0), Timestamp::MIN, None)
        .await
        .expect("reads");
    assert_eq!((figures.applications, figures.environments), (2, 2));
    assert_eq!(figures.recent_deployments, 3);
    assert_eq!(figures.latest.len(), 7);
    let days: Vec<_> = figures
        .per_day
        .iter()
        .map(|count| (count.day, count.deployed, count.removed))
        .collect();
    // The first environment's slug is e-3, the second's e-10.
    assert_eq!(
        days,
        [(1, 1, 0), (1, 0, 1), (0, 2, 0), (-1, 2, 0), (-2, 1, 0)]
    );
    let one = &world.environments[1].1;
    let figures = reader
        .statistics(world.project, at(0), Timestamp::MIN, Some(one))
        .await
        .expect("reads");
    assert_eq!(figures.per_day.len(), 1);
    assert_eq!(figures.recent_deployments, 3);
}
