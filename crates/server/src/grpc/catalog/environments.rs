//! Environments.

use slipway_api::catalog::v1 as proto;
use slipway_application::engines::engine_settings;
use slipway_application::environments::{
    ArchiveEnvironment, BackupsChange, CreateEnvironment, EngineChange, UpdateEnvironment,
    archive_environment, create_environment, get_environment, list_environments,
    update_environment,
};
use slipway_application::snapshots::failing_backups;
use slipway_catalog::{BackupInterval, Environment};
use slipway_kernel::{Slug, StoreError, Tier};
use slipway_snapshots::FailingBackup;
use slipway_workflows::EngineSettings;

use super::engines;
use super::words::{shown_tier, tier};
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateEnvironmentRequest,
) -> Result<proto::CreateEnvironmentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let slug = fields.required("slug", &message.slug);
    let display_name = fields.text("display_name", message.display_name);
    let description = fields.text("description", message.description);
    let tier = fields.choice("tier", message.tier, tier);
    let engine = engines::engine(&mut fields, message.workflow_engine);
    let backup_interval = backup_interval(&mut fields, message.backup_interval);
    let command = fields.finish(|| {
        Some(CreateEnvironment {
            project: project?,
            slug: slug?,
            display_name,
            description,
            tier: tier.unwrap_or(Tier::Development),
            position: message.position,
            backup_interval,
            engine,
        })
    })?;
    let environment =
        create_environment(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::CreateEnvironmentResponse {
        environment: Some(shown_alone(api, environment, message.project).await?),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetEnvironmentRequest,
) -> Result<proto::GetEnvironmentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let slug: Option<Slug> = fields.required("environment", &message.environment);
    let (project, slug) = fields.finish(|| Some((project?, slug?)))?;
    let environment = get_environment(&api.context, &session.call(""), &project, &slug).await?;
    Ok(proto::GetEnvironmentResponse {
        environment: Some(shown_alone(api, environment, message.project).await?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListEnvironmentsRequest,
) -> Result<proto::ListEnvironmentsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of("ListEnvironments", &(&project, message.include_archived))?;
    let after: Option<(i32, Slug)> = list.place(&message.page_token)?;
    let page = list_environments(
        &api.context,
        &session.call(""),
        &project,
        message.include_archived,
        after.as_ref(),
        size,
    )
    .await?;
    let ids: Vec<_> = page
        .items
        .iter()
        .map(|environment| environment.id)
        .collect();
    let mut engines = engine_settings(&api.context, &ids).await?;
    let mut failing = failing_backups(&api.context, &ids).await?;
    let page = page.map(|environment| {
        let engine = engines.remove(&environment.id);
        let failing = failing.remove(&environment.id);
        shown(environment, engine, failing, project.to_string())
    });
    Ok(proto::ListEnvironmentsResponse {
        environments: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateEnvironmentRequest,
) -> Result<proto::UpdateEnvironmentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let mask = fields.mask(
        message.update_mask,
        &[
            "display_name",
            "description",
            "tier",
            "position",
            "workflow_engine",
            "backup_interval",
        ],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let description =
        changes("description").then(|| fields.text("description", message.description));
    let tier = changes("tier")
        .then(|| fields.required_choice("tier", message.tier, tier))
        .flatten();
    let position = changes("position").then_some(message.position);
    let engine = changes("workflow_engine").then(|| {
        engines::engine(&mut fields, message.workflow_engine)
            .map_or(EngineChange::Clear, EngineChange::Set)
    });
    let backups = changes("backup_interval").then(|| {
        backup_interval(&mut fields, message.backup_interval)
            .map_or(BackupsChange::Never, BackupsChange::Every)
    });
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateEnvironment {
            project: project?,
            environment: environment?,
            display_name,
            description,
            tier,
            position,
            backups,
            engine,
            etag,
        })
    })?;
    let environment =
        update_environment(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::UpdateEnvironmentResponse {
        environment: Some(shown_alone(api, environment, message.project).await?),
    })
}

pub(super) async fn archive(
    api: &Api,
    session: &mut Session,
    message: proto::ArchiveEnvironmentRequest,
) -> Result<proto::ArchiveEnvironmentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let command = fields.finish(|| {
        Some(ArchiveEnvironment {
            project: project?,
            environment: environment?,
        })
    })?;
    let environment =
        archive_environment(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::ArchiveEnvironmentResponse {
        environment: Some(shown_alone(api, environment, message.project).await?),
    })
}

async fn shown_alone(
    api: &Api,
    environment: Environment,
    project: String,
) -> Result<proto::Environment, StoreError> {
    let mut engines = engine_settings(&api.context, &[environment.id]).await?;
    let engine = engines.remove(&environment.id);
    let mut failing = failing_backups(&api.context, &[environment.id]).await?;
    let failing = failing.remove(&environment.id);
    Ok(shown(environment, engine, failing, project))
}

/// How often backups are taken; `None` where it was left out.
fn backup_interval(
    fields: &mut Fields,
    interval: Option<prost_types::Duration>,
) -> Option<BackupInterval> {
    let interval = interval?;
    if interval.nanos != 0 {
        fields.refuse("backup_interval", "must be whole seconds");
        return None;
    }
    BackupInterval::try_from(interval.seconds)
        .map_err(|error| fields.refuse("backup_interval", error))
        .ok()
}

fn shown(
    environment: Environment,
    engine: Option<EngineSettings>,
    failing: Option<FailingBackup>,
    project: String,
) -> proto::Environment {
    proto::Environment {
        environment_id: environment.id.to_string(),
        project,
        slug: environment.slug.into(),
        display_name: environment.display_name.into(),
        description: environment.description.into(),
        tier: shown_tier(environment.tier).into(),
        position: environment.position,
        created_time: Some(show::time(environment.created_at)),
        archived_time: environment.archived_at.map(show::time),
        etag: environment.revision.to_string(),
        workflow_engine: engine.map(engines::shown),
        backup_interval: environment
            .backup_interval
            .map(|interval| prost_types::Duration {
                seconds: interval.into(),
                nanos: 0,
            }),
        failing_backup: failing.map(|failing| proto::FailingBackup {
            failure_count: i32::try_from(failing.failures).unwrap_or(i32::MAX),
            problem: failing.problem,
            retry_time: Some(show::time(failing.not_before)),
        }),
    }
}
