//! Environments, applications and versions.

use std::collections::BTreeMap;

use sha2::Digest as _;
use slipway_api::catalog::v1::{
    Application, ApplicationKind, CreateApplicationRequest, CreateEnvironmentRequest,
    CreateVersionRequest, Dependency, DeprecateVersionRequest, EnvironmentTier,
    GetApplicationRequest, GetEnvironmentRequest, GetVersionRequest, ListApplicationsRequest,
    ListEnvironmentsRequest, ListVersionsRequest, UpdateApplicationRequest,
    UpdateEnvironmentRequest, Version,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::{Code, Response, Status};

use crate::case::cases;

cases![
    environments_are_listed_by_position,
    environments_change_by_mask_and_etag,
    applications_are_of_all_kinds,
    applications_change_by_mask_and_etag,
    keys_are_kept_as_given,
    a_version_keeps_its_content,
    content_has_a_limit_and_a_digest,
    an_author_is_a_member,
    faulty_versions_are_refused_with_every_fault,
    versions_are_listed_newest_first,
    a_page_of_large_versions_ends_early,
    deprecating_is_final,
    what_exists_is_not_made_again,
];

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    })
}

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
        update_mask: mask(&["display_name", "tier"]),
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
                update_mask: mask(paths),
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
        update_mask: mask(&["description"]),
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

fn version_of(project: &Project, identifier: &str) -> CreateVersionRequest {
    CreateVersionRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        identifier: identifier.to_owned(),
        ..Default::default()
    }
}

async fn create(
    project: &Project,
    request: CreateVersionRequest,
) -> Result<Response<Version>, Status> {
    let answer = project.admin.applications().create_version(request).await?;
    Ok(answer.map(|answer| answer.version.unwrap()))
}

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
