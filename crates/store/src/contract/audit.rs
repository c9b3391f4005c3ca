//! The audit trail: events, the chain over them, the feed of changes.

use slipway_audit::{
    ChainId, Change, Event, EventFilter, Fact, FactKind, Link, Outcome, Resource, Settled,
    Verifier, chain::next_link,
};
use slipway_kernel::{EventId, RecordId, Sha256};
use slipway_ledger::Retraction;

use super::{
    given::{begin, commit, size, walk},
    ledger::world::{Dice, Reported, World, at, unique},
};
use crate::Store;

fn event(world: &World<'_>, chain: ChainId, seconds: i64) -> Event {
    Event {
        id: EventId::from_uuid(unique()),
        chain,
        at: at(seconds),
        principal: world.reporters[0],
        command: "CreateEnvironment".to_owned(),
        outcome: Outcome::Allowed,
        resource: Resource::new("environment", &"prod-eu"),
        before: None,
        after: None,
        facts: Vec::new(),
        correlation_id: "c-1".to_owned(),
        repeat_count: 1,
    }
}

async fn append(store: &dyn Store, events: &[Event]) {
    let mut unit = begin(store).await;
    for event in events {
        unit.audit().append(event).await.expect("appends");
    }
    commit(unit).await;
}

/// Chains what waits, as the sequencer does, and answers with the links.
async fn chain_waiting(store: &dyn Store, limit: u32) -> Vec<Link> {
    let mut unit = begin(store).await;
    assert!(unit.chain().lead().await.expect("answers"));
    let mut links: Vec<Link> = Vec::new();
    for event in unit.chain().waiting(limit).await.expect("reads") {
        let ours = links.iter().rev().find(|link| link.chain == event.chain);
        let head = match ours {
            Some(link) => Some(*link),
            None => unit
                .chain()
                .heads(&[event.chain])
                .await
                .expect("reads")
                .pop(),
        };
        links.push(next_link(head.as_ref(), &event, at(1_000)).expect("canonical"));
    }
    unit.chain().append(&links).await.expect("appends");
    commit(unit).await;
    links
}

