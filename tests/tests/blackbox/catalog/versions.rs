//! Versions and their contents.

use std::collections::BTreeMap;

use sha2::Digest as _;
use slipway_api::catalog::v1::{
    CreateVersionRequest, Dependency, DeprecateVersionRequest, GetVersionRequest,
    ListVersionsRequest, Version,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use super::{create, shared, version_of};
use crate::case::cases;

cases![
    a_version_keeps_its_content,
    content_has_a_limit_and_a_digest,
    an_author_is_a_member,
    faulty_versions_are_refused_with_every_fault,
    versions_are_listed_newest_first,
    a_page_of_large_versions_ends_early,
    deprecating_is_final,
];

async fn get(project: &Project, identifier: &str, include_content: bool) -> Version {
    project
        .admin
        .applications()
        .get_version(GetVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: identifier.to_owned(),
            include_content,
        })
        .await
        .granted()
        .version
        .unwrap()
}

fn digest_of(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(content)))
}

async fn a_version_keeps_its_content(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    // Every byte there is, the zero byte among them.
    let content: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let request = CreateVersionRequest {
        content: Some(content.clone().into()),
        dependencies: vec![Dependency {
            application: "not-there-yet".to_owned(),
            requirement: "^1.2".to_owned(),
        }],
        attributes: BTreeMap::from([("commit".to_owned(), "abc".to_owned())]),
        notes: "better".to_owned(),
        ..version_of(&project, "1")
    };
    let made = create(&project, request.clone()).await.granted();
    assert_eq!(made.digest, digest_of(&content));
    assert_eq!(made.content_size_bytes, Some(70_000));
    assert_eq!(made.content_type, "application/octet-stream");
    assert_eq!(made.dependencies, request.dependencies);
    assert_eq!(made.attributes, request.attributes);
    assert!(made.content.is_empty());
    let me = &project.admin.principal_id;
    assert_eq!(made.author.clone().unwrap().principal_id, *me);
    assert_eq!(made.created_by.clone().unwrap().principal_id, *me);
    assert_eq!(get(&project, "1", false).await, made);
    let whole = get(&project, "1", true).await;
    assert_eq!(whole.content, content);
}

async fn content_has_a_limit_and_a_digest(backend: Backend) {
    const LIMIT: usize = 3 * 1024 * 1024;
    let project = shared(backend).await;
    project.application("app").await;
    let with = |identifier: &str, length: usize| CreateVersionRequest {
        content: Some(vec![7; length].into()),
        ..version_of(&project, identifier)
    };
    create(&project, with("most", LIMIT)).await.granted();
    assert_eq!(get(&project, "most", true).await.content.len(), LIMIT);
    create(&project, with("more", LIMIT + 1))
        .await
        .refused(Code::InvalidArgument, ErrorReason::ContentTooLarge);
    let right = CreateVersionRequest {
        digest: digest_of(&[7; 10]),
        ..with("digest", 10)
    };
    let wrong = CreateVersionRequest {
        digest: digest_of(b"other"),
        ..right.clone()
    };
    create(&project, wrong)
        .await
        .refused(Code::InvalidArgument, ErrorReason::DigestMismatch);
    create(&project, right).await.granted();
    // A digest alone stands for something kept elsewhere.
    let alone = CreateVersionRequest {
        digest: digest_of(b"an image"),
        ..version_of(&project, "image")
    };
    let made = create(&project, alone.clone()).await.granted();
    assert_eq!(made.digest, alone.digest);
    assert_eq!(made.content_size_bytes, None);
}

async fn an_author_is_a_member(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    project.application("app").await;
    let by = |author: &str| CreateVersionRequest {
        author_principal_id: author.to_owned(),
        ..version_of(&project, "1")
    };
    let stranger = world.user("Stranger").await;
    create(&project, by(&stranger.principal_id))
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
    let member = project.member(Role::Viewer).await;
    let made = create(&project, by(&member.principal_id)).await.granted();
    assert_eq!(made.author.unwrap().principal_id, member.principal_id);
    assert_eq!(
        made.created_by.unwrap().principal_id,
        world.admin.principal_id
    );
}

