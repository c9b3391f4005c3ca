//! Environments, applications and versions: what is refused, and what a repeated call does.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use bytes::Bytes;
use slipway_application::{
    CommandError,
    applications::{
        ApplicationError, ArchiveApplication, CreateApplication, UpdateApplication,
        archive_application, create_application, get_application, update_application,
    },
    environments::{
        ArchiveEnvironment, EnvironmentError, UpdateEnvironment, archive_environment,
        create_environment, get_environment, list_environments, update_environment,
    },
    versions::{
        CreateVersion, DeprecateVersion, NewContent, VersionError, create_version,
        deprecate_version, get_version, list_versions,
    },
};
use slipway_catalog::version::{Dependencies, MAX_CONTENT};
use slipway_identity::Role;
use slipway_kernel::{
    ApplicationKind, Attributes, PageSize, PrincipalId, Sha256, Tier,
    text::{Description, DisplayName, Notes},
};
use support::{Installation, again, by, installation, key, name, new_environment, slug};

fn archive_of(environment: &str) -> ArchiveEnvironment {
    ArchiveEnvironment {
        project: slug("default"),
        environment: slug(environment),
    }
}

fn rename_of(environment: &str, etag: Option<&str>) -> UpdateEnvironment {
    UpdateEnvironment {
        project: slug("default"),
        environment: slug(environment),
        display_name: Some(name("Production")),
        description: None,
        tier: Some(Tier::Production),
        position: None,
        backups: None,
        engine: None,
        etag: etag.map(str::to_owned),
    }
}

fn application(text: &str) -> CreateApplication {
    CreateApplication {
        project: slug("default"),
        key: key(text),
        kind: ApplicationKind::Prompt,
        display_name: DisplayName::default(),
        description: Description::default(),
    }
}

fn version(identifier: &str, content: Option<&[u8]>) -> CreateVersion {
    CreateVersion {
        project: slug("default"),
        application: key("greeting"),
        identifier: key(identifier),
        digest: None,
        content: content.map(|content| NewContent {
            bytes: Bytes::copy_from_slice(content),
            media_type: "text/plain".parse().unwrap(),
        }),
        dependencies: Dependencies::default(),
        attributes: Attributes::default(),
        notes: Notes::default(),
        author: None,
        validate_only: false,
    }
}

fn deprecation(identifier: &str) -> DeprecateVersion {
    DeprecateVersion {
        project: slug("default"),
        application: key("greeting"),
        version: key(identifier),
        reason: "broken".parse().unwrap(),
    }
}

async fn with_application() -> Installation {
    let installation = installation().await;
    create_application(
        &installation.context,
        &by(&installation.admin),
        application("greeting"),
    )
    .await
    .unwrap();
    installation
}

async fn archive_greeting(installation: &Installation) {
    let command = ArchiveApplication {
        project: slug("default"),
        application: key("greeting"),
    };
    archive_application(&installation.context, &by(&installation.admin), command)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_environment_is_made_changed_and_closed() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let made = create_environment(context, &by(admin), new_environment("prod"))
        .await
        .unwrap();
    assert_eq!(made.display_name.as_str(), "prod");
    let taken = create_environment(context, &by(admin), new_environment("prod")).await;
    assert!(matches!(taken, Err(EnvironmentError::AlreadyExists { .. })));

    let etag = made.revision.to_string();
    let changed = update_environment(context, &by(admin), rename_of("prod", Some(&etag)))
        .await
        .unwrap();
    assert_eq!((changed.tier, changed.position), (Tier::Production, 0));
    let stale = update_environment(context, &by(admin), rename_of("prod", Some(&etag))).await;
    assert!(matches!(stale, Err(EnvironmentError::Etag(_))));
    let absent = update_environment(context, &by(admin), rename_of("nope", None)).await;
    assert!(matches!(absent, Err(EnvironmentError::NotFound { .. })));

    let closed = archive_environment(context, &by(admin), archive_of("prod"))
        .await
        .unwrap();
    installation.pass(10);
    let twice = archive_environment(context, &by(admin), archive_of("prod"))
        .await
        .unwrap();
    assert_eq!(closed, twice);
    let late = update_environment(context, &by(admin), rename_of("prod", None)).await;
    assert!(matches!(late, Err(EnvironmentError::Archived { .. })));
    let default = slug("default");
    let found = get_environment(context, &by(admin), &default, &slug("prod"))
        .await
        .unwrap();
    assert_eq!(found, closed);
    for (include_archived, count) in [(false, 0), (true, 1)] {
        let page = list_environments(
            context,
            &by(admin),
            &default,
            include_archived,
            None,
            PageSize::DEFAULT,
        )
        .await;
        assert_eq!(page.unwrap().items.len(), count);
    }
}

