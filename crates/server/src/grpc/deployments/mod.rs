//! `slipway.deployments.v1`.

mod checks;
mod doubts;
mod pipelines;
mod plans;
mod promotions;
mod refusals;
mod releases;
mod shown;
mod templates;
mod watch;
mod words;

pub(super) use plans::shown_plan;
pub(super) use promotions::named;
pub(super) use shown::{shown, shown_transition};
use slipway_api::deployments::v1 as proto;
use slipway_api::deployments::v1::deployment_service_server::DeploymentService;
use slipway_api::deployments::v1::pipeline_service_server::PipelineService;
use slipway_api::deployments::v1::template_service_server::TemplateService;
use slipway_identity::Command;
use tonic::{Request, Response, Status};
pub(super) use words::{shown_kind, shown_state};

use super::Api;
use super::door::unary;
use super::stream::{Answers, answers};

#[tonic::async_trait]
impl PipelineService for Api {
    async fn create_pipeline(
        &self,
        request: Request<proto::CreatePipelineRequest>,
    ) -> Result<Response<proto::CreatePipelineResponse>, Status> {
        unary!(self, CreatePipeline, request, pipelines::create)
    }

    async fn get_pipeline(
        &self,
        request: Request<proto::GetPipelineRequest>,
    ) -> Result<Response<proto::GetPipelineResponse>, Status> {
        unary!(self, GetPipeline, request, pipelines::get)
    }

    async fn list_pipelines(
        &self,
        request: Request<proto::ListPipelinesRequest>,
    ) -> Result<Response<proto::ListPipelinesResponse>, Status> {
        unary!(self, ListPipelines, request, pipelines::list)
    }

    async fn update_pipeline(
        &self,
        request: Request<proto::UpdatePipelineRequest>,
    ) -> Result<Response<proto::UpdatePipelineResponse>, Status> {
        unary!(self, UpdatePipeline, request, pipelines::update)
    }

    async fn archive_pipeline(
        &self,
        request: Request<proto::ArchivePipelineRequest>,
    ) -> Result<Response<proto::ArchivePipelineResponse>, Status> {
        unary!(self, ArchivePipeline, request, pipelines::archive)
    }
}

#[tonic::async_trait]
impl TemplateService for Api {
    async fn create_template(
        &self,
        request: Request<proto::CreateTemplateRequest>,
    ) -> Result<Response<proto::CreateTemplateResponse>, Status> {
        unary!(self, CreateTemplate, request, templates::create)
    }

    async fn get_template(
        &self,
        request: Request<proto::GetTemplateRequest>,
    ) -> Result<Response<proto::GetTemplateResponse>, Status> {
        unary!(self, GetTemplate, request, templates::get)
    }

    async fn list_templates(
        &self,
        request: Request<proto::ListTemplatesRequest>,
    ) -> Result<Response<proto::ListTemplatesResponse>, Status> {
        unary!(self, ListTemplates, request, templates::list)
    }

    async fn update_template(
        &self,
        request: Request<proto::UpdateTemplateRequest>,
    ) -> Result<Response<proto::UpdateTemplateResponse>, Status> {
        unary!(self, UpdateTemplate, request, templates::update)
    }

    async fn delete_template(
        &self,
        request: Request<proto::DeleteTemplateRequest>,
    ) -> Result<Response<proto::DeleteTemplateResponse>, Status> {
        unary!(self, DeleteTemplate, request, templates::delete)
    }

    async fn create_release_from_template(
        &self,
        request: Request<proto::CreateReleaseFromTemplateRequest>,
    ) -> Result<Response<proto::CreateReleaseFromTemplateResponse>, Status> {
        unary!(
            self,
            CreateReleaseFromTemplate,
            request,
            releases::create_from_template
        )
    }
}

#[tonic::async_trait]
impl DeploymentService for Api {
    type WatchDeploymentStream = Answers<proto::WatchDeploymentResponse>;

    async fn create_release(
        &self,
        request: Request<proto::CreateReleaseRequest>,
    ) -> Result<Response<proto::CreateReleaseResponse>, Status> {
        unary!(self, CreateRelease, request, releases::create)
    }

    async fn execute_deployment(
        &self,
        request: Request<proto::ExecuteDeploymentRequest>,
    ) -> Result<Response<proto::ExecuteDeploymentResponse>, Status> {
        unary!(self, ExecuteDeployment, request, releases::execute)
    }

    async fn plan_promotion(
        &self,
        request: Request<proto::PlanPromotionRequest>,
    ) -> Result<Response<proto::PlanPromotionResponse>, Status> {
        unary!(self, PlanPromotion, request, promotions::plan)
    }

    async fn start_promotion(
        &self,
        request: Request<proto::StartPromotionRequest>,
    ) -> Result<Response<proto::StartPromotionResponse>, Status> {
        unary!(self, StartPromotion, request, promotions::start)
    }

    async fn get_deployment(
        &self,
        request: Request<proto::GetDeploymentRequest>,
    ) -> Result<Response<proto::GetDeploymentResponse>, Status> {
        unary!(self, GetDeployment, request, promotions::get)
    }

    async fn list_deployments(
        &self,
        request: Request<proto::ListDeploymentsRequest>,
    ) -> Result<Response<proto::ListDeploymentsResponse>, Status> {
        unary!(self, ListDeployments, request, promotions::list)
    }

    async fn cancel_deployment(
        &self,
        request: Request<proto::CancelDeploymentRequest>,
    ) -> Result<Response<proto::CancelDeploymentResponse>, Status> {
        unary!(self, CancelDeployment, request, promotions::cancel)
    }

    async fn watch_deployment(
        &self,
        request: Request<proto::WatchDeploymentRequest>,
    ) -> Result<Response<Self::WatchDeploymentStream>, Status> {
        let (mut session, message) = self.enter(Command::WatchDeployment, request).await?;
        match watch::start(self, &mut session, message).await {
            Ok(watch) => Ok(Response::new(answers(session, &self.shutdown, watch))),
            Err(refusal) => Err(session.refused(refusal).await),
        }
    }

    async fn rollback_deployment(
        &self,
        request: Request<proto::RollbackDeploymentRequest>,
    ) -> Result<Response<proto::RollbackDeploymentResponse>, Status> {
        unary!(self, RollbackDeployment, request, doubts::roll_back)
    }

    async fn resolve_in_doubt(
        &self,
        request: Request<proto::ResolveInDoubtRequest>,
    ) -> Result<Response<proto::ResolveInDoubtResponse>, Status> {
        unary!(self, ResolveInDoubt, request, doubts::resolve)
    }

    async fn report_check(
        &self,
        request: Request<proto::ReportCheckRequest>,
    ) -> Result<Response<proto::ReportCheckResponse>, Status> {
        unary!(self, ReportCheck, request, checks::report)
    }

    async fn get_deployment_summary(
        &self,
        request: Request<proto::GetDeploymentSummaryRequest>,
    ) -> Result<Response<proto::GetDeploymentSummaryResponse>, Status> {
        unary!(self, GetDeploymentSummary, request, promotions::summary)
    }
}
