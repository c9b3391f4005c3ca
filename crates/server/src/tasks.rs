//! What the server does without being asked: it chains audit events, carries out deployments, takes backups, tells
//! watchers what changed, and does what was put off.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use slipway_application::Context;
use slipway_application::approvals::expire_approvals;
use slipway_application::audit::{MAX_CHAINED, chain_events, flush_all_refusals, flush_refusals};
use slipway_application::authentication::save_token_uses;
use slipway_application::deployments::executor::{Ended, Executor};
use slipway_application::deployments::watch_pulses;
use slipway_application::ledger::feed_watchers;
use slipway_application::notifications::{Sender, Sent, dispatch_events, forget_deliveries};
use slipway_application::releases::start_due_releases;
use slipway_application::requests::forget_requests;
use slipway_application::snapshots::{BackedUp, publish_snapshots, take_due_backup};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use slipway_notifications::DeliveryState;

use crate::cli::explain;
use crate::config::Config;
use crate::serve::Process;
use crate::shutdown::Shutdown;

/// How long new audit events wait to be chained while there are some, and while there were none.
const CHAIN_BUSY: Duration = Duration::from_millis(500);
const CHAIN_IDLE: Duration = Duration::from_secs(1);
/// How often counted refusals are looked at.
const REFUSALS: Duration = Duration::from_secs(5);
/// How often it is written down which tokens were used.
const TOKEN_USES: Duration = Duration::from_secs(15);
/// How often old requests are forgotten.
const REQUESTS: Duration = Duration::from_hours(1);
/// How often approval requests that nobody answered in time are looked for.
const APPROVALS: Duration = Duration::from_secs(15);
/// How often snapshots that wait here are brought to the Git store.
const PUBLISH: Duration = Duration::from_secs(5);
/// How many deployments one server carries out at the same time.
const EXECUTORS: u32 = 4;
/// How long an executor waits where nothing is to be carried out.
const EXECUTOR_IDLE: Duration = Duration::from_millis(250);
/// How many deliveries one server attempts at the same time.
const SENDERS: u32 = 8;
/// How often events are looked for where there were none.
const EVENTS_IDLE: Duration = Duration::from_millis(250);
/// How often one of them looks for deliveries where there were none. They look one after the other, not all at once.
const SENDER_IDLE: Duration = Duration::from_secs(1);
/// How often old deliveries are forgotten.
const DELIVERIES: Duration = Duration::from_hours(1);
/// How long a task waits behind an error.
const RETRY: Duration = Duration::from_secs(2);
/// How long the last round may take when the server stops. What is not done then is done by the next server; only
/// counted refusals and uses of tokens would be lost.
const LAST_ROUND: Duration = Duration::from_secs(10);

/// How often releases are looked for that begin by themselves.
const RELEASES: Duration = Duration::from_millis(500);

/// How many backups one server takes at the same time.
const BACKUPS: u32 = 2;
/// How often due backups are looked for where there were none.
const BACKUPS_IDLE: Duration = Duration::from_secs(5);

type Outcomes = Family<OutcomeLabels, Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

type Failure = Box<dyn Error + Send + Sync>;

/// The tasks of one server.
pub struct Tasks {
    context: Arc<Context>,
    running: JoinSet<()>,
}

