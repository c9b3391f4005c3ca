//! Pipelines.

use slipway_api::catalog::v1::ArchiveEnvironmentRequest;
use slipway_api::deployments::v1::{
    ArchivePipelineRequest, CreatePipelineRequest, DriftGate, FailurePolicy, Gates,
    GetPipelineRequest, ListPipelinesRequest, PublishMode, SecretGate, Stage,
    UpdatePipelineRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::stage;
use slipway_tests::{Backend, Granted, Project, Refused};
use tonic::Code;

use crate::case::cases;
use crate::catalog::{mask, shared};

cases![
    a_pipeline_comes_back_as_it_was_given,
    stages_are_checked_together,
    environments_of_stages_must_be_open,
    pipelines_change_by_mask_and_etag,
    pipelines_are_listed_by_slug,
    an_archived_pipeline_stays_as_it_is,
];

async fn with_environments(backend: Backend) -> Project {
    let project = shared(backend).await;
    for slug in ["dev", "staging", "prod"] {
        project.environment(slug).await;
    }
    project
}

fn creation(project: &Project, stages: Vec<Stage>) -> CreatePipelineRequest {
    CreatePipelineRequest {
        project: project.slug.clone(),
        slug: "way".to_owned(),
        stages,
        ..Default::default()
    }
}

async fn a_pipeline_comes_back_as_it_was_given(backend: Backend) {
    let project = with_environments(backend).await;
    let gates = Gates {
        approval_required: true,
        source_unchanged: true,
        drift: DriftGate::Refuse.into(),
        on_failure: FailurePolicy::Keep.into(),
        publish: PublishMode::AsSource.into(),
        secrets: SecretGate::Block.into(),
    };
    let defaults = Gates {
        drift: DriftGate::Allow.into(),
        on_failure: FailurePolicy::Compensate.into(),
        publish: PublishMode::Keep.into(),
        secrets: SecretGate::Warn.into(),
        ..Default::default()
    };
    let to_prod = Stage {
        gates: Some(gates),
        ..stage("staging", "prod")
    };
    let request = CreatePipelineRequest {
        request_id: "once".to_owned(),
        ..creation(&project, vec![stage("dev", "staging"), to_prod.clone()])
    };
    let mut pipelines = project.admin.pipelines();
    let made = pipelines.create_pipeline(request.clone()).await.granted();
    let made = made.pipeline.unwrap();
    let to_staging = Stage {
        gates: Some(defaults),
        ..stage("dev", "staging")
    };
    assert_eq!(made.stages, [to_staging, to_prod]);
    assert_eq!(
        (made.slug.as_str(), made.display_name.as_str()),
        ("way", "way")
    );
    let read = pipelines
        .get_pipeline(GetPipelineRequest {
            project: project.slug.clone(),
            pipeline: "way".to_owned(),
        })
        .await
        .granted();
    assert_eq!(read.pipeline.as_ref(), Some(&made));
    let again = pipelines.create_pipeline(request.clone()).await.granted();
    assert_eq!(again.pipeline, Some(made));
    let other = CreatePipelineRequest {
        request_id: String::new(),
        ..request
    };
    pipelines
        .create_pipeline(other)
        .await
        .refused(Code::AlreadyExists, ErrorReason::PipelineAlreadyExists);
    pipelines
        .get_pipeline(GetPipelineRequest {
            project: project.slug.clone(),
            pipeline: "nowhere".to_owned(),
        })
        .await
        .refused(Code::NotFound, ErrorReason::PipelineNotFound);
}

async fn stages_are_checked_together(backend: Backend) {
    let project = with_environments(backend).await;
    let unknown = Stage {
        gates: Some(Gates {
            drift: 77,
            ..Default::default()
        }),
        ..stage("dev", "")
    };
    let many: Vec<_> = (0..21)
        .map(|number| stage("dev", &format!("e{number}")))
        .collect();
    for (stages, fields) in [
        (vec![], vec!["stages"]),
        (many, vec!["stages"]),
        (
            vec![
                stage("dev", "prod"),
                stage("dev", "dev"),
                stage("staging", "prod"),
            ],
            vec![
                "stages[1].target_environment",
                "stages[2].target_environment",
            ],
        ),
        (
            vec![unknown],
            vec!["stages[0].target_environment", "stages[0].gates.drift"],
        ),
    ] {
        let refused = project
            .admin
            .pipelines()
            .create_pipeline(creation(&project, stages))
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), fields);
    }
}

