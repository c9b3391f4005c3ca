//! Templates for releases.

use slipway_api::deployments::v1 as proto;
use slipway_api::errors::v1::ErrorReason;
use slipway_application::templates::{
    CreateTemplate, DeleteTemplate, TemplateError, UpdateTemplate, create_template,
    delete_template, get_template, list_templates, update_template,
};
use slipway_deployments::{Template, TemplateItem, TemplateItems, TemplateText};
use slipway_kernel::{RiskLevel, Slug};
use tonic::Code;

use super::releases::revision;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::ledger::{risk_level, shown_risk};
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateTemplateRequest,
) -> Result<proto::CreateTemplateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let slug = fields.required("slug", &message.slug);
    let display_name = fields.text("display_name", message.display_name);
    let description = text(&mut fields, "description", message.description);
    let items = items(&mut fields, message.items);
    let command = fields.finish(|| {
        Some(CreateTemplate {
            project: project?,
            slug: slug?,
            display_name,
            description,
            items: items?,
        })
    })?;
    let call = session.call(&message.request_id);
    let template = create_template(&api.context, &call, command).await?;
    Ok(proto::CreateTemplateResponse {
        template: Some(shown(template, &message.project)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetTemplateRequest,
) -> Result<proto::GetTemplateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let slug: Option<Slug> = fields.required("template", &message.template);
    let version = revision(&mut fields, "version", message.version);
    let (project, slug) = fields.finish(|| Some((project?, slug?)))?;
    let call = session.call("");
    let template = get_template(&api.context, &call, &project, &slug, version).await?;
    Ok(proto::GetTemplateResponse {
        template: Some(shown(template, &message.project)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListTemplatesRequest,
) -> Result<proto::ListTemplatesResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of("ListTemplates", &project)?;
    let after: Option<Slug> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_templates(&api.context, &call, &project, after.as_ref(), size).await?;
    let page = fitting(
        page,
        api.max_page_bytes,
        |template| template.slug.clone(),
        |template| shown(template, project.as_str()),
    );
    Ok(proto::ListTemplatesResponse {
        templates: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateTemplateRequest,
) -> Result<proto::UpdateTemplateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let template = fields.required("template", &message.template);
    let mask = fields.mask(
        message.update_mask,
        &["display_name", "description", "items"],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let description =
        changes("description").then(|| text(&mut fields, "description", message.description));
    let items = changes("items")
        .then(|| items(&mut fields, message.items))
        .flatten();
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateTemplate {
            project: project?,
            template: template?,
            display_name,
            description,
            items,
            etag,
        })
    })?;
    let call = session.call(&message.request_id);
    let template = update_template(&api.context, &call, command).await?;
    Ok(proto::UpdateTemplateResponse {
        template: Some(shown(template, &message.project)),
    })
}

pub(super) async fn delete(
    api: &Api,
    session: &mut Session,
    message: proto::DeleteTemplateRequest,
) -> Result<proto::DeleteTemplateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let template = fields.required("template", &message.template);
    let command = fields.finish(|| {
        Some(DeleteTemplate {
            project: project?,
            template: template?,
        })
    })?;
    let call = session.call(&message.request_id);
    delete_template(&api.context, &call, command).await?;
    Ok(proto::DeleteTemplateResponse {})
}

fn text<const MAX: usize>(fields: &mut Fields, field: &str, text: String) -> TemplateText<MAX> {
    TemplateText::try_from(text)
        .map_err(|error| fields.refuse(field, error))
        .unwrap_or_default()
}

/// The items of a request; `None` where they can't be kept, which is noted.
fn items(fields: &mut Fields, messages: Vec<proto::TemplateItem>) -> Option<TemplateItems> {
    let items: Vec<Option<TemplateItem>> = messages
        .into_iter()
        .enumerate()
        .map(|(number, message)| {
            let mut inner = Fields::within(&format!("items[{number}]"));
            let item = item(&mut inner, message);
            fields.absorb(inner);
            item
        })
        .collect();
    let items: Vec<TemplateItem> = items.into_iter().collect::<Option<_>>()?;
    items
        .try_into()
        .map_err(|error| fields.refuse("items", error))
        .ok()
}

fn item(fields: &mut Fields, message: proto::TemplateItem) -> Option<TemplateItem> {
    let application = fields.required("application", &message.application);
    if message.removal != message.version.is_empty() {
        fields.refuse(
            "version",
            "is required, unless the application is removed, which takes none",
        );
    }
    let version = text(fields, "version", message.version);
    let reason = text(fields, "change_message", message.change_message);
    let declared = fields.choice("risk_level", message.risk_level, risk_level);
    Some(TemplateItem {
        application: application?,
        version: (!message.removal).then_some(version),
        message: reason,
        declared: declared.unwrap_or(RiskLevel::Low),
        allow_older: message.allow_older,
    })
}

fn shown(template: Template, project: &str) -> proto::Template {
    let parameters = template.parameters().into_iter().map(str::to_owned);
    let parameters = parameters.collect();
    let items = Vec::from(template.items).into_iter().map(shown_item);
    proto::Template {
        template_id: template.id.to_string(),
        project: project.to_owned(),
        slug: template.slug.into(),
        version: template.version.0,
        display_name: template.display_name.into(),
        description: template.description.into(),
        items: items.collect(),
        parameters,
        created_by: template.created_by.to_string(),
        created_time: Some(show::time(template.created_at)),
        etag: template.version.to_string(),
    }
}

fn shown_item(item: TemplateItem) -> proto::TemplateItem {
    proto::TemplateItem {
        application: item.application.into(),
        removal: item.version.is_none(),
        version: item.version.map(String::from).unwrap_or_default(),
        change_message: item.message.into(),
        risk_level: shown_risk(item.declared).into(),
        allow_older: item.allow_older,
    }
}

impl From<TemplateError> for Refusal {
    fn from(error: TemplateError) -> Self {
        let message = error.to_string();
        match error {
            TemplateError::AlreadyExists { slug } => Self::new(
                Code::AlreadyExists,
                ErrorReason::TemplateAlreadyExists,
                message,
            )
            .about("template", slug),
            TemplateError::NotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::TemplateNotFound, message)
                    .about("template", slug)
            }
            TemplateError::VersionNotFound { slug, version } => Self::new(
                Code::NotFound,
                ErrorReason::TemplateVersionNotFound,
                message,
            )
            .about("template", slug)
            .with("version", version.to_string()),
            TemplateError::Etag(error) => error.into(),
            TemplateError::Command(error) => error.into(),
        }
    }
}
