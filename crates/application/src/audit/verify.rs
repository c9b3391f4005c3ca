use std::collections::HashMap;

use slipway_audit::{
    Break, BreakKind, ChainId, Checkpoint, Event, Fact, FactKind, Link, Verification, Verifier,
};
use slipway_identity::Command;
use slipway_kernel::{RecordId, Sha256, Slug, StoreError};
use slipway_store::Reader;

use super::{AuditError, authorise_chain};
use crate::{Call, Context};

/// How many links are read at a time.
const LINKS_PER_READ: u32 = 250;
/// How many rows are looked at in one go.
const FACTS_PER_READ: usize = 500;

/// Recomputes a whole chain, and compares it with the rows that it vouches for and with a checkpoint of the same chain,
/// all as of one moment. A chain that does not verify is an answer, not an error.
pub async fn verify_audit_trail(
    context: &Context,
    call: &Call<'_>,
    project: Option<&Slug>,
    checkpoint: Option<(i64, Sha256)>,
) -> Result<Verification, AuditError> {
    let chain = authorise_chain(context, call, Command::VerifyAuditTrail, project).await?;
    let checkpoint = checkpoint.map(|(position, hash)| Checkpoint {
        chain,
        position,
        hash,
        taken_at: context.clock.now(),
    });
    let moment = context.store.snapshot().await?;
    Ok(verify_chain(&*moment, chain, checkpoint).await?)
}

/// Verifies a chain as `reader` sees it, which must show one moment only.
pub async fn verify_chain(
    reader: &dyn Reader,
    chain: ChainId,
    checkpoint: Option<Checkpoint>,
) -> Result<Verification, StoreError> {
    let mut walk = Walk {
        reader,
        chain,
        verifier: Verifier::new(chain, checkpoint),
    };
    match walk.links().await {
        Ok(()) => {}
        Err(Stop::Store(error)) => return Err(error),
        Err(Stop::Broken(found)) => {
            let waiting = match reader.unchained(chain).await {
                Ok(unchained) => unchained.waiting.len() as u64,
                Err(StoreError::Inconsistent { .. }) => 0,
                Err(error) => return Err(error),
            };
            return Ok(walk.verifier.broken(waiting, found));
        }
    }
    let unchained = match reader.unchained(chain).await {
        Err(error) => return walk.unreadable(error, 0),
        Ok(unchained) => unchained,
    };
    let waiting = unchained.waiting.len() as u64;
    match walk.facts(&unchained.waiting).await {
        Ok(()) => {}
        Err(Stop::Store(error)) => return Err(error),
        Err(Stop::Broken(found)) => return Ok(walk.verifier.broken(waiting, found)),
    }
    match reader.count_facts(chain).await {
        Err(error) => walk.unreadable(error, waiting),
        Ok(rows) => Ok(walk.verifier.end(&unchained, rows)),
    }
}

/// Why a walk ends early.
enum Stop {
    Broken(Break),
    Store(StoreError),
}

impl From<Break> for Stop {
    fn from(found: Break) -> Self {
        Self::Broken(found)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Walk<'a> {
    reader: &'a dyn Reader,
    chain: ChainId,
    verifier: Verifier,
}

impl Walk<'_> {
    /// All links, from the first one.
    async fn links(&mut self) -> Result<(), Stop> {
        let mut after = 0;
        let mut limit = LINKS_PER_READ;
        loop {
            let links = match self.reader.links(self.chain, after, limit).await {
                // Somewhere among them is a row that can't be read: go on one by one, to say which.
                Err(StoreError::Inconsistent { .. }) if limit > 1 => {
                    limit = 1;
                    continue;
                }
                Err(error) => return Err(unreadable(error, after + 1, None)),
                Ok(links) => links,
            };
            let Some((last, _)) = links.last() else {
                return Ok(());
            };
            after = last.position;
            self.page(&links).await?;
        }
    }

    async fn page(&mut self, links: &[(Link, Option<Event>)]) -> Result<(), Stop> {
        let facts = links
            .iter()
            .filter_map(|(_, event)| event.as_ref())
            .flat_map(|event| &event.facts);
        let found = match self.digests(facts).await {
            // Said with the event that vouches for the row, once the walk is there.
            Err(StoreError::Inconsistent { .. }) => None,
            found => Some(found?),
        };
        for (link, event) in links {
            self.verifier.link(*link, event.as_ref())?;
            let Some(event) = event else { continue };
            match &found {
                Some(found) => self.compare(event, found)?,
                None => match self.digests(&event.facts).await {
                    Err(error) => return Err(unreadable(error, link.position, Some(event))),
                    Ok(found) => self.compare(event, &found)?,
                },
            }
        }
        Ok(())
    }

    /// The facts of events that wait.
    async fn facts(&mut self, events: &[Event]) -> Result<(), Stop> {
        for event in events {
            match self.digests(&event.facts).await {
                Err(error) => return Err(unreadable(error, 0, Some(event))),
                Ok(found) => self.compare(event, &found)?,
            }
        }
        Ok(())
    }

    fn compare(&mut self, event: &Event, found: &Found) -> Result<(), Break> {
        event.facts.iter().try_for_each(|fact| {
            let digest = found.get(&(fact.kind, fact.record)).copied();
            self.verifier.fact(event, fact, digest)
        })
    }

    /// The digests of the rows named, for those that exist.
    async fn digests(&self, facts: impl IntoIterator<Item = &Fact>) -> Result<Found, StoreError> {
        let names: Vec<_> = facts
            .into_iter()
            .map(|fact| (fact.kind, fact.record))
            .collect();
        let mut found = HashMap::with_capacity(names.len());
        for names in names.chunks(FACTS_PER_READ) {
            let digests = self.reader.fact_digests(names).await?;
            let pairs = names.iter().zip(digests);
            found.extend(pairs.filter_map(|(name, digest)| Some((*name, digest?))));
        }
        Ok(found)
    }

    fn unreadable(self, error: StoreError, waiting: u64) -> Result<Verification, StoreError> {
        match unreadable(error, 0, None) {
            Stop::Broken(found) => Ok(self.verifier.broken(waiting, found)),
            Stop::Store(error) => Err(error),
        }
    }
}

type Found = HashMap<(FactKind, RecordId), Sha256>;

/// A row that can't be read is a finding; any other trouble is trouble.
fn unreadable(error: StoreError, position: i64, event: Option<&Event>) -> Stop {
    match error {
        StoreError::Inconsistent { .. } => Stop::Broken(Break {
            position,
            event: event.map(|event| event.id),
            kind: BreakKind::Unreadable,
            explanation: error.to_string(),
        }),
        error => Stop::Store(error),
    }
}
