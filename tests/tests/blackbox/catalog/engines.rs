//! The workflow engines of environments: what they hold, and which credentials workflows get there.

use std::path::Path;

use serde_json::json;
use slipway_api::catalog::v1::workflow_engine::Engine;
use slipway_api::catalog::v1::{
    CheckEngineRequest, CreateEnvironmentRequest, CredentialMapping, GetCredentialMappingRequest,
    GetEnvironmentRequest, LinkWorkflowRequest, ListEnvironmentsRequest, ListWorkflowsRequest,
    N8nInstance, SetCredentialMappingRequest, UpdateEnvironmentRequest, WorkflowEngine,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{directory, workflow};
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use super::mask;
use crate::case::cases;

cases![
    an_engine_is_set_shown_and_cleared,
    an_engine_that_is_not_allowed_is_refused_by_its_field,
    an_engine_is_checked,
    workflows_are_listed_by_key,
    a_key_stands_for_one_workflow,
    a_key_whose_workflow_is_gone_is_given_anew,
    credentials_are_set_as_a_whole,
    credentials_have_limits,
];

fn update(project: &Project, engine: Option<WorkflowEngine>) -> UpdateEnvironmentRequest {
    UpdateEnvironmentRequest {
        project: project.slug.clone(),
        environment: "flows".to_owned(),
        workflow_engine: engine,
        update_mask: Some(mask(&["workflow_engine"])),
        ..Default::default()
    }
}

fn check(project: &Project) -> CheckEngineRequest {
    CheckEngineRequest {
        project: project.slug.clone(),
        environment: "flows".to_owned(),
    }
}

async fn an_engine_is_set_shown_and_cleared(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let folder = world.server.workflows(&[]);
    let made = project.environment_on("flows", &folder).await;
    assert_eq!(made.workflow_engine, Some(directory(&folder)));
    project.environment("none").await;

    let mut environments = project.admin.environments();
    let listed = environments.list_environments(ListEnvironmentsRequest {
        project: project.slug.clone(),
        ..Default::default()
    });
    let engines: Vec<_> = listed
        .await
        .granted()
        .environments
        .into_iter()
        .map(|environment| (environment.slug, environment.workflow_engine))
        .collect();
    assert_eq!(
        engines,
        [
            ("flows".to_owned(), Some(directory(&folder))),
            ("none".to_owned(), None)
        ]
    );

    // What the mask does not name stays.
    let renamed = environments
        .update_environment(UpdateEnvironmentRequest {
            display_name: "Flows".to_owned(),
            update_mask: Some(mask(&["display_name"])),
            ..update(&project, None)
        })
        .await
        .granted();
    let renamed = renamed.environment.unwrap();
    assert_eq!(renamed.workflow_engine, Some(directory(&folder)));

    let elsewhere = world.server.workflows(&[]);
    let request = update(&project, Some(directory(&elsewhere)));
    let moved = environments.update_environment(request).await.granted();
    let moved = moved.environment.unwrap();
    assert_eq!(moved.workflow_engine, Some(directory(&elsewhere)));
    assert_ne!(moved.etag, renamed.etag);

    let cleared = environments.update_environment(update(&project, None));
    let cleared = cleared.await.granted().environment.unwrap();
    assert_eq!(cleared.workflow_engine, None);
    let read = environments
        .get_environment(GetEnvironmentRequest {
            project: project.slug.clone(),
            environment: "flows".to_owned(),
        })
        .await
        .granted();
    assert_eq!(read.environment, Some(cleared));
}

async fn an_engine_that_is_not_allowed_is_refused_by_its_field(backend: Backend) {
    let project = super::shared(backend).await;
    project.environment("flows").await;
    let n8n = |base_url: &str, api_key_reference: &str| WorkflowEngine {
        engine: Some(Engine::N8n(N8nInstance {
            base_url: base_url.to_owned(),
            api_key_reference: api_key_reference.to_owned(),
        })),
    };
    let reference = "workflow_engine.n8n.api_key_reference";
    for (engine, field) in [
        (WorkflowEngine { engine: None }, "workflow_engine"),
        (directory(Path::new("")), "workflow_engine.directory.path"),
        (
            directory(Path::new("/etc")),
            "workflow_engine.directory.path",
        ),
        (
            directory(Path::new("../../x")),
            "workflow_engine.directory.path",
        ),
        (
            n8n("https://n8n.invalid", "env:N8N_KEY"),
            "workflow_engine.n8n.base_url",
        ),
        (
            n8n("https://me:pass@n8n.invalid", "env:N8N_KEY"),
            "workflow_engine.n8n.base_url",
        ),
        (n8n("https://n8n.invalid", "a secret itself"), reference),
    ] {
        let mut environments = project.admin.environments();
        let request = update(&project, Some(engine.clone()));
        let refused = environments
            .update_environment(request)
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field]);
        assert!(!refused.message().contains("a secret itself"));
        let refused = environments
            .create_environment(CreateEnvironmentRequest {
                project: project.slug.clone(),
                slug: "new".to_owned(),
                workflow_engine: Some(engine),
                ..Default::default()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field]);
    }
    let mut environments = project.admin.environments();
    let listed = environments.list_environments(ListEnvironmentsRequest {
        project: project.slug.clone(),
        ..Default::default()
    });
    let slugs: Vec<_> = listed.await.granted().environments;
    assert_eq!(slugs.len(), 1, "{slugs:?}");
    assert_eq!(slugs[0].workflow_engine, None);
}

