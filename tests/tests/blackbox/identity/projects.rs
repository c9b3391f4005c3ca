//! Projects and their members.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::validation_rule::{Operator, Severity};
use slipway_api::identity::v1::{
    ArchiveProjectRequest, CreateProjectRequest, GetProjectRequest, ListMembersRequest,
    ListProjectsRequest, RemoveMemberRequest, Role, SetMembershipRequest, UpdateProjectRequest,
    ValidationRule,
};
use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{report, unique};
use slipway_tests::{Backend, Client, Granted, Refused, World};
use tonic::Code;

use crate::case::cases;

cases![
    projects_are_created_changed_and_archived,
    a_project_says_what_it_requires_of_versions,
    projects_are_listed_to_their_members,
    an_archived_project_can_only_be_read,
    memberships_are_replaced_and_end,
    a_removed_member_sees_nothing,
];

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

fn rule(name: &str, operator: Operator, values: &[&str]) -> ValidationRule {
    ValidationRule {
        name: name.to_owned(),
        kinds: vec!["PROMPT".to_owned()],
        field: "attribute:score".to_owned(),
        operator: operator.into(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        message: "see the handbook".to_owned(),
        severity: Severity::Warning.into(),
    }
}

async fn a_project_says_what_it_requires_of_versions(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let mut identity = project.admin.identity();
    let locales = ["en", "pt-BR"].map(str::to_owned).to_vec();
    let rules = vec![
        rule("there", Operator::Exists, &[]),
        rule("good", Operator::AtLeast, &["0.8"]),
        rule("known", Operator::OneOf, &["a", "b"]),
        rule("plain", Operator::Matches, &["^[a-z]+$"]),
    ];
    let paths = ["required_locales", "validation_rules"].map(str::to_owned);
    let update = UpdateProjectRequest {
        project: project.slug.clone(),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.to_vec(),
        }),
        required_locales: locales.clone(),
        validation_rules: rules.clone(),
        ..Default::default()
    };
    let updated = identity.update_project(update.clone()).await.granted();
    let updated = updated.project.unwrap();
    assert_eq!(updated.required_locales, locales);
    assert_eq!(updated.validation_rules, rules);
    // What the mask does not name stays.
    let renamed = UpdateProjectRequest {
        project: project.slug.clone(),
        display_name: "Renamed".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["display_name".to_owned()],
        }),
        ..Default::default()
    };
    identity.update_project(renamed).await.granted();
    let get = GetProjectRequest {
        project: project.slug.clone(),
    };
    let found = identity.get_project(get).await.granted().project.unwrap();
    assert_eq!(found.validation_rules, rules);
    assert_eq!(found.required_locales, locales);

    let nothing = ValidationRule {
        kinds: vec!["POEM".to_owned()],
        field: "content".to_owned(),
        ..Default::default()
    };
    let refused = identity
        .update_project(UpdateProjectRequest {
            required_locales: vec!["en".to_owned(), "e n".to_owned()],
            validation_rules: vec![nothing, rule("bad", Operator::Matches, &["("])],
            ..update.clone()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(
        violated_fields(&refused),
        [
            "required_locales[1]",
            "validation_rules[0].operator",
            "validation_rules[0].name",
            "validation_rules[0].kinds[0]",
            "validation_rules[0].field",
            "validation_rules[0].message",
            "validation_rules[1].values",
        ]
    );
    let twice = rule("twice", Operator::Exists, &[]);
    let refused = identity
        .update_project(UpdateProjectRequest {
            required_locales: vec!["x-y".to_owned(); 101],
            validation_rules: vec![twice.clone(), twice],
            ..update.clone()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(
        violated_fields(&refused),
        ["required_locales", "validation_rules"]
    );
    let none = UpdateProjectRequest {
        required_locales: Vec::new(),
        validation_rules: Vec::new(),
        ..update
    };
    let cleared = identity.update_project(none).await.granted();
    let cleared = cleared.project.unwrap();
    assert!(cleared.required_locales.is_empty() && cleared.validation_rules.is_empty());
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
    assert_eq!(list(&user, false).await, [&*kept.slug]);
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
