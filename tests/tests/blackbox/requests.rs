//! What all requests have in common: request ids, checking only, pages.

use slipway_api::catalog::v1::{
    CreateApplicationRequest, CreateVersionRequest, GetVersionRequest, ListApplicationsRequest,
    UpdateApplicationRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{
    DeploymentReport, ListCurrentStateRequest, ListDeploymentRecordsRequest,
    RecordDeploymentRequest, RetractDeploymentRecordRequest,
};
use slipway_tests::clock::{DAY, HOUR, ahead};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Project, Refused, World, ago, now};
use tonic::Code;

use crate::case::cases;

cases![
    a_request_id_makes_one_record,
    a_request_id_belongs_to_its_caller_method_and_project,
    a_request_id_returns_the_resource_as_it_is_now,
    a_request_id_is_authorised_again,
    a_refused_request_does_not_use_its_id_up,
    the_same_request_at_once_is_done_once,
    malformed_request_ids_are_refused,
    checking_only_writes_nothing,
    checking_only_refuses_like_the_real_thing,
    page_sizes_have_bounds,
    page_tokens_belong_to_their_list,
    page_tokens_cannot_be_made_up,
    a_page_token_keeps_its_time,
];

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

fn identified(
    project: &Project,
    report: DeploymentReport,
    request_id: &str,
) -> RecordDeploymentRequest {
    RecordDeploymentRequest {
        request_id: request_id.to_owned(),
        ..project.recording(report)
    }
}

async fn count(project: &Project) -> usize {
    let all = ListDeploymentRecordsRequest {
        include_retracted: true,
        ..Default::default()
    };
    project.history(all).await.len()
}

async fn a_request_id_makes_one_record(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    // Without a time: twice without an id would be two records.
    let request = identified(&project, report("app", "1", "prod"), "one");
    let first = ledger.record_deployment(request.clone()).await.granted();
    let again = ledger.record_deployment(request.clone()).await.granted();
    assert_eq!(
        again.record.unwrap().record_id,
        first.record.unwrap().record_id
    );
    assert_eq!(count(&project).await, 1);
    ledger
        .record_deployment(identified(&project, report("app", "2", "prod"), "one"))
        .await
        .refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
    let other = RecordDeploymentRequest {
        request_id: "two".to_owned(),
        ..request
    };
    ledger.record_deployment(other).await.granted();
    assert_eq!(count(&project).await, 2);
}

async fn a_request_id_belongs_to_its_caller_method_and_project(backend: Backend) {
    let project = shared(backend).await;
    let other_project = shared(backend).await;
    project.environment("prod").await;
    let developer = project.member(Role::Developer).await;
    let mut application = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "one".to_owned(),
        request_id: "same".to_owned(),
        ..Default::default()
    };
    let create = async |client: &slipway_tests::Client, request: &CreateApplicationRequest| {
        client
            .applications()
            .create_application(request.clone())
            .await
    };
    create(&project.admin, &application).await.granted();
    // The same caller and method elsewhere, another caller, another method: all new.
    application.project.clone_from(&other_project.slug);
    application.key = "two".to_owned();
    create(&project.admin, &application).await.granted();
    application.project.clone_from(&project.slug);
    create(&developer, &application).await.granted();
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "one".to_owned(),
            identifier: "1".to_owned(),
            request_id: "same".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    create(&project.admin, &application)
        .await
        .refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
}

async fn a_request_id_returns_the_resource_as_it_is_now(backend: Backend) {
    let project = shared(backend).await;
    let mut applications = project.admin.applications();
    let create = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "app".to_owned(),
        request_id: "create".to_owned(),
        ..Default::default()
    };
    applications
        .create_application(create.clone())
        .await
        .granted();
    let update = UpdateApplicationRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        description: "changed".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["description".to_owned()],
        }),
        request_id: "update".to_owned(),
        ..Default::default()
    };
    let updated = applications
        .update_application(update.clone())
        .await
        .granted();
    let again = applications.create_application(create).await.granted();
    assert_eq!(again.application, updated.application);
    let again = applications.update_application(update).await.granted();
    assert_eq!(again.application, updated.application);

    let record = project.record(report("app", "1", "prod")).await;
    let retract = RetractDeploymentRecordRequest {
        project: project.slug.clone(),
        record_id: record.record_id,
        reason: "wrong".to_owned(),
        request_id: "retract".to_owned(),
    };
    let mut ledger = project.admin.ledger();
    let first = ledger
        .retract_deployment_record(retract.clone())
        .await
        .granted();
    let again = ledger.retract_deployment_record(retract).await.granted();
    assert_eq!(first, again);
}

