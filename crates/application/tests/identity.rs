//! Principals, memberships and tokens: what is refused, and what a repeated call does.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use slipway_application::{
    CommandError,
    authentication::{AuthenticationError, authenticate},
    memberships::{
        MembershipError, RemoveMember, SetMembership, list_members, remove_member, set_membership,
    },
    principals::{
        CreatePrincipal, DisablePrincipal, NewPrincipal, PrincipalError, create_principal,
        disable_principal, get_principal, list_principals, who_am_i,
    },
    tokens::{
        CreateToken, Expiry, RevokeToken, TokenError, create_token, list_tokens, revoke_token,
    },
};
use slipway_identity::{Denied, Role, membership::Groups};
use slipway_kernel::{PageSize, PrincipalId};
use support::{Installation, again, by, installation, name, slug};

fn user(email: &str) -> CreatePrincipal {
    CreatePrincipal {
        kind: NewPrincipal::User {
            email: Some(email.parse().unwrap()),
        },
        display_name: name("Ada Lovelace"),
        tenant_admin: false,
    }
}

fn membership(principal: PrincipalId, roles: &[Role]) -> SetMembership {
    SetMembership {
        project: slug("default"),
        principal,
        roles: roles
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .try_into()
            .unwrap(),
        groups: Groups::default(),
    }
}

fn token(principal: Option<PrincipalId>, expiry: Option<Expiry>) -> CreateToken {
    CreateToken {
        principal,
        name: name("pipeline"),
        expiry,
    }
}

async fn disable(installation: &Installation, principal: PrincipalId) {
    let command = DisablePrincipal {
        principal,
        reason: "left".parse().unwrap(),
    };
    disable_principal(&installation.context, &by(&installation.admin), command)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_email_address_belongs_to_one_user_and_stays_out_of_the_audit_trail() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    create_principal(context, &by(admin), user("ada@example.org"))
        .await
        .unwrap();
    let taken = create_principal(context, &by(admin), user("ADA@example.org")).await;
    assert!(matches!(taken, Err(PrincipalError::AlreadyExists)));
    for event in installation.events(None).await {
        let told = event.after.unwrap().to_string();
        assert!(
            !told.contains("ada@") && !told.contains("Lovelace"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_service_account_has_an_enabled_user_as_its_owner() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let owned_by = |owner| CreatePrincipal {
        kind: NewPrincipal::ServiceAccount { owner },
        display_name: name("pipeline"),
        tenant_admin: false,
    };
    let owner = installation.user("owner").await.id;
    let account = create_principal(context, &by(admin), owned_by(owner))
        .await
        .unwrap();
    let machine = create_principal(context, &by(admin), owned_by(account.id)).await;
    assert!(matches!(machine, Err(PrincipalError::OwnerNotUser { .. })));
    let nobody = PrincipalId::new(&*context.ids);
    let absent = create_principal(context, &by(admin), owned_by(nobody)).await;
    assert!(matches!(absent, Err(PrincipalError::NotFound { .. })));
    disable(&installation, owner).await;
    let disabled = create_principal(context, &by(admin), owned_by(owner)).await;
    assert!(matches!(
        disabled,
        Err(PrincipalError::OwnerDisabled { .. })
    ));
}

#[tokio::test]
async fn a_repeated_creation_returns_the_principal_and_another_payload_is_refused() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let first = create_principal(context, &again(admin, "r1"), user("a@b"))
        .await
        .unwrap();
    let second = create_principal(context, &again(admin, "r1"), user("a@b"))
        .await
        .unwrap();
    assert_eq!(first, second);
    let other = create_principal(context, &again(admin, "r1"), user("c@d")).await;
    assert!(matches!(
        other,
        Err(PrincipalError::Command(
            CommandError::RequestIdReused { .. }
        ))
    ));
}

#[tokio::test]
async fn principals_are_seen_by_themselves_their_owners_and_administrators() {
    let installation = installation().await;
    let context = &installation.context;
    let owner = installation.user("owner").await.id;
    let kind = NewPrincipal::ServiceAccount { owner };
    let account = installation.principal("account", kind, false).await.id;
    let (_, owner) = installation.token(owner).await;
    let (_, machine) = installation.token(account).await;
    for (caller, id, seen) in [
        (&owner, owner.principal, true),
        (&owner, account, true),
        (&owner, installation.admin.principal, false),
        (&machine, account, true),
        (&machine, owner.principal, false),
        (&installation.admin, account, true),
    ] {
        let found = get_principal(context, &by(caller), id).await;
        match found {
            Ok(principal) => assert!(seen && principal.id == id),
            Err(PrincipalError::NotFound { .. }) => assert!(!seen),
            Err(error) => panic!("{error}"),
        }
    }
    let denied = list_principals(context, &by(&owner), None, true, None, PageSize::DEFAULT).await;
    assert!(matches!(
        denied,
        Err(CommandError::Denied(Denied::TenantAdminOnly { .. }))
    ));
}

#[tokio::test]
async fn disabling_shuts_out_at_once_and_twice_is_once() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let principal = installation.user("leaver").await.id;
    let (secret, _) = installation.token(principal).await;
    let command = DisablePrincipal {
        principal,
        reason: "left".parse().unwrap(),
    };
    let first = disable_principal(context, &by(admin), command.clone())
        .await
        .unwrap();
    assert!(matches!(
        authenticate(context, &secret).await,
        Err(AuthenticationError::Disabled)
    ));
    installation.pass(10);
    let second = disable_principal(context, &by(admin), command)
        .await
        .unwrap();
    assert_eq!(first, second);
    let events = installation.events(None).await;
    let disablings = events
        .iter()
        .filter(|event| event.command == "DisablePrincipal");
    assert_eq!(disablings.count(), 1);
}

#[tokio::test]
async fn one_of_two_administrators_may_go() {
    let installation = installation().await;
    let kind = NewPrincipal::User { email: None };
    let second = installation.principal("second", kind, true).await.id;
    let (_, second) = installation.token(second).await;
    disable(&installation, installation.admin.principal).await;
    let command = DisablePrincipal {
        principal: second.principal,
        reason: "left".parse().unwrap(),
    };
    let refused = disable_principal(&installation.context, &by(&second), command).await;
    assert!(matches!(
        refused,
        Err(PrincipalError::LastTenantAdmin { .. })
    ));
}

#[tokio::test]
async fn a_membership_set_again_keeps_its_beginning() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let principal = installation.user("member").await.id;
    let (secret, _) = installation.token(principal).await;
    let first = set_membership(context, &by(admin), membership(principal, &[Role::Viewer]))
        .await
        .unwrap();
    installation.pass(60);
    let second = set_membership(context, &by(admin), membership(principal, &[Role::Admin]))
        .await
        .unwrap();
    assert_eq!(second.created_at, first.created_at);
    assert!(second.updated_at > first.updated_at);
    let member = support::caller(context, &secret).await;
    let who = who_am_i(context, &by(&member)).await.unwrap();
    assert_eq!(who.memberships.len(), 1);
    assert_eq!(who.memberships[0].0, slug("default"));
    assert_eq!(who.memberships[0].1, second);
}

