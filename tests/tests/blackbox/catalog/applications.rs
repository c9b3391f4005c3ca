//! Applications.

use slipway_api::catalog::v1::{
    Application, ApplicationKind, CreateApplicationRequest, CreateEnvironmentRequest,
    GetApplicationRequest, ListApplicationsRequest, UpdateApplicationRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Project, Refused};
use tonic::Code;

use super::{create, mask, shared, version_of};
use crate::case::cases;

cases![
    applications_are_of_all_kinds,
    applications_change_by_mask_and_etag,
    keys_are_kept_as_given,
    what_exists_is_not_made_again,
];

async fn list_applications(project: &Project, kind: ApplicationKind) -> Vec<Application> {
    project
        .admin
        .applications()
        .list_applications(ListApplicationsRequest {
            project: project.slug.clone(),
            kind: kind.into(),
            ..Default::default()
        })
        .await
        .granted()
        .applications
}

async fn applications_are_of_all_kinds(backend: Backend) {
    let project = shared(backend).await;
    let kinds = [
        ApplicationKind::Service,
        ApplicationKind::Workflow,
        ApplicationKind::Function,
        ApplicationKind::Prompt,
        ApplicationKind::PromptAsset,
        ApplicationKind::AiModel,
    ];
    for kind in kinds {
        project
            .admin
            .applications()
            .create_application(CreateApplicationRequest {
                project: project.slug.clone(),
                key: kind.as_str_name().to_owned(),
                kind: kind.into(),
                ..Default::default()
            })
            .await
            .granted();
    }
    project.application("said-nothing").await;
    assert_eq!(
        list_applications(&project, ApplicationKind::Unspecified)
            .await
            .len(),
        7
    );
    for kind in kinds {
        let found = list_applications(&project, kind).await;
        assert!(found.iter().all(|application| application.kind() == kind));
        let expected = if kind == ApplicationKind::Service {
            2
        } else {
            1
        };
        assert_eq!(found.len(), expected);
    }
}

async fn applications_change_by_mask_and_etag(backend: Backend) {
    let project = shared(backend).await;
    let made = project.application("portal").await;
    let mut applications = project.admin.applications();
    let update = UpdateApplicationRequest {
        project: project.slug.clone(),
        application: "portal".to_owned(),
        description: "For customers".to_owned(),
        update_mask: Some(mask(&["description"])),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let changed = applications
        .update_application(update.clone())
        .await
        .granted();
    let changed = changed.application.unwrap();
    assert_eq!(changed.description, "For customers");
    assert_eq!(changed.display_name, "portal");
    applications
        .update_application(update)
        .await
        .refused(Code::Aborted, ErrorReason::EtagMismatch);
    applications
        .get_application(GetApplicationRequest {
            project: project.slug.clone(),
            application: "Portal".to_owned(),
        })
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
}

async fn keys_are_kept_as_given(backend: Backend) {
    let project = shared(backend).await;
    let mut keys = vec![
        "g++".to_owned(),
        "@acme/cart".to_owned(),
        "a".to_owned(),
        "A".to_owned(),
        "-._+/@~:".to_owned(),
        "../etc".to_owned(),
        "x".repeat(128),
    ];
    for key in &keys {
        assert_eq!(project.application(key).await.key, *key);
        assert_eq!(project.version(key, key).await.identifier, *key);
    }
    keys.sort();
    let found = list_applications(&project, ApplicationKind::Unspecified).await;
    let found: Vec<_> = found
        .into_iter()
        .map(|application| application.key)
        .collect();
    assert_eq!(found, keys);
    for key in ["", "a b", "ä", "x\0", "a\n", &"x".repeat(129)] {
        let refused = project
            .admin
            .applications()
            .create_application(CreateApplicationRequest {
                project: project.slug.clone(),
                key: key.to_owned(),
                ..Default::default()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["key"]);
    }
}

async fn what_exists_is_not_made_again(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    project.version("app", "1").await;
    project.environment("prod").await;
    create(&project, version_of(&project, "1"))
        .await
        .refused(Code::AlreadyExists, ErrorReason::VersionAlreadyExists);
    project
        .admin
        .applications()
        .create_application(CreateApplicationRequest {
            project: project.slug.clone(),
            key: "app".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::AlreadyExists, ErrorReason::ApplicationAlreadyExists);
    project
        .admin
        .environments()
        .create_environment(CreateEnvironmentRequest {
            project: project.slug.clone(),
            slug: "prod".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::AlreadyExists, ErrorReason::EnvironmentAlreadyExists);
}
