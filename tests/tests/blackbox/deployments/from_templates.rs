//! Releases are made from templates, by the rules of every other release.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_api::approvals::v1::{ApproveRequest, PolicyTerms};
use slipway_api::audit::v1::AuditEventFilter;
use slipway_api::deployments::v1::{
    CreateReleaseFromTemplateRequest, CreateTemplateRequest, DeleteTemplateRequest, Deployment,
    DeploymentState, GetDeploymentRequest, ListDeploymentsRequest, ReleaseTemplate, TemplateItem,
    UpdateTemplateRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::clock::{HOUR, ago, ahead};
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::policies::admins;
use super::releases::{execute, executing, prompt};
use crate::audit::{events, of};
use crate::case::cases;

cases![
    a_release_is_made_from_the_version_asked_for,
    a_request_from_a_template_is_carried_out_once,
    everything_that_stands_against_it_is_told_together,
    what_is_no_request_is_told,
    policies_ask_as_for_every_release,
];

fn item(application: &str, version: &str) -> TemplateItem {
    TemplateItem {
        application: application.to_owned(),
        version: version.to_owned(),
        change_message: "{{why}}".to_owned(),
        risk_level: RiskLevel::High.into(),
        ..Default::default()
    }
}

/// A project with prompts to release to `prod`, and the template `chat`, which brings both of them in its first version,
/// and in its second `greeting` alone.
async fn project(backend: Backend) -> Project {
    let world = World::shared(backend).await;
    let project = world.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0", "1.1.0"]).await;
    prompt(&project, "farewell", &["2.0.0"]).await;
    let mut templates = project.admin.templates();
    let creation = CreateTemplateRequest {
        project: project.slug.clone(),
        slug: "chat".to_owned(),
        description: "Chat {{greeting}}, {{why}}".to_owned(),
        items: vec![item("greeting", "{{greeting}}"), item("farewell", "2.0.0")],
        ..Default::default()
    };
    templates.create_template(creation).await.granted();
    let update = UpdateTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        items: vec![item("greeting", "{{greeting}}")],
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["items".to_owned()],
        }),
        ..Default::default()
    };
    templates.update_template(update).await.granted();
    project
}

/// A release to `prod` from the last version of `chat`, with these values.
fn asking(project: &Project, values: &[(&str, &str)]) -> CreateReleaseFromTemplateRequest {
    let values = values.iter();
    let values: BTreeMap<_, _> = values
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    CreateReleaseFromTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        parameters: values,
        name: "Chatbot".to_owned(),
        environment: "prod".to_owned(),
        ..Default::default()
    }
}

async fn make(who: &Client, request: CreateReleaseFromTemplateRequest) -> Deployment {
    let made = who.templates().create_release_from_template(request).await;
    made.granted().deployment.unwrap()
}

fn keys(deployment: &Deployment) -> Vec<&str> {
    let items = deployment.items.iter();
    items.map(|item| item.application.as_str()).collect()
}

fn made_from(deployment: &Deployment) -> ReleaseTemplate {
    let release = deployment.release.clone().expect("a release");
    release.template.expect("a template")
}

async fn delete(project: &Project) {
    let deletion = DeleteTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        ..Default::default()
    };
    let mut templates = project.admin.templates();
    templates.delete_template(deletion).await.granted();
}

