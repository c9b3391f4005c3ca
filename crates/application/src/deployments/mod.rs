//! Deployments: planned, asked for, carried out, undone.

mod cancel;
mod documents;
pub mod executor;
mod gates;
mod items;
mod planning;
mod promotion;
pub(crate) mod putting_back;
mod read;

pub use cancel::{CancelDeployment, cancel_deployment};
pub use promotion::{
    PlanPromotion, PlannedPromotion, StartPromotion, plan_promotion, start_promotion,
};
pub use read::{ListDeployments, get_deployment, get_deployment_summary, list_deployments};

use slipway_catalog::Environment;
use slipway_deployments::{Deployment, DeploymentName, Problem, State};
use slipway_kernel::{EnvironmentId, Slug, StoreError};

use crate::{CommandError, Context, engines::EngineProblem, error::meets_command_errors};

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
    /// It is over, or nobody can tell what was done.
    #[error("deployment #{number} is {state}: it can't be canceled")]
    NotCancelable {
        /// Its number.
        number: i64,
        /// Where it is.
        state: State,
    },
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
    #[error("the pipeline `{pipeline}` has no stage into `{target}`")]
    StageNotFound {
        /// The pipeline.
        pipeline: Slug,
        /// The environment given.
        target: Slug,
    },
    /// Something stands against the plan.
    #[error("the plan has {} problem(s): {}", problems.len(), first(problems))]
    PlanHasProblems {
        /// All of them.
        problems: Vec<Problem>,
    },
    /// Source or target changed since the plan was made.
    #[error("what would happen has changed since the plan was made: plan again, and look at it")]
    PlanChanged,
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

fn first(problems: &[Problem]) -> &str {
    problems.first().map_or("", |problem| &problem.message)
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
    environment.ok_or_else(|| StoreError::Inconsistent {
        table: "environment",
        column: "id",
        row: id.to_string(),
        problem: "it is referred to, and not there".to_owned(),
    })
}
