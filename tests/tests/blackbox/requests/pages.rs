//! Pages and their tokens.

use slipway_api::catalog::v1::ListApplicationsRequest;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{ListCurrentStateRequest, ListDeploymentRecordsRequest};
use slipway_tests::clock::{DAY, HOUR};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Project, Refused, ago, now};
use tonic::Code;

use super::shared;
use crate::case::cases;

cases![
    page_sizes_have_bounds,
    page_tokens_belong_to_their_list,
    page_tokens_cannot_be_made_up,
    a_page_token_keeps_its_time,
];

async fn page_sizes_have_bounds(backend: Backend) {
    let project = shared(backend).await;
    for number in 0..51 {
        project.application(&format!("app-{number:02}")).await;
    }
    let list = async |page_size| {
        project
            .admin
            .applications()
            .list_applications(ListApplicationsRequest {
                project: project.slug.clone(),
                page_size,
                ..Default::default()
            })
            .await
    };
    for (page_size, expected) in [(0, 50), (3, 3), (1_000, 51), (1_000_000, 51)] {
        assert_eq!(list(page_size).await.granted().applications.len(), expected);
    }
    for page_size in [-1, i32::MIN] {
        let refused = list(page_size)
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["page_size"]);
    }
}

/// Two records in each of two environments, and a list of one a page.
async fn paged(project: &Project) -> ListDeploymentRecordsRequest {
    for (version, environment) in [("1", "prod"), ("2", "prod"), ("1", "dev"), ("2", "dev")] {
        project.record(report("app", version, environment)).await;
    }
    ListDeploymentRecordsRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        page_size: 1,
        ..Default::default()
    }
}

async fn page_tokens_belong_to_their_list(backend: Backend) {
    let project = shared(backend).await;
    let other_project = shared(backend).await;
    let request = paged(&project).await;
    paged(&other_project).await;
    let mut ledger = project.admin.ledger();
    let first = ledger
        .list_deployment_records(request.clone())
        .await
        .granted();
    let next = ListDeploymentRecordsRequest {
        page_token: first.next_page_token.clone(),
        ..request
    };
    let strangers = [
        ListDeploymentRecordsRequest {
            environment: "dev".to_owned(),
            ..next.clone()
        },
        ListDeploymentRecordsRequest {
            include_retracted: true,
            ..next.clone()
        },
        ListDeploymentRecordsRequest {
            from_time: Some(ago(DAY)),
            ..next.clone()
        },
        ListDeploymentRecordsRequest {
            project: other_project.slug.clone(),
            ..next.clone()
        },
    ];
    for stranger in strangers {
        ledger
            .list_deployment_records(stranger)
            .await
            .refused(Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    }
    // Another method.
    ledger
        .list_current_state(ListCurrentStateRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            page_size: 1,
            page_token: first.next_page_token,
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    // The right one, with another size: how many to return is no part of the question.
    let second = ledger
        .list_deployment_records(ListDeploymentRecordsRequest {
            page_size: 9,
            ..next
        })
        .await
        .granted();
    assert_eq!(second.records.len(), 1);
}

async fn page_tokens_cannot_be_made_up(backend: Backend) {
    let project = shared(backend).await;
    let request = paged(&project).await;
    let mut ledger = project.admin.ledger();
    let token = ledger
        .list_deployment_records(request.clone())
        .await
        .granted()
        .next_page_token;
    let cut = token[..token.len() / 2].to_owned();
    let longer = format!("{token}AAAA");
    for made_up in [
        "x",
        "\0",
        "eyJsIjoxfQ",
        "🙂",
        "==",
        &cut,
        &longer,
        &"A".repeat(100_000),
    ] {
        ledger
            .list_deployment_records(ListDeploymentRecordsRequest {
                page_token: made_up.to_owned(),
                ..request.clone()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    }
}

async fn a_page_token_keeps_its_time(backend: Backend) {
    let project = shared(backend).await;
    for application in ["a", "b"] {
        project
            .record(report_at(application, "1", "prod", ago(HOUR)))
            .await;
    }
    let request = ListCurrentStateRequest {
        project: project.slug.clone(),
        page_size: 1,
        as_of_time: Some(ago(HOUR / 2)),
        ..Default::default()
    };
    let mut ledger = project.admin.ledger();
    let first = ledger.list_current_state(request.clone()).await.granted();
    assert_eq!(first.as_of_time, request.as_of_time);
    let other_time = ListCurrentStateRequest {
        page_token: first.next_page_token.clone(),
        as_of_time: Some(ago(HOUR / 3)),
        ..request.clone()
    };
    ledger
        .list_current_state(other_time)
        .await
        .refused(Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    let second = ledger
        .list_current_state(ListCurrentStateRequest {
            page_token: first.next_page_token,
            ..request
        })
        .await
        .granted();
    assert_eq!(second.states[0].application, "b");

    // Where no time is given, it is that of the first page, also for what is retracted or reported late meanwhile.
    let now_first = ListCurrentStateRequest {
        project: project.slug.clone(),
        page_size: 1,
        ..Default::default()
    };
    let first = ledger.list_current_state(now_first.clone()).await.granted();
    project.record(removal_at("b", "1", "prod", now())).await;
    let second = ledger
        .list_current_state(ListCurrentStateRequest {
            page_token: first.next_page_token,
            ..now_first
        })
        .await
        .granted();
    assert_eq!(second.states.len(), 1);
}