#[tokio::test]
async fn an_archived_project_is_read_only_but_answers_what_was_asked_before() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let made = create_environment(context, &again(admin, "r"), new_environment("dev"))
        .await
        .unwrap();
    installation.archive("default").await;
    let repeated = create_environment(context, &again(admin, "r"), new_environment("dev"))
        .await
        .unwrap();
    assert_eq!(made, repeated);
    let new = create_environment(context, &by(admin), new_environment("new")).await;
    assert!(matches!(
        new,
        Err(EnvironmentError::Command(
            CommandError::ProjectArchived { .. }
        ))
    ));
    get_environment(context, &by(admin), &slug("default"), &slug("dev"))
        .await
        .unwrap();
}

#[tokio::test]
async fn roles_decide_what_members_may_change() {
    let installation = with_application().await;
    let context = &installation.context;
    let developer = installation.member("dev", &[Role::Developer]).await;
    create_application(context, &by(&developer), application("another"))
        .await
        .unwrap();
    let denied = create_environment(context, &by(&developer), new_environment("dev")).await;
    assert!(matches!(
        denied,
        Err(EnvironmentError::Command(CommandError::Denied(_)))
    ));
    let outsider = installation.user("outsider").await.id;
    let (_, outsider) = installation.token(outsider).await;
    let hidden = get_application(context, &by(&outsider), &slug("default"), &key("greeting")).await;
    assert!(matches!(
        hidden,
        Err(ApplicationError::Command(
            CommandError::ProjectNotFound { .. }
        ))
    ));
}

#[tokio::test]
async fn an_application_is_made_changed_and_closed() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let taken = create_application(context, &by(admin), application("greeting")).await;
    assert!(matches!(taken, Err(ApplicationError::AlreadyExists { .. })));
    let rename = |etag: Option<&str>| UpdateApplication {
        project: slug("default"),
        application: key("greeting"),
        display_name: Some(name("Greeting")),
        description: None,
        etag: etag.map(str::to_owned),
    };
    let changed = update_application(context, &by(admin), rename(Some("1")))
        .await
        .unwrap();
    assert_eq!(changed.kind, ApplicationKind::Prompt);
    let stale = update_application(context, &by(admin), rename(Some("1"))).await;
    assert!(matches!(stale, Err(ApplicationError::Etag(_))));
    archive_greeting(&installation).await;
    archive_greeting(&installation).await;
    let late = update_application(context, &by(admin), rename(None)).await;
    assert!(matches!(late, Err(ApplicationError::Archived { .. })));
}

#[tokio::test]
async fn content_is_kept_and_returned() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let made = create_version(context, &by(admin), version("1", Some(b"hello")))
        .await
        .unwrap();
    assert_eq!(made.digest, Some(Sha256::of_bytes(b"hello")));
    assert_eq!(
        (made.author, made.created_by),
        (admin.principal, admin.principal)
    );
    let (default, greeting, first) = (slug("default"), key("greeting"), key("1"));
    let (found, bytes) = get_version(context, &by(admin), &default, &greeting, &first, true)
        .await
        .unwrap();
    assert_eq!(found, made);
    assert_eq!(bytes.as_deref(), Some(b"hello".as_slice()));
    let (_, bytes) = get_version(context, &by(admin), &default, &greeting, &first, false)
        .await
        .unwrap();
    assert_eq!(bytes, None);

    // Content of no bytes is content, too.
    create_version(context, &by(admin), version("2", Some(b"")))
        .await
        .unwrap();
    let (_, bytes) = get_version(context, &by(admin), &default, &greeting, &key("2"), true)
        .await
        .unwrap();
    assert_eq!(bytes.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn lost_and_damaged_content_is_never_handed_out() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    create_version(context, &by(admin), version("1", Some(b"hello")))
        .await
        .unwrap();
    let digest = Sha256::of_bytes(b"hello").to_string();
    let file = installation
        .directory
        .path()
        .join("objects/sha256")
        .join(&digest[..2])
        .join(&digest);
    let (default, greeting, first) = (slug("default"), key("greeting"), key("1"));
    std::fs::write(&file, "hallo").unwrap();
    let damaged = get_version(context, &by(admin), &default, &greeting, &first, true).await;
    assert!(matches!(damaged, Err(VersionError::Object(_))));
    std::fs::remove_file(&file).unwrap();
    let lost = get_version(context, &by(admin), &default, &greeting, &first, true).await;
    assert!(matches!(lost, Err(VersionError::ContentMissing { .. })));
}