async fn faulty_versions_are_refused_with_every_fault(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    let dependency = Dependency {
        application: "twice".to_owned(),
        ..Default::default()
    };
    let refused = create(
        &project,
        CreateVersionRequest {
            identifier: "1 2".to_owned(),
            digest: "sha256:ABC".to_owned(),
            content_type: "text/plain".to_owned(),
            dependencies: vec![dependency.clone(), dependency],
            attributes: BTreeMap::from([(String::new(), String::new())]),
            notes: "x".repeat(16_385),
            author_principal_id: "me".to_owned(),
            ..version_of(&project, "")
        },
    )
    .await
    .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let fields = violated_fields(&refused);
    for expected in [
        "identifier",
        "digest",
        "content_type",
        "dependencies",
        "attributes",
        "notes",
        "author_principal_id",
    ] {
        assert!(
            fields.iter().any(|field| field.starts_with(expected)),
            "{expected} is missing in {fields:?}"
        );
    }
}

async fn list_versions(project: &Project, request: ListVersionsRequest) -> Vec<Vec<Version>> {
    let mut pages = Vec::new();
    let mut request = ListVersionsRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        ..request
    };
    loop {
        let page = project
            .admin
            .applications()
            .list_versions(request.clone())
            .await
            .granted();
        pages.push(page.versions);
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

async fn versions_are_listed_newest_first(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    for identifier in ["2", "10", "1"] {
        project.version("app", identifier).await;
    }
    project
        .admin
        .applications()
        .deprecate_version(DeprecateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: "10".to_owned(),
            reason: "broken".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    for page_size in [1, 2, 50] {
        let request = ListVersionsRequest {
            page_size,
            ..Default::default()
        };
        let pages = list_versions(&project, request).await;
        let found: Vec<_> = pages.concat().into_iter().map(|v| v.identifier).collect();
        assert_eq!(found, ["1", "10", "2"]);
    }
    let choice = ListVersionsRequest {
        exclude_deprecated: true,
        ..Default::default()
    };
    let found = list_versions(&project, choice).await.concat();
    let found: Vec<_> = found.into_iter().map(|v| v.identifier).collect();
    assert_eq!(found, ["1", "2"]);
}

async fn a_page_of_large_versions_ends_early(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    let attributes: BTreeMap<_, _> = (0..64)
        .map(|number| (format!("attribute-{number}"), "x".repeat(1_024)))
        .collect();
    for number in 0..80 {
        let request = CreateVersionRequest {
            attributes: attributes.clone(),
            ..version_of(&project, &number.to_string())
        };
        create(&project, request).await.granted();
    }
    // 80 × 64 KiB is more than the 4 MiB that this client accepts.
    let request = ListVersionsRequest {
        page_size: 1_000,
        ..Default::default()
    };
    let pages = list_versions(&project, request).await;
    assert!(pages.len() > 1);
    assert_eq!(pages.concat().len(), 80);
}

async fn deprecating_is_final(backend: Backend) {
    let project = shared(backend).await;
    project.application("app").await;
    project.version("app", "1").await;
    let request = |version: &str, reason: &str| DeprecateVersionRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        version: version.to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let mut applications = project.admin.applications();
    let deprecated = applications
        .deprecate_version(request("1", "has a hole"))
        .await
        .granted()
        .version
        .unwrap();
    let deprecation = deprecated.deprecation.clone().unwrap();
    assert_eq!(deprecation.reason, "has a hole");
    assert_eq!(
        deprecation.deprecated_by.unwrap().principal_id,
        project.admin.principal_id
    );
    let again = applications
        .deprecate_version(request("1", "another reason"))
        .await
        .granted();
    assert_eq!(again.version.unwrap(), deprecated);
    applications
        .deprecate_version(request("2", "unknown"))
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);
    let refused = applications
        .deprecate_version(request("1", ""))
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["reason"]);
}
