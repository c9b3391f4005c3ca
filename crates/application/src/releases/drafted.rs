//! What a draft wants of the workflows in an engine, and what stands against that.

use std::collections::BTreeMap;

use slipway_catalog::Environment;
use slipway_deployments::{
    PlannedItem,
    release::{Draft, Finding, Findings, findings::Reason},
};
use slipway_kernel::{ApplicationKind, Key, requirements::Severity};

use super::{
    facts::Known,
    workflows::{Made, Objection, plan_wanted, wanted},
};
use crate::{Context, deployments::DeploymentError};

/// Whether a draft has workflows, and its environment an engine: what becomes of them is written there.
pub(super) async fn writes(
    context: &Context,
    target: &Environment,
    known: &Known,
) -> Result<bool, DeploymentError> {
    let mut applications = known.applications.values();
    let any = applications.any(|application| application.kind == ApplicationKind::Workflow);
    Ok(any && context.reader().engine(target.id).await?.is_some())
}

/// Plans what the workflows take, and adds what was found to the findings; `None` where some of them have no document.
pub(super) async fn plan(
    context: &Context,
    target: &Environment,
    draft: &Draft,
    known: &Known,
    findings: &mut Findings,
) -> Result<Option<Made>, DeploymentError> {
    let workflows = draft.items.iter().filter(|item| {
        let application = known.applications.get(&item.application);
        application.is_some_and(|it| it.kind == ApplicationKind::Workflow)
    });
    let mut chosen = BTreeMap::new();
    for item in workflows {
        let version = known.version(item);
        if version.is_none() && item.version().is_some() {
            // It is told that there is none.
            return Ok(None);
        }
        chosen
            .entry(item.application.clone())
            .or_insert_with(|| version.cloned());
    }
    let (wanted, objections) = wanted(context, &chosen).await?;
    if !objections.is_empty() {
        findings.extend(told(draft, objections));
        return Ok(None);
    }
    let (made, objections) = plan_wanted(context, target, wanted).await?;
    findings.extend(told(draft, objections));
    let secrets = made.plan.items.iter().filter(|item| item.writes());
    let secrets: Vec<_> = secrets
        .filter_map(|item| told_secret(draft, item, findings))
        .collect();
    findings.extend(secrets);
    let written = made.plan.items.iter().filter(|item| item.writes());
    let written: Vec<_> = written
        .map(|item| position(draft, &item.key))
        .chain([None])
        .collect();
    // The ledger alone does not say what the engine holds.
    if written.len() > 1 {
        findings.listed.retain(|found| {
            let by_ledger = [Reason::NothingToDo, Reason::AlreadyCurrent].contains(&found.reason);
            !by_ledger || !written.contains(&found.item)
        });
    }
    Ok(Some(made))
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
fn told_secret(draft: &Draft, item: &PlannedItem, findings: &Findings) -> Option<Finding> {
    let first = item.secrets.first()?;
    let position = position(draft, &item.key);
    let mut listed = findings.listed.iter();
    let told = listed.any(|it| it.item == position && it.reason == Reason::SecretInContent);
    (!told).then(|| Finding {
        reason: Reason::SecretInContent,
        severity: Severity::Warning,
        item: position,
        message: format!(
            "the workflow `{}` holds what looks like a secret ({:?}) in the node `{}` at {}: keep it in a credential",
            item.key, first.kind, first.node, first.path
        ),
    })
}
