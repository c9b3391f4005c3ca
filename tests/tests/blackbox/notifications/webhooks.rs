//! Webhooks: made, changed, refused.

use prost_types::FieldMask;
use slipway_api::audit::v1::{AuditEventFilter, ListAuditEventsRequest};
use slipway_api::catalog::v1::EnvironmentTier;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::RiskLevel;
use slipway_api::notifications::v1::{
    CreateWebhookRequest, DeleteWebhookRequest, GetWebhookRequest, ListDeliveriesRequest,
    ListWebhooksRequest, RedeliverWebhookRequest, TestWebhookRequest, UpdateWebhookRequest,
    WebhookFilter,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use super::{creation, email, slack, standard, webhook};
use crate::case::cases;

cases![
    a_webhook_comes_back_as_it_was_given,
    webhooks_change_by_mask_and_etag,
    a_deleted_webhook_is_gone,
    faults_are_told_together,
    the_operator_decides_where_messages_go,
    webhooks_are_listed_by_slug_and_limited,
    what_is_not_there_is_told,
];

async fn shared(backend: Backend) -> Project {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    project
}

fn filter() -> WebhookFilter {
    WebhookFilter {
        events: vec![
            "deployment.failed".to_owned(),
            "approval.overridden".to_owned(),
        ],
        environments: vec!["prod".to_owned()],
        tiers: vec![EnvironmentTier::Production.into()],
        least_risk: RiskLevel::High.into(),
    }
}

async fn a_webhook_comes_back_as_it_was_given(backend: Backend) {
    let project = shared(backend).await;
    let request = CreateWebhookRequest {
        filter: Some(filter()),
        display_name: "Those on call".to_owned(),
        disabled: true,
        request_id: "once".to_owned(),
        ..creation(&project, "calls", standard("https://hooks.example/x?y=z"))
    };
    let mut webhooks = project.admin.webhooks();
    let made = webhooks.create_webhook(request.clone()).await.granted();
    let made = made.webhook.unwrap();
    assert_eq!(made.filter, Some(filter()));
    assert_eq!(made.target, request.target);
    assert_eq!((made.enabled, made.slug.as_str()), (false, "calls"));
    let read = webhooks
        .get_webhook(GetWebhookRequest {
            project: project.slug.clone(),
            webhook: "calls".to_owned(),
        })
        .await
        .granted();
    assert_eq!(read.webhook.as_ref(), Some(&made));
    let again = webhooks.create_webhook(request.clone()).await.granted();
    assert_eq!(again.webhook, Some(made));
    let other = CreateWebhookRequest {
        request_id: String::new(),
        ..request
    };
    webhooks
        .create_webhook(other)
        .await
        .refused(Code::AlreadyExists, ErrorReason::WebhookAlreadyExists);

    let plain = webhook(
        &project,
        "plain",
        standard("https://1.1.1.1"),
        WebhookFilter::default(),
    );
    let plain = plain.await;
    assert_eq!(plain.display_name, "plain");
    assert!(plain.enabled);
    assert_eq!(plain.filter, Some(WebhookFilter::default()));
}

async fn webhooks_change_by_mask_and_etag(backend: Backend) {
    let project = shared(backend).await;
    let made = webhook(
        &project,
        "calls",
        standard("https://hooks.example"),
        filter(),
    )
    .await;
    let change = UpdateWebhookRequest {
        project: project.slug.clone(),
        webhook: "calls".to_owned(),
        display_name: "Everybody".to_owned(),
        target: Some(standard("https://other.example")),
        enabled: false,
        etag: made.etag.clone(),
        update_mask: Some(FieldMask {
            paths: ["display_name", "target", "filter", "enabled"]
                .map(str::to_owned)
                .to_vec(),
        }),
        ..Default::default()
    };
    let mut webhooks = project.admin.webhooks();
    let changed = webhooks.update_webhook(change.clone()).await.granted();
    let changed = changed.webhook.unwrap();
    assert_eq!(changed.display_name, "Everybody");
    assert_eq!(changed.target, change.target);
    assert_eq!(changed.filter, Some(WebhookFilter::default()));
    assert!(!changed.enabled && changed.etag != made.etag);
    webhooks
        .update_webhook(change.clone())
        .await
        .refused(Code::Aborted, ErrorReason::EtagMismatch);
    let only_enabled = UpdateWebhookRequest {
        etag: String::new(),
        enabled: true,
        update_mask: Some(FieldMask {
            paths: vec!["enabled".to_owned()],
        }),
        ..change.clone()
    };
    let enabled = webhooks.update_webhook(only_enabled).await.granted();
    let enabled = enabled.webhook.unwrap();
    assert_eq!(
        (enabled.enabled, enabled.display_name.as_str()),
        (true, "Everybody")
    );
    let elsewhere = UpdateWebhookRequest {
        etag: String::new(),
        target: Some(standard("https://10.0.0.1")),
        ..change.clone()
    };
    webhooks.update_webhook(elsewhere).await.refused(
        Code::FailedPrecondition,
        ErrorReason::WebhookTargetNotAllowed,
    );
    let nowhere = UpdateWebhookRequest {
        etag: String::new(),
        filter: Some(WebhookFilter {
            environments: vec!["nowhere".to_owned()],
            ..Default::default()
        }),
        ..change
    };
    webhooks
        .update_webhook(nowhere)
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn a_deleted_webhook_is_gone(backend: Backend) {
    let project = shared(backend).await;
    let target = standard("https://hooks.example/hunter2");
    webhook(&project, "calls", target.clone(), filter()).await;
    let removal = DeleteWebhookRequest {
        project: project.slug.clone(),
        webhook: "calls".to_owned(),
        request_id: "once".to_owned(),
    };
    let mut webhooks = project.admin.webhooks();
    webhooks.delete_webhook(removal.clone()).await.granted();
    webhooks.delete_webhook(removal.clone()).await.granted();
    let other = DeleteWebhookRequest {
        request_id: String::new(),
        ..removal
    };
    webhooks
        .delete_webhook(other)
        .await
        .refused(Code::NotFound, ErrorReason::WebhookNotFound);
    webhook(&project, "calls", target, filter()).await;
    // What can be a secret in an address stays out of the trail, which nobody can change.
    let mut audit = project.admin.audit();
    let events = audit.list_audit_events(ListAuditEventsRequest {
        filter: Some(AuditEventFilter {
            project: project.slug.clone(),
            ..Default::default()
        }),
        ..Default::default()
    });
    let told = format!("{:?}", events.await.granted());
    assert!(told.contains("DeleteWebhook") && told.contains("hooks.example"));
    assert!(!told.contains("hunter2"));
}

async fn faults_are_told_together(backend: Backend) {
    let project = shared(backend).await;
    let many: Vec<_> = (0..21).map(|n| format!("a{n}@example.com")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let wrong = WebhookFilter {
        events: [
            "deployment.failed",
            "deployment.exploded",
            "deployment.failed",
            "webhook.test",
        ]
        .map(str::to_owned)
        .to_vec(),
        environments: vec!["Prod".to_owned(), String::new()],
        tiers: vec![77, 0],
        least_risk: 77,
    };
    for (target, filter, fields) in [
        (None, None, vec!["target"]),
        (
            Some(slipway_api::notifications::v1::WebhookTarget::default()),
            None,
            vec!["target"],
        ),
        (Some(standard("ftp://h")), None, vec!["target.standard.url"]),
        (
            Some(standard("https://me:hunter2@h/")),
            None,
            vec!["target.standard.url"],
        ),
        (
            Some(slack("hunter2")),
            None,
            vec!["target.slack.url_reference"],
        ),
        (Some(email(&[])), None, vec!["target.email.recipients"]),
        (Some(email(&many)), None, vec!["target.email.recipients"]),
        (
            Some(email(&["a@x", "b", "a@x"])),
            None,
            vec!["target.email.recipients[1]", "target.email.recipients[2]"],
        ),
        (
            Some(standard("https://h")),
            Some(wrong),
            vec![
                "filter.events[1]",
                "filter.events[2]",
                "filter.events[3]",
                "filter.environments[0]",
                "filter.environments[1]",
                "filter.tiers[0]",
                "filter.tiers[1]",
                "filter.least_risk",
            ],
        ),
    ] {
        let request = CreateWebhookRequest {
            filter,
            ..creation(&project, "calls", target)
        };
        let refused = project
            .admin
            .webhooks()
            .create_webhook(request)
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), fields);
        assert!(!refused.message().contains("hunter2"), "{refused:?}");
    }
}

/// Whoever sets a webhook up sends this server somewhere.
async fn the_operator_decides_where_messages_go(backend: Backend) {
    let project = shared(backend).await;
    let secret = |reference: &str| {
        let mut target = standard("https://hooks.example");
        if let Some(slipway_api::notifications::v1::webhook_target::Target::Standard(standard)) =
            &mut target.target
        {
            reference.clone_into(&mut standard.secret_reference);
        }
        target
    };
    for target in [
        // What is not public: this machine, its neighbours, what clouds tell about their machines, however spelled.
        standard("https://127.0.0.2/"),
        standard("https://2130706434/"),
        standard("https://[::1]/"),
        standard("https://[::ffff:10.0.0.1]/"),
        standard("https://10.0.0.1/"),
        standard("https://192.168.0.1/"),
        standard("https://[fd00::1]/"),
        standard("http://169.254.169.254/latest/meta-data/"),
        // In the clear.
        standard("http://1.1.1.1/"),
        // Secrets that are not for webhooks, that are not there, or in another form.
        secret("env:STAND_IN_KEY"),
        secret("file:/etc/passwd"),
        secret("env:WEBHOOK_NONE"),
        slack("env:HOME"),
        slack("env:WEBHOOK_SECRET"),
        // This server hands in no mails.
        email(&["ops@example.com"]),
    ] {
        let shown = format!("{target:?}");
        let refused = project
            .admin
            .webhooks()
            .create_webhook(creation(&project, "calls", target))
            .await
            .refused(
                Code::FailedPrecondition,
                ErrorReason::WebhookTargetNotAllowed,
            );
        let told = refused.message();
        assert!(!told.contains("whsec_"), "{shown}: {told}");
    }
}

async fn webhooks_are_listed_by_slug_and_limited(backend: Backend) {
    let project = shared(backend).await;
    let mut webhooks = project.admin.webhooks();
    for number in (0..50).rev() {
        let slug = format!("hook-{number:02}");
        let made = creation(&project, &slug, standard("https://hooks.example"));
        webhooks.create_webhook(made).await.granted();
    }
    let more = creation(&project, "hook-50", standard("https://hooks.example"));
    webhooks
        .create_webhook(more)
        .await
        .refused(Code::ResourceExhausted, ErrorReason::TooManyWebhooks);
    let mut slugs = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = webhooks
            .list_webhooks(ListWebhooksRequest {
                project: project.slug.clone(),
                page_size: 20,
                page_token,
            })
            .await
            .granted();
        slugs.extend(page.webhooks.into_iter().map(|webhook| webhook.slug));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (0..50).map(|number| format!("hook-{number:02}")).collect();
    assert_eq!(slugs, expected);
    let negative = ListWebhooksRequest {
        project: project.slug.clone(),
        page_size: -1,
        ..Default::default()
    };
    webhooks
        .list_webhooks(negative)
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
}

async fn what_is_not_there_is_told(backend: Backend) {
    let project = shared(backend).await;
    let mut webhooks = project.admin.webhooks();
    let (slug, nowhere) = (|| project.slug.clone(), || "nowhere".to_owned());
    let get = GetWebhookRequest {
        project: slug(),
        webhook: nowhere(),
    };
    webhooks
        .get_webhook(get)
        .await
        .refused(Code::NotFound, ErrorReason::WebhookNotFound);
    let test = TestWebhookRequest {
        project: slug(),
        webhook: nowhere(),
        ..Default::default()
    };
    webhooks
        .test_webhook(test)
        .await
        .refused(Code::NotFound, ErrorReason::WebhookNotFound);
    let of_webhook = ListDeliveriesRequest {
        project: slug(),
        webhook: nowhere(),
        ..Default::default()
    };
    webhooks
        .list_deliveries(of_webhook)
        .await
        .refused(Code::NotFound, ErrorReason::WebhookNotFound);
    let of_deployment = ListDeliveriesRequest {
        project: slug(),
        deployment: "7".to_owned(),
        ..Default::default()
    };
    webhooks
        .list_deliveries(of_deployment)
        .await
        .refused(Code::NotFound, ErrorReason::DeploymentNotFound);
    let once_more = RedeliverWebhookRequest {
        project: slug(),
        delivery_id: "0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000".to_owned(),
        ..Default::default()
    };
    webhooks
        .redeliver_webhook(once_more)
        .await
        .refused(Code::NotFound, ErrorReason::DeliveryNotFound);
}