async fn an_engine_is_checked(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let mut environments = project.admin.environments();
    environments
        .check_engine(check(&project))
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project.environment("flows").await;
    environments
        .check_engine(check(&project))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EngineNotSet);
    let folder = world.server.workflows(&[
        ("one", workflow("One")),
        ("two", workflow("Two")),
        ("broken", json!({"name": "Broken", "nodes": 7})),
    ]);
    let request = update(&project, Some(directory(&folder)));
    environments.update_environment(request).await.granted();
    let checked = environments.check_engine(check(&project)).await.granted();
    assert_eq!(checked.workflow_count, 3);
    assert_eq!(checked.unreadable_workflow_count, 1);
    assert!(
        checked.description.contains(&folder.display().to_string()),
        "{checked:?}"
    );
}

async fn workflows_are_listed_by_key(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let mut running = workflow("Shop: orders");
    running["active"] = json!(true);
    let folder = world.server.workflows(&[
        ("one", running),
        ("two", workflow("Backup")),
        ("broken", json!({"name": "Zed", "nodes": 7})),
    ]);
    project.environment_on("flows", &folder).await;
    let listed = project.workflows("flows").await;
    let readable: Vec<_> = listed
        .iter()
        .filter(|workflow| workflow.problem.is_empty())
        .map(|workflow| {
            (
                workflow.key.as_str(),
                workflow.name.as_str(),
                workflow.active,
            )
        })
        .collect();
    assert_eq!(
        readable,
        [
            ("Backup", "Backup", false),
            ("Shop-orders", "Shop: orders", true)
        ]
    );
    for workflow in &listed {
        assert!(!workflow.key_fixed && !workflow.archived, "{workflow:?}");
        let nodes = i32::from(workflow.problem.is_empty());
        assert_eq!(workflow.node_count, nodes);
    }
    assert_eq!(listed.len(), 3);
    project
        .admin
        .environments()
        .list_workflows(ListWorkflowsRequest {
            project: project.slug.clone(),
            environment: "nowhere".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

fn link(project: &Project, key: &str, workflow_id: &str) -> LinkWorkflowRequest {
    LinkWorkflowRequest {
        project: project.slug.clone(),
        environment: "flows".to_owned(),
        key: key.to_owned(),
        workflow_id: workflow_id.to_owned(),
        ..Default::default()
    }
}

async fn a_key_stands_for_one_workflow(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let documents = [("one", workflow("One")), ("two", workflow("Two"))];
    let folder = world.server.workflows(&documents);
    project.environment_on("flows", &folder).await;
    let listed = project.workflows("flows").await;
    let (one, two) = (&listed[0].workflow_id, &listed[1].workflow_id);

    let mut environments = project.admin.environments();
    let request = LinkWorkflowRequest {
        request_id: "once".to_owned(),
        ..link(&project, "orders", one)
    };
    let linked = environments.link_workflow(request.clone()).await.granted();
    let again = environments.link_workflow(request).await.granted();
    assert_eq!(linked, again);
    let linked = linked.workflow.unwrap();
    assert_eq!(
        (linked.key.as_str(), linked.name.as_str(), linked.key_fixed),
        ("orders", "One", true)
    );
    for key in ["orders", "ORDERS"] {
        environments
            .link_workflow(link(&project, key, two))
            .await
            .refused(Code::AlreadyExists, ErrorReason::WorkflowKeyTaken);
    }
    environments
        .link_workflow(link(&project, "ghost", "no-such-workflow"))
        .await
        .refused(Code::NotFound, ErrorReason::WorkflowNotFound);
    // With another key the first one is free.
    for (key, workflow) in [("invoices", one), ("orders", two)] {
        let request = link(&project, key, workflow);
        environments.link_workflow(request).await.granted();
    }
    let keys: Vec<_> = project
        .workflows("flows")
        .await
        .into_iter()
        .map(|workflow| (workflow.key, workflow.name, workflow.key_fixed))
        .collect();
    assert_eq!(
        keys,
        [
            ("invoices".to_owned(), "One".to_owned(), true),
            ("orders".to_owned(), "Two".to_owned(), true)
        ]
    );
}

async fn a_key_whose_workflow_is_gone_is_given_anew(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let documents = [("one", workflow("One")), ("two", workflow("Two"))];
    let folder = world.server.workflows(&documents);
    project.environment_on("flows", &folder).await;
    let listed = project.workflows("flows").await;
    let mut environments = project.admin.environments();
    let request = link(&project, "orders", &listed[0].workflow_id);
    environments.link_workflow(request).await.granted();
    std::fs::remove_file(folder.join("one.json")).unwrap();
    let request = link(&project, "Orders", &listed[1].workflow_id);
    let linked = environments.link_workflow(request).await.granted();
    assert_eq!(linked.workflow.unwrap().name, "Two");
    let left = project.workflows("flows").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key, "Orders");
}

fn mapping(kind: &str, name: &str, target: &str) -> CredentialMapping {
    CredentialMapping {
        r#type: kind.to_owned(),
        name: name.to_owned(),
        target_id: target.to_owned(),
        target_name: format!("The {target}"),
    }
}

fn setting(project: &Project, mappings: Vec<CredentialMapping>) -> SetCredentialMappingRequest {
    SetCredentialMappingRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        mappings,
        ..Default::default()
    }
}

async fn credentials_are_set_as_a_whole(backend: Backend) {
    let project = super::shared(backend).await;
    let mut environments = project.admin.environments();
    let reading = GetCredentialMappingRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
    };
    environments
        .get_credential_mapping(reading.clone())
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    environments
        .set_credential_mapping(setting(&project, Vec::new()))
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project.environment("prod").await;
    let (basic, other) = (
        mapping("httpBasicAuth", "Shop", "7"),
        mapping("aws", "Shop", "8"),
    );
    let first = SetCredentialMappingRequest {
        request_id: "once".to_owned(),
        ..setting(&project, vec![basic.clone(), other.clone()])
    };
    let sorted = [other.clone(), basic.clone()];
    let set = environments.set_credential_mapping(first.clone()).await;
    assert_eq!(set.granted().mappings, sorted);
    let read = environments.get_credential_mapping(reading.clone()).await;
    assert_eq!(read.granted().mappings, sorted);

    let request = setting(&project, vec![basic.clone()]);
    let set = environments.set_credential_mapping(request).await;
    assert_eq!(set.granted().mappings, std::slice::from_ref(&basic));
    // The first request again: what is there now, and no change.
    let again = environments.set_credential_mapping(first).await;
    assert_eq!(again.granted().mappings, [basic]);
    let request = setting(&project, Vec::new());
    environments.set_credential_mapping(request).await.granted();
    let read = environments.get_credential_mapping(reading).await.granted();
    assert!(read.mappings.is_empty(), "{read:?}");
}

async fn credentials_have_limits(backend: Backend) {
    let project = super::shared(backend).await;
    project.environment("prod").await;
    let many = |count: usize| -> Vec<_> {
        (0..count)
            .map(|number| mapping("aws", &number.to_string(), "7"))
            .collect()
    };
    let mut environments = project.admin.environments();
    let request = setting(&project, many(1_000));
    environments.set_credential_mapping(request).await.granted();
    let twice = vec![mapping("aws", "A", "7"), mapping("aws", "A", "8")];
    let long = "x".repeat(201);
    let faulty = vec![mapping("", &long, "7")];
    for (mappings, fields) in [
        (many(1_001), vec!["mappings"]),
        (twice, vec!["mappings[1]"]),
        (faulty, vec!["mappings[0].type", "mappings[0].name"]),
    ] {
        let refused = environments
            .set_credential_mapping(setting(&project, mappings))
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), fields);
    }
    let read = environments
        .get_credential_mapping(GetCredentialMappingRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
        })
        .await
        .granted();
    assert_eq!(read.mappings.len(), 1_000);
}
