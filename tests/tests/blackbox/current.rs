//! Questions about what is current: comparing, resolving, watching.

use std::time::Duration;

use slipway_api::catalog::v1::CreateVersionRequest;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{RemoveMemberRequest, Role};
use slipway_api::ledger::v1::watch_current_state_response::Event;
use slipway_api::ledger::v1::{
    CompareEnvironmentsRequest, CompareEnvironmentsResponse, Difference, ResolveVersionRequest,
    ResolveVersionResponse, WatchCurrentStateRequest, WatchCurrentStateResponse,
};
use slipway_tests::clock::{HOUR, now};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{removal_at, report, report_at};
use slipway_tests::{Backend, Client, Granted, Project, Refused, Server, World, ago};
use tonic::{Code, Streaming};

use crate::case::cases;

cases![
    environments_are_compared_application_by_application,
    a_comparison_is_paged_and_refuses_what_makes_no_sense,
    a_version_is_resolved_with_content,
    resolving_tells_cheaply_that_nothing_changed,
    nothing_deployed_is_not_found,
    a_watch_shows_the_picture_then_changes,
    a_watch_shows_only_what_it_asked_for,
    a_watch_again_starts_with_a_new_picture,
    a_watch_ends_with_the_membership,
    a_watch_sees_what_another_server_did,
];

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

async fn compare(
    project: &Project,
    request: CompareEnvironmentsRequest,
) -> CompareEnvironmentsResponse {
    project
        .admin
        .ledger()
        .compare_environments(CompareEnvironmentsRequest {
            project: project.slug.clone(),
            left_environment: "staging".to_owned(),
            right_environment: "prod".to_owned(),
            ..request
        })
        .await
        .granted()
}

/// Versions on both sides that differ in one of the ways there are.
async fn two_environments(project: &Project) {
    let time = ago(HOUR);
    // In this order of creation, where nothing else decides.
    project.version_pair("hash", "beef", "cafe").await;
    for (application, left, right) in [
        ("semver", Some("v1.10.0"), Some("1.9.3")),
        ("prerelease", Some("2.0.0-rc.1"), Some("2.0.0")),
        ("number", Some("9"), Some("10")),
        ("hash", Some("cafe"), Some("beef")),
        ("same", Some("1"), Some("1")),
        ("left", Some("1"), None),
        ("right", None, Some("1")),
    ] {
        for (version, environment) in [(left, "staging"), (right, "prod")] {
            if let Some(version) = version {
                project
                    .record(report_at(application, version, environment, time))
                    .await;
            }
        }
    }
}

trait VersionPair {
    async fn version_pair(&self, application: &str, older: &str, newer: &str);
}

impl VersionPair for Project {
    async fn version_pair(&self, application: &str, older: &str, newer: &str) {
        self.application(application).await;
        self.version(application, older).await;
        self.version(application, newer).await;
    }
}

async fn environments_are_compared_application_by_application(backend: Backend) {
    let project = shared(backend).await;
    two_environments(&project).await;
    let ask = async |include_same| {
        let request = CompareEnvironmentsRequest {
            include_same,
            ..Default::default()
        };
        compare(&project, request)
            .await
            .differences
            .into_iter()
            .map(|found| (found.application.clone(), found.difference()))
            .collect::<Vec<_>>()
    };
    let mut expected = vec![
        ("hash", Difference::LeftNewer),
        ("left", Difference::OnlyInLeft),
        ("number", Difference::LeftOlder),
        ("prerelease", Difference::LeftOlder),
        ("right", Difference::OnlyInRight),
        ("same", Difference::Same),
        ("semver", Difference::LeftNewer),
    ]
    .into_iter()
    .map(|(application, difference)| (application.to_owned(), difference))
    .collect::<Vec<_>>();
    assert_eq!(ask(true).await, expected);
    expected.retain(|(_, difference)| *difference != Difference::Same);
    assert_eq!(ask(false).await, expected);

    // As of a time before anything was deployed, nothing differs.
    let before = compare(
        &project,
        CompareEnvironmentsRequest {
            as_of_time: Some(ago(HOUR * 2)),
            include_same: true,
            ..Default::default()
        },
    )
    .await;
    assert_eq!(before.differences, []);
}

