//! Targets, filters and states in messages.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use slipway_api::ledger::v1::RiskLevel as ProtoRisk;
use slipway_api::notifications::v1 as proto;
use slipway_api::notifications::v1::webhook_target::Target as ProtoTarget;
use slipway_kernel::Tier;
use slipway_notifications::{DeliveryState, EventKind, Filter, MAX_RECIPIENTS, Target};

use crate::grpc::catalog::words::{shown_tier, tier};
use crate::grpc::fields::Fields;
use crate::grpc::ledger::{risk_level, shown_risk};

/// The most environments of a filter.
const MAX_ENVIRONMENTS: usize = 100;

/// The target of a message, which must be there.
pub(super) fn target(fields: &mut Fields, message: Option<proto::WebhookTarget>) -> Option<Target> {
    match message.and_then(|message| message.target) {
        None => {
            fields.refuse(
                "target",
                "is required; give one of standard, slack and email",
            );
            None
        }
        Some(ProtoTarget::Standard(standard)) => {
            let mut inner = Fields::within("target.standard");
            let url = inner.required("url", &standard.url);
            let secret = inner.required("secret_reference", &standard.secret_reference);
            fields.absorb(inner);
            Some(Target::Standard {
                url: url?,
                secret: secret?,
            })
        }
        Some(ProtoTarget::Slack(slack)) => {
            let mut inner = Fields::within("target.slack");
            let url = inner.required("url_reference", &slack.url_reference);
            fields.absorb(inner);
            Some(Target::Slack { url: url? })
        }
        Some(ProtoTarget::Email(email)) => {
            let mut inner = Fields::within("target.email");
            let recipients = list(&mut inner, "recipients", &email.recipients, MAX_RECIPIENTS);
            if email.recipients.is_empty() {
                inner.refuse("recipients", "is required; give 1 to 20 addresses");
            }
            fields.absorb(inner);
            Some(Target::Email { recipients })
        }
    }
}

/// The filter of a message; without one, everything passes.
pub(super) fn filter(fields: &mut Fields, message: Option<proto::WebhookFilter>) -> Filter {
    let message = message.unwrap_or_default();
    let mut inner = Fields::within("filter");
    let events = list(&mut inner, "events", &message.events, EventKind::ALL.len());
    for (at, event) in message.events.iter().enumerate() {
        if event == EventKind::Test.as_str() {
            inner.refuse(&format!("events[{at}]"), "is sent by TestWebhook alone");
        }
    }
    let environments = list(
        &mut inner,
        "environments",
        &message.environments,
        MAX_ENVIRONMENTS,
    );
    let mut tiers: Vec<Tier> = Vec::new();
    for (at, number) in message.tiers.iter().enumerate() {
        let field = format!("tiers[{at}]");
        let chosen = inner.required_choice(&field, *number, tier);
        if chosen.is_some_and(|chosen| tiers.contains(&chosen)) {
            inner.refuse(&field, "is there already");
        } else {
            tiers.extend(chosen);
        }
    }
    let least_risk = inner.choice("least_risk", message.least_risk, risk_level);
    fields.absorb(inner);
    Filter {
        events,
        environments,
        tiers,
        least_risk,
    }
}

/// Values of a list, each once; all that is wrong with them is noted.
fn list<T: FromStr<Err: Display> + Ord + Clone>(
    fields: &mut Fields,
    field: &str,
    texts: &[String],
    most: usize,
) -> Vec<T> {
    if texts.len() > most {
        let what = format!("has {} entries; at most {most} are allowed", texts.len());
        fields.refuse(field, what);
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let Some(value) = fields.required::<T>(&field, text) else {
            continue;
        };
        if seen.insert(value.clone()) {
            values.push(value);
        } else {
            fields.refuse(&field, "is there already");
        }
    }
    values
}

/// A target as messages have it.
pub(super) fn shown_target(target: Target) -> proto::WebhookTarget {
    let target = match target {
        Target::Standard { url, secret } => ProtoTarget::Standard(proto::StandardTarget {
            url: url.into(),
            secret_reference: secret.into(),
        }),
        Target::Slack { url } => ProtoTarget::Slack(proto::SlackTarget {
            url_reference: url.into(),
        }),
        Target::Email { recipients } => ProtoTarget::Email(proto::EmailTarget {
            recipients: recipients.into_iter().map(String::from).collect(),
        }),
    };
    proto::WebhookTarget {
        target: Some(target),
    }
}

/// A filter as messages have it.
pub(super) fn shown_filter(filter: Filter) -> proto::WebhookFilter {
    proto::WebhookFilter {
        events: filter.events.into_iter().map(String::from).collect(),
        environments: filter.environments.into_iter().map(String::from).collect(),
        tiers: filter
            .tiers
            .into_iter()
            .map(|tier| shown_tier(tier).into())
            .collect(),
        least_risk: filter
            .least_risk
            .map_or(ProtoRisk::Unspecified, shown_risk)
            .into(),
    }
}

/// A state; `None` where it is unspecified.
pub(super) const fn state(state: proto::DeliveryState) -> Option<DeliveryState> {
    match state {
        proto::DeliveryState::Unspecified => None,
        proto::DeliveryState::Pending => Some(DeliveryState::Pending),
        proto::DeliveryState::Delivered => Some(DeliveryState::Delivered),
        proto::DeliveryState::Dead => Some(DeliveryState::Dead),
    }
}

/// A state as messages have it.
pub(super) const fn shown_state(state: DeliveryState) -> proto::DeliveryState {
    match state {
        DeliveryState::Pending => proto::DeliveryState::Pending,
        DeliveryState::Delivered => proto::DeliveryState::Delivered,
        DeliveryState::Dead => proto::DeliveryState::Dead,
    }
}
