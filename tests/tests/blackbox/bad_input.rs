//! Messages that nobody should send: each gets a clear refusal, and nothing is written.

use std::time::Duration;

use bytes::Bytes;
use slipway_api::catalog::v1::CreateVersionRequest;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{
    DeploymentReport, GetDeploymentRecordRequest, ListDeploymentRecordsRequest,
    RecordDeploymentRequest,
};
use slipway_tests::contract::{method, methods};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Refused, World, raw};
use tonic::{Code, Request};

use crate::case::cases;

cases![
    every_fault_is_named_at_once,
    malformed_ids_are_refused,
    zero_bytes_are_refused_everywhere,
    an_empty_message_names_what_is_missing,
    bytes_that_are_no_message_are_refused,
    a_message_too_large_is_refused,
    lengths_are_counted_in_bytes,
    headers_that_are_no_token_are_refused,
    an_unknown_method_is_unimplemented,
    a_deadline_is_kept,
];

async fn every_fault_is_named_at_once(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let refused = project
        .admin
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            project: "No Slug".to_owned(),
            report: Some(DeploymentReport {
                application: "a b".to_owned(),
                version: String::new(),
                environment: "PROD".to_owned(),
                kind: 9,
                risk_level: -1,
                deployed_by: "x".repeat(256),
                notes: "x".repeat(16_385),
                external_id: "x".repeat(256),
                attributes: (0..65).map(|n| (n.to_string(), String::new())).collect(),
                deployed_time: Some(prost_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: -1,
                }),
            }),
            request_id: "\n".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let fields = violated_fields(&refused);
    for expected in [
        "project",
        "report.application",
        "report.version",
        "report.environment",
        "report.kind",
        "report.risk_level",
        "report.deployed_by",
        "report.notes",
        "report.external_id",
        "report.attributes",
        "report.deployed_time",
        "request_id",
    ] {
        assert!(
            fields.iter().any(|field| field.starts_with(expected)),
            "{expected} is missing in {fields:?}"
        );
    }
}