async fn a_comparison_is_paged_and_refuses_what_makes_no_sense(backend: Backend) {
    let project = shared(backend).await;
    two_environments(&project).await;
    let whole = compare(&project, CompareEnvironmentsRequest::default()).await;
    let mut paged = Vec::new();
    let mut request = CompareEnvironmentsRequest {
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = compare(&project, request.clone()).await;
        paged.extend(page.differences);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(paged, whole.differences);

    let mut ledger = project.admin.ledger();
    let sides = |left: &str, right: &str| CompareEnvironmentsRequest {
        project: project.slug.clone(),
        left_environment: left.to_owned(),
        right_environment: right.to_owned(),
        ..Default::default()
    };
    let refused = ledger
        .compare_environments(sides("prod", "prod"))
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["right_environment"]);
    ledger
        .compare_environments(sides("prod", "nowhere"))
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn resolve(
    project: &Project,
    if_none_match: &str,
    include_content: bool,
) -> ResolveVersionResponse {
    project
        .admin
        .ledger()
        .resolve_version(ResolveVersionRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            application: "greeting".to_owned(),
            if_none_match: if_none_match.to_owned(),
            include_content,
        })
        .await
        .granted()
}

async fn prompt(project: &Project, identifier: &str, content: &'static [u8]) {
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "greeting".to_owned(),
            identifier: identifier.to_owned(),
            content: Some(content.into()),
            content_type: "text/plain".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
}

async fn a_version_is_resolved_with_content(backend: Backend) {
    use sha2::Digest as _;
    let project = shared(backend).await;
    project.application("greeting").await;
    prompt(&project, "1", b"Hello {name}").await;
    let record = project.record(report("greeting", "1", "prod")).await;

    let resolved = resolve(&project, "", true).await;
    assert_eq!(resolved.version, "1");
    assert_eq!(resolved.content.as_deref(), Some(&b"Hello {name}"[..]));
    assert_eq!(resolved.content_type, "text/plain");
    assert_eq!(resolved.record_id, record.record_id);
    assert_eq!(resolved.deployed_time, record.deployed_time);
    let digest = hex::encode(sha2::Sha256::digest(b"Hello {name}"));
    assert_eq!(resolved.digest, format!("sha256:{digest}"));
    let without = resolve(&project, "", false).await;
    assert_eq!(without.content, None);
    assert_eq!(without.content_type, "text/plain");

    // Content of zero bytes is content.
    prompt(&project, "2", b"").await;
    project.record(report("greeting", "2", "prod")).await;
    let empty = resolve(&project, "", true).await;
    assert_eq!(empty.content.as_deref(), Some(&b""[..]));
    // And a version may have none.
    project.version("greeting", "3").await;
    project.record(report("greeting", "3", "prod")).await;
    let none = resolve(&project, "", true).await;
    assert_eq!(
        (none.content, &*none.content_type, &*none.digest),
        (None, "", "")
    );
}

async fn resolving_tells_cheaply_that_nothing_changed(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("greeting", "1", "prod")).await;
    let first = resolve(&project, "", false).await;
    assert!(!first.unchanged && !first.etag.is_empty());
    let again = resolve(&project, &first.etag, false).await;
    let expected = ResolveVersionResponse {
        unchanged: true,
        etag: first.etag.clone(),
        ..Default::default()
    };
    assert_eq!(again, expected);
    let other = resolve(&project, "something else", false).await;
    assert_eq!(other, first);

    // The same version by another record is another answer.
    project
        .record(report_at("greeting", "1", "prod", now()))
        .await;
    let changed = resolve(&project, &first.etag, false).await;
    assert!(!changed.unchanged);
    assert_ne!(changed.etag, first.etag);
    project.retract(&changed.record_id).await;
    assert!(resolve(&project, &first.etag, false).await.unchanged);
}

async fn nothing_deployed_is_not_found(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("portal", "1", "prod")).await;
    project
        .record(removal_at("portal", "1", "prod", now()))
        .await;
    project.application("fresh").await;
    let ask = async |application: &str, environment: &str| {
        project
            .admin
            .ledger()
            .resolve_version(ResolveVersionRequest {
                project: project.slug.clone(),
                environment: environment.to_owned(),
                application: application.to_owned(),
                ..Default::default()
            })
            .await
    };
    for application in ["portal", "fresh"] {
        ask(application, "prod")
            .await
            .refused(Code::NotFound, ErrorReason::NothingDeployed);
    }
    ask("other", "prod")
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
    ask("portal", "dev")
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn watch(
    client: &Client,
    project: &Project,
    application: &str,
    environment: &str,
) -> Streaming<WatchCurrentStateResponse> {
    client
        .ledger()
        .watch_current_state(WatchCurrentStateRequest {
            project: project.slug.clone(),
            application: application.to_owned(),
            environment: environment.to_owned(),
        })
        .await
        .granted()
}

/// The next event, in words: `portal prod 2`, `complete 3`, `portal prod empty`.
async fn next(stream: &mut Streaming<WatchCurrentStateResponse>) -> String {
    let message = tokio::time::timeout(Duration::from_secs(10), stream.message())
        .await
        .expect("an event within 10 s")
        .expect("an event, no refusal")
        .expect("an event, not the end");
    match message.event.unwrap() {
        Event::State(cell) => {
            format!("{} {} {}", cell.application, cell.environment, cell.version)
        }
        Event::SnapshotComplete(mark) => format!("complete {}", mark.cell_count),
        Event::EmptiedCell(cell) => format!("{} {} empty", cell.application, cell.environment),
    }
}