#[tokio::test]
async fn members_are_enabled_principals_of_open_projects() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let nobody = PrincipalId::new(&*context.ids);
    let absent = set_membership(context, &by(admin), membership(nobody, &[Role::Viewer])).await;
    assert!(matches!(
        absent,
        Err(MembershipError::PrincipalNotFound { .. })
    ));
    let leaver = installation.user("leaver").await.id;
    disable(&installation, leaver).await;
    let disabled = set_membership(context, &by(admin), membership(leaver, &[Role::Viewer])).await;
    assert!(matches!(
        disabled,
        Err(MembershipError::PrincipalDisabled { .. })
    ));
    let viewer = installation.member("viewer", &[Role::Viewer]).await;
    let denied = set_membership(
        context,
        &by(&viewer),
        membership(viewer.principal, &[Role::Admin]),
    )
    .await;
    assert!(matches!(
        denied,
        Err(MembershipError::Command(CommandError::Denied(_)))
    ));
    let asked = membership(viewer.principal, &[Role::Viewer]);
    set_membership(context, &again(admin, "r"), asked.clone())
        .await
        .unwrap();
    installation.archive("default").await;
    set_membership(context, &again(admin, "r"), asked.clone())
        .await
        .expect("what was done is told again");
    let archived = set_membership(context, &by(admin), asked).await;
    assert!(matches!(
        archived,
        Err(MembershipError::Command(
            CommandError::ProjectArchived { .. }
        ))
    ));
}

