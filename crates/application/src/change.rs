//! The frame that every change has in common: a unit of work, the request that was made before, the audit event.

use serde::Serialize;
use slipway_audit::{ChainId, Event, Fact, Outcome, Resource};
use slipway_identity::Command;
use slipway_kernel::{EventId, ProjectId, Slug, StoreError, Timestamp, digest_of};
use slipway_store::{RequestKey, RequestRecord, UnitOfWork, request::RETENTION};

use crate::{Call, CommandError, Context};

/// A change that has begun and is authorised. Dropping it changes nothing.
pub(crate) struct Change<'a> {
    context: &'a Context,
    call: &'a Call<'a>,
    /// What the next audit event says was done.
    pub(crate) command: Command,
    /// The time of the change.
    pub(crate) now: Timestamp,
    /// The project it is made in; `None` in the installation.
    project: Option<ProjectId>,
    /// Where it is made.
    pub(crate) unit: Box<dyn UnitOfWork>,
}

/// What a change did, for the audit trail. No person's name and no secret belongs in it.
pub(crate) struct Done<'a> {
    /// What it was done to.
    pub(crate) resource: Resource,
    /// The resource before.
    pub(crate) before: Option<serde_json::Value>,
    /// The resource after.
    pub(crate) after: Option<serde_json::Value>,
    /// The rows that the event vouches for.
    pub(crate) facts: &'a [Fact],
}

impl<'a> Change<'a> {
    /// Begins a change in a project, be it archived or not: see [`Self::require_open`].
    pub(crate) async fn in_any_project(
        context: &'a Context,
        call: &'a Call<'a>,
        command: Command,
        project: &Slug,
    ) -> Result<(Self, ProjectId), CommandError> {
        let id = context.authorise_in(call, command, project).await?;
        Ok((Self::begin(context, call, command, Some(id)).await?, id))
    }

    /// Begins a change to the installation.
    pub(crate) async fn in_installation(
        context: &'a Context,
        call: &'a Call<'a>,
        command: Command,
    ) -> Result<Self, CommandError> {
        Context::authorise_installation(call, command)?;
        Self::begin(context, call, command, None).await
    }

    /// Begins a change that the caller has authorised itself.
    pub(crate) async fn begin(
        context: &'a Context,
        call: &'a Call<'a>,
        command: Command,
        project: Option<ProjectId>,
    ) -> Result<Self, CommandError> {
        let unit = context.store.begin().await?;
        Ok(Self {
            context,
            call,
            command,
            now: context.clock.now(),
            project,
            unit,
        })
    }

    /// Passes where the project takes changes. To be asked behind [`Self::made_before`]: a request that was carried out
    /// while the project was open still answers when it is repeated.
    pub(crate) async fn require_open(&mut self, project: &Slug) -> Result<(), CommandError> {
        // Not to be held: changes in a project don't wait for each other.
        let found = match self.project {
            Some(id) => self.unit.projects().get(id).await?,
            None => None,
        };
        if found.is_none_or(|found| found.archived_at.is_some()) {
            return Err(CommandError::ProjectArchived {
                slug: project.clone(),
            });
        }
        Ok(())
    }

    /// Remembers the request, if the caller gave it an id. Where the same one was made before, this is what it made or
    /// changed then: the use case returns that as it is now, and drops the change.
    pub(crate) async fn made_before(
        &mut self,
        asked: &(impl Serialize + Sync),
        resource: &str,
    ) -> Result<Option<String>, CommandError> {
        let Some(request_id) = self.call.request_id else {
            return Ok(None);
        };
        let key = RequestKey {
            principal: self.call.caller.principal,
            project: self.project,
            method: self.command.name(),
            request_id: request_id.to_owned(),
        };
        let digest = digest_of("slipway.command.v1", asked)?;
        let record = RequestRecord {
            digest,
            resource: resource.to_owned(),
            at: self.now,
        };
        let forget_before = self.now.minus(RETENTION);
        match self
            .unit
            .requests()
            .remember(&key, &record, forget_before)
            .await?
        {
            None => Ok(None),
            Some(earlier) if earlier.digest == digest => Ok(Some(earlier.resource)),
            Some(_) => Err(CommandError::RequestIdReused {
                request_id: request_id.to_owned(),
            }),
        }
    }

    /// Writes the audit event into the change.
    pub(crate) async fn audit(&mut self, done: Done<'_>) -> Result<(), CommandError> {
        let event = Event {
            id: EventId::new(&*self.context.ids),
            chain: ChainId(self.project),
            at: self.now,
            principal: self.call.caller.principal,
            command: self.command.name().to_owned(),
            outcome: Outcome::Allowed,
            resource: done.resource,
            before: done.before,
            after: done.after,
            facts: done.facts.to_vec(),
            correlation_id: self.call.correlation_id.to_owned(),
            repeat_count: 1,
        };
        Ok(self.unit.audit().append(&event).await?)
    }

    /// Writes the audit event of what was done, which vouches for no rows, and makes the change visible and durable.
    pub(crate) async fn done(
        mut self,
        resource: Resource,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Result<(), CommandError> {
        self.audit(Done {
            resource,
            before,
            after,
            facts: &[],
        })
        .await?;
        self.commit().await
    }

    /// Makes the change visible and durable.
    pub(crate) async fn commit(self) -> Result<(), CommandError> {
        Ok(self.unit.commit().await?)
    }
}

/// What a request is remembered to have made ([`Change::made_before`]) can't be found again.
pub(crate) fn bad_resource(resource: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Inconsistent {
        table: "request",
        column: "resource",
        row: resource.to_owned(),
        problem: problem.into(),
    }
}
