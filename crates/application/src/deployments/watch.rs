//! Following a deployment.
//!
//! All watchers of a process share one look at the database: a statement that says of every deployment that is watched how
//! far it is, in a few numbers. Only whoever sees those change reads the deployment itself.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use slipway_deployments::{Deployment, DeploymentName, DeploymentPulse, Item};
use slipway_identity::{Caller, Command};
use slipway_kernel::{DeploymentId, ProjectId, Slug, StoreError};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use super::DeploymentError;
use crate::{
    Call, Context,
    authentication::{AuthenticationError, authenticate_again},
};

/// How often it is asked how far the deployments are, while anybody watches.
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// How often it is checked that the watcher may still watch. With what is remembered of tokens, a revoked one ends its
/// watches within 5 s.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

type Pulse = Option<DeploymentPulse>;

/// How far the deployments are that somebody in this process watches.
#[derive(Debug, Default)]
pub(crate) struct Pulses {
    watched: Mutex<HashMap<DeploymentId, watch::Sender<Pulse>>>,
    joined: Notify,
    failing: AtomicBool,
}

impl Pulses {
    fn join(&self, id: DeploymentId) -> watch::Receiver<Pulse> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = watched.entry(id).or_insert_with(|| watch::channel(None).0);
        let receiver = sender.subscribe();
        drop(watched);
        self.joined.notify_one();
        receiver
    }

    /// The deployments that are watched still; the others are forgotten.
    fn watched(&self) -> Vec<DeploymentId> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    async fn poll(&self, context: &Context, ids: &[DeploymentId]) -> Result<(), StoreError> {
        let pulses = context.reader().deployment_pulses(ids).await?;
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for pulse in pulses {
            if let Some(sender) = watched.get(&pulse.id) {
                sender.send_if_modified(|known| known.replace(pulse) != Some(pulse));
            }
        }
        Ok(())
    }
}

/// Tells the watchers of this process how far their deployments are, for ever. While nobody watches it does nothing.
/// While the database can't be reached, watchers wait, and miss nothing.
pub async fn watch_pulses(context: &Context) -> Infallible {
    let pulses = &context.pulses;
    loop {
        let ids = pulses.watched();
        if ids.is_empty() {
            pulses.joined.notified().await;
            continue;
        }
        match pulses.poll(context, &ids).await {
            Ok(()) => pulses.failing.store(false, Ordering::Relaxed),
            Err(error) => {
                if !pulses.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "watchers of deployments wait: how far they are can't be read"
                    );
                }
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Why a watch ends early.
#[derive(Debug, thiserror::Error)]
pub enum WatchDeploymentError {
    /// The caller's token is good no longer.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// As any question about a deployment.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The deployment as it is now.
    pub deployment: Deployment,
    /// The positions of the items that changed since the watcher was told last: at first all.
    pub changed: Vec<u32>,
    /// How far it is.
    pub pulse: DeploymentPulse,
}

/// Follows one deployment until it is over.
pub struct DeploymentWatch {
    context: Arc<Context>,
    caller: Caller,
    correlation_id: String,
    slug: Slug,
    project: ProjectId,
    id: DeploymentId,
    pulses: watch::Receiver<Pulse>,
    /// What was told last, with all items.
    told: Option<Watched>,
    check_at: Instant,
}

impl DeploymentWatch {
    /// Begins to watch.
    pub async fn start(
        context: &Arc<Context>,
        call: &Call<'_>,
        slug: &Slug,
        name: DeploymentName,
    ) -> Result<Self, DeploymentError> {
        let project = context
            .authorise_in(call, Command::WatchDeployment, slug)
            .await?;
        let found = context.reader().deployment(project, name).await?;
        let id = found.ok_or(DeploymentError::NotFound { name })?.id;
        Ok(Self {
            context: Arc::clone(context),
            caller: call.caller.clone(),
            correlation_id: call.correlation_id.to_owned(),
            slug: slug.clone(),
            project,
            id,
            // Before it is read for the first time, so that no change falls between.
            pulses: context.pulses.join(id),
            told: None,
            check_at: Instant::now() + CHECK_INTERVAL,
        })
    }

    /// What comes next: the deployment as it is at first, then whenever it has changed; `None` when it is over and that was
    /// told. It waits until there is something, for as long as the caller may watch.
    pub async fn next(&mut self) -> Result<Option<Watched>, WatchDeploymentError> {
        let over = |told: &Watched| told.deployment.state.is_over();
        if self.told.as_ref().is_some_and(over) {
            return Ok(None);
        }
        loop {
            if Instant::now() >= self.check_at {
                self.check().await?;
            }
            if (self.told.is_none() || self.has_changed().await)
                && let Some(news) = self.look().await?
            {
                self.told = Some(news.clone());
                return Ok(Some(news));
            }
        }
    }

    /// Waits for a change, until it is time to check again.
    async fn has_changed(&mut self) -> bool {
        // The sender lives as long as there is a receiver.
        let changed = timeout_at(self.check_at, self.pulses.changed()).await;
        matches!(changed, Ok(Ok(())))
    }

    /// Reads the deployment, and says how it differs from what was told last; `None` where it does not.
    async fn look(&self) -> Result<Option<Watched>, DeploymentError> {
        let reader = self.context.reader();
        // Before the deployment, so that what is told beside it is no later than it.
        let pulses = reader.deployment_pulses(&[self.id]).await?;
        let name = DeploymentName::Id(self.id);
        let found = reader.deployment(self.project, name).await?;
        let (Some(deployment), [pulse]) = (found, &*pulses) else {
            return Err(DeploymentError::NotFound { name });
        };
        let told = self.told.as_ref();
        if told.is_some_and(|told| told.deployment == deployment && told.pulse == *pulse) {
            return Ok(None);
        }
        let is_new = |item: &&Item| {
            let before = told.and_then(|told| told.deployment.items.get(item.position as usize));
            before != Some(*item)
        };
        let changed = deployment.items.iter().filter(is_new);
        Ok(Some(Watched {
            changed: changed.map(|item| item.position).collect(),
            pulse: *pulse,
            deployment,
        }))
    }

    /// Passes where the caller may watch still.
    async fn check(&mut self) -> Result<(), WatchDeploymentError> {
        let caller = authenticate_again(&self.context, &self.caller.credential).await?;
        let call = Call {
            caller: &caller,
            correlation_id: &self.correlation_id,
            request_id: None,
        };
        self.context
            .authorise_in(&call, Command::WatchDeployment, &self.slug)
            .await
            .map_err(DeploymentError::from)?;
        self.check_at = Instant::now() + CHECK_INTERVAL;
        Ok(())
    }
}