/// What was written is read, with every field, on the page that the filter says.
pub async fn events_are_listed_by_every_filter(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let chain = ChainId::from(world.project);
    let mut dice = Dice(7);
    let mut events = Vec::new();
    for n in 0..60 {
        let mut event = event(world, chain, n % 20);
        event.principal = *dice.pick(&world.reporters);
        event.command = format!("Command{}", dice.below(3));
        event.resource = Resource::new(["environment", "version"][dice.below(2)], &dice.below(3));
        if dice.one_in(2) {
            event.outcome = Outcome::Refused {
                reason: "PERMISSION_DENIED".to_owned(),
            };
            event.repeat_count = n + 1;
        } else {
            event.before =
                Some(serde_json::json!({"order": 1, "name": "ü\u{1f6a2}", "x": [null, 0.1]}));
            event.after = Some(serde_json::json!({"order": i64::MAX, "name": ""}));
            event.facts = vec![Fact {
                kind: FactKind::DeploymentRecord,
                record: RecordId::from_uuid(unique()),
                digest: Sha256::of_bytes(b"row"),
            }];
        }
        events.push(event);
    }
    append(store, &events).await;
    append(store, &[event(world, ChainId::INSTALLATION, 5)]).await;
    chain_waiting(store, 30).await;
    events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
    for _ in 0..40 {
        let filter = EventFilter {
            command: dice.one_in(3).then(|| format!("Command{}", dice.below(3))),
            principal: dice.one_in(3).then(|| *dice.pick(&world.reporters)),
            refused: dice.one_in(3).then(|| dice.one_in(2)),
            resource_kind: dice.one_in(3).then(|| "version".to_owned()),
            resource_name: dice.one_in(3).then(|| dice.below(3).to_string()),
            from: dice.one_in(3).then(|| at(5)),
            to: dice.one_in(3).then(|| at(15)),
        };
        let filter = &filter;
        let pages = |after| store.reader().events(chain, filter, after, size(4));
        let found: Vec<_> = walk(pages)
            .await
            .into_iter()
            .map(|listed| listed.event)
            .collect();
        let expected: Vec<_> = events
            .iter()
            .filter(|event| filter.selects(event))
            .cloned()
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let all = &EventFilter::default();
    let listed = walk(|after| store.reader().events(chain, all, after, size(7))).await;
    assert_eq!(
        listed.iter().filter(|listed| listed.link.is_some()).count(),
        30
    );
    for listed in listed {
        assert!(listed.link.is_none_or(|link| link.event == listed.event.id));
    }
}

/// Two chains grow in the order that events were written, a few at a time, and verify.
pub async fn chains_grow_in_order_and_verify(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let project = ChainId::from(world.project);
    let mut events = Vec::new();
    for n in 0..25 {
        let chain = if n % 3 == 0 {
            ChainId::INSTALLATION
        } else {
            project
        };
        let mut event = event(world, chain, 100 - n);
        if n == 7 {
            event.before =
                Some(serde_json::json!({"weight": 0.1, "big": 1e300, "text": "\u{7f}é"}));
        }
        events.push(event);
    }
    append(store, &events).await;
    let mut chained = Vec::new();
    loop {
        let links = chain_waiting(store, 4).await;
        chained.extend(links.iter().map(|link| link.event));
        if links.is_empty() {
            break;
        }
    }
    let written: Vec<_> = events.iter().map(|event| event.id).collect();
    assert_eq!(chained, written);
    let snapshot = store.snapshot().await.expect("a snapshot");
    for chain in [project, ChainId::INSTALLATION] {
        let mut verifier = Verifier::new(chain, None);
        let mut after = 0;
        loop {
            let links = snapshot.links(chain, after, 6).await.expect("reads");
            for (link, event) in &links {
                verifier
                    .link(*link, event.as_ref())
                    .expect("as it was written");
                after = link.position;
            }
            if links.len() < 6 {
                break;
            }
        }
        let unchained = snapshot.unchained(chain).await.expect("reads");
        let verification = verifier.end(&unchained, 0);
        assert_eq!(verification.first_break, None);
        assert_eq!(
            verification.head,
            snapshot.head(chain).await.expect("reads")
        );
        assert_eq!(verification.events, if chain == project { 16 } else { 9 });
    }
    drop(snapshot);
    let nobody = ChainId::from(slipway_kernel::ProjectId::from_uuid(unique()));
    assert_eq!(store.reader().head(nobody).await.expect("reads"), None);
    append(store, &[event(world, project, 200)]).await;
    let unchained = store.reader().unchained(project).await.expect("reads");
    assert_eq!((unchained.passed, unchained.waiting.len()), (None, 1));
    let elsewhere = store
        .reader()
        .unchained(ChainId::INSTALLATION)
        .await
        .expect("reads");
    assert!(elsewhere.waiting.is_empty());
}

/// An event and its chain, or neither.
pub async fn what_is_dropped_leaves_no_event(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let mut unit = begin(store).await;
    let lost = event(world, ChainId::INSTALLATION, 1);
    unit.audit().append(&lost).await.expect("appends");
    drop(unit);
    let kept = event(world, ChainId::INSTALLATION, 2);
    append(store, std::slice::from_ref(&kept)).await;
    let chained: Vec<_> = chain_waiting(store, 9)
        .await
        .iter()
        .map(|link| link.event)
        .collect();
    assert_eq!(chained, [kept.id]);
}

/// The digests of rows as they are, and how many there are.
pub async fn facts_have_the_digests_of_their_rows(store: &dyn Store) {
    let world = &World::new(store, 2, 1).await;
    let mut records = vec![world.record(0, 0, at(1)), world.record(1, 0, at(2))];
    records[1].external_id = Some("run 7".parse().expect("short"));
    records[1].deployed_by = Some(world.people[2].0);
    records[1].notes = "näh 🚢\n".parse().expect("short");
    let added = world.report(&records).await.expect("reports");
    let sequences: Vec<i64> = added
        .iter()
        .filter_map(|reported| match reported {
            Reported::Added(sequence) => Some(*sequence),
            Reported::Present(_) => None,
        })
        .collect();
    let retraction = Retraction {
        record: records[0].id,
        at: at(3),
        by: world.reporters[1],
        reason: "twice".parse().expect("short"),
    };
    let mut unit = begin(store).await;
    let retracted = unit.records().retract(world.project, &retraction).await;
    assert!(retracted.expect("retracts"));
    commit(unit).await;
    let reader = store.reader();
    let asked = [
        (FactKind::Retraction, records[0].id),
        (FactKind::DeploymentRecord, records[1].id),
        (FactKind::DeploymentRecord, RecordId::from_uuid(unique())),
        (FactKind::Retraction, records[1].id),
        (FactKind::DeploymentRecord, records[0].id),
    ];
    let expected = [
        retraction.digest().ok(),
        records[1].digest(sequences[1]).ok(),
        None,
        None,
        records[0].digest(sequences[0]).ok(),
    ];
    assert_eq!(reader.fact_digests(&asked).await.expect("reads"), expected);
    assert_eq!(
        reader
            .count_facts(world.project.into())
            .await
            .expect("counts"),
        3
    );
    assert_eq!(
        reader
            .count_facts(ChainId::INSTALLATION)
            .await
            .expect("counts"),
        0
    );
}

/// Whoever goes on from where the feed ended misses nothing and is told nothing twice.
pub async fn the_feed_tells_each_change_once(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let start = store.changes().settled_after(0, 0).await.expect("reads");
    assert_eq!(start.changes, []);
    let mut expected = Vec::new();
    let mut events = Vec::new();
    for n in 0..10 {
        let mut event = event(world, world.project.into(), n);
        if n % 2 == 1 {
            event.facts = vec![Fact {
                kind: FactKind::Retraction,
                record: RecordId::from_uuid(unique()),
                digest: Sha256::of_bytes(b"row"),
            }];
            expected.push((event.chain, event.facts.clone()));
        }
        events.push(event);
    }
    append(store, &events).await;
    let mut found = Vec::new();
    let mut through = start.through;
    for _ in 0..10 {
        let Settled {
            changes,
            through: next,
        } = store
            .changes()
            .settled_after(through, 2)
            .await
            .expect("reads");
        assert!(next >= through && changes.len() <= 2);
        found.extend(
            changes
                .into_iter()
                .map(|Change { chain, facts, .. }| (chain, facts)),
        );
        through = next;
    }
    assert_eq!(found, expected);
    let end = store
        .changes()
        .settled_after(through, 2)
        .await
        .expect("reads");
    assert_eq!((end.changes.len(), end.through), (0, through));
    append(store, &[event(world, ChainId::INSTALLATION, 11)]).await;
    let passed = store
        .changes()
        .settled_after(through, 2)
        .await
        .expect("reads");
    assert!(passed.changes.is_empty() && passed.through > through);
}
