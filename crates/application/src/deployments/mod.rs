//! Deployments: planned, asked for, carried out, undone.

mod cancel;
mod documents;
pub(crate) mod event;
pub mod executor;
mod gates;
pub(crate) mod items;
mod planning;
mod promotion;
pub(crate) mod putting_back;
mod read;
mod resolve;
mod rollback;
mod watch;

pub use cancel::{CancelDeployment, cancel_deployment};
pub(crate) use executor::problem;
pub(crate) use planning::PlanningError;
pub use promotion::{
    PlanPromotion, PlannedPromotion, StartPromotion, plan_promotion, start_promotion,
};
pub use putting_back::PuttingBackError;
pub use read::{
    ListDeployments, Overrides, get_deployment, get_deployment_summary, list_deployments, overrides,
};
pub use resolve::{ResolveInDoubt, resolve_in_doubt};
pub use rollback::{PlannedRollback, RollbackDeployment, plan_rollback, rollback_deployment};
pub(crate) use watch::Pulses;
pub use watch::{DeploymentWatch, WatchDeploymentError, Watched, watch_pulses};

use slipway_catalog::Environment;
use slipway_deployments::{
    Deployment, DeploymentKind, DeploymentName, Problem, State, Unresolvable, Verdict,
};
use slipway_kernel::{
    DeploymentId, EnvironmentId, ProjectId, Sha256, Slug, StoreError, id::IdError,
};

use crate::{
    CommandError, Context,
    change::{Change, bad_resource},
    engines::EngineProblem,
    error::{dangling, meets_command_errors},
    releases::ReleaseError,
    templates::TemplateError,
};

/// Why a command about a deployment was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// There is no such deployment.
    #[error("there is no deployment {} in this project", told(*name))]
    NotFound {
        /// How it was named.
        name: DeploymentName,
    },
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// Nothing is deployed from or to the environment any more.
    #[error("the environment `{slug}` is archived: it can be read, not changed")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// It is over, is being undone already, or nobody can tell what was done.
    #[error("deployment #{number} is {state}: it can't be canceled{}", instead(*state))]
    NotCancelable {
        /// Its number.
        number: i64,
        /// Where it is.
        state: State,
    },
    /// There is nothing that a rollback could undo, or no way to.
    #[error("deployment #{number} can't be rolled back: {why}")]
    NotReversible {
        /// Its number.
        number: i64,
        /// What kind of change it is.
        kind: DeploymentKind,
        /// Where it is.
        state: State,
        /// Why not, and what to do instead.
        why: &'static str,
    },
    /// It is undone already, or about to be.
    #[error("{}", undone(*number, *by, *state))]
    UndoneAlready {
        /// Its number.
        number: i64,
        /// The number of the one that undoes it.
        by: i64,
        /// Where it is itself.
        state: State,
    },
    /// Undoing it would undo what came after it.
    #[error(
        "deployment #{number} can't be rolled back by itself: {} wrote the same workflows after it; roll them back \
         first, the last one first, or restore a snapshot",
        numbered(later)
    )]
    LaterDeployments {
        /// Its number.
        number: i64,
        /// The numbers of those that came after it, lowest first.
        later: Vec<i64>,
    },
    /// There is no doubt to resolve.
    #[error("deployment #{number} is {state}: only one that is IN_DOUBT is resolved")]
    NotInDoubt {
        /// Its number.
        number: i64,
        /// Where it is.
        state: State,
    },
    /// The verdict does not fit what has been written down.
    #[error("deployment #{number} can't be resolved as {verdict}: {why}")]
    Unresolvable {
        /// Its number.
        number: i64,
        /// The verdict.
        verdict: Verdict,
        /// Why not, and what to choose instead.
        why: Unresolvable,
    },
    /// The template that a release was to be made from is not there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What only releases meet.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// It can't be said what it would take.
    #[error(transparent)]
    PuttingBack(#[from] PuttingBackError),
    /// There is no such pipeline.
    #[error("there is no pipeline `{slug}` in this project")]
    PipelineNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// Nothing is promoted through the pipeline any more.
    #[error("the pipeline `{slug}` is archived")]
    PipelineArchived {
        /// The pipeline.
        slug: Slug,
    },
    /// The pipeline has no stage into this environment.
    #[error(
        "the pipeline `{pipeline}` has no stage into `{target}`; it leads to {}",
        quoted(targets)
    )]
    StageNotFound {
        /// The pipeline.
        pipeline: Slug,
        /// The environment given.
        target: Slug,
        /// Where its stages lead.
        targets: Vec<Slug>,
    },
    /// Something stands against the plan.
    #[error("{}", first_of(problems))]
    PlanHasProblems {
        /// All of them.
        problems: Vec<Problem>,
    },
    /// Source or target changed since the plan was made.
    #[error(
        "what would happen has changed since the plan was made: its digest begins with {digest:.12} now, and not with \
         {looked_at:.12}: plan again, and look at it"
    )]
    PlanChanged {
        /// The digest of the plan as it is now.
        digest: Sha256,
        /// The digest of the plan that was looked at.
        looked_at: Sha256,
    },
    /// There is nothing to do.
    #[error("the target is as the source says already: there is nothing to promote")]
    NothingToDo,
    /// More workflows than a deployment takes.
    #[error(
        "the plan has {items} items; a deployment takes {} at most: choose workflows",
        slipway_deployments::MAX_ITEMS
    )]
    TooManyItems {
        /// How many.
        items: usize,
    },
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineProblem),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] slipway_kernel::object::ObjectError),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(DeploymentError);

