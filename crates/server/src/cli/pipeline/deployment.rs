//! Deployments in words.

use slipway_api::deployments::v1::{Deployment, DeploymentItem, DeploymentState, ItemChange};
use slipway_api::ledger::v1::RiskLevel;

use crate::cli::output::printable;

/// How many items are told.
const MAX_ITEMS: usize = 20;

/// A deployment on one line: `deployment 7 "Chatbot 2" to prod`.
pub(super) fn line(deployment: &Deployment) -> String {
    let number = match deployment.number {
        0 => "a new deployment".to_owned(),
        number => format!("deployment {number}"),
    };
    let name = match &deployment.release {
        Some(release) if !release.name.is_empty() => format!(" \"{}\"", release.name),
        _ => String::new(),
    };
    printable(&format!("{number}{name} to {}", deployment.target))
}

/// A deployment on a few lines: what it is, where it stands, what it changes, what it is bound to.
pub(super) fn words(deployment: &Deployment) -> String {
    let risk = match deployment.risk_level() {
        RiskLevel::Unspecified => String::new(),
        level => format!(", risk {}", short(level.as_str_name(), "RISK_LEVEL_")),
    };
    let state = state(deployment.state());
    let mut lines = vec![format!("{}: {state}{risk}", line(deployment))];
    lines.extend(deployment.items.iter().take(MAX_ITEMS).map(item));
    if deployment.items.len() > MAX_ITEMS {
        lines.push(format!(
            "  … and {} more",
            deployment.items.len() - MAX_ITEMS
        ));
    }
    if let Some(problem) = &deployment.problem {
        lines.push(printable(&format!(
            "  {}: {}",
            problem.reason, problem.message
        )));
    }
    if !deployment.plan_digest.is_empty() {
        lines.push(printable(&format!(
            "  plan digest {}",
            deployment.plan_digest
        )));
    }
    lines.join("\n")
}

/// A state as people say it: `PENDING_APPROVAL`.
pub(super) fn state(state: DeploymentState) -> &'static str {
    short(state.as_str_name(), "DEPLOYMENT_STATE_")
}

/// An enum's value without what all of them begin with.
pub(super) fn short(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

fn item(item: &DeploymentItem) -> String {
    let name = &item.application;
    let told = if let Some(chosen) = &item.chosen {
        match (
            chosen.version_before.as_str(),
            chosen.version_after.as_str(),
        ) {
            ("", after) => format!("  {name} {after}, new"),
            (before, "") => format!("  {name} {before}, removed"),
            (before, after) => format!("  {name} {before} -> {after}"),
        }
    } else {
        format!("  {name}, {}", changed(item.change()))
    };
    printable(&told)
}

/// What happens to a workflow, in a word.
fn changed(change: ItemChange) -> &'static str {
    match change {
        ItemChange::Unspecified => "changed in a way that this program does not know",
        ItemChange::Created => "new",
        ItemChange::Updated => "changed",
        ItemChange::Deleted => "removed",
        ItemChange::Unchanged => "unchanged",
        ItemChange::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use slipway_api::deployments::v1::{ChosenVersion, Problem, Release};

    use super::*;

    fn chosen(application: &str, before: &str, after: &str) -> DeploymentItem {
        DeploymentItem {
            application: application.to_owned(),
            chosen: Some(ChosenVersion {
                version_before: before.to_owned(),
                version_after: after.to_owned(),
                ..ChosenVersion::default()
            }),
            ..DeploymentItem::default()
        }
    }

    #[test]
    fn a_release_is_told_with_what_it_changes() {
        let mut deployment = Deployment {
            number: 7,
            target: "prod".to_owned(),
            state: DeploymentState::Queued.into(),
            risk_level: RiskLevel::High.into(),
            plan_digest: "ab".to_owned(),
            release: Some(Release {
                name: "Chat\nbot".to_owned(),
                ..Release::default()
            }),
            problem: Some(Problem {
                reason: "FROZEN".to_owned(),
                message: "until Monday".to_owned(),
            }),
            items: vec![
                chosen("a", "", "1"),
                chosen("b", "1", "2"),
                chosen("c", "3", ""),
            ],
            ..Deployment::default()
        };
        let expected = "deployment 7 \"Chat bot\" to prod: QUEUED, risk HIGH\n  a 1, new\n  b 1 -> 2\n  c 3, removed\n  \
                        FROZEN: until Monday\n  plan digest ab";
        assert_eq!(words(&deployment), expected);
        deployment.items = vec![chosen("a", "", "1"); 25];
        let told = words(&deployment);
        assert!(told.contains("\n  … and 5 more\n"), "{told}");
    }

    #[test]
    fn a_workflow_is_told_by_what_happens_to_it() {
        let deployment = Deployment {
            number: 8,
            target: "live".to_owned(),
            items: vec![DeploymentItem {
                application: "Orders".to_owned(),
                change: ItemChange::Deleted.into(),
                ..DeploymentItem::default()
            }],
            ..Deployment::default()
        };
        let told = words(&deployment);
        assert_eq!(told, "deployment 8 to live: UNSPECIFIED\n  Orders, removed");
    }
}
