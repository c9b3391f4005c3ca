//! Identities and principals: who is whom, and who is not.

use serde_json::json;
use slipway_api::approvals::v1::ApproveRequest;
use slipway_api::deployments::v1::StartPromotionRequest;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{
    CreatePrincipalRequest, DisablePrincipalRequest, GetPrincipalRequest, LinkIdentityRequest,
    PrincipalKind, Role, UnlinkIdentityRequest, WhoAmIRequest,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{unique, user, workflow};
use slipway_tests::{Backend, Client, Granted, Refused};
use tonic::Code;

use super::me;
use super::oidc::Federated;
use crate::case::cases;

cases![
    an_email_address_is_no_way_in,
    identities_are_linked_and_unlinked,
    links_that_make_no_sense_are_refused,
    only_linked_identities_where_the_operator_says_so,
    a_linked_identity_is_the_same_person_for_four_eyes,
];

/// Links what the issuer calls `subject`.
async fn link(federated: &Federated, principal_id: &str, subject: &str) -> LinkIdentityRequest {
    let request = LinkIdentityRequest {
        principal_id: principal_id.to_owned(),
        issuer: federated.stand_in.issuer.clone(),
        subject: subject.to_owned(),
        ..Default::default()
    };
    let mut identity = federated.world.admin.identity();
    let linked = identity.link_identity(request.clone()).await.granted();
    assert_eq!(linked.identity.unwrap().principal_id, principal_id);
    request
}

async fn an_email_address_is_no_way_in(backend: Backend) {
    let federated = Federated::new(backend).await;
    let admin = &federated.world.admin;
    let mut identity = admin.identity();
    let created = identity.create_principal(CreatePrincipalRequest {
        kind: PrincipalKind::User.into(),
        display_name: "Ada".to_owned(),
        email: "ada@example.org".to_owned(),
        tenant_admin: true,
        ..Default::default()
    });
    let ada = created.await.granted().principal.unwrap().principal_id;
    for claims in [
        json!({ "email": "ada@example.org" }),
        json!({ "email": "ADA@Example.ORG" }),
        json!({ "email": " ada@example.org\t" }),
        json!({ "email": "ada@example.org", "email_verified": true }),
        json!({ "email": "Ada@example.org", "email_verified": false }),
    ] {
        let mallory = federated.caller("mallory", &claims);
        let answer = mallory.identity().who_am_i(WhoAmIRequest {}).await;
        answer.refused(Code::Unauthenticated, ErrorReason::IdentityEmailTaken);
    }
    // Nor is a subject that looks like an address, or a name.
    let lookalike = federated.caller("ada@example.org", &json!({ "name": "Ada" }));
    assert_ne!(me(&lookalike).await.unwrap(), ada);
    // An administrator says who is who.
    link(&federated, &ada, "mallory").await;
    let claims = json!({ "email": "ada@example.org" });
    assert_eq!(
        me(&federated.caller("mallory", &claims)).await.unwrap(),
        ada
    );

    // An address that nobody checked keeps nobody out.
    let squatter = json!({ "email": "bob@example.org", "email_verified": false });
    let squatter = federated.caller("squatter", &squatter);
    let kept = super::who(&squatter).await.principal.unwrap();
    assert_eq!(kept.email, "");
    let bob = federated.caller("bob", &json!({ "email": "bob@example.org" }));
    assert_eq!(
        super::who(&bob).await.principal.unwrap().email,
        "bob@example.org"
    );
}

async fn identities_are_linked_and_unlinked(backend: Backend) {
    let federated = Federated::new(backend).await;
    let admin = &federated.world.admin;
    let ada = user(admin, "Ada").await;
    let mut identity = admin.identity();
    let request = LinkIdentityRequest {
        principal_id: ada.principal_id.clone(),
        issuer: federated.stand_in.issuer.clone(),
        subject: "ada".to_owned(),
        request_id: format!("link-{}", unique()),
    };
    // Again changes nothing, with an id and without.
    for _ in 0..2 {
        identity.link_identity(request.clone()).await.granted();
    }
    link(&federated, &ada.principal_id, "ada").await;
    let by_token = federated.caller("ada", &json!({}));
    assert_eq!(me(&by_token).await.unwrap(), ada.principal_id);
    let seen = GetPrincipalRequest {
        principal_id: ada.principal_id.clone(),
    };
    let seen = ada.identity().get_principal(seen).await.granted();
    let subjects: Vec<_> = seen.identities.iter().map(|one| &one.subject).collect();
    assert_eq!(subjects, ["ada"]);

    let unlink = UnlinkIdentityRequest {
        issuer: request.issuer.clone(),
        subject: "ada".to_owned(),
        request_id: format!("unlink-{}", unique()),
    };
    for _ in 0..2 {
        identity.unlink_identity(unlink.clone()).await.granted();
    }
    let again = UnlinkIdentityRequest {
        request_id: String::new(),
        ..unlink
    };
    let gone = identity.unlink_identity(again).await;
    gone.refused(Code::NotFound, ErrorReason::IdentityNotFound);
    // What was asked before is not done anew.
    let gone = identity.link_identity(request).await;
    gone.refused(Code::NotFound, ErrorReason::IdentityNotFound);
    // The next sign-in is somebody else.
    assert_ne!(me(&by_token).await.unwrap(), ada.principal_id);
}

async fn links_that_make_no_sense_are_refused(backend: Backend) {
    let federated = Federated::new(backend).await;
    let admin = &federated.world.admin;
    let (ada, bob) = (user(admin, "Ada").await, user(admin, "Bob").await);
    let linked = link(&federated, &ada.principal_id, "ada").await;
    let mut identity = admin.identity();
    for (principal_id, subject) in [(&bob.principal_id, "ada"), (&ada.principal_id, "second")] {
        let taken = LinkIdentityRequest {
            principal_id: principal_id.clone(),
            subject: subject.to_owned(),
            ..linked.clone()
        };
        let refused = identity.link_identity(taken).await;
        refused.refused(Code::AlreadyExists, ErrorReason::IdentityAlreadyLinked);
    }
    for (issuer, subject, field) in [
        ("https://login.example.org", "x", "issuer"),
        ("", "x", "issuer"),
        ("certificate", "ci.example.org", "subject"),
        ("certificate", "dns:", "subject"),
        ("certificate", "", "subject"),
    ] {
        let request = LinkIdentityRequest {
            principal_id: bob.principal_id.clone(),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            ..Default::default()
        };
        let refused = identity.link_identity(request).await;
        let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field], "{issuer} {subject}");
    }
    let nobody = LinkIdentityRequest {
        principal_id: "0192f0c1-2345-7abc-8def-0123456789ab".to_owned(),
        subject: "nobody".to_owned(),
        ..linked.clone()
    };
    let refused = identity.link_identity(nobody).await;
    refused.refused(Code::NotFound, ErrorReason::PrincipalNotFound);
    let left = DisablePrincipalRequest {
        principal_id: bob.principal_id.clone(),
        reason: "left".to_owned(),
        ..Default::default()
    };
    identity.disable_principal(left).await.granted();
    let late = LinkIdentityRequest {
        principal_id: bob.principal_id,
        subject: "bob".to_owned(),
        ..linked
    };
    let refused = identity.link_identity(late).await;
    refused.refused(
        Code::FailedPrecondition,
        ErrorReason::NamedPrincipalDisabled,
    );
}

