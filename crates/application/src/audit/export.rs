use std::{collections::VecDeque, sync::Arc};

use sha2::{Digest as _, Sha256 as Hasher};
use slipway_audit::{ChainId, Event, EventFilter, Link};
use slipway_identity::Command;
use slipway_kernel::{Sha256, Slug, StoreError};

use super::{AuditError, as_events_do, authorise_chain};
use crate::{Call, Context};

/// How many links are read at a time. An event may vouch for a thousand rows, so that a page of them stays below some
/// 20 MB.
const LINKS_PER_READ: u32 = 100;

/// One part of an export.
#[derive(Debug)]
pub enum ExportItem {
    /// A chained event that the filter selects.
    Event {
        /// Where it stands.
        link: Link,
        /// The event.
        event: Box<Event>,
    },
    /// The end.
    Summary(ExportSummary),
}

/// What an export consisted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSummary {
    /// How many events were exported.
    pub events: u64,
    /// The SHA-256 over the hashes of the events exported, as 32 bytes each, in their order.
    pub digest: Sha256,
    /// The head of the chain up to which events were looked at.
    pub head: Option<Link>,
    /// How many events of the chain waited to be chained and were not looked at.
    pub unchained: u64,
}

/// Walks over the chained events that a filter selects, in the order of their chain.
///
/// How far it goes is decided in one moment at the start. What lies before never changes, so that no moment of the
/// database is held while a slow reader takes its time.
pub struct AuditExport {
    context: Arc<Context>,
    chain: ChainId,
    filter: EventFilter,
    head: Option<Link>,
    unchained: u64,
    position: i64,
    waiting: VecDeque<(Link, Event)>,
    events: u64,
    hasher: Hasher,
    ended: bool,
}

impl AuditExport {
    /// Begins an export.
    pub async fn start(
        context: &Arc<Context>,
        call: &Call<'_>,
        project: Option<&Slug>,
        filter: EventFilter,
    ) -> Result<Self, AuditError> {
        let chain = authorise_chain(context, call, Command::ExportAuditEvents, project).await?;
        let filter = as_events_do(context, chain, filter).await?;
        let moment = context.store.snapshot().await?;
        let head = moment.head(chain).await?;
        let unchained = moment.unchained(chain).await?.waiting.len() as u64;
        Ok(Self {
            context: Arc::clone(context),
            chain,
            filter,
            head,
            unchained,
            position: 0,
            waiting: VecDeque::new(),
            events: 0,
            hasher: Hasher::new(),
            ended: false,
        })
    }

    /// The next event, and after the last one the summary; then nothing.
    pub async fn next(&mut self) -> Result<Option<ExportItem>, AuditError> {
        loop {
            if let Some((link, event)) = self.waiting.pop_front() {
                self.events += 1;
                self.hasher.update(link.hash.as_bytes());
                let event = Box::new(event);
                return Ok(Some(ExportItem::Event { link, event }));
            }
            if self.ended {
                return Ok(None);
            }
            if self.head.is_none_or(|head| self.position >= head.position) {
                self.ended = true;
                return Ok(Some(ExportItem::Summary(ExportSummary {
                    events: self.events,
                    digest: Sha256::from_bytes(self.hasher.finalize_reset().into()),
                    head: self.head,
                    unchained: self.unchained,
                })));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), AuditError> {
        let links = self
            .context
            .reader()
            .links(self.chain, self.position, LINKS_PER_READ)
            .await?;
        if links.is_empty() {
            return Err(broken(self.position + 1, "the link does not exist").into());
        }
        let end = self.head.map_or(0, |head| head.position);
        for (link, event) in links {
            if self.position >= end {
                break;
            }
            self.position += 1;
            let event = event.filter(|_| link.position == self.position);
            let event = event
                .ok_or_else(|| broken(self.position, "the link or its event does not exist"))?;
            if self.filter.selects(&event) {
                self.waiting.push_back((link, event));
            }
        }
        Ok(())
    }
}

fn broken(position: i64, problem: &str) -> StoreError {
    StoreError::Inconsistent {
        table: "audit_chain",
        column: "position",
        row: position.to_string(),
        problem: format!("{problem}; verify the audit trail"),
    }
}
