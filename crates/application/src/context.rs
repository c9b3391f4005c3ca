//! What every use case works with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;
use slipway_identity::{Bearer, Caller, Issuers, SecretSource, issuer::NoIssuers};
use slipway_kernel::{
    Clock, EnvironmentId, IdGenerator, PrincipalId, ProjectId, Sha256, Slug, StoreError, Timestamp,
    TokenId, object::ObjectStore, text::DisplayName,
};
use slipway_notifications::Courier;
use slipway_store::{Reader, Store};

use crate::{
    audit::Refusals,
    authentication::Session,
    deployments::Pulses,
    error::dangling,
    ledger::Feed,
    outside::{Engines, Nowhere, Repositories},
};

/// How long a token's bearer and its memberships are remembered. What another replica revokes takes effect here within
/// this time; the promise to callers is 5 s.
const BEARER_TTL: Duration = Duration::from_secs(4);
/// How long people's names are remembered: an erased one is gone from all answers after this time.
const NAME_TTL: Duration = Duration::from_mins(1);
const CACHE_ENTRIES: u64 = 10_000;

/// The outside of the use cases, and what they remember of it.
pub struct Context {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Where content is kept.
    pub objects: Arc<dyn ObjectStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New identifiers.
    pub ids: Arc<dyn IdGenerator>,
    /// New secrets.
    pub secrets: Arc<dyn SecretSource>,
    /// Workflow engines.
    pub engines: Arc<dyn Engines>,
    /// Git repositories.
    pub repositories: Arc<dyn Repositories>,
    /// Those who are told what happens.
    pub courier: Arc<dyn Courier>,
    /// Identity providers.
    pub issuers: Arc<dyn Issuers>,
    /// Slugs never change and projects are never deleted, so that this can't go out of date.
    projects: Cache<Slug, ProjectId>,
    /// As little: an environment keeps its slug, and is never deleted.
    environments: Cache<EnvironmentId, Slug>,
    display_names: Cache<PrincipalId, Option<DisplayName>>,
    pub(crate) bearers: Cache<TokenId, Arc<(Bearer, Arc<Caller>)>>,
    /// Tokens of identity providers and certificates that were found good, by their digests.
    pub(crate) sessions: Cache<Sha256, Arc<Session>>,
    pub(crate) token_uses: Mutex<HashMap<TokenId, Timestamp>>,
    pub(crate) feed: Feed,
    pub(crate) pulses: Pulses,
    pub(crate) refusals: Refusals,
}

impl Context {
    /// A context with nothing remembered yet, and without workflow engines, Git repositories, identity
    /// providers and anybody to tell.
    pub fn new(
        store: Arc<dyn Store>,
        objects: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        secrets: Arc<dyn SecretSource>,
    ) -> Self {
        Self {
            store,
            objects,
            clock,
            ids,
            secrets,
            engines: Arc::new(Nowhere),
            repositories: Arc::new(Nowhere),
            courier: Arc::new(Nowhere),
            issuers: Arc::new(NoIssuers),
            projects: Cache::new(CACHE_ENTRIES),
            environments: Cache::new(CACHE_ENTRIES),
            display_names: Cache::builder()
                .max_capacity(CACHE_ENTRIES)
                .time_to_live(NAME_TTL)
                .build(),
            bearers: Cache::builder()
                .max_capacity(CACHE_ENTRIES)
                .time_to_live(BEARER_TTL)
                .build(),
            sessions: Cache::builder()
                .max_capacity(CACHE_ENTRIES)
                .time_to_live(BEARER_TTL)
                .build(),
            token_uses: Mutex::default(),
            feed: Feed::default(),
            pulses: Pulses::default(),
            refusals: Refusals::default(),
        }
    }

    /// The same context with workflow engines and Git repositories.
    #[must_use]
    pub fn with_outside(
        self,
        engines: Arc<dyn Engines>,
        repositories: Arc<dyn Repositories>,
    ) -> Self {
        Self {
            engines,
            repositories,
            ..self
        }
    }

    /// The same context with somebody who brings messages.
    #[must_use]
    pub fn with_courier(self, courier: Arc<dyn Courier>) -> Self {
        Self { courier, ..self }
    }

    /// The same context with identity providers.
    #[must_use]
    pub fn with_issuers(self, issuers: Arc<dyn Issuers>) -> Self {
        Self { issuers, ..self }
    }

    /// Reads.
    pub fn reader(&self) -> &dyn Reader {
        self.store.reader()
    }

    /// The project with this slug. Costs a query the first time only.
    pub(crate) async fn project_id(&self, slug: &Slug) -> Result<Option<ProjectId>, StoreError> {
        if let Some(id) = self.projects.get(slug) {
            return Ok(Some(id));
        }
        let id = self.reader().project(slug).await?.map(|project| project.id);
        if let Some(id) = id {
            self.projects.insert(slug.clone(), id);
        }
        Ok(id)
    }

    /// The slug of an environment that something refers to, so that it must be there. Costs a query the first time only.
    pub async fn environment_slug(&self, id: EnvironmentId) -> Result<Slug, StoreError> {
        if let Some(slug) = self.environments.get(&id) {
            return Ok(slug);
        }
        let environment = self.reader().environment_by_id(id).await?;
        let environment = environment.ok_or_else(|| dangling("environment", id))?;
        self.environments.insert(id, environment.slug.clone());
        Ok(environment.slug)
    }

    /// What people call these principals; erased ones are missing. Costs at most one query, and none where all were
    /// asked for within the last minute.
    pub async fn display_names(
        &self,
        ids: impl IntoIterator<Item = PrincipalId> + Send,
    ) -> Result<HashMap<PrincipalId, DisplayName>, StoreError> {
        let mut names = HashMap::new();
        let mut unknown = Vec::new();
        for id in ids {
            match self.display_names.get(&id) {
                Some(Some(name)) => drop(names.insert(id, name)),
                Some(None) => {}
                None => unknown.push(id),
            }
        }
        if !unknown.is_empty() {
            unknown.sort_unstable();
            unknown.dedup();
            let mut found = self.reader().display_names(&unknown).await?;
            for id in unknown {
                let name = found.remove(&id);
                self.display_names.insert(id, name.clone());
                names.extend(name.map(|name| (id, name)));
            }
        }
        Ok(names)
    }

    /// Forgets every bearer: after a change to tokens, principals or memberships made here, it holds at once.
    pub(crate) fn forget_bearers(&self) {
        self.bearers.invalidate_all();
        self.sessions.invalidate_all();
    }

    /// Forgets the bearers that are one principal.
    pub(crate) fn forget_bearers_of(&self, principal: PrincipalId) {
        let of = |caller: &Caller| caller.principal == principal;
        for (token, _) in self.bearers.iter().filter(|(_, bearer)| of(&bearer.1)) {
            self.bearers.invalidate(&*token);
        }
        for (digest, _) in self.sessions.iter().filter(|(_, it)| of(it.caller())) {
            self.sessions.invalidate(&*digest);
        }
    }

    /// Remembers that a token was used, to be written once a minute.
    pub(crate) fn note_use(&self, token: TokenId, at: Timestamp) {
        self.token_uses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token, at);
    }
}
