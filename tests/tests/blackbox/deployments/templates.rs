//! Templates are changed by new versions of them, and older ones stay.

use prost_types::FieldMask;
use slipway_api::deployments::v1::{
    CreateTemplateRequest, DeleteTemplateRequest, GetTemplateRequest, ListTemplatesRequest,
    Template, TemplateItem, UpdateTemplateRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use crate::case::cases;

cases![
    a_template_is_changed_by_new_versions,
    a_template_is_deleted_and_its_slug_free,
    templates_are_listed,
    what_is_no_template_is_told,
];

fn item(application: &str, version: &str) -> TemplateItem {
    TemplateItem {
        application: application.to_owned(),
        version: version.to_owned(),
        change_message: "{{why}}".to_owned(),
        risk_level: RiskLevel::High.into(),
        ..Default::default()
    }
}

fn creation(project: &Project, slug: &str) -> CreateTemplateRequest {
    let removal = TemplateItem {
        application: "old".to_owned(),
        removal: true,
        risk_level: RiskLevel::Low.into(),
        ..Default::default()
    };
    CreateTemplateRequest {
        project: project.slug.clone(),
        slug: slug.to_owned(),
        description: "Chat {{ version }}".to_owned(),
        items: vec![item("@acme/chat", "{{version}}"), removal],
        ..Default::default()
    }
}

async fn create(project: &Project, slug: &str) -> Template {
    let mut templates = project.admin.templates();
    let created = templates.create_template(creation(project, slug)).await;
    created.granted().template.unwrap()
}

fn getting(project: &Project, version: i64) -> GetTemplateRequest {
    GetTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        version,
    }
}

fn mask(paths: &[&str]) -> FieldMask {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    FieldMask { paths }
}

async fn a_template_is_changed_by_new_versions(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let first = create(&project, "chat").await;
    let asked = creation(&project, "chat");
    assert_eq!(first.items, asked.items);
    assert_eq!(first.description, asked.description);
    assert_eq!((first.version, first.display_name.as_str()), (1, "chat"));
    assert_eq!(first.parameters, ["version", "why"]);
    assert_eq!(first.created_by, project.admin.principal_id);
    assert!(first.created_time.is_some());

    let mut templates = project.admin.templates();
    let update = UpdateTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        description: "not in the mask".to_owned(),
        items: vec![item("@acme/chat", "7")],
        update_mask: Some(mask(&["items"])),
        etag: first.etag.clone(),
        request_id: "second".to_owned(),
        ..Default::default()
    };
    let second = templates.update_template(update.clone()).await.granted();
    let second = second.template.unwrap();
    assert_eq!((second.version, second.items.len()), (2, 1));
    assert_eq!(second.description, first.description);
    assert_eq!(second.template_id, first.template_id);
    // The same again changes nothing; another one finds that somebody was faster.
    let again = templates.update_template(update.clone()).await.granted();
    assert_eq!(again.template.as_ref(), Some(&second));
    let stale = UpdateTemplateRequest {
        request_id: String::new(),
        ..update
    };
    let refused = templates.update_template(stale).await;
    refused.refused(Code::Aborted, ErrorReason::EtagMismatch);

    for (version, expected) in [(0, &second), (1, &first), (2, &second)] {
        let found = templates.get_template(getting(&project, version)).await;
        assert_eq!(found.granted().template.as_ref(), Some(expected));
    }
    let unknown = templates.get_template(getting(&project, 3)).await;
    unknown.refused(Code::NotFound, ErrorReason::TemplateVersionNotFound);
    let negative = templates.get_template(getting(&project, -1)).await;
    negative.refused(Code::InvalidArgument, ErrorReason::InvalidField);
}

async fn a_template_is_deleted_and_its_slug_free(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let first = create(&project, "chat").await;
    let mut templates = project.admin.templates();
    let taken = templates.create_template(creation(&project, "chat")).await;
    taken.refused(Code::AlreadyExists, ErrorReason::TemplateAlreadyExists);
    let deletion = DeleteTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        request_id: "away".to_owned(),
    };
    for _ in 0..2 {
        templates.delete_template(deletion.clone()).await.granted();
    }
    let gone = templates.get_template(getting(&project, 1)).await;
    gone.refused(Code::NotFound, ErrorReason::TemplateNotFound);
    let again = DeleteTemplateRequest {
        request_id: String::new(),
        ..deletion
    };
    let refused = templates.delete_template(again).await;
    refused.refused(Code::NotFound, ErrorReason::TemplateNotFound);
    let update = UpdateTemplateRequest {
        project: project.slug.clone(),
        template: "chat".to_owned(),
        display_name: "Chat".to_owned(),
        update_mask: Some(mask(&["display_name"])),
        ..Default::default()
    };
    let refused = templates.update_template(update).await;
    refused.refused(Code::NotFound, ErrorReason::TemplateNotFound);
    let second = create(&project, "chat").await;
    assert_ne!(second.template_id, first.template_id);
    assert_eq!(second.version, 1);
}

async fn templates_are_listed(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    for slug in ["b", "c", "a"] {
        create(&project, slug).await;
    }
    let mut templates = project.admin.templates();
    let mut request = ListTemplatesRequest {
        project: project.slug.clone(),
        page_size: 2,
        ..Default::default()
    };
    let mut slugs = Vec::new();
    loop {
        let page = templates.list_templates(request.clone()).await.granted();
        slugs.extend(page.templates.into_iter().map(|template| template.slug));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(slugs, ["a", "b", "c"]);
    request.page_size = -1;
    let refused = templates.list_templates(request).await;
    refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
}

async fn what_is_no_template_is_told(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let mut templates = project.admin.templates();
    let both = TemplateItem {
        removal: true,
        ..item("a", "1")
    };
    let faulty = CreateTemplateRequest {
        description: "{{Version}}".to_owned(),
        items: vec![item("", ""), both, item("b", "{{")],
        ..creation(&project, "No Slug")
    };
    let refused = templates.create_template(faulty).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(
        violated_fields(&refused),
        [
            "slug",
            "description",
            "items[0].application",
            "items[0].version",
            "items[1].version",
            "items[2].version",
        ]
    );
    for items in [Vec::new(), vec![item("a", "1"), item("a", "2")]] {
        let faulty = CreateTemplateRequest {
            items,
            ..creation(&project, "chat")
        };
        let refused = templates.create_template(faulty).await;
        let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["items"]);
    }
}
