//! Pipelines.

use slipway_api::deployments::v1 as proto;
use slipway_application::pipelines::{
    ArchivePipeline, CreatePipeline, NamedStage, StageFault, Stages, UpdatePipeline,
    archive_pipeline, create_pipeline, get_pipeline, list_pipelines, update_pipeline,
};
use slipway_deployments::{Gates, Pipeline};
use slipway_kernel::{Page, Slug, StoreError};

use super::words;
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
    message: proto::CreatePipelineRequest,
) -> Result<proto::CreatePipelineResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let slug = fields.required("slug", &message.slug);
    let display_name = fields.text("display_name", message.display_name);
    let description = fields.text("description", message.description);
    let stages = stages(&mut fields, message.stages);
    let command = fields.finish(|| {
        Some(CreatePipeline {
            project: project?,
            slug: slug?,
            display_name,
            description,
            stages: stages?,
        })
    })?;
    let pipeline =
        create_pipeline(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::CreatePipelineResponse {
        pipeline: Some(shown(api, pipeline, message.project).await?),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetPipelineRequest,
) -> Result<proto::GetPipelineResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let slug: Option<Slug> = fields.required("pipeline", &message.pipeline);
    let (project, slug) = fields.finish(|| Some((project?, slug?)))?;
    let pipeline = get_pipeline(&api.context, &session.call(""), &project, &slug).await?;
    Ok(proto::GetPipelineResponse {
        pipeline: Some(shown(api, pipeline, message.project).await?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListPipelinesRequest,
) -> Result<proto::ListPipelinesResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of("ListPipelines", &(&project, message.include_archived))?;
    let after: Option<Slug> = list.place(&message.page_token)?;
    let page = list_pipelines(
        &api.context,
        &session.call(""),
        &project,
        message.include_archived,
        after.as_ref(),
        size,
    )
    .await?;
    let mut pipelines = Vec::with_capacity(page.items.len());
    for pipeline in page.items {
        let slug = pipeline.slug.clone();
        pipelines.push((slug, shown(api, pipeline, project.to_string()).await?));
    }
    let page = Page {
        items: pipelines,
        next: page.next,
    };
    let place = |(slug, _): &(Slug, proto::Pipeline)| slug.clone();
    let page = fitting(page, api.max_page_bytes, place, |(_, pipeline)| pipeline);
    Ok(proto::ListPipelinesResponse {
        pipelines: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdatePipelineRequest,
) -> Result<proto::UpdatePipelineResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let pipeline = fields.required("pipeline", &message.pipeline);
    let mask = fields.mask(
        message.update_mask,
        &["display_name", "description", "stages"],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let description =
        changes("description").then(|| fields.text("description", message.description));
    let stages = changes("stages")
        .then(|| stages(&mut fields, message.stages))
        .flatten();
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdatePipeline {
            project: project?,
            pipeline: pipeline?,
            display_name,
            description,
            stages,
            etag,
        })
    })?;
    let pipeline =
        update_pipeline(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::UpdatePipelineResponse {
        pipeline: Some(shown(api, pipeline, message.project).await?),
    })
}

pub(super) async fn archive(
    api: &Api,
    session: &mut Session,
    message: proto::ArchivePipelineRequest,
) -> Result<proto::ArchivePipelineResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let pipeline = fields.required("pipeline", &message.pipeline);
    let command = fields.finish(|| {
        Some(ArchivePipeline {
            project: project?,
            pipeline: pipeline?,
        })
    })?;
    let pipeline =
        archive_pipeline(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::ArchivePipelineResponse {
        pipeline: Some(shown(api, pipeline, message.project).await?),
    })
}

/// The stages of a request; `None` where one of them is faulty.
fn stages(fields: &mut Fields, messages: Vec<proto::Stage>) -> Option<Stages> {
    let count = messages.len();
    let named: Vec<_> = (0..)
        .zip(messages)
        .filter_map(|(number, message)| stage(fields, number, &message))
        .collect();
    if named.len() < count {
        return None;
    }
    Stages::new(named)
        .map_err(|faults| refuse_all(fields, &faults))
        .ok()
}

fn refuse_all(fields: &mut Fields, faults: &[StageFault]) {
    for fault in faults {
        let field = match fault {
            StageFault::None | StageFault::TooMany { .. } => "stages".to_owned(),
            StageFault::Circle { stage, .. } | StageFault::SameTarget { stage, .. } => {
                format!("stages[{stage}].target_environment")
            }
        };
        fields.refuse(&field, fault);
    }
}

fn stage(fields: &mut Fields, number: usize, message: &proto::Stage) -> Option<NamedStage> {
    let prefix = format!("stages[{number}]");
    let mut inner = Fields::within(&prefix);
    let source = inner.required("source_environment", &message.source_environment);
    let target = inner.required("target_environment", &message.target_environment);
    fields.absorb(inner);
    let mut inner = Fields::within(&format!("{prefix}.gates"));
    let gates = gates(&mut inner, message.gates.unwrap_or_default());
    fields.absorb(inner);
    Some(NamedStage {
        source: source?,
        target: target?,
        gates,
    })
}

fn gates(fields: &mut Fields, message: proto::Gates) -> Gates {
    Gates {
        approval_required: message.approval_required,
        source_unchanged: message.source_unchanged,
        drift: fields
            .choice("drift", message.drift, words::drift)
            .unwrap_or_default(),
        on_failure: fields
            .choice("on_failure", message.on_failure, words::on_failure)
            .unwrap_or_default(),
        publish: fields
            .choice("publish", message.publish, words::publish)
            .unwrap_or_default(),
        secrets: fields
            .choice("secrets", message.secrets, words::secrets)
            .unwrap_or_default(),
    }
}

async fn shown(
    api: &Api,
    pipeline: Pipeline,
    project: String,
) -> Result<proto::Pipeline, StoreError> {
    let mut stages = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        stages.push(proto::Stage {
            source_environment: api.context.environment_slug(stage.source).await?.into(),
            target_environment: api.context.environment_slug(stage.target).await?.into(),
            gates: Some(shown_gates(stage.gates)),
        });
    }
    Ok(proto::Pipeline {
        pipeline_id: pipeline.id.to_string(),
        project,
        slug: pipeline.slug.into(),
        display_name: pipeline.display_name.into(),
        description: pipeline.description.into(),
        stages,
        created_time: Some(show::time(pipeline.created_at)),
        archived_time: pipeline.archived_at.map(show::time),
        etag: pipeline.revision.to_string(),
    })
}

/// Gates as messages have them.
fn shown_gates(gates: Gates) -> proto::Gates {
    proto::Gates {
        approval_required: gates.approval_required,
        source_unchanged: gates.source_unchanged,
        drift: words::shown_drift(gates.drift).into(),
        on_failure: words::shown_on_failure(gates.on_failure).into(),
        publish: words::shown_publish(gates.publish).into(),
        secrets: words::shown_secrets(gates.secrets).into(),
    }
}
