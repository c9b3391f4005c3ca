use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use slipway_audit::{ChainId, Event, Outcome, Resource};
use slipway_identity::{Caller, Command};
use slipway_kernel::{EventId, PrincipalId, Slug, StoreError, Timestamp};

use super::name_in_events;
use crate::Context;

/// Equal refusals within this time become one event beside the first one.
const WINDOW: Duration = Duration::from_mins(1);
/// How many different refusals are remembered; one that does not fit is an event at once.
const MAX_REMEMBERED: usize = 10_000;

/// An authenticated caller was refused.
#[derive(Debug, Clone)]
pub struct Refusal<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// What it tried.
    pub command: Command,
    /// The project it was about; `None` where it was about none, or its name was no slug.
    pub project: Option<&'a Slug>,
    /// What it was aimed at.
    pub resource: Resource,
    /// Why, by the name of the API's reason.
    pub reason: &'static str,
    /// Whether it was refused because the caller may not, or may not even know.
    pub denied: bool,
    /// Names the call.
    pub correlation_id: &'a str,
}

/// Which refusals are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Equal {
    principal: PrincipalId,
    command: Command,
    chain: ChainId,
    reason: &'static str,
}

/// Equal refusals since the first one, which is an event already.
#[derive(Debug)]
struct Repeated {
    since: Timestamp,
    count: i64,
    /// The latest of them.
    at: Timestamp,
    resource: Resource,
    correlation_id: String,
}

/// The refusals of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Equal, Repeated>>);

/// Writes a refusal into the audit trail: of every changing command, and of a reading one where access was denied. It
/// stands in the chain of its project where that exists, whether the caller may see it or not, else in the
/// installation's.
///
/// The first of several equal ones (the same principal, command, chain and reason) is an event of its own at once; what
/// follows within 60 s becomes one more event with their number, written by [`flush_refusals`].
pub async fn note_refusal(context: &Context, refusal: Refusal<'_>) -> Result<(), StoreError> {
    if refusal.command.reads() && !refusal.denied {
        return Ok(());
    }
    let project = match refusal.project {
        Some(slug) => context.project_id(slug).await?,
        None => None,
    };
    let equal = Equal {
        principal: refusal.caller.principal,
        command: refusal.command,
        chain: ChainId(project),
        reason: refusal.reason,
    };
    let now = context.clock.now();
    let mut repeated = Repeated {
        since: now,
        count: 1,
        at: now,
        resource: refusal.resource,
        correlation_id: refusal.correlation_id.to_owned(),
    };
    {
        let mut remembered = context.refusals.lock();
        let full = remembered.len() >= MAX_REMEMBERED;
        match remembered.entry(equal) {
            Entry::Occupied(mut earlier) => {
                repeated.count += earlier.get().count;
                repeated.since = earlier.get().since;
                earlier.insert(repeated);
                return Ok(());
            }
            Entry::Vacant(place) if !full => {
                place.insert(Repeated {
                    count: 0,
                    resource: repeated.resource.clone(),
                    correlation_id: repeated.correlation_id.clone(),
                    ..repeated
                });
            }
            Entry::Vacant(_) => {}
        }
    }
    let written = write(context, &[(equal, &repeated)]).await;
    if written.is_err()
        && let Some(remembered) = context.refusals.lock().get_mut(&equal)
    {
        remembered.count += 1;
    }
    written
}

/// Writes what was counted for a minute. To be called every few seconds.
pub async fn flush_refusals(context: &Context) -> Result<(), StoreError> {
    let now = context.clock.now();
    flush(context, |repeated| now.since(repeated.since) >= WINDOW).await
}

/// Writes all that was counted, before the process ends.
pub async fn flush_all_refusals(context: &Context) -> Result<(), StoreError> {
    flush(context, |_| true).await
}

async fn flush(context: &Context, due: impl Fn(&Repeated) -> bool) -> Result<(), StoreError> {
    let due: Vec<(Equal, Repeated)> = context
        .refusals
        .lock()
        .extract_if(|_, repeated| due(repeated))
        .filter(|(_, repeated)| repeated.count > 0)
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let events: Vec<_> = due
        .iter()
        .map(|(equal, repeated)| (*equal, repeated))
        .collect();
    let written = write(context, &events).await;
    if written.is_err() {
        let mut remembered = context.refusals.lock();
        for (equal, mut repeated) in due {
            match remembered.entry(equal) {
                Entry::Occupied(mut later) => later.get_mut().count += repeated.count,
                Entry::Vacant(place) => {
                    repeated.since = context.clock.now();
                    place.insert(repeated);
                }
            }
        }
    }
    written
}

async fn write(context: &Context, refusals: &[(Equal, &Repeated)]) -> Result<(), StoreError> {
    let mut resources = Vec::with_capacity(refusals.len());
    for (equal, Repeated { resource, .. }) in refusals {
        let name = name_in_events(context, equal.chain, &resource.kind, &resource.name).await?;
        resources.push(Resource::new(&resource.kind, &name));
    }
    let mut unit = context.store.begin().await?;
    for ((equal, repeated), resource) in refusals.iter().zip(resources) {
        let event = Event {
            id: EventId::new(&*context.ids),
            chain: equal.chain,
            at: repeated.at,
            principal: equal.principal,
            command: equal.command.name().to_owned(),
            outcome: Outcome::Refused {
                reason: equal.reason.to_owned(),
            },
            resource,
            before: None,
            after: None,
            facts: Vec::new(),
            correlation_id: repeated.correlation_id.clone(),
            repeat_count: repeated.count,
        };
        unit.audit().append(&event).await?;
    }
    unit.commit().await
}

impl Refusals {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Equal, Repeated>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