async fn picture(stream: &mut Streaming<WatchCurrentStateResponse>) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let event = next(stream).await;
        if event.starts_with("complete") {
            assert_eq!(event, format!("complete {}", seen.len()));
            seen.sort();
            return seen;
        }
        seen.push(event);
    }
}

async fn a_watch_shows_the_picture_then_changes(backend: Backend) {
    let project = shared(backend).await;
    project
        .record(report_at("portal", "1", "prod", ago(HOUR)))
        .await;
    project
        .record(report_at("cart", "1", "prod", ago(HOUR)))
        .await;
    let mut stream = watch(&project.admin, &project, "", "").await;
    assert_eq!(picture(&mut stream).await, ["cart prod 1", "portal prod 1"]);

    project
        .record(report_at("portal", "2", "prod", ago(HOUR / 2)))
        .await;
    assert_eq!(next(&mut stream).await, "portal prod 2");
    let removal = project
        .record(removal_at("portal", "2", "prod", ago(HOUR / 3)))
        .await;
    assert_eq!(next(&mut stream).await, "portal prod empty");
    project.retract(&removal.record_id).await;
    assert_eq!(next(&mut stream).await, "portal prod 2");
    // A late report changes no cell, so the next event is the one after it.
    project
        .record(report_at("cart", "0", "prod", ago(HOUR * 3)))
        .await;
    project
        .record(report_at("cart", "1", "dev", ago(HOUR)))
        .await;
    assert_eq!(next(&mut stream).await, "cart dev 1");
}

async fn a_watch_shows_only_what_it_asked_for(backend: Backend) {
    let project = shared(backend).await;
    for (application, environment) in [("portal", "prod"), ("portal", "dev"), ("cart", "prod")] {
        project
            .record(report_at(application, "1", environment, ago(HOUR)))
            .await;
    }
    let mut of_portal = watch(&project.admin, &project, "portal", "").await;
    let mut of_prod = watch(&project.admin, &project, "", "prod").await;
    assert_eq!(
        picture(&mut of_portal).await,
        ["portal dev 1", "portal prod 1"]
    );
    assert_eq!(
        picture(&mut of_prod).await,
        ["cart prod 1", "portal prod 1"]
    );
    project.record(report("cart", "2", "prod")).await;
    assert_eq!(next(&mut of_prod).await, "cart prod 2");
    project.record(report("portal", "2", "dev")).await;
    assert_eq!(next(&mut of_portal).await, "portal dev 2");
    let mut ledger = project.admin.ledger();
    ledger
        .watch_current_state(WatchCurrentStateRequest {
            project: project.slug.clone(),
            application: "other".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
}

async fn a_watch_again_starts_with_a_new_picture(backend: Backend) {
    let project = shared(backend).await;
    project
        .record(report_at("portal", "1", "prod", ago(HOUR)))
        .await;
    let mut first = watch(&project.admin, &project, "", "").await;
    assert_eq!(picture(&mut first).await, ["portal prod 1"]);
    drop(first);
    project.record(report("portal", "2", "prod")).await;
    project.record(report("cart", "1", "prod")).await;
    let mut second = watch(&project.admin, &project, "", "").await;
    assert_eq!(picture(&mut second).await, ["cart prod 1", "portal prod 2"]);
}

async fn a_watch_ends_with_the_membership(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("portal", "1", "prod")).await;
    let viewer = project.member(Role::Viewer).await;
    let mut stream = watch(&viewer, &project, "", "").await;
    assert_eq!(picture(&mut stream).await, ["portal prod 1"]);
    project
        .admin
        .identity()
        .remove_member(RemoveMemberRequest {
            project: project.slug.clone(),
            principal_id: viewer.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted();
    let end = tokio::time::timeout(Duration::from_secs(15), stream.message())
        .await
        .expect("the watch ends soon");
    end.map(tonic::Response::new)
        .refused(Code::NotFound, ErrorReason::ProjectNotFound);
}

async fn a_watch_sees_what_another_server_did(backend: Backend) {
    if backend == Backend::Sqlite {
        // A file serves one server.
        return;
    }
    let world = World::own(backend).await;
    let replica: Server = world.server.replica().await;
    let project = world.project().await;
    project.record(report("portal", "1", "prod")).await;
    let there = replica.client(Some(&world.server.admin_token())).await;
    let mut stream = watch(&there, &project, "", "").await;
    assert_eq!(picture(&mut stream).await, ["portal prod 1"]);
    project.record(report("portal", "2", "prod")).await;
    assert_eq!(next(&mut stream).await, "portal prod 2");
}
