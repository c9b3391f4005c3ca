//! Deployments, as messages have them.

use std::collections::HashMap;

use slipway_api::deployments::v1 as proto;
use slipway_application::Context;
use slipway_deployments::{Deployment, Item, ItemCounts, Origin, Problem, Resolution, Transition};
use slipway_kernel::{PipelineId, Slug, SnapshotId, StoreError, TemplateId};

use super::releases::{shown_chosen, shown_release};
use super::words::{shown_change, shown_kind, shown_state, shown_status, shown_verdict};
use crate::grpc::ledger::shown_risk;
use crate::grpc::show::{self, Environments};

/// A deployment as a message has it, with its items.
pub(in crate::grpc) async fn shown(
    context: &Context,
    deployment: Deployment,
    project: &str,
) -> Result<proto::Deployment, StoreError> {
    let names = Names::of(context, &[&deployment]).await?;
    Ok(names.shown(deployment, project))
}

/// The slugs of what deployments refer to. Slugs never change.
pub(super) struct Names {
    environments: Environments,
    pipelines: HashMap<PipelineId, Slug>,
    templates: HashMap<TemplateId, Slug>,
}

impl Names {
    pub(super) async fn of(
        context: &Context,
        deployments: &[&Deployment],
    ) -> Result<Self, StoreError> {
        let mut ids = Vec::with_capacity(2 * deployments.len());
        let mut pipelines = HashMap::new();
        let mut templates = HashMap::new();
        for deployment in deployments {
            ids.push(deployment.target);
            if let Origin::Stage {
                pipeline, source, ..
            } = deployment.origin
            {
                ids.push(source);
                if !pipelines.contains_key(&pipeline) {
                    let found = context.reader().pipeline_by_id(pipeline).await?;
                    pipelines.extend(found.map(|found| (pipeline, found.slug)));
                }
            }
            if let Some(template) = made_from(deployment)
                && !templates.contains_key(&template)
            {
                let found = context.reader().template_slug(template).await?;
                templates.extend(found.map(|slug| (template, slug)));
            }
        }
        Ok(Self {
            environments: Environments::of(context, ids).await?,
            pipelines,
            templates,
        })
    }

    /// A deployment as a message has it, with its items.
    pub(super) fn shown(&self, deployment: Deployment, project: &str) -> proto::Deployment {
        use proto::deployment::Origin as Shown;
        let template = made_from(&deployment).and_then(|id| self.templates.get(&id));
        let origin = match deployment.origin {
            Origin::Chosen => None,
            Origin::Stage {
                pipeline, source, ..
            } => Some(Shown::Stage(proto::StageOrigin {
                pipeline: self
                    .pipelines
                    .get(&pipeline)
                    .map(Slug::to_string)
                    .unwrap_or_default(),
                source: self.environments.slug(source),
            })),
            Origin::Snapshot { snapshot } => Some(Shown::SnapshotId(snapshot.to_string())),
            Origin::Undoes { deployment } => {
                Some(Shown::UndoneDeploymentId(deployment.to_string()))
            }
        };
        let id = |id: Option<SnapshotId>| id.map(|id| id.to_string()).unwrap_or_default();
        proto::Deployment {
            deployment_id: deployment.id.to_string(),
            project: project.to_owned(),
            number: deployment.number,
            kind: shown_kind(deployment.kind).into(),
            state: shown_state(deployment.state).into(),
            target: self.environments.slug(deployment.target),
            origin,
            plan_digest: deployment.plan_digest.to_string(),
            requested_by: deployment.requested_by.to_string(),
            created_time: Some(show::time(deployment.created_at)),
            started_time: deployment.started_at.map(show::time),
            finished_time: deployment.finished_at.map(show::time),
            pre_snapshot_id: id(deployment.pre_snapshot),
            post_snapshot_id: id(deployment.post_snapshot),
            problem: deployment.problem.map(shown_problem),
            cancellation: deployment.cancel.map(|cancel| proto::Cancellation {
                canceled_by: cancel.by.to_string(),
                canceled_time: Some(show::time(cancel.at)),
                reason: cancel.reason.into(),
            }),
            counts: Some(shown_counts(ItemCounts::of(&deployment.items))),
            reason: deployment.reason.map(String::from).unwrap_or_default(),
            resolution: deployment.resolution.map(shown_resolution),
            rolled_back_by_id: deployment
                .rolled_back_by
                .map(|id| id.to_string())
                .unwrap_or_default(),
            items: deployment.items.into_iter().map(shown_item).collect(),
            approved_by: deployment
                .approved_by
                .map(|id| id.to_string())
                .unwrap_or_default(),
            release: deployment
                .release
                .map(|release| shown_release(release, template)),
            risk_level: shown_risk(deployment.risk).into(),
            not_before_time: deployment.not_before.map(show::time),
            executed_by: deployment
                .executed_by
                .map(|id| id.to_string())
                .unwrap_or_default(),
            back_to_deployment_id: deployment
                .back_to
                .map(|id| id.to_string())
                .unwrap_or_default(),
            history: Vec::new(),
            checks: Vec::new(),
        }
    }
}

/// The template that a release was made from.
fn made_from(deployment: &Deployment) -> Option<TemplateId> {
    let release = deployment.release.as_ref()?;
    release.template.map(|template| template.id)
}

pub(in crate::grpc) fn shown_transition(transition: Transition) -> proto::Transition {
    proto::Transition {
        state: shown_state(transition.state).into(),
        time: Some(show::time(transition.at)),
    }
}

pub(super) fn shown_counts(counts: ItemCounts) -> proto::ItemCounts {
    let count = |count| i32::try_from(count).unwrap_or(i32::MAX);
    proto::ItemCounts {
        total: count(counts.total),
        created: count(counts.created),
        updated: count(counts.updated),
        deleted: count(counts.deleted),
        unchanged: count(counts.unchanged),
        skipped: count(counts.skipped),
        failed: count(counts.failed),
    }
}

fn shown_resolution(resolution: Resolution) -> proto::Resolution {
    proto::Resolution {
        resolved_by: resolution.by.to_string(),
        resolved_time: Some(show::time(resolution.at)),
        verdict: shown_verdict(resolution.verdict).into(),
        reason: resolution.reason.into(),
        doubt: resolution.doubt.map(shown_problem),
    }
}

fn shown_item(item: Item) -> proto::DeploymentItem {
    proto::DeploymentItem {
        position: i32::try_from(item.position).unwrap_or(i32::MAX),
        application: item.key.into(),
        display_name: item.name,
        change: shown_change(item.change).into(),
        status: shown_status(item.status).into(),
        workflow_id: item.workflow.map(|id| id.0).unwrap_or_default(),
        problem: item.problem.map(shown_problem),
        chosen: item.released.map(shown_chosen),
    }
}

pub(super) fn shown_problem(problem: Problem) -> proto::Problem {
    proto::Problem {
        reason: problem.reason,
        message: problem.message,
    }
}
