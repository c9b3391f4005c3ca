//! Audit events.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slipway_kernel::{
    EventId, PrincipalId, RecordId, Sha256, StoreError, Timestamp,
    digest::{CanonicalError, digest_of},
};

use crate::{ChainId, Link};

/// Somebody did something, or was refused. It never changes, and holds no person's name and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its identifier.
    pub id: EventId,
    /// The chain it belongs to: its project's, or the installation's.
    pub chain: ChainId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it, as authenticated.
    pub principal: PrincipalId,
    /// What was done or tried, by the name of the command.
    pub command: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// What it was done to.
    pub resource: Resource,
    /// The resource before the change.
    pub before: Option<Value>,
    /// The resource after the change.
    pub after: Option<Value>,
    /// The rows that the event vouches for.
    pub facts: Vec<Fact>,
    /// The correlation id of the call; empty where there was none.
    pub correlation_id: String,
    /// How many equal refusals in short succession it stands for; 1 for everything else.
    pub repeat_count: i64,
}

impl Event {
    /// The digest that the chain keeps of it, in the form `slipway.audit-event.v1`: over every field.
    pub fn digest(&self) -> Result<Sha256, CanonicalError> {
        digest_of("slipway.audit-event.v1", self)
    }

    /// Its place in lists.
    pub const fn place(&self) -> EventPlace {
        EventPlace {
            at: self.at,
            id: self.id,
        }
    }
}

/// Whether a command was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It was.
    Allowed,
    /// It was refused, and nothing was changed.
    Refused {
        /// Why, by the name of the API's reason.
        reason: String,
    },
}

/// What a command was aimed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The sort of resource: `environment`, `deployment_record`, …
    pub kind: String,
    /// What requests call it; empty where a refused call did not say.
    pub name: String,
}

impl Resource {
    /// A resource by its sort and its name.
    pub fn new(kind: &str, name: &impl ToString) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_string(),
        }
    }
}

/// A row that an event vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The sort of row.
    pub kind: FactKind,
    /// The record that it is, or is about.
    pub record: RecordId,
    /// The digest of the row.
    pub digest: Sha256,
}

/// The sorts of rows that events vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// A deployment record.
    DeploymentRecord,
    /// The retraction of a deployment record.
    Retraction,
}

impl FactKind {
    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentRecord => "deployment_record",
            Self::Retraction => "retraction",
        }
    }
}

/// Which events of a chain a reader wants; what is `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EventFilter {
    /// Of this command.
    pub command: Option<String>,
    /// Of this principal.
    pub principal: Option<PrincipalId>,
    /// Refused ones only, or carried out ones only.
    pub refused: Option<bool>,
    /// On resources of this sort.
    pub resource_kind: Option<String>,
    /// On the resource of this name, with `resource_kind`.
    pub resource_name: Option<String>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl EventFilter {
    /// Whether the filter selects this event.
    pub fn selects(&self, event: &Event) -> bool {
        let refused = matches!(event.outcome, Outcome::Refused { .. });
        self.command
            .as_ref()
            .is_none_or(|command| *command == event.command)
            && self
                .principal
                .is_none_or(|principal| principal == event.principal)
            && self.refused.is_none_or(|wanted| wanted == refused)
            && self
                .resource_kind
                .as_ref()
                .is_none_or(|kind| *kind == event.resource.kind)
            && self
                .resource_name
                .as_ref()
                .is_none_or(|name| *name == event.resource.name)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
    }
}

/// An event's place in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPlace {
    /// When it happened.
    pub at: Timestamp,
    /// Tells events of the same microsecond apart.
    pub id: EventId,
}

/// An event as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    /// The event.
    pub event: Event,
    /// Its link; `None` while it is not chained.
    pub link: Option<Link>,
}

/// Writes audit events, inside the unit of work that makes the change.
#[async_trait]
pub trait AuditLog: Send {
    /// Adds an event.
    async fn append(&mut self, event: &Event) -> Result<(), StoreError>;
}