impl Tasks {
    /// Starts all tasks. They go on until the process drains.
    pub fn start(context: Arc<Context>, process: &Process, config: &Config) -> Self {
        let limits = config.executor.limits();
        let mut tasks = Self {
            context,
            running: JoinSet::new(),
        };
        let shutdown = &process.shutdown;
        let outcomes = Outcomes::default();
        process.metrics.register(
            "backups",
            "Backups by the clock, by what became of them: taken, disturbed by a deployment, failed",
            outcomes.clone(),
        );
        tasks.repeat("chaining audit events", shutdown, |context| async move {
            Ok(match chain_events(&context).await? {
                0 => CHAIN_IDLE,
                chained if chained >= MAX_CHAINED as usize => Duration::ZERO,
                _ => CHAIN_BUSY,
            })
        });
        tasks.repeat("writing down refusals", shutdown, |context| async move {
            flush_refusals(&context).await?;
            Ok(REFUSALS)
        });
        tasks.repeat(
            "writing down uses of tokens",
            shutdown,
            |context| async move {
                save_token_uses(&context).await?;
                Ok(TOKEN_USES)
            },
        );
        tasks.repeat("forgetting old requests", shutdown, |context| async move {
            let forgotten = forget_requests(&context).await?;
            tracing::debug!(forgotten, "forgot old requests");
            Ok(REQUESTS)
        });
        tasks.repeat("ending approval requests", shutdown, |context| async move {
            let expired = expire_approvals(&context).await?;
            tracing::debug!(expired, "ended approval requests");
            Ok(APPROVALS)
        });
        tasks.repeat("beginning releases", shutdown, |context| async move {
            let begun = start_due_releases(&context).await?;
            tracing::debug!(begun, "began releases");
            Ok(RELEASES)
        });
        tasks.repeat("publishing snapshots", shutdown, |context| async move {
            publish_snapshots(&context).await?;
            Ok(PUBLISH)
        });
        let fenced = Counter::default();
        process.metrics.register(
            "executor_fenced",
            "Writes about deployments that changed nothing, because another server had taken over",
            fenced.clone(),
        );
        for number in 1..=EXECUTORS {
            let owner = format!("{}-{number}", std::process::id());
            let executor = Executor::new(Arc::clone(&tasks.context), owner, limits.clone());
            let (executor, draining) = (Arc::new(executor), shutdown.clone());
            let fenced = fenced.clone();
            tasks.repeat("carrying out deployments", shutdown, move |_| {
                let (executor, draining) = (Arc::clone(&executor), draining.clone());
                let fenced: Counter = fenced.clone();
                async move {
                    let ended = executor.carry_out_one(|| draining.is_draining()).await?;
                    if ended == Ended::Lost {
                        fenced.inc();
                    }
                    Ok(if ended == Ended::Idle {
                        EXECUTOR_IDLE
                    } else {
                        Duration::ZERO
                    })
                }
            });
        }
        for _ in 0..BACKUPS {
            let outcomes = outcomes.clone();
            tasks.repeat("taking backups", shutdown, move |context| {
                let outcomes = outcomes.clone();
                async move {
                    let backed_up = take_due_backup(&context).await?;
                    Ok(told(&backed_up, &outcomes))
                }
            });
        }
        tasks.notify(process, config);
        let (context, shutdown) = (Arc::clone(&tasks.context), shutdown.clone());
        tasks.running.spawn(async move {
            tokio::select! {
                () = shutdown.draining() => {}
                never = feed_watchers(&context) => match never {},
                never = watch_pulses(&context) => match never {},
            }
        });
        tasks
    }

    /// Starts what tells others of what happens.
    fn notify(&mut self, process: &Process, config: &Config) {
        let shutdown = &process.shutdown;
        self.repeat("dispatching events", shutdown, |context| async move {
            Ok(match dispatch_events(&context).await? {
                0 => EVENTS_IDLE,
                _ => Duration::ZERO,
            })
        });
        self.repeat(
            "forgetting old deliveries",
            shutdown,
            |context| async move {
                forget_deliveries(&context).await?;
                Ok(DELIVERIES)
            },
        );
        let outcomes = Outcomes::default();
        process.metrics.register(
            "delivery_attempts",
            "Attempts to tell webhooks of events, by what became of them: delivered, failed, dead, lost",
            outcomes.clone(),
        );
        let settings = &config.notifications;
        let sender = Arc::new(Sender::new(
            Arc::clone(&self.context),
            settings.schedule(),
            settings.timeout,
        ));
        for number in 0..SENDERS {
            let (sender, draining) = (Arc::clone(&sender), shutdown.clone());
            let outcomes = outcomes.clone();
            let mut first = SENDER_IDLE * number / SENDERS;
            self.repeat("delivering events", shutdown, move |_| {
                let (sender, draining) = (Arc::clone(&sender), draining.clone());
                let outcomes = outcomes.clone();
                let first = std::mem::take(&mut first);
                async move {
                    sleep(first).await;
                    let sent = sender.send_one(draining.draining()).await?;
                    Ok(told_of_sending(&sent, &outcomes))
                }
            });
        }
    }

