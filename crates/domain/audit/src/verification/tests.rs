use slipway_kernel::{PrincipalId, ProjectId, Timestamp};

use super::*;
use crate::{Outcome, Resource, chain::next_link};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("in range")
}

fn uuid(n: u64) -> String {
    format!("0192f0c1-2345-7abc-8def-{n:012}")
}

fn chain() -> ChainId {
    ChainId::from(uuid(1).parse::<ProjectId>().expect("an id"))
}

fn event(n: u64) -> Event {
    Event {
        id: uuid(n).parse().expect("an id"),
        chain: chain(),
        at: at(1),
        principal: uuid(2).parse::<PrincipalId>().expect("an id"),
        command: "RecordDeployment".to_owned(),
        outcome: Outcome::Allowed,
        resource: Resource::new("deployment_record", &n),
        before: None,
        after: None,
        facts: vec![Fact {
            kind: FactKind::DeploymentRecord,
            record: uuid(n).parse().expect("an id"),
            digest: Sha256::of_bytes(&n.to_be_bytes()),
        }],
        correlation_id: String::new(),
        repeat_count: 1,
    }
}

fn links(events: &[Event]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for event in events {
        let link = next_link(links.last(), event, at(9)).expect("canonical");
        links.push(link);
    }
    links
}

/// Walks a chain, with every row as its event says.
fn verify(
    links: &[Link],
    events: &[Event],
    checkpoint: Option<Checkpoint>,
    rows: u64,
) -> Verification {
    let mut verifier = Verifier::new(chain(), checkpoint);
    for link in links {
        let event = events.iter().find(|event| event.id == link.event);
        let step = verifier.link(*link, event).and_then(|()| {
            let event = event.expect("verified to exist");
            event
                .facts
                .iter()
                .try_for_each(|fact| verifier.fact(event, fact, Some(fact.digest)))
        });
        if let Err(found) = step {
            return verifier.broken(0, found);
        }
    }
    verifier.end(
        &Unchained {
            passed: None,
            waiting: Vec::new(),
        },
        rows,
    )
}

fn kind(verification: &Verification) -> Option<BreakKind> {
    verification.first_break.as_ref().map(|found| found.kind)
}

#[test]
fn an_untouched_chain_verifies_against_its_checkpoint() {
    let events: Vec<_> = (10..15).map(event).collect();
    let links = links(&events);
    let checkpoint = Checkpoint::of(&links[3], at(10));
    let result = verify(&links, &events, Some(checkpoint), 5);
    assert_eq!((kind(&result), result.events, result.facts), (None, 5, 5));
    assert_eq!(result.head, Some(links[4]));
}

#[test]
fn every_kind_of_damage_has_its_name() {
    let events: Vec<_> = (10..15).map(event).collect();
    let good = links(&events);
    let checkpoint = Some(Checkpoint::of(&good[3], at(10)));

    let mut changed = events.clone();
    changed[2].command = "GetProject".to_owned();
    assert_eq!(
        kind(&verify(&good, &changed, checkpoint, 5)),
        Some(BreakKind::EventChanged)
    );

    let mut missing = events.clone();
    missing.remove(2);
    assert_eq!(
        kind(&verify(&good, &missing, checkpoint, 4)),
        Some(BreakKind::EventMissing)
    );

    let mut gap = good.clone();
    gap.remove(1);
    assert_eq!(
        kind(&verify(&gap, &events, checkpoint, 5)),
        Some(BreakKind::EventMissing)
    );

    assert_eq!(
        kind(&verify(&good[..3], &events, checkpoint, 3)),
        Some(BreakKind::ChainCut)
    );
    assert_eq!(
        kind(&verify(&good, &events, checkpoint, 6)),
        Some(BreakKind::FactUnaccounted)
    );

    let rewritten = links(&changed);
    assert_eq!(
        kind(&verify(&rewritten, &changed, None, 5)),
        None,
        "without a checkpoint nobody can tell"
    );
    assert_eq!(
        kind(&verify(&rewritten, &changed, checkpoint, 5)),
        Some(BreakKind::CheckpointDiffers)
    );

    let mut moved = events.clone();
    moved[0].chain = ChainId::INSTALLATION;
    assert_eq!(
        kind(&verify(&good, &moved, checkpoint, 5)),
        Some(BreakKind::EventMisplaced)
    );
}

#[test]
fn rows_are_compared_with_their_digests() {
    let event = event(10);
    let mut verifier = Verifier::new(chain(), None);
    let gone = verifier
        .fact(&event, &event.facts[0], None)
        .expect_err("missing");
    assert_eq!(gone.kind, BreakKind::FactMissing);
    let other = verifier
        .fact(&event, &event.facts[0], Some(Sha256::of_bytes(b"other")))
        .expect_err("changed");
    assert_eq!(other.kind, BreakKind::FactChanged);
    verifier
        .fact(&event, &event.facts[0], Some(event.facts[0].digest))
        .expect("as it was");
    let twice = verifier
        .fact(&event, &event.facts[0], Some(event.facts[0].digest))
        .expect_err("twice");
    assert_eq!(twice.kind, BreakKind::EventMisplaced);
}

#[test]
fn an_event_put_in_behind_the_sequencer_is_found() {
    let verifier = Verifier::new(chain(), None);
    let passed = Unchained {
        passed: Some(event(10).id),
        waiting: Vec::new(),
    };
    assert_eq!(
        kind(&verifier.end(&passed, 0)),
        Some(BreakKind::EventMisplaced)
    );
}
