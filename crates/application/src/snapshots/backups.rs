//! Backups by the clock.

use std::{collections::HashMap, time::Duration};

use slipway_catalog::Environment;
use slipway_kernel::{EnvironmentId, Slug, StoreError, text::Notes};
use slipway_snapshots::{BackupClaim, BackupEnd, FailingBackup, SnapshotKind};

use super::{TakeError, Taking, take::keep};
use crate::{CommandError, Context, deployments::environment, engines::survey, error::chain};

/// How long a server has for one backup. Another one takes over afterwards.
const LEASE: Duration = Duration::from_mins(10);
/// How long it works on it, so that it is done, or has failed, before that.
const LIMIT: Duration = Duration::from_mins(9);
/// How soon after a backup, or after one that was disturbed, the next one may come.
const PAUSE: Duration = Duration::from_mins(1);
/// How long it waits at most behind failures.
const MAX_PAUSE: Duration = Duration::from_hours(1);
/// The most characters of a problem that are kept.
const MAX_PROBLEM: usize = 1_000;

/// What became of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackedUp {
    /// None was due.
    Idle,
    /// It was taken.
    Taken {
        /// The environment.
        environment: Slug,
    },
    /// A deployment began to change the environment meanwhile, so that it would hold a half of that. It is taken later.
    Disturbed {
        /// The environment.
        environment: Slug,
    },
    /// It failed, and is tried again later.
    Failed {
        /// The environment.
        environment: Slug,
        /// How many failed since the last one that did not.
        failures: u32,
        /// Why.
        problem: String,
    },
}

/// Takes one backup that is due, if any is. Whichever server comes first takes it.
pub async fn take_due_backup(context: &Context) -> Result<BackedUp, CommandError> {
    let mut unit = context.store.begin().await?;
    let now = context.clock.now();
    let claim = unit.snapshots().claim_backup(now, LEASE).await?;
    let Some(claim) = claim else {
        return Ok(BackedUp::Idle);
    };
    unit.commit().await?;
    let target = environment(context, claim.environment).await?;
    let slug = target.slug.clone();
    let taken = tokio::time::timeout(LIMIT, back_up(context, &target, &claim));
    let problem = match taken.await {
        Ok(Ok(true)) => return Ok(BackedUp::Taken { environment: slug }),
        Ok(Ok(false)) => {
            end(context, &claim, &BackupEnd::PutOff, PAUSE).await?;
            return Ok(BackedUp::Disturbed { environment: slug });
        }
        Ok(Err(error)) => chain(&error),
        Err(_) => format!("it took longer than {} minutes", LIMIT.as_secs() / 60),
    };
    let failures = claim.failures.saturating_add(1);
    let problem: String = problem.chars().take(MAX_PROBLEM).collect();
    let failed = BackupEnd::Failed {
        problem: problem.clone(),
    };
    end(context, &claim, &failed, pause(&target, failures)).await?;
    Ok(BackedUp::Failed {
        environment: slug,
        failures,
        problem,
    })
}

/// Of these environments, those whose last backup by the clock failed. For showing environments, which the caller was
/// allowed to see.
pub async fn failing_backups(
    context: &Context,
    environments: &[EnvironmentId],
) -> Result<HashMap<EnvironmentId, FailingBackup>, StoreError> {
    if environments.is_empty() {
        return Ok(HashMap::new());
    }
    context.reader().failing_backups(environments).await
}

/// Takes the backup and writes it down; `false`, and nothing written, where a deployment came between.
async fn back_up(
    context: &Context,
    environment: &Environment,
    claim: &BackupClaim,
) -> Result<bool, TakeError> {
    let surveyed = survey(context, environment, None).await?;
    // Before the commit, so that a half state does not even come into the branch.
    if !context
        .store
        .begin()
        .await?
        .snapshots()
        .undisturbed(claim)
        .await?
    {
        return Ok(false);
    }
    let taking = Taking {
        environment,
        kind: SnapshotKind::AutoBackup,
        by: None,
        deployment: None,
        notes: Notes::default(),
        message: "backup by the clock".to_owned(),
    };
    let (snapshot, links) = keep(context, taking, surveyed).await?;
    let mut unit = context.store.begin().await?;
    if !unit.snapshots().undisturbed(claim).await? {
        return Ok(false);
    }
    unit.snapshots().insert(&snapshot).await?;
    unit.engines().set_links(environment.id, &links).await?;
    let not_before = snapshot.created_at.plus(PAUSE);
    unit.snapshots()
        .end_backup(claim, &BackupEnd::Taken, not_before)
        .await?;
    unit.commit().await?;
    Ok(true)
}

/// Longer behind each failure, but never longer than the interval.
fn pause(environment: &Environment, failures: u32) -> Duration {
    let longer = PAUSE * 2_u32.saturating_pow(failures.min(10).saturating_sub(1));
    let interval = environment.backup_interval;
    let interval = interval.map_or(MAX_PAUSE, slipway_catalog::BackupInterval::duration);
    longer.min(interval).min(MAX_PAUSE)
}

async fn end(
    context: &Context,
    claim: &BackupClaim,
    end: &BackupEnd,
    pause: Duration,
) -> Result<(), CommandError> {
    let not_before = context.clock.now().plus(pause);
    let mut unit = context.store.begin().await?;
    unit.snapshots().end_backup(claim, end, not_before).await?;
    Ok(unit.commit().await?)
}