#[tokio::test]
async fn a_removed_member_is_out_at_once() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let principal = installation.user("member").await.id;
    installation.admit(principal, &[Role::Viewer]).await;
    let (secret, member) = installation.token(principal).await;
    let default = slug("default");
    let listed = list_members(context, &by(&member), &default, None, PageSize::DEFAULT).await;
    assert_eq!(listed.unwrap().items.len(), 1);

    let command = RemoveMember {
        project: slug("default"),
        principal,
    };
    remove_member(context, &again(admin, "r"), command.clone())
        .await
        .unwrap();
    remove_member(context, &again(admin, "r"), command.clone())
        .await
        .unwrap();
    let twice = remove_member(context, &by(admin), command).await;
    assert!(matches!(twice, Err(MembershipError::NotFound { .. })));

    let former = support::caller(context, &secret).await;
    let hidden = list_members(context, &by(&former), &default, None, PageSize::DEFAULT).await;
    assert!(matches!(hidden, Err(CommandError::ProjectNotFound { .. })));
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let asked = token(None, Some(Expiry::After(Duration::from_mins(1))));
    let first = create_token(context, &again(admin, "r"), asked.clone())
        .await
        .unwrap();
    let secret = first.secret.unwrap();
    installation.pass(30);
    let second = create_token(context, &again(admin, "r"), asked)
        .await
        .unwrap();
    assert!(second.secret.is_none());
    assert_eq!(second.token, first.token);
    authenticate(context, &secret).await.unwrap();
    installation.pass(30);
    assert!(matches!(
        authenticate(context, &secret).await,
        Err(AuthenticationError::Expired)
    ));
}

#[tokio::test]
async fn tokens_are_for_oneself_ones_accounts_and_whom_administrators_say() {
    let installation = installation().await;
    let context = &installation.context;
    let owner = installation.user("owner").await.id;
    let kind = NewPrincipal::ServiceAccount { owner };
    let account = installation.principal("account", kind, false).await.id;
    let (_, owner) = installation.token(owner).await;
    create_token(context, &by(&owner), token(None, None))
        .await
        .unwrap();
    let of_account = create_token(context, &by(&owner), token(Some(account), None))
        .await
        .unwrap();
    let admin = installation.admin.principal;
    let foreign = create_token(context, &by(&owner), token(Some(admin), None)).await;
    assert!(matches!(foreign, Err(TokenError::PrincipalNotFound { .. })));
    let hidden = list_tokens(
        context,
        &by(&owner),
        Some(admin),
        true,
        None,
        PageSize::DEFAULT,
    )
    .await;
    assert!(matches!(hidden, Err(TokenError::PrincipalNotFound { .. })));
    let revoke = |token| RevokeToken { token };
    let foreign = revoke_token(
        context,
        &by(&owner),
        revoke(installation.admin.credential.token().unwrap()),
    )
    .await;
    assert!(matches!(foreign, Err(TokenError::NotFound { .. })));
    revoke_token(context, &by(&owner), revoke(of_account.token.id))
        .await
        .unwrap();
}

#[tokio::test]
async fn tokens_that_could_not_work_are_refused() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let past = Some(Expiry::At(context.clock.now()));
    let refused = create_token(context, &by(admin), token(None, past)).await;
    assert!(matches!(refused, Err(TokenError::ExpiryPassed { .. })));
    let leaver = installation.user("leaver").await.id;
    disable(&installation, leaver).await;
    let refused = create_token(context, &by(admin), token(Some(leaver), None)).await;
    assert!(matches!(refused, Err(TokenError::PrincipalDisabled { .. })));
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_now_on() {
    let installation = installation().await;
    let (context, admin) = (&installation.context, &installation.admin);
    let (secret, caller) = installation.token(admin.principal).await;
    let command = RevokeToken {
        token: caller.credential.token().unwrap(),
    };
    let first = revoke_token(context, &by(admin), command.clone())
        .await
        .unwrap();
    assert!(matches!(
        authenticate(context, &secret).await,
        Err(AuthenticationError::Revoked)
    ));
    installation.pass(10);
    let second = revoke_token(context, &by(admin), command).await.unwrap();
    assert_eq!(first, second);
    let active = list_tokens(context, &by(admin), None, false, None, PageSize::DEFAULT).await;
    assert_eq!(active.unwrap().items.len(), 1);
    let all = list_tokens(context, &by(admin), None, true, None, PageSize::DEFAULT).await;
    assert_eq!(all.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_service_account_goes_with_its_owner() {
    let installation = installation().await;
    let owner = installation.user("Ada").await;
    let kind = NewPrincipal::ServiceAccount { owner: owner.id };
    let account = installation.principal("pipeline", kind, false).await;
    let (secret, _) = installation.token(account.id).await;
    disable(&installation, owner.id).await;
    assert!(matches!(
        authenticate(&installation.context, &secret).await,
        Err(AuthenticationError::Disabled)
    ));
}
