//! Principals, tokens, projects and memberships.

use std::time::{Duration, Instant};

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::create_token_request::Expiry;
use slipway_api::identity::v1::{
    ArchiveProjectRequest, CreatePrincipalRequest, CreateProjectRequest, CreateTokenRequest,
    DisablePrincipalRequest, GetPrincipalRequest, GetProjectRequest, ListMembersRequest,
    ListPrincipalsRequest, ListProjectsRequest, ListTokensRequest, Principal, PrincipalKind,
    RemoveMemberRequest, RevokeTokenRequest, Role, SetMembershipRequest, Token,
    UpdateProjectRequest, WhoAmIRequest,
};
use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_tests::clock::{HOUR, ahead};
use slipway_tests::refusal::{reason_of, violated_fields};
use slipway_tests::world::{report, token, unique};
use slipway_tests::{Backend, Client, Granted, Refused, World, ago};
use tonic::{Code, Status};

use crate::case::cases;

cases![
    everybody_can_ask_who_they_are,
    the_first_start_leaves_an_administrator_and_a_project,
    a_secret_is_shown_once,
    tokens_are_listed_and_end,
    tokens_of_others_are_out_of_sight,
    the_last_use_of_a_token_is_known,
    a_revoked_token_ends_on_every_server,
    a_disabled_principal_ends_on_every_server,
    the_last_administrator_stays,
    a_service_account_has_an_enabled_owner,
    an_email_address_is_unique,
    faulty_principals_are_refused_with_every_fault,
    projects_are_created_changed_and_archived,
    projects_are_listed_to_their_members,
    an_archived_project_can_only_be_read,
    memberships_are_replaced_and_end,
    a_removed_member_sees_nothing,
];

async fn me(client: &Client) -> Result<String, Status> {
    let answer = client.identity().who_am_i(WhoAmIRequest {}).await?;
    Ok(answer
        .into_inner()
        .principal
        .unwrap_or_default()
        .principal_id)
}

async fn everybody_can_ask_who_they_are(backend: Backend) {
    let world = World::shared(backend).await;
    let (first, second) = (world.project().await, world.project().await);
    let user = first.member(Role::Developer).await;
    second
        .set_roles(
            &user.principal_id,
            &[Role::Admin, Role::Viewer, Role::Admin],
        )
        .await;
    let answer = user.identity().who_am_i(WhoAmIRequest {}).await.granted();
    let principal = answer.principal.unwrap();
    assert_eq!(principal.principal_id, user.principal_id);
    assert_eq!(principal.kind(), PrincipalKind::User);
    assert!(!principal.tenant_admin);
    assert_eq!(answer.token.unwrap().principal_id, user.principal_id);
    let mut expected = vec![
        (first.slug, vec![Role::Developer]),
        (second.slug, vec![Role::Viewer, Role::Admin]),
    ];
    expected.sort();
    let found: Vec<_> = answer
        .memberships
        .iter()
        .map(|membership| (membership.project.clone(), membership.roles().collect()))
        .collect();
    assert_eq!(found, expected);
}

async fn the_first_start_leaves_an_administrator_and_a_project(backend: Backend) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::own(backend).await;
    let file = std::fs::metadata(world.server.state().join("admin.token")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let first = world.server.admin_token();
    let answer = world.admin.identity().who_am_i(WhoAmIRequest {}).await;
    assert!(answer.granted().principal.unwrap().tenant_admin);
    world
        .admin
        .identity()
        .get_project(GetProjectRequest {
            project: "default".to_owned(),
        })
        .await
        .granted();
    assert!(
        !world.server.log().contains(&first),
        "the token is in the log"
    );

    // A second start makes no second administrator.
    world.server.restart().await;
    assert_eq!(world.server.admin_token(), first);
    let admin = world.server.admin().await;
    assert_eq!(me(&admin).await.unwrap(), world.admin.principal_id);
}

async fn a_secret_is_shown_once(backend: Backend) {
    let world = World::shared(backend).await;
    let request = CreateTokenRequest {
        name: "pipeline".to_owned(),
        request_id: format!("token-{}", unique()),
        ..Default::default()
    };
    let user = world.user("Somebody").await;
    let mut identity = user.identity();
    let first = identity.create_token(request.clone()).await.granted();
    assert!(!first.secret.is_empty());
    assert_eq!(
        me(&user.with_token(Some(&first.secret))).await.unwrap(),
        user.principal_id
    );
    let again = identity.create_token(request).await.granted();
    assert_eq!(again.secret, "");
    let (first, again) = (first.token.unwrap(), again.token.unwrap());
    assert_eq!(again.token_id, first.token_id);
    assert_eq!(again.name, "pipeline");
}