async fn environments_of_stages_must_be_open(backend: Backend) {
    let project = with_environments(backend).await;
    let mut pipelines = project.admin.pipelines();
    pipelines
        .create_pipeline(creation(&project, vec![stage("dev", "nowhere")]))
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project
        .admin
        .environments()
        .archive_environment(ArchiveEnvironmentRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    pipelines
        .create_pipeline(creation(&project, vec![stage("dev", "prod")]))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EnvironmentArchived);
}

async fn pipelines_change_by_mask_and_etag(backend: Backend) {
    let project = with_environments(backend).await;
    let made = project.pipeline("way", "dev", "staging").await;
    let update = UpdatePipelineRequest {
        project: project.slug.clone(),
        pipeline: "way".to_owned(),
        display_name: "The way".to_owned(),
        description: "not in the mask".to_owned(),
        stages: vec![stage("staging", "prod"), stage("dev", "staging")],
        update_mask: Some(mask(&["display_name", "stages"])),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let mut pipelines = project.admin.pipelines();
    let changed = pipelines.update_pipeline(update.clone()).await.granted();
    let changed = changed.pipeline.unwrap();
    assert_eq!(changed.display_name, "The way");
    assert_eq!(changed.description, "");
    let targets: Vec<_> = changed
        .stages
        .iter()
        .map(|stage| stage.target_environment.as_str())
        .collect();
    assert_eq!(targets, ["prod", "staging"]);
    assert_ne!(changed.etag, made.etag);
    pipelines
        .update_pipeline(update.clone())
        .await
        .refused(Code::Aborted, ErrorReason::EtagMismatch);
    for (paths, field) in [
        (&[][..], "update_mask"),
        (&["slug"][..], "update_mask"),
        (&["stages"][..], "stages"),
    ] {
        let refused = pipelines
            .update_pipeline(UpdatePipelineRequest {
                update_mask: Some(mask(paths)),
                stages: Vec::new(),
                ..update.clone()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field]);
    }
    pipelines
        .update_pipeline(UpdatePipelineRequest {
            pipeline: "nowhere".to_owned(),
            ..update
        })
        .await
        .refused(Code::NotFound, ErrorReason::PipelineNotFound);
}

async fn pipelines_are_listed_by_slug(backend: Backend) {
    let project = with_environments(backend).await;
    for slug in ["c", "a", "b"] {
        project.pipeline(slug, "dev", "prod").await;
    }
    for page_size in [1, 2, 50] {
        let mut request = ListPipelinesRequest {
            project: project.slug.clone(),
            page_size,
            ..Default::default()
        };
        let mut slugs = Vec::new();
        loop {
            let mut pipelines = project.admin.pipelines();
            let page = pipelines.list_pipelines(request.clone()).await.granted();
            slugs.extend(page.pipelines.into_iter().map(|found| found.slug));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(slugs, ["a", "b", "c"]);
    }
    project
        .admin
        .pipelines()
        .list_pipelines(ListPipelinesRequest {
            project: project.slug.clone(),
            page_size: -1,
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
}

async fn an_archived_pipeline_stays_as_it_is(backend: Backend) {
    let project = with_environments(backend).await;
    project.pipeline("way", "dev", "prod").await;
    let mut pipelines = project.admin.pipelines();
    let archive = ArchivePipelineRequest {
        project: project.slug.clone(),
        pipeline: "way".to_owned(),
        ..Default::default()
    };
    let closed = pipelines.archive_pipeline(archive.clone()).await.granted();
    assert!(closed.pipeline.as_ref().unwrap().archived_time.is_some());
    let twice = pipelines.archive_pipeline(archive.clone()).await.granted();
    assert_eq!(twice.pipeline, closed.pipeline);
    pipelines
        .update_pipeline(UpdatePipelineRequest {
            project: project.slug.clone(),
            pipeline: "way".to_owned(),
            description: "late".to_owned(),
            update_mask: Some(mask(&["description"])),
            ..Default::default()
        })
        .await
        .refused(Code::FailedPrecondition, ErrorReason::PipelineArchived);
    pipelines
        .archive_pipeline(ArchivePipelineRequest {
            pipeline: "nowhere".to_owned(),
            ..archive
        })
        .await
        .refused(Code::NotFound, ErrorReason::PipelineNotFound);
    for (include_archived, count) in [(false, 0), (true, 1)] {
        let request = ListPipelinesRequest {
            project: project.slug.clone(),
            include_archived,
            ..Default::default()
        };
        let page = pipelines.list_pipelines(request).await.granted();
        assert_eq!(page.pipelines.len(), count);
    }
}
