//! The first start, and how access is recovered.

mod support;

use slipway_application::{
    Context,
    bootstrap::{BootstrapError, bootstrap},
    principals::{
        DisablePrincipal, PrincipalError, With, disable_principal, list_principals, who_am_i,
    },
    projects::get_project,
    tokens::{IssueError, issue_administrator_token},
};
use slipway_identity::TokenSecret;
use slipway_kernel::PageSize;
use support::{by, caller, empty, first_start, installation, slug};

#[tokio::test]
async fn the_first_start_makes_an_administrator_once() {
    let (context, _, _directory) = empty().await;
    let secret = first_start(&context).await.unwrap();
    assert!(first_start(&context).await.is_none());

    let admin = caller(&context, &secret).await;
    assert!(admin.tenant_admin);
    let who = who_am_i(&context, &by(&admin)).await.unwrap();
    assert_eq!(who.principal.display_name.as_str(), "Administrator");
    let With::Token(token) = who.with else {
        panic!("{:?}", who.with);
    };
    assert_eq!(token.expires_at, None);
    let project = get_project(&context, &by(&admin), &slug("default"))
        .await
        .unwrap();
    assert_eq!(project.display_name.as_str(), "default");
}

#[tokio::test]
async fn a_first_start_whose_token_is_lost_did_not_happen() {
    let (context, _, _directory) = empty().await;
    let lost = bootstrap(&context, |_| Err(std::io::Error::other("disk full"))).await;
    assert!(matches!(lost, Err(BootstrapError::Keep(_))));
    assert!(first_start(&context).await.is_some());
}

#[tokio::test]
async fn the_first_start_is_audited_without_names_and_secrets() {
    let installation = installation().await;
    let events = installation.events(None).await;
    let mut commands: Vec<_> = events.iter().map(|event| event.command.as_str()).collect();
    commands.sort_unstable();
    assert_eq!(
        commands,
        ["CreatePrincipal", "CreateProject", "CreateToken"]
    );
    for event in events {
        assert_eq!(event.principal, installation.admin.principal);
        let told = event.after.unwrap().to_string();
        assert!(
            !told.contains("Administrator") && !told.contains("slw_"),
            "{told}"
        );
    }
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
async fn issued(context: &Context) -> TokenSecret {
    let mut kept = None;
    let keep = |secret: &TokenSecret| {
        kept = Some(secret.clone());
        Ok(())
    };
    issue_administrator_token(context, keep).await.unwrap();
    kept.unwrap()
}

#[tokio::test]
async fn a_token_that_can_not_be_handed_over_is_not_made() {
    let installation = installation().await;
    let before = installation.events(None).await.len();
    let refuse = |_: &TokenSecret| Err(std::io::Error::other("the disk is full"));
    let failed = issue_administrator_token(&installation.context, refuse).await;
    assert!(matches!(failed, Err(IssueError::Keep(_))));
    assert_eq!(installation.events(None).await.len(), before);
}

#[tokio::test]
async fn a_lost_token_is_replaced_for_the_same_administrator() {
    let installation = installation().await;
    let secret = issued(&installation.context).await;
    let admin = caller(&installation.context, &secret).await;
    assert_eq!(admin.principal, installation.admin.principal);
    assert_ne!(admin.credential, installation.admin.credential);
    let events = installation.events(None).await;
    let id = admin.credential.token().unwrap().to_string();
    let token = events.iter().find(|event| event.resource.name == id);
    let after = token.unwrap().after.as_ref().unwrap();
    assert_eq!(after["made_on"], "the server's machine");
}

#[tokio::test]
async fn on_an_empty_database_a_token_comes_with_a_new_administrator() {
    let (context, _, _directory) = empty().await;
    let secret = issued(&context).await;
    let admin = caller(&context, &secret).await;
    assert!(admin.tenant_admin);
    let all = list_principals(&context, &by(&admin), None, true, None, PageSize::DEFAULT).await;
    assert_eq!(all.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let installation = installation().await;
    let command = DisablePrincipal {
        principal: installation.admin.principal,
        reason: "leaves".parse().unwrap(),
    };
    let refused = disable_principal(&installation.context, &by(&installation.admin), command).await;
    assert!(matches!(
        refused,
        Err(PrincipalError::LastTenantAdmin { .. })
    ));
}
