//! Promotions: workflows through a stage of a pipeline.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_deployments::{
    Deployment, DeploymentKind, MAX_ITEMS, NewDeployment, Origin, Pipeline, Plan, PlannedItem,
    Stage, steps_for,
};
use slipway_identity::Command;
use slipway_kernel::{DeploymentId, Key, ProjectId, Sha256, Slug};

use super::{
    DeploymentError, environment, items,
    planning::{Made, PlanningError, plan_stage},
    started_before,
};
use crate::{Call, Context, approvals::gate, change::Change};

/// A promotion to look at first.
#[derive(Debug, Clone, Serialize)]
pub struct PlanPromotion {
    /// The project.
    pub project: Slug,
    /// The pipeline.
    pub pipeline: Slug,
    /// The environment that the stage leads to.
    pub target: Slug,
    /// The workflows chosen; `None` for all.
    pub workflows: Option<BTreeSet<Key>>,
}

/// A promotion to carry out.
#[derive(Debug, Clone, Serialize)]
pub struct StartPromotion {
    /// What is promoted.
    pub promotion: PlanPromotion,
    /// The digest of the plan that was looked at; `None` for whatever the plan is now.
    pub plan_digest: Option<Sha256>,
}

/// What a promotion would do.
#[derive(Debug, Clone)]
pub struct PlannedPromotion {
    /// The plan.
    pub plan: Plan,
    /// The environment that workflows come from.
    pub source: Slug,
}

/// Plans a promotion. It reads both engines, and changes nothing.
pub async fn plan_promotion(
    context: &Context,
    call: &Call<'_>,
    command: &PlanPromotion,
) -> Result<PlannedPromotion, DeploymentError> {
    let project = context
        .authorise_in(call, Command::PlanPromotion, &command.project)
        .await?;
    let (way, made) = plan_now(context, project, command).await?;
    Ok(PlannedPromotion {
        plan: made.plan,
        source: way.source.slug,
    })
}

/// Asks for a promotion: it waits for approval where its stage requires that, then for the environment, and is carried out
/// by an executor.
pub async fn start_promotion(
    context: &Context,
    call: &Call<'_>,
    command: StartPromotion,
) -> Result<Deployment, DeploymentError> {
    let asked = &command.promotion;
    let project = context
        .authorise_in(call, Command::StartPromotion, &asked.project)
        .await?;
    // A request that was carried out answers when it is repeated, whatever would happen now.
    if call.request_id.is_some() {
        let mut change =
            Change::begin(context, call, Command::StartPromotion, Some(project)).await?;
        if let Some(earlier) = change.made_before(&command, "").await? {
            return Ok(started_before(&mut change, project, &earlier).await?);
        }
    }
    let (way, made) = plan_now(context, project, asked).await?;
    let Made {
        plan,
        source_links,
        target_links,
        ..
    } = made;
    check(&plan, command.plan_digest)?;
    let steps = steps_for(&plan.order());
    let items = items::keep(context, &plan).await?;

    let mut change = Change::begin(context, call, Command::StartPromotion, Some(project)).await?;
    let id = DeploymentId::new(&*context.ids);
    if let Some(earlier) = change.made_before(&command, &id.to_string()).await? {
        return Ok(started_before(&mut change, project, &earlier).await?);
    }
    change.require_open(&asked.project).await?;
    let mut deployment = Deployment::from(NewDeployment {
        id,
        project,
        kind: DeploymentKind::Promotion,
        target: way.target.id,
        origin: Origin::Stage {
            pipeline: way.pipeline.id,
            stage: way.stage_number,
            source: way.source.id,
        },
        gates: way.stage.gates,
        plan_digest: plan.digest,
        requested_by: call.caller.principal,
        created_at: change.now,
        reason: None,
        items,
    });
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    change.unit.deployments().add_steps(id, &steps).await?;
    let engines = change.unit.engines();
    engines.set_links(way.source.id, &source_links).await?;
    engines.set_links(way.target.id, &target_links).await?;
    change
        .done(
            Resource::new("deployment", &id),
            None,
            Some(json!({
                "number": deployment.number,
                "kind": deployment.kind,
                "state": deployment.state,
                "pipeline": asked.pipeline,
                "target": asked.target,
                "plan_digest": deployment.plan_digest,
                "items": deployment.items.len(),
                "approval_request": asked_for,
            })),
        )
        .await?;
    Ok(deployment)
}

/// Passes where the plan can be started, and is the one that the caller looked at.
fn check(plan: &Plan, looked_at: Option<Sha256>) -> Result<(), DeploymentError> {
    if !plan.problems.is_empty() {
        return Err(DeploymentError::PlanHasProblems {
            problems: plan.problems.clone(),
        });
    }
    let digest = plan.digest;
    if let Some(looked_at) = looked_at.filter(|looked_at| *looked_at != digest) {
        return Err(DeploymentError::PlanChanged { digest, looked_at });
    }
    if plan.items.len() > MAX_ITEMS {
        return Err(DeploymentError::TooManyItems {
            items: plan.items.len(),
        });
    }
    if !plan.items.iter().any(PlannedItem::writes) {
        return Err(DeploymentError::NothingToDo);
    }
    Ok(())
}

/// A stage of a pipeline, with what it connects.
struct Way {
    pipeline: Pipeline,
    stage: Stage,
    stage_number: u32,
    source: Environment,
    target: Environment,
}

async fn plan_now(
    context: &Context,
    project: ProjectId,
    asked: &PlanPromotion,
) -> Result<(Way, Made), DeploymentError> {
    let way = way(context, project, asked).await?;
    let chosen = asked.workflows.as_ref();
    let made = plan_stage(context, &way.source, &way.target, &way.stage.gates, chosen).await?;
    Ok((way, made))
}

async fn way(
    context: &Context,
    project: ProjectId,
    asked: &PlanPromotion,
) -> Result<Way, DeploymentError> {
    let pipeline = context.reader().pipeline(project, &asked.pipeline).await?;
    let pipeline = pipeline.ok_or_else(|| DeploymentError::PipelineNotFound {
        slug: asked.pipeline.clone(),
    })?;
    if pipeline.archived_at.is_some() {
        return Err(DeploymentError::PipelineArchived {
            slug: pipeline.slug,
        });
    }
    let mut targets = Vec::with_capacity(pipeline.stages.len());
    for (stage_number, stage) in (0..).zip(pipeline.stages.clone()) {
        let target = environment(context, stage.target).await?;
        if target.slug == asked.target {
            let source = environment(context, stage.source).await?;
            for end in [&source, &target] {
                if end.archived_at.is_some() {
                    return Err(DeploymentError::EnvironmentArchived {
                        slug: end.slug.clone(),
                    });
                }
            }
            return Ok(Way {
                pipeline,
                stage,
                stage_number,
                source,
                target,
            });
        }
        targets.push(target.slug);
    }
    Err(DeploymentError::StageNotFound {
        pipeline: pipeline.slug,
        target: asked.target.clone(),
        targets,
    })
}

impl From<PlanningError> for DeploymentError {
    fn from(error: PlanningError) -> Self {
        match error {
            PlanningError::Engine(error) => Self::Engine(error),
            PlanningError::Command(error) => Self::Command(error),
        }
    }
}
