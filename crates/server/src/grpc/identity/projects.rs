//! Projects.

use slipway_api::identity::v1 as proto;
use slipway_application::projects::{
    ArchiveProject, CreateProject, UpdateProject, archive_project, create_project, get_project,
    list_projects, update_project,
};
use slipway_identity::Project;
use slipway_kernel::Slug;

use super::requirements;

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateProjectRequest,
) -> Result<proto::CreateProjectResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let slug = fields.required("slug", &message.slug);
    let display_name = fields.text("display_name", message.display_name);
    let description = fields.text("description", message.description);
    let command = fields.finish(|| {
        Some(CreateProject {
            slug: slug?,
            display_name,
            description,
        })
    })?;
    let project = create_project(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::CreateProjectResponse {
        project: Some(shown(project)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetProjectRequest,
) -> Result<proto::GetProjectResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let slug: Option<Slug> = fields.required("project", &message.project);
    let slug = fields.finish(|| slug)?;
    let project = get_project(&api.context, &session.call(""), &slug).await?;
    Ok(proto::GetProjectResponse {
        project: Some(shown(project)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListProjectsRequest,
) -> Result<proto::ListProjectsResponse, Refusal> {
    let mut fields = Fields::default();
    let size = fields.page_size(message.page_size);
    let size = fields.finish(|| Some(size))?;
    let list = List::of("ListProjects", &message.include_archived)?;
    let after: Option<Slug> = list.place(&message.page_token)?;
    let page = list_projects(
        &api.context,
        &session.call(""),
        message.include_archived,
        after.as_ref(),
        size,
    )
    .await?;
    let page = fitting(
        page,
        api.max_page_bytes,
        |project| project.slug.clone(),
        shown,
    );
    Ok(proto::ListProjectsResponse {
        projects: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateProjectRequest,
) -> Result<proto::UpdateProjectResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let mask = fields.mask(
        message.update_mask,
        &[
            "display_name",
            "description",
            "required_locales",
            "validation_rules",
        ],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let description =
        changes("description").then(|| fields.text("description", message.description));
    let required_locales = changes("required_locales")
        .then(|| requirements::locales(&mut fields, &message.required_locales));
    let validation_rules = changes("validation_rules")
        .then(|| requirements::rules(&mut fields, message.validation_rules));
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateProject {
            project: project?,
            display_name,
            description,
            required_locales: required_locales.flatten(),
            validation_rules: validation_rules.flatten(),
            etag,
        })
    })?;
    let project = update_project(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::UpdateProjectResponse {
        project: Some(shown(project)),
    })
}

pub(super) async fn archive(
    api: &Api,
    session: &mut Session,
    message: proto::ArchiveProjectRequest,
) -> Result<proto::ArchiveProjectResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let command = fields.finish(|| Some(ArchiveProject { project: project? }))?;
    let project =
        archive_project(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::ArchiveProjectResponse {
        project: Some(shown(project)),
    })
}

fn shown(project: Project) -> proto::Project {
    proto::Project {
        project_id: project.id.to_string(),
        slug: project.slug.into(),
        display_name: project.display_name.into(),
        description: project.description.into(),
        created_time: Some(show::time(project.created_at)),
        archived_time: project.archived_at.map(show::time),
        etag: project.revision.to_string(),
        required_locales: Vec::from(project.requirements.locales)
            .into_iter()
            .map(String::from)
            .collect(),
        validation_rules: Vec::from(project.requirements.rules)
            .into_iter()
            .map(requirements::shown)
            .collect(),
    }
}