async fn a_request_id_is_authorised_again(backend: Backend) {
    let project = shared(backend).await;
    let developer = project.member(Role::Developer).await;
    let request = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "app".to_owned(),
        request_id: "mine".to_owned(),
        ..Default::default()
    };
    let mut applications = developer.applications();
    applications
        .create_application(request.clone())
        .await
        .granted();
    project
        .set_roles(&developer.principal_id, &[Role::Viewer])
        .await;
    applications
        .create_application(request)
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
}

async fn a_refused_request_does_not_use_its_id_up(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    let request = RecordDeploymentRequest {
        create_missing: None,
        ..identified(&project, report("app", "1", "prod"), "later")
    };
    ledger
        .record_deployment(request.clone())
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project.environment("prod").await;
    project.application("app").await;
    project.version("app", "1").await;
    ledger.record_deployment(request).await.granted();
}

async fn the_same_request_at_once_is_done_once(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("app", "1", "dev")).await;
    let request = identified(&project, report("app", "1", "dev"), "at once");
    let calls = (0..8).map(|_| {
        let (mut ledger, request) = (project.admin.ledger(), request.clone());
        tokio::spawn(async move { ledger.record_deployment(request).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(answer) => drop(ids.insert(answer.into_inner().record.unwrap().record_id)),
            // One that got in another's way may be told to try again.
            refused => drop(refused.refused(Code::Aborted, ErrorReason::StoreConflict)),
        }
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(count(&project).await, 2);
}

async fn malformed_request_ids_are_refused(backend: Backend) {
    let project = shared(backend).await;
    for request_id in ["ä", "a\tb", "\0", &"x".repeat(129)] {
        let refused = project
            .admin
            .ledger()
            .record_deployment(identified(&project, report("app", "1", "prod"), request_id))
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["request_id"]);
    }
    let longest = "~".repeat(128);
    project
        .admin
        .ledger()
        .record_deployment(identified(&project, report("app", "1", "prod"), &longest))
        .await
        .granted();
}

async fn checking_only_writes_nothing(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    let time = ago(HOUR);
    let check = RecordDeploymentRequest {
        validate_only: true,
        ..project.recording(report_at("app", "1", "prod", time))
    };
    let checked = ledger.record_deployment(check.clone()).await.granted();
    let record = checked.record.unwrap();
    assert_eq!((&*record.record_id, record.sequence), ("", 0));
    assert_eq!(record.recorded_time, None);
    assert_eq!(record.version, "1");
    assert!(!checked.already_present);
    assert_eq!(count(&project).await, 0);
    let applications = project
        .admin
        .applications()
        .list_applications(ListApplicationsRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(applications.applications, []);

    let written = project.record(report_at("app", "1", "prod", time)).await;
    let checked = ledger.record_deployment(check).await.granted();
    assert!(checked.already_present);
    assert_eq!(checked.record.unwrap(), written);

    let check = CreateVersionRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        identifier: "2".to_owned(),
        content: Some("x".into()),
        validate_only: true,
        ..Default::default()
    };
    let checked = project
        .admin
        .applications()
        .create_version(check)
        .await
        .granted();
    let checked = checked.version.unwrap();
    assert_eq!((&*checked.version_id, checked.created_time), ("", None));
    project
        .admin
        .applications()
        .get_version(GetVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: "2".to_owned(),
            include_content: false,
        })
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);
}

async fn checking_only_refuses_like_the_real_thing(backend: Backend) {
    let project = shared(backend).await;
    let check = |report| RecordDeploymentRequest {
        validate_only: true,
        ..project.recording(report)
    };
    let mut ledger = project.admin.ledger();
    ledger
        .record_deployment(check(report_at("app", "1", "prod", ahead(DAY))))
        .await
        .refused(Code::InvalidArgument, ErrorReason::DeploymentTimeInFuture);
    ledger
        .record_deployment(RecordDeploymentRequest {
            create_missing: None,
            ..check(report("app", "1", "prod"))
        })
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let viewer = project.member(Role::Viewer).await;
    viewer
        .ledger()
        .record_deployment(check(report("app", "1", "prod")))
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    project.application("app").await;
    project.version("app", "1").await;
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            identifier: "1".to_owned(),
            validate_only: true,
            ..Default::default()
        })
        .await
        .refused(Code::AlreadyExists, ErrorReason::VersionAlreadyExists);
}

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
