//! Verification: walks a chain from its beginning and says what is wrong with it, if anything.

use std::collections::HashSet;

use slipway_kernel::{EventId, RecordId, Sha256};

use crate::{ChainId, Checkpoint, Event, Fact, FactKind, Link, Unchained, chain::link_hash};

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many links were recomputed.
    pub events: u64,
    /// How many rows were compared with their digests.
    pub facts: u64,
    /// How many events wait to be chained.
    pub unchained: u64,
    /// The first thing that is wrong; `None` where nothing is.
    pub first_break: Option<Break>,
    /// The last link, where nothing is wrong with the chain.
    pub head: Option<Link>,
}

/// Where a chain is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The position concerned; 0 where there is none.
    pub position: i64,
    /// The event concerned.
    pub event: Option<EventId>,
    /// What sort of damage it is.
    pub kind: BreakKind,
    /// What was found and what was expected.
    pub explanation: String,
}

/// What can be wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakKind {
    /// A position has no event.
    EventMissing,
    /// An event does not give the hash that the chain holds.
    EventChanged,
    /// An event stands in another chain than its own, or twice, or was put in behind the sequencer's back.
    EventMisplaced,
    /// A row that an event vouches for does not exist.
    FactMissing,
    /// A row that an event vouches for is not the one it was.
    FactChanged,
    /// There are rows that no event vouches for.
    FactUnaccounted,
    /// The chain ends before the checkpoint.
    ChainCut,
    /// The chain holds another hash than the checkpoint.
    CheckpointDiffers,
    /// A row can't be read.
    Unreadable,
}

/// Verifies one chain, link by link. It reads nothing by itself: whoever drives it brings links, events and rows, all
/// of one moment.
#[derive(Debug)]
pub struct Verifier {
    chain: ChainId,
    checkpoint: Option<Checkpoint>,
    last: Option<Link>,
    events: u64,
    facts: u64,
    vouched: HashSet<(FactKind, RecordId)>,
}

impl Verifier {
    /// Starts at the beginning of a chain. A checkpoint must be one of the same chain.
    pub fn new(chain: ChainId, checkpoint: Option<Checkpoint>) -> Self {
        Self {
            chain,
            checkpoint,
            last: None,
            events: 0,
            facts: 0,
            vouched: HashSet::new(),
        }
    }

    /// The next link and its event.
    pub fn link(&mut self, link: Link, event: Option<&Event>) -> Result<(), Break> {
        let broken = |kind, explanation| Break {
            position: link.position,
            event: Some(link.event),
            kind,
            explanation,
        };
        let expected = self.last.map_or(1, |last| last.position + 1);
        if link.position != expected {
            let explanation = format!(
                "position {expected} is missing: the next one is {}",
                link.position
            );
            return Err(Break {
                position: expected,
                event: None,
                kind: BreakKind::EventMissing,
                explanation,
            });
        }
        let Some(event) = event else {
            return Err(broken(
                BreakKind::EventMissing,
                format!("event {} does not exist", link.event),
            ));
        };
        if event.chain != self.chain {
            return Err(broken(
                BreakKind::EventMisplaced,
                "the event belongs to another chain".to_owned(),
            ));
        }
        let hash = link_hash(self.last.as_ref(), event)
            .map_err(|error| broken(BreakKind::Unreadable, error.to_string()))?;
        if hash != link.hash {
            let explanation = format!(
                "the chain holds the hash {}, the event gives {hash}",
                link.hash
            );
            return Err(broken(BreakKind::EventChanged, explanation));
        }
        if let Some(checkpoint) = self
            .checkpoint
            .filter(|checkpoint| checkpoint.position == link.position)
            && checkpoint.hash != link.hash
        {
            let explanation = format!(
                "the chain holds the hash {}, the checkpoint {}",
                link.hash, checkpoint.hash
            );
            return Err(broken(BreakKind::CheckpointDiffers, explanation));
        }
        self.last = Some(link);
        self.events += 1;
        Ok(())
    }

    /// One row that an event vouches for, with the digest that the row has now.
    pub fn fact(&mut self, event: &Event, fact: &Fact, found: Option<Sha256>) -> Result<(), Break> {
        let position = self
            .last
            .filter(|last| last.event == event.id)
            .map_or(0, |last| last.position);
        let broken = |kind, explanation| Break {
            position,
            event: Some(event.id),
            kind,
            explanation,
        };
        let name = format!("{} {}", fact.kind.as_str(), fact.record);
        match found {
            None => Err(broken(
                BreakKind::FactMissing,
                format!("{name} does not exist"),
            )),
            Some(found) if found != fact.digest => Err(broken(
                BreakKind::FactChanged,
                format!(
                    "{name} has the digest {found}, the event holds {}",
                    fact.digest
                ),
            )),
            Some(_) if !self.vouched.insert((fact.kind, fact.record)) => Err(broken(
                BreakKind::EventMisplaced,
                format!("{name} was vouched for before"),
            )),
            Some(_) => {
                self.facts += 1;
                Ok(())
            }
        }
    }

    /// The end of the chain: `rows` is how many rows there are for events of this chain to vouch for. The facts of the
    /// events that wait must have been brought too.
    pub fn end(self, unchained: &Unchained, rows: u64) -> Verification {
        let first_break = self.final_break(unchained, rows);
        self.result(unchained.waiting.len() as u64, first_break)
    }

    /// The result where the walk ended early.
    pub fn broken(self, unchained: u64, first_break: Break) -> Verification {
        self.result(unchained, Some(first_break))
    }

    fn final_break(&self, unchained: &Unchained, rows: u64) -> Option<Break> {
        let position = self.last.map_or(0, |last| last.position);
        if let Some(checkpoint) = self
            .checkpoint
            .filter(|checkpoint| checkpoint.position > position)
        {
            let explanation = format!(
                "the chain ends at {position}, the checkpoint is at {}",
                checkpoint.position
            );
            return Some(Break {
                position: position + 1,
                event: None,
                kind: BreakKind::ChainCut,
                explanation,
            });
        }
        if let Some(event) = unchained.passed {
            let explanation =
                "the event stands before chained ones and is not chained itself".to_owned();
            return Some(Break {
                position: 0,
                event: Some(event),
                kind: BreakKind::EventMisplaced,
                explanation,
            });
        }
        if rows != self.facts {
            let explanation = format!(
                "there are {rows} records and retractions, and events for {}",
                self.facts
            );
            return Some(Break {
                position: 0,
                event: None,
                kind: BreakKind::FactUnaccounted,
                explanation,
            });
        }
        None
    }

    fn result(self, unchained: u64, first_break: Option<Break>) -> Verification {
        Verification {
            events: self.events,
            facts: self.facts,
            unchained,
            head: self.last.filter(|_| first_break.is_none()),
            first_break,
        }
    }
}

#[cfg(test)]
mod tests;