async fn a_release_is_made_from_the_version_asked_for(backend: Backend) {
    let project = project(backend).await;
    let values = [("greeting", "1.1.0"), ("why", "kinder")];
    let first = CreateReleaseFromTemplateRequest {
        template_version: 1,
        ..asking(&project, &values)
    };
    let looked_at = CreateReleaseFromTemplateRequest {
        validate_only: true,
        ..first.clone()
    };
    let looked_at = make(&project.admin, looked_at).await;
    assert_eq!(
        (looked_at.number, looked_at.deployment_id.as_str()),
        (0, "")
    );
    let made = make(&project.admin, first).await;
    assert_eq!(made.plan_digest, looked_at.plan_digest);
    assert_eq!(keys(&made), ["greeting", "farewell"]);
    let template = made_from(&made);
    assert_eq!((template.template.as_str(), template.version), ("chat", 1));
    let release = made.release.clone().unwrap();
    assert_eq!(release.description, "Chat 1.1.0, kinder");
    let chosen = made.items[0].chosen.clone().unwrap();
    assert_eq!(chosen.version_after, "1.1.0");
    assert_eq!(chosen.change_message, "kinder");
    assert_eq!(chosen.declared_risk_level(), RiskLevel::High);

    let last = CreateReleaseFromTemplateRequest {
        description: "Only this".to_owned(),
        ..asking(&project, &values)
    };
    let last = make(&project.admin, last).await;
    assert_eq!(
        (keys(&last), made_from(&last).version),
        (vec!["greeting"], 2)
    );
    assert_eq!(last.release.as_ref().unwrap().description, "Only this");

    // What it was made from stays with it, also where the template is gone.
    delete(&project).await;
    let executed = execute(&project.admin, &made).await;
    assert_eq!(executed.state(), DeploymentState::Succeeded);
    let cell = project.cell("farewell", "prod").await.unwrap();
    assert_eq!(cell.version, "2.0.0");
    let mut deployments = project.admin.deployments();
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: made.number.to_string(),
    };
    let found = deployments.get_deployment(request).await.granted();
    assert_eq!(made_from(&found.deployment.unwrap()), template);
    let request = ListDeploymentsRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    let listed = deployments.list_deployments(request).await.granted();
    let listed = listed.deployments.iter();
    let versions: Vec<_> = listed.map(|it| made_from(it).version).collect();
    assert_eq!(versions, [2, 1]);
    let filter = AuditEventFilter {
        command: "CreateReleaseFromTemplate".to_owned(),
        ..of(&project)
    };
    let told = events(&project.admin, filter, 50).await;
    assert_eq!(told.len(), 2);
    let told: serde_json::Value = serde_json::from_str(&told[1].after_json).unwrap();
    assert_eq!(told["template"]["slug"], "chat", "{told}");
    assert_eq!(told["template"]["version"], 1, "{told}");
}

async fn a_request_from_a_template_is_carried_out_once(backend: Backend) {
    let project = project(backend).await;
    let request = CreateReleaseFromTemplateRequest {
        request_id: "run-7".to_owned(),
        ..asking(&project, &[("greeting", "1.0.0"), ("why", "first")])
    };
    let made = make(&project.admin, request.clone()).await;
    delete(&project).await;
    let again = make(&project.admin, request.clone()).await;
    assert_eq!(again.deployment_id, made.deployment_id);
    let mut templates = project.admin.templates();
    let other = CreateReleaseFromTemplateRequest {
        template_version: 2,
        ..request.clone()
    };
    let other = templates.create_release_from_template(other).await;
    other.refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
    let anew = CreateReleaseFromTemplateRequest {
        request_id: "run-8".to_owned(),
        ..request
    };
    let anew = templates.create_release_from_template(anew).await;
    anew.refused(Code::NotFound, ErrorReason::TemplateNotFound);
}

