//! Plans, as messages have them.

use prost::Message;
use slipway_api::deployments::v1 as proto;
use slipway_deployments::Plan;

use super::shown::shown_problem;
use super::words::shown_change;
use crate::grpc::Api;

/// A plan that takes workflows from the environment `source`. Differences are left out where they don't fit any more.
pub(in crate::grpc) fn shown_plan(api: &Api, plan: Plan, source: String) -> proto::Plan {
    let mut budget = api.max_page_bytes;
    let items = plan.items.into_iter().map(|item| {
        let difference = item.difference.as_ref();
        let json = difference.and_then(|difference| serde_json::to_string(difference).ok());
        let mut shown = proto::PlannedItem {
            application: item.key.to_string(),
            display_name: item.name,
            change: shown_change(item.change).into(),
            problem: item.reason.map(shown_problem),
            workflow_id: item.workflow.map(|id| id.0).unwrap_or_default(),
            difference_json: String::new(),
        };
        budget = budget.saturating_sub(shown.encoded_len() + 8);
        if let Some(json) = json.filter(|json| json.len() + 8 < budget) {
            budget -= json.len() + 8;
            shown.difference_json = json;
        }
        shown
    });
    proto::Plan {
        items: items.collect(),
        problems: plan.problems.into_iter().map(shown_problem).collect(),
        warnings: plan.warnings.into_iter().map(shown_problem).collect(),
        digest: plan.digest.to_string(),
        source,
        unmapped_credentials: plan
            .unmapped
            .into_iter()
            .map(|credential| proto::UnmappedCredential {
                r#type: credential.kind,
                name: credential.name,
            })
            .collect(),
    }
}