async fn only_linked_identities_where_the_operator_says_so(backend: Backend) {
    let federated = Federated::with(backend, "provision = false", "").await;
    let ci = federated.caller("ci", &json!({}));
    let answer = ci.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unauthenticated, ErrorReason::IdentityUnknown);
    let owner = user(&federated.world.admin, "Owner").await;
    let account = CreatePrincipalRequest {
        kind: PrincipalKind::ServiceAccount.into(),
        display_name: "pipeline".to_owned(),
        owner_principal_id: owner.principal_id,
        ..Default::default()
    };
    let mut identity = federated.world.admin.identity();
    let account = identity.create_principal(account).await.granted();
    let account = account.principal.unwrap().principal_id;
    link(&federated, &account, "ci").await;
    assert_eq!(me(&ci).await.unwrap(), account);
}

async fn a_linked_identity_is_the_same_person_for_four_eyes(backend: Backend) {
    let grants = "[[oidc.grants]]\ngroup = \"admins\"\nproject = \"shop\"\nroles = [\"ADMIN\"]";
    let federated = Federated::with(backend, "", grants).await;
    let admin = &federated.world.admin;
    let shop = slipway_tests::Project::named(admin, "shop".to_owned()).await;
    let server = &federated.world.server;
    let outbox = server.workflows(&[("first", workflow("First"))]);
    shop.environment_on("outbox", &outbox).await;
    let vault = server.workflows(&[]);
    shop.environment_on("vault", &vault).await;
    shop.guarded_pipeline("guarded", "outbox", "vault").await;

    let ada = shop.member(Role::Admin).await;
    link(&federated, &ada.principal_id, "ada").await;
    let admins = json!({ "groups": ["admins"] });
    let by_issuer = federated.caller("ada", &admins);
    // Whoever signs in for the first time later is not asked.
    let bob: Client = federated.caller("bob", &admins);
    me(&bob).await.unwrap();
    let mut deployments = ada.deployments();
    let started = deployments.start_promotion(StartPromotionRequest {
        project: shop.slug.clone(),
        pipeline: "guarded".to_owned(),
        target: "vault".to_owned(),
        ..Default::default()
    });
    let started = started.await.granted().deployment.unwrap();
    let approval = ApproveRequest {
        project: shop.slug.clone(),
        deployment: started.number.to_string(),
        plan_digest: started.plan_digest,
        ..Default::default()
    };
    for same in [&by_issuer, &ada] {
        let answer = same.approvals().approve(approval.clone()).await;
        answer.refused(Code::PermissionDenied, ErrorReason::SelfApproval);
    }
    bob.approvals().approve(approval).await.granted();
}