/// Reasons and subjects of what stands against a release.
fn told(refused: &Status) -> Vec<(String, String)> {
    let details = refused.get_details_precondition_failure().unwrap();
    let violations = details.violations.into_iter();
    violations.map(|it| (it.r#type, it.subject)).collect()
}

async fn everything_that_stands_against_it_is_told_together(backend: Backend) {
    let project = project(backend).await;
    let creation = CreateTemplateRequest {
        project: project.slug.clone(),
        slug: "many".to_owned(),
        items: vec![
            item("greeting", "{{lacking}}"),
            item("nobody", "1"),
            item("farewell", "{{version}}"),
        ],
        ..Default::default()
    };
    let mut templates = project.admin.templates();
    templates.create_template(creation).await.granted();
    let mut refused = async |values: &[(&str, &str)]| {
        let request = CreateReleaseFromTemplateRequest {
            template: "many".to_owned(),
            ..asking(&project, values)
        };
        let answer = templates.create_release_from_template(request).await;
        let refused = answer.refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
        told(&refused)
    };
    let expected = |findings: &[(&str, &str)]| -> Vec<(String, String)> {
        let findings = findings.iter();
        findings
            .map(|(reason, subject)| ((*reason).to_owned(), (*subject).to_owned()))
            .collect()
    };
    let values = [("why", ""), ("version", "no version"), ("x", "")];
    assert_eq!(
        refused(&values).await,
        expected(&[
            ("APPLICATION_NOT_FOUND", "items[1]"),
            ("PARAMETER_UNFIT", "items[2]"),
            ("PARAMETER_MISSING", ""),
            ("PARAMETER_UNKNOWN", ""),
        ])
    );
    let values = [("why", ""), ("version", "9"), ("lacking", "9.9.9")];
    assert_eq!(
        refused(&values).await,
        expected(&[
            ("VERSION_NOT_FOUND", "items[0]"),
            ("APPLICATION_NOT_FOUND", "items[1]"),
            ("VERSION_NOT_FOUND", "items[2]"),
        ])
    );
    let request = ListDeploymentsRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    let listed = project.admin.deployments().list_deployments(request).await;
    assert!(listed.granted().deployments.is_empty(), "made nothing");
}

async fn what_is_no_request_is_told(backend: Backend) {
    let project = project(backend).await;
    let mut templates = project.admin.templates();
    let fine = asking(&project, &[("greeting", "1.0.0"), ("why", "")]);
    let faulty = CreateReleaseFromTemplateRequest {
        template: String::new(),
        template_version: -1,
        parameters: [("a".to_owned(), "x".repeat(16_385))].into(),
        name: " ".to_owned(),
        environment: "No Slug".to_owned(),
        ..fine.clone()
    };
    let refused = templates.create_release_from_template(faulty).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let fields = [
        "name",
        "environment",
        "template",
        "template_version",
        "parameters",
    ];
    assert_eq!(violated_fields(&refused), fields);
    for start_time in [ago(HOUR), ahead(Duration::from_hours(91 * 24))] {
        let odd = CreateReleaseFromTemplateRequest {
            start_time: Some(start_time),
            ..fine.clone()
        };
        let refused = templates.create_release_from_template(odd).await;
        let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["start_time"]);
    }
    let later = CreateReleaseFromTemplateRequest {
        template_version: 3,
        ..fine.clone()
    };
    let refused = templates.create_release_from_template(later).await;
    refused.refused(Code::NotFound, ErrorReason::TemplateVersionNotFound);
    let elsewhere = CreateReleaseFromTemplateRequest {
        environment: "nowhere".to_owned(),
        ..fine
    };
    let refused = templates.create_release_from_template(elsewhere).await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn policies_ask_as_for_every_release(backend: Backend) {
    let project = project(backend).await;
    let only_admins = PolicyTerms {
        requesters: None,
        ..admins(1)
    };
    project.set_policy("prod", only_admins).await;
    let values = [("greeting", "1.0.0"), ("why", "")];
    let developer = project.member(Role::Developer).await;
    let other = project.member(Role::Admin).await;
    let mut templates = developer.templates();
    let asked = templates.create_release_from_template(asking(&project, &values));
    asked
        .await
        .refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    let made = make(&project.admin, asking(&project, &values)).await;
    assert_eq!(made.state(), DeploymentState::PendingApproval);
    let approval = ApproveRequest {
        project: project.slug.clone(),
        deployment: made.number.to_string(),
        plan_digest: made.plan_digest.clone(),
        ..Default::default()
    };
    other.approvals().approve(approval).await.granted();
    // Who may not ask may not carry out either.
    let mut deployments = developer.deployments();
    let executed = deployments.execute_deployment(executing(&made)).await;
    executed.refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    let executed = execute(&project.admin, &made).await;
    assert_eq!(executed.state(), DeploymentState::Succeeded);
}
