//! What groups of an identity provider give, and take back.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use slipway_api::audit::v1::{AuditEventFilter, ListAuditEventsRequest};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{
    ListMembersRequest, Membership, RemoveMemberRequest, Role, SetMembershipRequest,
};
use slipway_issuer_stand_in::now;
use slipway_tests::{Backend, Client, Granted, Project, Refused};
use tonic::Code;

use super::oidc::Federated;
use super::{me, who};
use crate::case::cases;

cases![
    groups_become_memberships_and_go_with_the_next_token,
    what_is_set_by_hand_stays,
    projects_come_and_are_archived,
    a_group_administers_the_installation,
    what_was_given_is_in_the_trail,
];

const GRANTS: &str = "
[[oidc.grants]]
group = \"developers\"
project = \"shop\"
roles = [\"DEVELOPER\"]
[[oidc.grants]]
group = \"Shop Leads\"
project = \"shop\"
roles = [\"ADMIN\"]
groups = [\"lead\", \"tech-lead\"]
[[oidc.grants]]
group = \"developers\"
project = \"later\"
roles = [\"VIEWER\"]
";

async fn shop(backend: Backend, settings: &str) -> (Federated, Project) {
    let federated = Federated::with(backend, settings, GRANTS).await;
    let shop = Project::named(&federated.world.admin, "shop".to_owned()).await;
    (federated, shop)
}

/// The claims of a token with these groups, issued so many seconds ago.
fn groups(groups: &[&str], ago: i64) -> Value {
    json!({ "groups": groups, "iat": now() - ago })
}

/// What a caller may do in the project `shop`.
async fn in_shop(caller: &Client) -> Option<Membership> {
    let all = who(caller).await.memberships;
    all.into_iter()
        .find(|membership| membership.project == "shop")
}

fn names(membership: &Membership) -> (BTreeSet<Role>, Vec<&str>) {
    let groups = membership.groups.iter().map(String::as_str).collect();
    (membership.roles().collect(), groups)
}

async fn groups_become_memberships_and_go_with_the_next_token(backend: Backend) {
    let (federated, _shop) = shop(backend, "").await;
    let ada = federated.caller("ada", &groups(&["developers", "Shop Leads", "x"], 100));
    let both = in_shop(&ada).await.unwrap();
    let roles = BTreeSet::from([Role::Developer, Role::Admin]);
    assert_eq!(names(&both), (roles, vec!["lead", "tech-lead"]));
    assert_eq!(both.issued.len(), 1);
    assert_eq!(both.issued[0].issuer, federated.stand_in.issuer);
    assert_eq!(both.issued[0].groups, both.groups);

    // Fewer groups in a newer token, at once.
    let fewer = federated.caller("ada", &groups(&["developers"], 50));
    let left = in_shop(&fewer).await.unwrap();
    assert_eq!(names(&left), (BTreeSet::from([Role::Developer]), vec![]));
    // The older token is good still, and brings nothing back.
    let old = in_shop(&ada).await.unwrap();
    assert_eq!(names(&old), (BTreeSet::from([Role::Developer]), vec![]));
    let older = federated.caller("ada", &groups(&["Shop Leads"], 70));
    assert_eq!(in_shop(&older).await.unwrap().roles, left.roles);
    let none = federated.caller("ada", &json!({ "iat": now() - 20 }));
    for caller in [&none, &fewer, &ada] {
        assert_eq!(in_shop(caller).await, None);
    }
    // Names are compared exactly.
    let loud = federated.caller("ada", &groups(&["DEVELOPERS", "shop leads"], 10));
    assert_eq!(in_shop(&loud).await, None);
    let back = federated.caller("ada", &groups(&["Shop Leads"], 0));
    assert!(in_shop(&back).await.is_some());
}

async fn what_is_set_by_hand_stays(backend: Backend) {
    let (federated, shop) = shop(backend, "").await;
    let ada = federated.caller("ada", &groups(&["developers"], 100));
    let id = me(&ada).await.unwrap();
    let mut identity = shop.admin.identity();
    let removal = RemoveMemberRequest {
        project: shop.slug.clone(),
        principal_id: id.clone(),
        ..Default::default()
    };
    let refused = identity.remove_member(removal.clone()).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::MembershipFromIssuer);

    let by_hand = SetMembershipRequest {
        project: shop.slug.clone(),
        principal_id: id.clone(),
        roles: vec![Role::Approver.into()],
        groups: vec!["tech-lead".to_owned()],
        ..Default::default()
    };
    let set = identity.set_membership(by_hand).await.granted();
    let together = (
        BTreeSet::from([Role::Developer, Role::Approver]),
        vec!["tech-lead"],
    );
    assert_eq!(names(&set.membership.unwrap()), together);
    assert_eq!(names(&in_shop(&ada).await.unwrap()), together);
    let members = ListMembersRequest {
        project: shop.slug.clone(),
        ..Default::default()
    };
    let listed = identity.list_members(members).await.granted().memberships;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].issued[0].roles().collect::<Vec<_>>(),
        [Role::Developer]
    );

    // The issuer takes back what it gave, and no more.
    let none = federated.caller("ada", &groups(&[], 50));
    let left = in_shop(&none).await.unwrap();
    assert_eq!(
        names(&left),
        (BTreeSet::from([Role::Approver]), vec!["tech-lead"])
    );
    assert!(left.issued.is_empty());
    // And what is removed by hand leaves what the issuer gives.
    let again = federated.caller("ada", &groups(&["developers"], 0));
    me(&again).await.unwrap();
    identity.remove_member(removal).await.granted();
    let left = in_shop(&again).await.unwrap();
    assert_eq!(names(&left), (BTreeSet::from([Role::Developer]), vec![]));
}

async fn projects_come_and_are_archived(backend: Backend) {
    let (federated, shop) = shop(backend, "").await;
    let ada = federated.caller("ada", &groups(&["developers"], 100));
    assert_eq!(who(&ada).await.memberships.len(), 1);
    Project::named(&shop.admin, "later".to_owned()).await;
    // Found with the next token, or when this one is looked at again.
    let next = federated.caller("ada", &groups(&["developers"], 50));
    assert_eq!(who(&next).await.memberships.len(), 2);
    let archive = slipway_api::identity::v1::ArchiveProjectRequest {
        project: "later".to_owned(),
        ..Default::default()
    };
    let mut identity = shop.admin.identity();
    identity.archive_project(archive).await.granted();
    let bob = federated.caller("bob", &groups(&["developers"], 0));
    assert_eq!(
        who(&bob).await.memberships.len(),
        1,
        "nothing is added there"
    );
    let none = federated.caller("ada", &groups(&[], 0));
    assert!(who(&none).await.memberships.is_empty(), "but taken back");
}

async fn a_group_administers_the_installation(backend: Backend) {
    let (federated, _shop) = shop(backend, "tenant_admin_group = \"root\"").await;
    let ada = federated.caller("ada", &groups(&["root"], 100));
    assert!(who(&ada).await.principal.unwrap().tenant_admin);
    Project::create(&ada).await;
    let fallen = federated.caller("ada", &groups(&["Root"], 50));
    assert!(!who(&fallen).await.principal.unwrap().tenant_admin);
    for caller in [&fallen, &ada] {
        let request = slipway_api::identity::v1::ListPrincipalsRequest::default();
        let answer = caller.identity().list_principals(request).await;
        answer.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    }
}

async fn what_was_given_is_in_the_trail(backend: Backend) {
    let (federated, shop) = shop(backend, "tenant_admin_group = \"root\"").await;
    let claims =
        json!({ "groups": ["developers", "root"], "email": "ada@example.org", "iat": now() - 9 });
    let id = me(&federated.caller("ada@example.org", &claims))
        .await
        .unwrap();
    me(&federated.caller("ada@example.org", &groups(&[], 0)))
        .await
        .unwrap();
    let mut told = Vec::new();
    for project in ["shop", ""] {
        let request = ListAuditEventsRequest {
            filter: Some(AuditEventFilter {
                project: project.to_owned(),
                principal_id: id.clone(),
                ..Default::default()
            }),
            page_size: 1_000,
            ..Default::default()
        };
        let page = shop
            .admin
            .audit()
            .list_audit_events(request)
            .await
            .granted();
        for event in page.events {
            assert_eq!(event.command, "SignIn", "{event:?}");
            // Who did it is shown by the name that can be erased.
            let text = format!("{} {}", event.before_json, event.after_json);
            assert!(
                !text.contains("ada@example.org"),
                "a name in the trail: {text}"
            );
            told.push(project);
        }
    }
    // Given and taken back; made, raised and lowered.
    assert_eq!(told, ["shop", "shop", "", "", ""]);
}