#[tokio::test]
async fn versions_that_can_not_be_kept_are_refused() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let large = vec![0; MAX_CONTENT + 1];
    let refused = create_version(context, &by(admin), version("1", Some(&large))).await;
    assert!(matches!(refused, Err(VersionError::ContentTooLarge { .. })));
    let wrong = CreateVersion {
        digest: Some(Sha256::of_bytes(b"other")),
        ..version("1", Some(b"hello"))
    };
    let refused = create_version(context, &by(admin), wrong).await;
    assert!(matches!(refused, Err(VersionError::DigestMismatch { .. })));
    let absent = CreateVersion {
        application: key("nope"),
        ..version("1", None)
    };
    let refused = create_version(context, &by(admin), absent).await;
    assert!(matches!(
        refused,
        Err(VersionError::ApplicationNotFound { .. })
    ));
    create_version(context, &by(admin), version("1", None))
        .await
        .unwrap();
    let refused = create_version(context, &by(admin), version("1", None)).await;
    assert!(matches!(refused, Err(VersionError::AlreadyExists { .. })));
    archive_greeting(&installation).await;
    let refused = create_version(context, &by(admin), version("2", None)).await;
    assert!(matches!(
        refused,
        Err(VersionError::ApplicationArchived { .. })
    ));
}

#[tokio::test]
async fn an_author_is_the_caller_or_an_enabled_member() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let by_author = |identifier: &str, author: PrincipalId| CreateVersion {
        author: Some(author),
        ..version(identifier, None)
    };
    let member = installation
        .member("member", &[Role::Viewer])
        .await
        .principal;
    let made = create_version(context, &by(admin), by_author("1", member))
        .await
        .unwrap();
    assert_eq!((made.author, made.created_by), (member, admin.principal));
    let outsider = installation.user("outsider").await.id;
    for stranger in [outsider, PrincipalId::new(&*context.ids)] {
        let refused = create_version(context, &by(admin), by_author("2", stranger)).await;
        assert!(matches!(refused, Err(VersionError::AuthorNotFound { .. })));
    }
    let command = slipway_application::principals::DisablePrincipal {
        principal: member,
        reason: "left".parse().unwrap(),
    };
    slipway_application::principals::disable_principal(context, &by(admin), command)
        .await
        .unwrap();
    let refused = create_version(context, &by(admin), by_author("2", member)).await;
    assert!(matches!(refused, Err(VersionError::AuthorDisabled { .. })));
}

#[tokio::test]
async fn checking_only_writes_nothing() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let check = CreateVersion {
        validate_only: true,
        ..version("1", Some(b"hello"))
    };
    let before = installation.events(Some("default")).await.len();
    create_version(context, &again(admin, "r"), check)
        .await
        .unwrap();
    let page = list_versions(
        context,
        &by(admin),
        &slug("default"),
        &key("greeting"),
        false,
        None,
        PageSize::DEFAULT,
    )
    .await;
    assert!(page.unwrap().items.is_empty());
    assert_eq!(installation.events(Some("default")).await.len(), before);
    assert!(
        !installation
            .directory
            .path()
            .join("objects/sha256")
            .exists()
    );
    create_version(context, &again(admin, "r"), version("1", Some(b"hello")))
        .await
        .expect("the request id is not used yet");
}

#[tokio::test]
async fn a_repeated_version_is_the_same_one_and_other_content_is_another_request() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let first = create_version(context, &again(admin, "r"), version("1", Some(b"hello")))
        .await
        .unwrap();
    let second = create_version(context, &again(admin, "r"), version("1", Some(b"hello")))
        .await
        .unwrap();
    assert_eq!(first, second);
    for other in [Some(b"other".as_slice()), None] {
        let refused = create_version(context, &again(admin, "r"), version("1", other)).await;
        assert!(matches!(
            refused,
            Err(VersionError::Command(CommandError::RequestIdReused { .. }))
        ));
    }
}

#[tokio::test]
async fn a_version_is_deprecated_once() {
    let installation = with_application().await;
    let (context, admin) = (&installation.context, &installation.admin);
    create_version(context, &by(admin), version("1", None))
        .await
        .unwrap();
    let first = deprecate_version(context, &by(admin), deprecation("1"))
        .await
        .unwrap();
    installation.pass(10);
    let other = DeprecateVersion {
        reason: "worse".parse().unwrap(),
        ..deprecation("1")
    };
    let second = deprecate_version(context, &by(admin), other).await.unwrap();
    assert_eq!(first, second);
    let absent = deprecate_version(context, &by(admin), deprecation("2")).await;
    assert!(matches!(absent, Err(VersionError::NotFound { .. })));
    for (exclude_deprecated, count) in [(true, 0), (false, 1)] {
        let page = list_versions(
            context,
            &by(admin),
            &slug("default"),
            &key("greeting"),
            exclude_deprecated,
            None,
            PageSize::DEFAULT,
        )
        .await;
        assert_eq!(page.unwrap().items.len(), count);
    }
    let nowhere = list_versions(
        context,
        &by(admin),
        &slug("default"),
        &key("nope"),
        false,
        None,
        PageSize::DEFAULT,
    )
    .await;
    assert!(matches!(
        nowhere,
        Err(VersionError::ApplicationNotFound { .. })
    ));
}