pub(crate) fn told(name: DeploymentName) -> String {
    match name {
        DeploymentName::Number(number) => format!("#{number}"),
        DeploymentName::Id(id) => id.to_string(),
    }
}

/// Deployments by their numbers.
fn numbered(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(|number| format!("#{number}")).collect();
    numbers.join(", ")
}

fn quoted(slugs: &[Slug]) -> String {
    let slugs: Vec<_> = slugs.iter().map(|slug| format!("`{slug}`")).collect();
    slugs.join(", ")
}

fn first_of(problems: &[Problem]) -> String {
    match problems {
        [] => "something stands against the plan".to_owned(),
        [only] => format!("something stands against the plan: {}", only.message),
        [first, ..] => format!(
            "{} problems stand against the plan, first: {}; PlanPromotion says them all",
            problems.len(),
            first.message
        ),
    }
}

/// What to do about a deployment that can't be canceled.
const fn instead(state: State) -> &'static str {
    match state {
        State::Succeeded => "; RollbackDeployment undoes it",
        State::InDoubt => "; ResolveInDoubt says what becomes of it",
        State::Compensating => ", because it is being undone already",
        _ => "",
    }
}

fn undone(number: i64, by: i64, state: State) -> String {
    if state == State::RolledBack {
        return format!("deployment #{by} undid deployment #{number}");
    }
    format!(
        "deployment #{by} undoes deployment #{number} already, or waits to: follow that one, or cancel it"
    )
}

/// The deployment that a request made when it was made before, as it is now.
pub(crate) async fn started_before(
    change: &mut Change<'_>,
    project: ProjectId,
    id: &str,
) -> Result<Deployment, StoreError> {
    let name: DeploymentId = id
        .parse()
        .map_err(|error: IdError| bad_resource(id, error.to_string()))?;
    let name = DeploymentName::Id(name);
    let found = change.unit.deployments().find(project, name).await?;
    found.ok_or_else(|| bad_resource(id, "there is no such deployment"))
}

/// The environment that a deployment changes.
pub(crate) async fn target_of(
    context: &Context,
    deployment: &Deployment,
) -> Result<Environment, StoreError> {
    environment(context, deployment.target).await
}

/// An environment that something refers to, so that it must be there.
pub(crate) async fn environment(
    context: &Context,
    id: EnvironmentId,
) -> Result<Environment, StoreError> {
    let environment = context.reader().environment_by_id(id).await?;
    environment.ok_or_else(|| dangling("environment", id))
}
