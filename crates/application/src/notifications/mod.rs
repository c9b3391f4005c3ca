//! Notifications: webhooks, and how what happens is brought to them.
//!
//! What happens is in the outbox already when the transaction in which it happens commits. Everything here comes later, in
//! the background, and in short transactions of its own: while somebody is called, none is open.

mod create;
mod delete;
mod deliveries;
mod dispatch;
mod forget;
mod read;
mod send;
mod test;
mod update;

pub use create::{CreateWebhook, create_webhook};
pub use delete::{DeleteWebhook, delete_webhook};
pub use deliveries::{
    AskedDeliveries, RedeliverWebhook, ShownDelivery, list_deliveries, redeliver_webhook,
};
pub use dispatch::dispatch_events;
pub use forget::forget_deliveries;
pub use read::{get_webhook, list_webhooks};
pub use send::{AT_ONCE_PER_WEBHOOK, Sender, Sent};
pub use test::{TestWebhook, test_webhook};
pub use update::{UpdateWebhook, update_webhook};

use serde_json::{Value, json};
use slipway_deployments::Deployment;
use slipway_kernel::{
    DeliveryId, PrincipalId, ProjectId, Slug, revision::EtagMismatch, text::Reason,
};
use slipway_notifications::{Facts, Filter, MAX_WEBHOOKS, NotAllowed, Target, Webhook};

use crate::{CommandError, change::Change, error::meets_command_errors};

/// What is told of somebody who lets a deployment pass.
pub(crate) fn facts(deployment: &Deployment, by: PrincipalId, reason: &Reason) -> Facts {
    Facts {
        name: deployment.release.as_ref().map(|of| of.name.to_string()),
        risk: Some(deployment.risk),
        by: Some(by),
        reason: Some(reason.to_string()),
        problem_reason: None,
    }
}

/// Why a command about webhooks was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The slug is taken.
    #[error("the webhook `{slug}` exists already in this project; choose another slug")]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// There is no such webhook.
    #[error("there is no webhook `{slug}` in this project")]
    NotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The project has as many as it may have.
    #[error("this project has {MAX_WEBHOOKS} webhooks, which is the most; delete one first")]
    TooMany,
    /// The filter names an environment that is not there.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The operator's configuration does not allow the target.
    #[error("the target is not allowed: {0}")]
    NotAllowed(#[source] NotAllowed),
    /// Nothing is sent to a disabled webhook.
    #[error("the webhook `{slug}` is disabled, so that nothing is sent to it; enable it first")]
    Disabled {
        /// The webhook.
        slug: Slug,
    },
    /// There is no such delivery.
    #[error("there is no delivery {id} in this project, or no longer: they are kept for 30 days")]
    DeliveryNotFound {
        /// The id given.
        id: DeliveryId,
    },
    /// There is no such deployment.
    #[error("there is no deployment {name} in this project")]
    DeploymentNotFound {
        /// The name given.
        name: String,
    },
    /// Somebody changed the webhook since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(WebhookError);

/// Passes where all environments of a filter are there, so that a mistyped one is not waited for in vain.
async fn require_environments(
    change: &mut Change<'_>,
    project: ProjectId,
    filter: &Filter,
) -> Result<(), WebhookError> {
    for slug in &filter.environments {
        let found = change.unit.environments().find(project, slug).await?;
        if found.is_none() {
            return Err(WebhookError::EnvironmentNotFound { slug: slug.clone() });
        }
    }
    Ok(())
}

/// A webhook as the audit trail shows it: without addresses of people, and without what of a URL may be a secret.
fn described(webhook: &Webhook) -> Value {
    let target = match &webhook.target {
        Target::Standard { url, secret } => {
            let origin: Vec<_> = url.as_str().splitn(4, ['/', '?']).take(3).collect();
            json!({"kind": "STANDARD", "origin": origin.join("/"), "secret": secret.as_str()})
        }
        Target::Slack { url } => json!({"kind": "SLACK", "url": url.as_str()}),
        Target::Email { recipients } => json!({"kind": "EMAIL", "recipients": recipients.len()}),
    };
    json!({
        "webhook_id": webhook.id,
        "slug": webhook.slug,
        "display_name": webhook.display_name,
        "target": target,
        "filter": webhook.filter,
        "enabled": webhook.enabled,
    })
}

#[cfg(test)]
mod tests {
    use slipway_kernel::{Revision, Timestamp, WebhookId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_trail_learns_neither_secrets_nor_addresses() {
        let webhook = |target| Webhook {
            id: WebhookId::from_uuid(Uuid::from_u128(1)),
            project: ProjectId::from_uuid(Uuid::from_u128(1)),
            slug: "hook".parse().expect("a slug"),
            display_name: "Hook".parse().expect("a name"),
            target,
            filter: Filter::default(),
            enabled: true,
            created_at: Timestamp::MIN,
            revision: Revision::FIRST,
        };
        let secret = || "env:KEY".parse().expect("a reference");
        for url in ["https://h:1/hunter2", "https://h:1?hunter2", "https://h:1"] {
            let url = url.parse().expect("a URL");
            let shown = described(&webhook(Target::Standard {
                url,
                secret: secret(),
            }));
            assert_eq!(shown["target"]["origin"], "https://h:1");
            assert_eq!(shown["target"]["secret"], "env:KEY");
        }
        let recipients = vec!["ada@example.com".parse().expect("an address")];
        let shown = described(&webhook(Target::Email { recipients })).to_string();
        assert!(!shown.contains("ada"), "{shown}");
    }
}
