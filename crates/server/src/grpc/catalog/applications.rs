//! Applications.

use slipway_api::catalog::v1 as proto;
use slipway_application::applications::{
    ArchiveApplication, CreateApplication, UpdateApplication, archive_application,
    create_application, get_application, list_applications, update_application,
};
use slipway_catalog::Application;
use slipway_kernel::{ApplicationKind, Key, Slug};

use super::words::{application_kind, shown_application_kind};
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateApplicationRequest,
) -> Result<proto::CreateApplicationResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let key = fields.required("key", &message.key);
    let kind = fields.choice("kind", message.kind, application_kind);
    let display_name = fields.text("display_name", message.display_name);
    let description = fields.text("description", message.description);
    let command = fields.finish(|| {
        Some(CreateApplication {
            project: project?,
            key: key?,
            kind: kind.unwrap_or(ApplicationKind::Service),
            display_name,
            description,
        })
    })?;
    let application =
        create_application(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::CreateApplicationResponse {
        application: Some(shown(application, message.project)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetApplicationRequest,
) -> Result<proto::GetApplicationResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let key: Option<Key> = fields.required("application", &message.application);
    let (project, key) = fields.finish(|| Some((project?, key?)))?;
    let application = get_application(&api.context, &session.call(""), &project, &key).await?;
    Ok(proto::GetApplicationResponse {
        application: Some(shown(application, message.project)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListApplicationsRequest,
) -> Result<proto::ListApplicationsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let kind = fields.choice("kind", message.kind, application_kind);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of(
        "ListApplications",
        &(&project, kind, message.include_archived),
    )?;
    let after: Option<Key> = list.place(&message.page_token)?;
    let page = list_applications(
        &api.context,
        &session.call(""),
        &project,
        kind,
        message.include_archived,
        after.as_ref(),
        size,
    )
    .await?;
    let page = page.map(|application| shown(application, project.to_string()));
    Ok(proto::ListApplicationsResponse {
        applications: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateApplicationRequest,
) -> Result<proto::UpdateApplicationResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let application = fields.required("application", &message.application);
    let mask = fields.mask(message.update_mask, &["display_name", "description"]);
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let description =
        changes("description").then(|| fields.text("description", message.description));
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateApplication {
            project: project?,
            application: application?,
            display_name,
            description,
            etag,
        })
    })?;
    let application =
        update_application(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::UpdateApplicationResponse {
        application: Some(shown(application, message.project)),
    })
}

pub(super) async fn archive(
    api: &Api,
    session: &mut Session,
    message: proto::ArchiveApplicationRequest,
) -> Result<proto::ArchiveApplicationResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let application = fields.required("application", &message.application);
    let command = fields.finish(|| {
        Some(ArchiveApplication {
            project: project?,
            application: application?,
        })
    })?;
    let application =
        archive_application(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::ArchiveApplicationResponse {
        application: Some(shown(application, message.project)),
    })
}

fn shown(application: Application, project: String) -> proto::Application {
    proto::Application {
        application_id: application.id.to_string(),
        project,
        key: application.key.into(),
        kind: shown_application_kind(application.kind).into(),
        display_name: application.display_name.into(),
        description: application.description.into(),
        created_time: Some(show::time(application.created_at)),
        archived_time: application.archived_at.map(show::time),
        etag: application.revision.to_string(),
    }
}
