//! Webhooks, and what they are told.

pub(crate) mod deliveries;
pub(crate) mod endings;
pub(crate) mod overrides;
pub(crate) mod webhooks;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use slipway_api::deployments::v1::{
    Deployment, DeploymentState, GetDeploymentRequest, StartPromotionRequest,
};
use slipway_api::notifications::v1::webhook_target::Target;
use slipway_api::notifications::v1::{
    CreateWebhookRequest, Delivery, EmailTarget, ListDeliveriesRequest, SlackTarget,
    StandardTarget, Webhook, WebhookFilter, WebhookTarget,
};
use slipway_tests::world::{unique, workflow};
use slipway_tests::{Backend, Granted, Project, World};

/// How long is waited for what is expected, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Attempts in quick succession, so that a case is over soon.
pub(crate) const QUICK: [(&str, &str); 2] = [
    ("SLIPWAY__NOTIFICATIONS__TIMEOUT", "500ms"),
    (
        "SLIPWAY__NOTIFICATIONS__RETRY_AFTER",
        "[\"50ms\", \"100ms\", \"100ms\", \"200ms\", \"200ms\", \"200ms\"]",
    ),
];

/// A post to this address, signed.
pub(crate) fn standard(url: &str) -> WebhookTarget {
    target(Target::Standard(StandardTarget {
        url: url.to_owned(),
        secret_reference: "env:WEBHOOK_SECRET".to_owned(),
    }))
}

/// A post to the address that this reference holds.
pub(crate) fn slack(reference: &str) -> WebhookTarget {
    target(Target::Slack(SlackTarget {
        url_reference: reference.to_owned(),
    }))
}

/// A mail.
pub(crate) fn email(recipients: &[&str]) -> WebhookTarget {
    target(Target::Email(EmailTarget {
        recipients: recipients.iter().map(ToString::to_string).collect(),
    }))
}

fn target(target: Target) -> WebhookTarget {
    WebhookTarget {
        target: Some(target),
    }
}

/// A request for a webhook of this slug.
pub(crate) fn creation(
    project: &Project,
    slug: &str,
    target: impl Into<Option<WebhookTarget>>,
) -> CreateWebhookRequest {
    CreateWebhookRequest {
        project: project.slug.clone(),
        slug: slug.to_owned(),
        target: target.into(),
        ..Default::default()
    }
}

/// A new webhook that is told of what passes this filter.
pub(crate) async fn webhook(
    project: &Project,
    slug: &str,
    target: WebhookTarget,
    filter: WebhookFilter,
) -> Webhook {
    let request = CreateWebhookRequest {
        filter: Some(filter),
        ..creation(project, slug, target)
    };
    let created = project.admin.webhooks().create_webhook(request).await;
    created.granted().webhook.unwrap()
}

/// All deliveries to a webhook, the newest first.
pub(crate) async fn deliveries(project: &Project, webhook: &str) -> Vec<Delivery> {
    let request = ListDeliveriesRequest {
        project: project.slug.clone(),
        webhook: webhook.to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let listed = project.admin.webhooks().list_deliveries(request).await;
    listed.granted().deliveries
}

/// The deliveries to a webhook as soon as they are as expected.
pub(crate) async fn when(
    project: &Project,
    webhook: &str,
    expected: impl Fn(&[Delivery]) -> bool,
) -> Vec<Delivery> {
    let begun = Instant::now();
    loop {
        let found = deliveries(project, webhook).await;
        if expected(&found) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A project with a pipeline from a folder to another one.
pub(crate) struct Line {
    pub(crate) project: Project,
    dev: PathBuf,
}

impl Line {
    /// One in a new project of this server.
    pub(crate) async fn new(world: &World) -> Self {
        let project = world.project().await;
        let dev = world.server.workflows(&[]);
        let prod = world.server.workflows(&[]);
        project.environment_on("dev", &dev).await;
        project.environment_on("prod", &prod).await;
        project.pipeline("way", "dev", "prod").await;
        project.guarded_pipeline("guarded", "dev", "prod").await;
        Self { project, dev }
    }

    /// One on a server of its own, whose deliveries are attempted in quick succession.
    pub(crate) async fn quick(backend: Backend, more: &[(&str, &str)]) -> (World, Self) {
        let settings = [&QUICK[..], more].concat();
        let world = World::own_with(backend, &settings).await;
        let line = Self::new(&world).await;
        (world, line)
    }

    /// Promotes something new.
    pub(crate) async fn start(&self, pipeline: &str) -> Deployment {
        let name = format!("Told {}", unique());
        let file = self.dev.join(format!("{}.json", unique()));
        std::fs::write(file, workflow(&name).to_string()).unwrap();
        let mut deployments = self.project.admin.deployments();
        let started = deployments.start_promotion(StartPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: pipeline.to_owned(),
            target: "prod".to_owned(),
            ..Default::default()
        });
        started.await.granted().deployment.unwrap()
    }

    /// Promotes something new, and waits until it is done.
    pub(crate) async fn promote(&self) -> Deployment {
        let started = self.start("way").await;
        self.becomes(started.number, DeploymentState::Succeeded)
            .await
    }

    /// The deployment as soon as it is in this state.
    pub(crate) async fn becomes(&self, number: i64, state: DeploymentState) -> Deployment {
        let request = GetDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: number.to_string(),
        };
        let begun = Instant::now();
        loop {
            let mut deployments = self.project.admin.deployments();
            let found = deployments.get_deployment(request.clone()).await.granted();
            let found = found.deployment.unwrap();
            if found.state() == state {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