async fn malformed_ids_are_refused(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let time_based_v4 = "7f3a1c52-9a41-4d6b-8f21-0a5b6c7d8e9f";
    for record_id in [
        "",
        "1",
        "0192aaaa-bbbb-7ccc-8ddd-eeeeffff000",
        "0192aaaa-bbbb-7ccc-8ddd-eeeeffff00000",
        "zzzzzzzz-bbbb-7ccc-8ddd-eeeeffff0000",
        "' OR 1=1 --",
        "\0",
    ] {
        let refused = project
            .admin
            .ledger()
            .get_deployment_record(GetDeploymentRecordRequest {
                project: project.slug.clone(),
                record_id: record_id.to_owned(),
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["record_id"]);
    }
    // An id that Slipway could not have made: malformed or absent, but never a fault.
    let status = project
        .admin
        .ledger()
        .get_deployment_record(GetDeploymentRecordRequest {
            project: project.slug.clone(),
            record_id: time_based_v4.to_owned(),
        })
        .await
        .unwrap_err();
    assert!(
        [Code::NotFound, Code::InvalidArgument].contains(&status.code()),
        "{status:?}"
    );
}

async fn zero_bytes_are_refused_everywhere(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let mut ledger = project.admin.ledger();
    let good = report("app", "1", "prod");
    let zero = || "a\0b".to_owned();
    let faulty = [
        DeploymentReport {
            deployed_by: zero(),
            ..good.clone()
        },
        DeploymentReport {
            notes: zero(),
            ..good.clone()
        },
        DeploymentReport {
            external_id: zero(),
            ..good.clone()
        },
        DeploymentReport {
            attributes: [(zero(), String::new())].into(),
            ..good.clone()
        },
        DeploymentReport {
            attributes: [("a".to_owned(), zero())].into(),
            ..good
        },
    ];
    for report in faulty {
        ledger
            .record_deployment(project.recording(report))
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
    ledger
        .list_deployment_records(ListDeploymentRecordsRequest {
            project: project.slug.clone(),
            deployed_by: zero(),
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    // Content is bytes, and may hold any.
    project.application("app").await;
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            identifier: "1".to_owned(),
            content: Some(Bytes::from_static(b"\0\0")),
            ..Default::default()
        })
        .await
        .granted();
}

async fn an_empty_message_names_what_is_missing(backend: Backend) {
    let world = World::shared(backend).await;
    // These need nothing, or mean the installation.
    let complete = [
        "WhoAmI",
        "ListProjects",
        "ListPrincipals",
        "ListTokens",
        "ListAuditEvents",
        "ExportAuditEvents",
        "VerifyAuditTrail",
        "ExportCheckpoint",
    ];
    for method in methods() {
        let answer = raw::call(&world.admin, &method, vec![Bytes::new()]).await;
        match method.name() {
            name if complete.contains(&name) => drop(answer.granted()),
            "ImportDeployments" => {
                let status = answer.unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            }
            _ => {
                let refused = answer.refused(Code::InvalidArgument, ErrorReason::InvalidField);
                assert!(!violated_fields(&refused).is_empty(), "{refused:?}");
            }
        }
    }
}

async fn bytes_that_are_no_message_are_refused(backend: Backend) {
    let world = World::shared(backend).await;
    let garbage: [&[u8]; 4] = [
        // A field whose length goes beyond the end; one of an impossible wire type; a string that is no UTF-8; a number
        // that does not end.
        &[0x0a, 0xff],
        &[0x0f],
        &[0x0a, 0x02, 0xff, 0xfe],
        &[
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
    ];
    for method in methods() {
        for bytes in garbage {
            let answer = raw::call(&world.admin, &method, vec![Bytes::from_static(bytes)]).await;
            // A message without fields passes over what it does not know, as any protobuf reader does.
            if let Err(status) = answer {
                assert_eq!(
                    status.code(),
                    Code::InvalidArgument,
                    "{}: {status:?}",
                    method.path
                );
            }
        }
    }
}

async fn a_message_too_large_is_refused(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let large = "x".repeat(5 * 1024 * 1024);
    let status = project
        .admin
        .ledger()
        .record_deployment(project.recording(DeploymentReport {
            notes: large,
            ..report("app", "1", "prod")
        }))
        .await
        .unwrap_err();
    assert!(
        [
            Code::OutOfRange,
            Code::ResourceExhausted,
            Code::InvalidArgument
        ]
        .contains(&status.code()),
        "{status:?}"
    );
    assert!(!status.message().is_empty());
    // The connection lives on.
    assert!(project.matrix(None).await.is_empty());
}

async fn lengths_are_counted_in_bytes(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    // 127 × 2 bytes fit into 255, 128 × 2 don't.
    project
        .record(DeploymentReport {
            deployed_by: "ä".repeat(127),
            ..report("app", "1", "prod")
        })
        .await;
    let refused = project
        .admin
        .ledger()
        .record_deployment(project.recording(DeploymentReport {
            deployed_by: "ä".repeat(128),
            ..report("app", "1", "prod")
        }))
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["report.deployed_by"]);
}

async fn headers_that_are_no_token_are_refused(backend: Backend) {
    let world = World::shared(backend).await;
    let token = world.server.admin_token();
    let nobody = world.admin.with_token(None);
    let headers = [
        (String::new(), ErrorReason::TokenInvalid),
        (token.clone(), ErrorReason::TokenInvalid),
        (format!("Basic {token}"), ErrorReason::TokenInvalid),
        (format!("Bearer {token} "), ErrorReason::TokenInvalid),
        (format!("Bearer {token}x"), ErrorReason::TokenInvalid),
        (
            format!("Bearer {}", "x".repeat(8_000)),
            ErrorReason::TokenInvalid,
        ),
        ("Bearer ".to_owned(), ErrorReason::TokenInvalid),
    ];
    for (header, reason) in headers {
        let mut request = Request::new(slipway_api::identity::v1::WhoAmIRequest {});
        request
            .metadata_mut()
            .insert("authorization", header.parse().unwrap());
        let answer = nobody.identity().who_am_i(request).await;
        let Err(status) = answer else {
            // Whitespace around a header's value is no part of it.
            assert!(header.ends_with(' ') && header.contains(&token), "{header}");
            continue;
        };
        assert_eq!(status.code(), Code::Unauthenticated, "{header}: {status:?}");
        let found = slipway_tests::refusal::reason_of(&status).unwrap();
        // A header of another scheme may as well count as none.
        assert!(
            found == slipway_tests::refusal::name(reason) || found == "TOKEN_MISSING",
            "{header}: {status:?}"
        );
        assert!(!status.message().contains(&token));
    }
}

async fn an_unknown_method_is_unimplemented(backend: Backend) {
    let world = World::shared(backend).await;
    let mut unknown = method("WhoAmI");
    for path in [
        "slipway.identity.v1.IdentityService/Nothing",
        "slipway.nothing.v1.Nothing/Nothing",
    ] {
        path.clone_into(&mut unknown.path);
        let status = raw::call(&world.admin, &unknown, vec![Bytes::new()])
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    }
}

async fn a_deadline_is_kept(backend: Backend) {
    let world = World::shared(backend).await;
    let mut refused = 0;
    for _ in 0..50 {
        let mut request = Request::new(slipway_api::identity::v1::WhoAmIRequest {});
        // No time at all: whoever notices first, server or client, says so, unless the answer is there before the first
        // tick of a clock.
        request.set_timeout(Duration::from_nanos(1));
        if let Err(status) = world.admin.identity().who_am_i(request).await {
            assert!(
                [Code::DeadlineExceeded, Code::Cancelled].contains(&status.code()),
                "{status:?}"
            );
            refused += 1;
        }
    }
    assert!(refused > 0, "no deadline was kept");
    world
        .admin
        .identity()
        .who_am_i(slipway_api::identity::v1::WhoAmIRequest {})
        .await
        .granted();
}
