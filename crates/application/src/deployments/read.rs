use std::time::Duration;

use slipway_approvals::{FreezeOverride, Override};
use slipway_deployments::{
    Deployment, DeploymentFilter, DeploymentName, DeploymentSummary, ListedDeployment, Transition,
};
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug, StoreError, Timestamp};

use super::DeploymentError;
use crate::{Call, CommandError, Context};

/// How far back a summary counts: seven times 24 hours.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// One deployment with its items, and every state that it has had.
pub async fn get_deployment(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    name: DeploymentName,
) -> Result<(Deployment, Vec<Transition>), DeploymentError> {
    let project = context
        .authorise_in(call, Command::GetDeployment, project)
        .await?;
    let found = context.reader().deployment(project, name).await?;
    let deployment = found.ok_or(DeploymentError::NotFound { name })?;
    let history = context.reader().transitions(deployment.id).await?;
    Ok((deployment, history))
}

/// What a deployment was let pass.
#[derive(Debug, Clone)]
pub struct Overrides {
    /// Every time that somebody let it pass without those who were asked.
    pub approvals: Vec<Override>,
    /// The freezes that it was let through.
    pub freezes: Vec<FreezeOverride>,
}

/// What a deployment was ever let pass. Whoever asks may see the deployment.
pub async fn overrides(
    context: &Context,
    deployment: &Deployment,
) -> Result<Overrides, StoreError> {
    let (reader, id) = (context.reader(), deployment.id);
    let requests = reader.requests_of(&[id]).await?.remove(&id);
    let requests = requests.unwrap_or_default().into_iter();
    Ok(Overrides {
        approvals: requests.filter_map(|it| it.overridden).collect(),
        freezes: reader.freeze_overrides(&[id]).await?,
    })
}

/// Which deployments a caller wants; what is `None` or empty selects all.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ListDeployments {
    /// In one of these states.
    pub states: Vec<slipway_deployments::State>,
    /// Through this pipeline.
    pub pipeline: Option<Slug>,
    /// To this environment.
    pub target: Option<Slug>,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub to: Option<Timestamp>,
}

/// The deployments that a filter selects, highest number first.
pub async fn list_deployments(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListDeployments,
    after: Option<i64>,
    size: PageSize,
) -> Result<Page<ListedDeployment, i64>, DeploymentError> {
    let project = context
        .authorise_in(call, Command::ListDeployments, project)
        .await?;
    let reader = context.reader();
    let pipeline = match wanted.pipeline {
        Some(slug) => match reader.pipeline(project, &slug).await? {
            Some(pipeline) => Some(pipeline.id),
            None => return Err(DeploymentError::PipelineNotFound { slug }),
        },
        None => None,
    };
    let target = match wanted.target {
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(environment) => Some(environment.id),
            None => return Err(DeploymentError::EnvironmentNotFound { slug }),
        },
        None => None,
    };
    let filter = DeploymentFilter {
        states: wanted.states,
        pipeline,
        target,
        from: wanted.from,
        to: wanted.to,
    };
    Ok(reader.deployments(project, &filter, after, size).await?)
}

/// A project's figures: successes in the last seven times 24 hours, and what waits for approval.
pub async fn get_deployment_summary(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
) -> Result<DeploymentSummary, CommandError> {
    let project = context
        .authorise_in(call, Command::GetDeploymentSummary, project)
        .await?;
    let since = context.clock.now().minus(WEEK);
    Ok(context.reader().deployment_summary(project, since).await?)
}
