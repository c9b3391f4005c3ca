//! Users, service accounts, and who administers.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{
    CreatePrincipalRequest, CreateTokenRequest, DisablePrincipalRequest, GetProjectRequest,
    ListPrincipalsRequest, Principal, PrincipalKind, Role, SetMembershipRequest, WhoAmIRequest,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{token, unique};
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::{Code, Status};

use super::{all_end, me, on_every_server};
use crate::case::cases;

cases![
    everybody_can_ask_who_they_are,
    the_first_start_leaves_an_administrator_and_a_project,
    a_disabled_principal_ends_on_every_server,
    the_last_administrator_stays,
    a_service_account_has_an_enabled_owner,
    an_email_address_is_unique,
    faulty_principals_are_refused_with_every_fault,
];

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
