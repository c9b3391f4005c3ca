//! Environments.

use slipway_api::catalog::v1::{
    CreateEnvironmentRequest, EnvironmentTier, GetEnvironmentRequest, ListEnvironmentsRequest,
    UpdateEnvironmentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Refused};
use tonic::Code;

use super::{mask, shared};
use crate::case::cases;

cases![
    environments_are_listed_by_position,
    environments_change_by_mask_and_etag,
];

async fn environments_are_listed_by_position(backend: Backend) {
    let project = shared(backend).await;
    for (slug, position) in [("prod", 5), ("dev", -1), ("b", 0), ("a", 0)] {
        project
            .admin
            .environments()
            .create_environment(CreateEnvironmentRequest {
                project: project.slug.clone(),
                slug: slug.to_owned(),
                position,
                ..Default::default()
            })
            .await
            .granted();
    }
    for page_size in [1, 3, 50] {
        let mut request = ListEnvironmentsRequest {
            project: project.slug.clone(),
            page_size,
            ..Default::default()
        };
        let mut slugs = Vec::new();
        loop {
            let page = project
                .admin
                .environments()
                .list_environments(request.clone())
                .await
                .granted();
            slugs.extend(page.environments.into_iter().map(|found| found.slug));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(slugs, ["dev", "a", "b", "prod"]);
    }
}

async fn environments_change_by_mask_and_etag(backend: Backend) {
    let project = shared(backend).await;
    let made = project.environment("prod").await;
    assert_eq!(made.display_name, "prod");
    assert_eq!(made.tier(), EnvironmentTier::Development);
    let mut environments = project.admin.environments();
    let update = UpdateEnvironmentRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        display_name: "Production".to_owned(),
        tier: EnvironmentTier::Production.into(),
        position: 9,
        update_mask: Some(mask(&["display_name", "tier"])),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let changed = environments
        .update_environment(update.clone())
        .await
        .granted()
        .environment
        .unwrap();
    assert_eq!(changed.display_name, "Production");
    assert_eq!(changed.tier(), EnvironmentTier::Production);
    assert_eq!(changed.position, 0);
    environments
        .update_environment(update.clone())
        .await
        .refused(Code::Aborted, ErrorReason::EtagMismatch);
    let without_etag = UpdateEnvironmentRequest {
        etag: String::new(),
        ..update
    };
    environments
        .update_environment(without_etag.clone())
        .await
        .granted();
    for (paths, display_name, field) in [
        (&[][..], "x", "update_mask"),
        (&["slug"][..], "x", "update_mask"),
        (&["display_name"][..], "", "display_name"),
    ] {
        let refused = environments
            .update_environment(UpdateEnvironmentRequest {
                update_mask: Some(mask(paths)),
                display_name: display_name.to_owned(),
                ..without_etag.clone()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        let fields = violated_fields(&refused);
        assert!(fields[0].starts_with(field), "{fields:?}");
    }
    let read = environments
        .get_environment(GetEnvironmentRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
        })
        .await
        .granted();
    assert_eq!(read.environment.unwrap().display_name, "Production");
    environments
        .get_environment(GetEnvironmentRequest {
            project: project.slug.clone(),
            environment: "nowhere".to_owned(),
        })
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}