    /// Waits until all tasks have ended, which they do once the process drains, and does the last round of what must
    /// not be lost: refusals that were counted, uses of tokens, and the chain behind both.
    pub async fn finish(mut self) {
        let last_round = async {
            while let Some(ended) = self.running.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(error = explain(&error), "a background task broke");
                }
            }
            said(
                "writing down refusals",
                flush_all_refusals(&self.context).await,
            );
            said(
                "writing down uses of tokens",
                save_token_uses(&self.context).await,
            );
            said("chaining audit events", chain_all(&self.context).await);
        };
        if timeout(LAST_ROUND, last_round).await.is_err() {
            tracing::warn!("stopped before the last background work was done");
        }
    }

    /// Repeats a step, with the pause that it asks for, until the process drains.
    fn repeat<F, S>(&mut self, name: &'static str, shutdown: &Shutdown, mut step: F)
    where
        F: FnMut(Arc<Context>) -> S + Send + 'static,
        S: Future<Output = Result<Duration, Failure>> + Send + 'static,
    {
        let (context, shutdown) = (Arc::clone(&self.context), shutdown.clone());
        self.running.spawn(async move {
            while !shutdown.is_draining() {
                let pause = said(name, step(Arc::clone(&context)).await).unwrap_or(RETRY);
                tokio::select! {
                    () = shutdown.draining() => {}
                    () = sleep(pause) => {}
                }
            }
        });
    }
}

/// Counts what became of a backup, logs it, and says how long to wait for the next one.
fn told(backed_up: &BackedUp, outcomes: &Outcomes) -> Duration {
    let outcome = match backed_up {
        BackedUp::Idle => return BACKUPS_IDLE,
        BackedUp::Taken { environment } => {
            tracing::info!(%environment, "a backup was taken by the clock");
            "taken"
        }
        BackedUp::Disturbed { environment } => {
            tracing::info!(%environment, "a backup waits for a deployment to the environment");
            "disturbed"
        }
        BackedUp::Failed {
            environment,
            failures,
            problem,
        } => {
            tracing::warn!(%environment, failures, problem, "a backup by the clock failed; it is tried again");
            "failed"
        }
    };
    outcomes.get_or_create(&OutcomeLabels { outcome }).inc();
    Duration::ZERO
}

/// Counts what became of an attempt, logs what failed, and says how long to wait for the next one.
fn told_of_sending(sent: &Sent, outcomes: &Outcomes) -> Duration {
    let outcome = match sent {
        Sent::Idle | Sent::Stopped => return SENDER_IDLE,
        Sent::Lost => "lost",
        Sent::Attempted {
            webhook,
            state,
            problem,
        } => match state {
            DeliveryState::Delivered => "delivered",
            DeliveryState::Pending => {
                tracing::debug!(%webhook, problem, "a webhook did not take an event; it is tried again");
                "failed"
            }
            DeliveryState::Dead => {
                tracing::warn!(%webhook, problem, "an event for a webhook was given up");
                "dead"
            }
        },
    };
    outcomes.get_or_create(&OutcomeLabels { outcome }).inc();
    Duration::ZERO
}

async fn chain_all(context: &Context) -> Result<(), Failure> {
    while chain_events(context).await? >= MAX_CHAINED as usize {}
    Ok(())
}

/// What a task made; an error is told in the log.
fn said<T>(name: &'static str, result: Result<T, impl Into<Failure>>) -> Option<T> {
    result
        .map_err(|error| {
            let error = error.into();
            tracing::warn!(error = explain(&*error), "{name} failed");
        })
        .ok()
}