async fn list_tokens(client: &Client, include_inactive: bool) -> Vec<Token> {
    client
        .identity()
        .list_tokens(ListTokensRequest {
            include_inactive,
            ..Default::default()
        })
        .await
        .granted()
        .tokens
}

async fn tokens_are_listed_and_end(backend: Backend) {
    let world = World::shared(backend).await;
    let user = world.user("Somebody").await;
    let mut identity = user.identity();
    let short = token(&user, "", Some(Duration::from_secs(1))).await;
    let revoked = token(&user, "", None).await;
    let later = ahead(HOUR);
    let dated = identity
        .create_token(CreateTokenRequest {
            name: "dated".to_owned(),
            expiry: Some(Expiry::ExpireTime(later)),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(dated.token.as_ref().unwrap().expire_time, Some(later));
    let revoked_id = revoked.token.unwrap().token_id;
    for _ in 0..2 {
        // The second time changes nothing.
        let answer = identity
            .revoke_token(RevokeTokenRequest {
                token_id: revoked_id.clone(),
                ..Default::default()
            })
            .await
            .granted();
        assert!(answer.token.unwrap().revoked_time.is_some());
    }
    user.with_token(Some(&revoked.secret))
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .refused(Code::Unauthenticated, ErrorReason::TokenRevoked);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    user.with_token(Some(&short.secret))
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .refused(Code::Unauthenticated, ErrorReason::TokenExpired);

    let active = list_tokens(&user, false).await;
    assert_eq!(active.len(), 2, "{active:?}");
    let all = list_tokens(&user, true).await;
    assert_eq!(all.len(), 4);
    let ids: Vec<_> = all.iter().map(|token| &token.token_id).collect();
    assert!(ids.is_sorted(), "oldest first: {ids:?}");

    for (name, expiry, field) in [
        ("", None, "name"),
        ("x", Some(Expiry::ExpireTime(ago(HOUR))), "expire_time"),
        (
            "x",
            Some(Expiry::Ttl(prost_types::Duration::default())),
            "ttl",
        ),
    ] {
        let refused = identity
            .create_token(CreateTokenRequest {
                name: name.to_owned(),
                expiry,
                ..Default::default()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field]);
    }
}

async fn tokens_of_others_are_out_of_sight(backend: Backend) {
    let world = World::shared(backend).await;
    let (owner, other) = (world.user("Owner").await, world.user("Other").await);
    let account = world
        .admin
        .identity()
        .create_principal(CreatePrincipalRequest {
            kind: PrincipalKind::ServiceAccount.into(),
            display_name: "pipeline".to_owned(),
            owner_principal_id: owner.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted()
        .principal
        .unwrap();
    let made = token(&owner, &account.principal_id, None).await;
    let as_account = owner.with_token(Some(&made.secret));
    assert_eq!(me(&as_account).await.unwrap(), account.principal_id);
    let seen = owner
        .identity()
        .get_principal(GetPrincipalRequest {
            principal_id: account.principal_id.clone(),
        })
        .await
        .granted();
    assert_eq!(seen.principal.unwrap(), account);
    let mut stranger = other.identity();
    stranger
        .create_token(CreateTokenRequest {
            principal_id: account.principal_id.clone(),
            name: "stolen".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
    stranger
        .revoke_token(RevokeTokenRequest {
            token_id: made.token.unwrap().token_id,
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::TokenNotFound);
    // The account is no owner of its owner.
    as_account
        .identity()
        .list_tokens(ListTokensRequest {
            principal_id: owner.principal_id.clone(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
}

async fn the_last_use_of_a_token_is_known(backend: Backend) {
    let mut world = World::own(backend).await;
    let user = world.user("Somebody").await;
    let unused = token(&user, "", None).await.token.unwrap();
    assert_eq!(unused.last_used_time, None);
    // Uses are written once a minute, and when the server stops.
    let ended = world.server.terminate().await;
    assert!(ended.success(), "{ended}");
    world.server.restart().await;
    let admin = world.server.admin().await;
    let tokens = admin
        .identity()
        .list_tokens(ListTokensRequest {
            principal_id: user.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted()
        .tokens;
    let used: Vec<_> = tokens.iter().map(|t| t.last_used_time.is_some()).collect();
    assert_eq!(used, [true, false], "{tokens:?}");
}

/// The two servers of a cluster, and a caller on each with the same token. On SQLite there is one server.
async fn on_every_server(
    world: &World,
    user: &Client,
    secret: &str,
) -> Vec<(Option<slipway_tests::Server>, Client)> {
    let mut callers = vec![(None, user.with_token(Some(secret)))];
    if world.server.backend == Backend::Postgres {
        let replica = world.server.replica().await;
        let client = replica.client(Some(secret)).await;
        callers.push((Some(replica), client));
    }
    callers
}

/// Asserts that within 5 seconds no caller gets in any more, each for this reason.
async fn all_end(callers: &[(Option<slipway_tests::Server>, Client)], reason: ErrorReason) {
    let begun = Instant::now();
    for (_, caller) in callers {
        loop {
            match me(caller).await {
                Ok(_) => assert!(begun.elapsed() < Duration::from_secs(5), "still let in"),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
                    let expected = slipway_tests::refusal::name(reason);
                    assert_eq!(reason_of(&status).as_deref(), Some(expected));
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn a_revoked_token_ends_on_every_server(backend: Backend) {
    let world = World::own(backend).await;
    let user = world.user("Somebody").await;
    let made = token(&user, "", None).await;
    let callers = on_every_server(&world, &user, &made.secret).await;
    for (_, caller) in &callers {
        me(caller).await.unwrap();
    }
    user.identity()
        .revoke_token(RevokeTokenRequest {
            token_id: made.token.unwrap().token_id,
            ..Default::default()
        })
        .await
        .granted();
    all_end(&callers, ErrorReason::TokenRevoked).await;
}

async fn disable(world: &World, principal_id: &str) -> Result<tonic::Response<Principal>, Status> {
    let answer = world
        .admin
        .identity()
        .disable_principal(DisablePrincipalRequest {
            principal_id: principal_id.to_owned(),
            reason: "left the company".to_owned(),
            ..Default::default()
        })
        .await?;
    Ok(answer.map(|answer| answer.principal.unwrap()))
}

async fn a_disabled_principal_ends_on_every_server(backend: Backend) {
    let world = World::own(backend).await;
    let project = world.project().await;
    let user = project.member(Role::Developer).await;
    let made = token(&user, "", None).await;
    let callers = on_every_server(&world, &user, &made.secret).await;
    for (_, caller) in &callers {
        me(caller).await.unwrap();
    }
    for _ in 0..2 {
        let principal = disable(&world, &user.principal_id).await.granted();
        assert!(principal.disabled_time.is_some());
        assert_eq!(principal.disable_reason, "left the company");
    }
    all_end(&callers, ErrorReason::PrincipalDisabled).await;

    // What names the principal from now on is refused.
    world
        .admin
        .identity()
        .create_token(CreateTokenRequest {
            principal_id: user.principal_id.clone(),
            name: "back door".to_owned(),
            ..Default::default()
        })
        .await
        .refused(
            Code::FailedPrecondition,
            ErrorReason::NamedPrincipalDisabled,
        );
    world
        .admin
        .identity()
        .set_membership(SetMembershipRequest {
            project: project.slug.clone(),
            principal_id: user.principal_id.clone(),
            roles: vec![Role::Viewer.into()],
            ..Default::default()
        })
        .await
        .refused(
            Code::FailedPrecondition,
            ErrorReason::NamedPrincipalDisabled,
        );
}

async fn the_last_administrator_stays(backend: Backend) {
    let world = World::own(backend).await;
    disable(&world, &world.admin.principal_id)
        .await
        .refused(Code::FailedPrecondition, ErrorReason::LastTenantAdmin);
    let second = world
        .admin
        .identity()
        .create_principal(CreatePrincipalRequest {
            kind: PrincipalKind::User.into(),
            display_name: "second".to_owned(),
            tenant_admin: true,
            ..Default::default()
        })
        .await
        .granted()
        .principal
        .unwrap();
    disable(&world, &second.principal_id).await.granted();
    disable(&world, &world.admin.principal_id)
        .await
        .refused(Code::FailedPrecondition, ErrorReason::LastTenantAdmin);
    disable(&world, "0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000")
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
}

async fn a_service_account_has_an_enabled_owner(backend: Backend) {
    let world = World::shared(backend).await;
    let create = async |owner: &str| {
        world
            .admin
            .identity()
            .create_principal(CreatePrincipalRequest {
                kind: PrincipalKind::ServiceAccount.into(),
                display_name: "pipeline".to_owned(),
                owner_principal_id: owner.to_owned(),
                ..Default::default()
            })
            .await
    };
    let refused = create("")
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["owner_principal_id"]);
    create("0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000")
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
    let owner = world.user("Owner").await.principal_id;
    let account = create(&owner).await.granted().principal.unwrap();
    assert_eq!(account.owner_principal_id, owner);
    disable(&world, &owner).await.granted();
    create(&owner).await.refused(
        Code::FailedPrecondition,
        ErrorReason::NamedPrincipalDisabled,
    );

    // Both kinds can be told apart in the list.
    let accounts = world
        .admin
        .identity()
        .list_principals(ListPrincipalsRequest {
            kind: PrincipalKind::ServiceAccount.into(),
            page_size: 1_000,
            ..Default::default()
        })
        .await
        .granted()
        .principals;
    assert!(
        accounts
            .iter()
            .any(|p| p.principal_id == account.principal_id)
    );
    assert!(
        accounts
            .iter()
            .all(|p| p.kind() == PrincipalKind::ServiceAccount)
    );
}

async fn an_email_address_is_unique(backend: Backend) {
    let world = World::shared(backend).await;
    let create = async |email: String| {
        world
            .admin
            .identity()
            .create_principal(CreatePrincipalRequest {
                kind: PrincipalKind::User.into(),
                display_name: "Somebody".to_owned(),
                email,
                ..Default::default()
            })
            .await
    };
    let address = format!("Some.Body{}@Example.org", unique());
    let user = create(address.clone()).await.granted().principal.unwrap();
    assert_eq!(user.email, address);
    create(address.to_uppercase())
        .await
        .refused(Code::AlreadyExists, ErrorReason::PrincipalAlreadyExists);
    // Without an address there is nothing to be unique.
    create(String::new()).await.granted();
    create(String::new()).await.granted();
}

async fn faulty_principals_are_refused_with_every_fault(backend: Backend) {
    let world = World::shared(backend).await;
    let refused = world
        .admin
        .identity()
        .create_principal(CreatePrincipalRequest {
            display_name: "x".repeat(201),
            request_id: "not\nprintable".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let mut fields = violated_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["display_name", "kind", "request_id"]);
    let refused = world
        .admin
        .identity()
        .create_principal(CreatePrincipalRequest {
            kind: PrincipalKind::User.into(),
            display_name: "x".to_owned(),
            owner_principal_id: world.admin.principal_id.clone(),
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["owner_principal_id"]);
}

async fn projects_are_created_changed_and_archived(backend: Backend) {
    let world = World::shared(backend).await;
    let mut identity = world.admin.identity();
    let slug = format!("life-{}", unique());
    let request = CreateProjectRequest {
        slug: slug.clone(),
        ..Default::default()
    };
    let created = identity.create_project(request.clone()).await.granted();
    let created = created.project.unwrap();
    assert_eq!(created.display_name, slug);
    assert!(created.created_time.is_some() && created.archived_time.is_none());
    identity
        .create_project(request.clone())
        .await
        .refused(Code::AlreadyExists, ErrorReason::ProjectAlreadyExists);

    let update = UpdateProjectRequest {
        project: slug.clone(),
        display_name: "Life".to_owned(),
        description: "not in the mask".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["display_name".to_owned()],
        }),
        etag: created.etag.clone(),
        ..Default::default()
    };
    let updated = identity.update_project(update.clone()).await.granted();
    let updated = updated.project.unwrap();
    assert_eq!(updated.display_name, "Life");
    assert_eq!(updated.description, "");
    assert_ne!(updated.etag, created.etag);
    identity
        .update_project(update)
        .await
        .refused(Code::Aborted, ErrorReason::EtagMismatch);

    let archive = ArchiveProjectRequest {
        project: slug.clone(),
        ..Default::default()
    };
    let archived = identity.archive_project(archive.clone()).await.granted();
    let archived = archived.project.unwrap();
    assert!(archived.archived_time.is_some());
    let again = identity.archive_project(archive).await.granted();
    assert_eq!(again.project.unwrap(), archived);
    // The slug stays taken.
    identity
        .create_project(request)
        .await
        .refused(Code::AlreadyExists, ErrorReason::ProjectAlreadyExists);
}

async fn projects_are_listed_to_their_members(backend: Backend) {
    let world = World::shared(backend).await;
    let (kept, archived, foreign) = (
        world.project().await,
        world.project().await,
        world.project().await,
    );
    let user = kept.member(Role::Viewer).await;
    archived
        .set_roles(&user.principal_id, &[Role::Viewer])
        .await;
    world
        .admin
        .identity()
        .archive_project(ArchiveProjectRequest {
            project: archived.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    let list = async |client: &Client, include_archived| -> Vec<String> {
        let mut found = Vec::new();
        let mut request = ListProjectsRequest {
            include_archived,
            page_size: 7,
            ..Default::default()
        };
        loop {
            let page = client
                .identity()
                .list_projects(request.clone())
                .await
                .granted();
            found.extend(page.projects.into_iter().map(|project| project.slug));
            if page.next_page_token.is_empty() {
                assert!(found.is_sorted());
                return found;
            }
            request.page_token = page.next_page_token;
        }
    };
    assert_eq!(list(&user, false).await, [kept.slug.clone()]);
    let mut both = [kept.slug.clone(), archived.slug.clone()];
    both.sort();
    assert_eq!(list(&user, true).await, both);
    let all = list(&world.admin, false).await;
    assert!(all.contains(&foreign.slug) && !all.contains(&archived.slug));
}

async fn an_archived_project_can_only_be_read(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    project.record(report("app", "1", "prod")).await;
    let member = project.member(Role::Developer).await;
    world
        .admin
        .identity()
        .archive_project(ArchiveProjectRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history.len(), 1);
    member
        .ledger()
        .record_deployment(project.recording(report("app", "1", "prod")))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::ProjectArchived);
    world
        .admin
        .environments()
        .create_environment(slipway_api::catalog::v1::CreateEnvironmentRequest {
            project: project.slug.clone(),
            slug: "dev".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::FailedPrecondition, ErrorReason::ProjectArchived);
    world
        .admin
        .identity()
        .remove_member(RemoveMemberRequest {
            project: project.slug.clone(),
            principal_id: member.principal_id.clone(),
            ..Default::default()
        })
        .await
        .refused(Code::FailedPrecondition, ErrorReason::ProjectArchived);
}

async fn memberships_are_replaced_and_end(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let user = world.user("Somebody").await;
    let set = async |roles: &[i32], groups: &[&str]| {
        world
            .admin
            .identity()
            .set_membership(SetMembershipRequest {
                project: project.slug.clone(),
                principal_id: user.principal_id.clone(),
                roles: roles.to_vec(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                ..Default::default()
            })
            .await
    };
    let (viewer, admin) = (i32::from(Role::Viewer), i32::from(Role::Admin));
    let first = set(&[viewer], &["tech-lead", "lead", "lead"])
        .await
        .granted();
    let first = first.membership.unwrap();
    assert_eq!(first.groups, ["lead", "tech-lead"]);
    let second = set(&[admin, viewer, admin], &[]).await.granted();
    let second = second.membership.unwrap();
    assert_eq!(second.roles, [viewer, admin]);
    assert_eq!(second.groups, [""; 0]);
    assert_eq!(second.created_time, first.created_time);
    assert_ne!(second.updated_time, first.updated_time);
    for (roles, groups, field) in [
        (vec![], vec![], "roles"),
        (vec![0], vec![], "roles"),
        (vec![9], vec![], "roles"),
        (vec![viewer], vec!["No Slug"], "groups"),
    ] {
        let refused = set(&roles, &groups)
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        let fields = violated_fields(&refused);
        assert!(fields[0].starts_with(field), "{fields:?}");
    }
    let members = world
        .admin
        .identity()
        .list_members(ListMembersRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted()
        .memberships;
    assert_eq!(members, [second]);

    let remove = RemoveMemberRequest {
        project: project.slug.clone(),
        principal_id: user.principal_id.clone(),
        ..Default::default()
    };
    let mut identity = world.admin.identity();
    identity.remove_member(remove.clone()).await.granted();
    identity
        .remove_member(remove)
        .await
        .refused(Code::NotFound, ErrorReason::MembershipNotFound);
}

async fn a_removed_member_sees_nothing(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let member = project.member(Role::Admin).await;
    let get = GetProjectRequest {
        project: project.slug.clone(),
    };
    member.identity().get_project(get.clone()).await.granted();
    // Administrators may remove themselves.
    member
        .identity()
        .remove_member(RemoveMemberRequest {
            project: project.slug.clone(),
            principal_id: member.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted();
    member
        .identity()
        .get_project(get)
        .await
        .refused(Code::NotFound, ErrorReason::ProjectNotFound);
}
