//! What a draft wants of the workflows in an engine, and what stands against that.

use std::collections::{BTreeMap, BTreeSet};

use slipway_catalog::Environment;
use slipway_deployments::{
    PlannedItem,
    release::{Draft, Finding, findings::Reason},
};
use slipway_kernel::{ApplicationKind, Key, requirements::Severity};

use super::{
    facts::Known,
    workflows::{Made, Objection, plan_wanted, wanted},
};
use crate::{Context, deployments::DeploymentError};

/// What becomes of the workflows of a draft.
#[derive(Default)]
pub(super) struct Part {
    /// What it takes; `None` where no engine is changed, or that can't be told.
    pub(super) made: Option<Made>,
    /// What was found.
    pub(super) findings: Vec<Finding>,
    /// The places of the items that are written.
    pub(super) written: BTreeSet<usize>,
}

/// Plans what the workflows take, where the environment has an engine.
pub(super) async fn plan(
    context: &Context,
    target: &Environment,
    draft: &Draft,
    known: &Known,
) -> Result<Part, DeploymentError> {
    let mut part = Part::default();
    let workflows = draft.items.iter().filter(|item| {
        let application = known.applications.get(&item.application);
        application.is_some_and(|it| it.kind == ApplicationKind::Workflow)
    });
    let mut chosen = BTreeMap::new();
    for item in workflows {
        let version = known.version(item);
        if version.is_none() && item.version().is_some() {
            // It is told that there is none.
            return Ok(part);
        }
        chosen
            .entry(item.application.clone())
            .or_insert_with(|| version.cloned());
    }
    if chosen.is_empty()
        || target.archived_at.is_some()
        || context.reader().engine(target.id).await?.is_none()
    {
        return Ok(part);
    }
    let (wanted, objections) = wanted(context, &chosen).await?;
    if !objections.is_empty() {
        part.findings = told(draft, objections);
        return Ok(part);
    }
    let (made, objections) = plan_wanted(context, target, wanted).await?;
    part.findings = told(draft, objections);
    for item in made.plan.items.iter().filter(|item| item.writes()) {
        let Some(at) = position(draft, &item.key) else {
            continue;
        };
        part.written.insert(at);
        let version = draft.items[at].version();
        let version = version.and_then(|it| known.facts.version(&item.key, it));
        // What was looked through as every other text is told already.
        if version.is_some_and(|version| version.text.is_none()) {
            part.findings.extend(told_secret(item, at));
        }
    }
    part.made = Some(made);
    Ok(part)
}

fn position(draft: &Draft, key: &Key) -> Option<usize> {
    draft.items.iter().position(|item| item.application == *key)
}

fn told(draft: &Draft, objections: Vec<Objection>) -> Vec<Finding> {
    let objections = objections.into_iter();
    let told = objections.map(|objection| Finding {
        reason: objection.reason,
        severity: Severity::Error,
        item: objection.key.and_then(|key| position(draft, &key)),
        message: objection.message,
    });
    told.collect()
}

/// What looks like a secret in a document that is too long to be looked through as every other text.
fn told_secret(item: &PlannedItem, at: usize) -> Option<Finding> {
    let first = item.secrets.first()?;
    Some(Finding {
        reason: Reason::SecretInContent,
        severity: Severity::Warning,
        item: Some(at),
        message: format!(
            "the workflow `{}` holds what looks like a secret ({:?}) in the node `{}` at {}: keep it in a credential",
            item.key, first.kind, first.node, first.path
        ),
    })
}
