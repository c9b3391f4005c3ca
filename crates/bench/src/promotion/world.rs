//! What promotions go through: environments with engines, and a pipeline between them.

use std::path::Path;

use slipway_api::catalog::v1 as catalog;
use slipway_api::catalog::v1::environment_service_client::EnvironmentServiceClient;
use slipway_api::deployments::v1 as deployments;
use slipway_api::deployments::v1::deployment_service_client::DeploymentServiceClient;
use slipway_api::deployments::v1::pipeline_service_client::PipelineServiceClient;
use slipway_n8n_stand_in::StandIn;
use tonic::transport::Channel;

use crate::Failure;
use crate::client::{Callers, PROJECT};

/// The variable of the server's environment that holds the engines' key.
pub(super) const KEY: &str = "N8N_OF_THE_BENCHMARK";
/// The most bytes of an answer: a deployment of many items is larger than what a client takes by default.
const ANSWER: usize = 64 << 20;

/// The service of promotions.
pub(super) fn service(callers: &Callers) -> DeploymentServiceClient<Channel> {
    DeploymentServiceClient::new(callers.channel()).max_decoding_message_size(ANSWER)
}

/// An instance of n8n as an environment's engine.
pub(super) fn n8n(engine: &StandIn) -> catalog::WorkflowEngine {
    let instance = catalog::N8nInstance {
        base_url: engine.url.clone(),
        api_key_reference: format!("env:{KEY}"),
    };
    catalog::WorkflowEngine {
        engine: Some(catalog::workflow_engine::Engine::N8n(instance)),
    }
}

/// A folder as an environment's engine.
pub(super) fn folder(path: &Path) -> catalog::WorkflowEngine {
    let path = path.display().to_string();
    catalog::WorkflowEngine {
        engine: Some(catalog::workflow_engine::Engine::Directory(
            catalog::WorkflowDirectory { path },
        )),
    }
}

/// What one promotion goes through, by slugs.
pub(super) struct Way {
    pub(super) pipeline: String,
    pub(super) target: String,
}

/// Two environments and the pipeline from one to the other, which activates what is active in the source.
pub(super) async fn way(
    callers: &Callers,
    name: &str,
    source: catalog::WorkflowEngine,
    target: catalog::WorkflowEngine,
) -> Result<Way, Failure> {
    let mut environments = EnvironmentServiceClient::new(callers.channel());
    let slugs = [format!("{name}-source"), format!("{name}-target")];
    for (slug, engine) in slugs.iter().zip([source, target]) {
        let request = callers.request(catalog::CreateEnvironmentRequest {
            project: PROJECT.to_owned(),
            slug: slug.clone(),
            workflow_engine: Some(engine),
            ..Default::default()
        });
        environments.create_environment(request).await?;
    }
    let [source, target] = slugs;
    let stage = deployments::Stage {
        source_environment: source,
        target_environment: target.clone(),
        gates: Some(deployments::Gates {
            publish: deployments::PublishMode::AsSource.into(),
            ..Default::default()
        }),
    };
    let pipeline = format!("{name}-pipeline");
    let request = callers.request(deployments::CreatePipelineRequest {
        project: PROJECT.to_owned(),
        slug: pipeline.clone(),
        stages: vec![stage],
        ..Default::default()
    });
    PipelineServiceClient::new(callers.channel())
        .create_pipeline(request)
        .await?;
    Ok(Way { pipeline, target })
}
