//! `slipway.ledger.v1`.

mod cells;
mod compare;
mod history;
mod import;
mod record;
mod report;
mod resolve;
mod statistics;
mod watch;

pub(super) use record::shown_risk;
pub(super) use report::risk_level;
use slipway_api::ledger::v1 as proto;
use slipway_api::ledger::v1::ledger_service_server::LedgerService;
use slipway_identity::Command;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::Api;
use super::door::unary;
use super::stream::{Answers, answers};

#[async_trait]
impl LedgerService for Api {
    type ImportDeploymentsStream = Answers<proto::ImportDeploymentsResponse>;
    type WatchCurrentStateStream = Answers<proto::WatchCurrentStateResponse>;

    async fn record_deployment(
        &self,
        request: Request<proto::RecordDeploymentRequest>,
    ) -> Result<Response<proto::RecordDeploymentResponse>, Status> {
        unary!(self, RecordDeployment, request, record::record)
    }

    async fn import_deployments(
        &self,
        request: Request<Streaming<proto::ImportDeploymentsRequest>>,
    ) -> Result<Response<Self::ImportDeploymentsStream>, Status> {
        let (session, incoming) = self.enter(Command::ImportDeployments, request).await?;
        let import = import::Import::new(incoming);
        Ok(Response::new(answers(session, &self.shutdown, import)))
    }

    async fn get_deployment_record(
        &self,
        request: Request<proto::GetDeploymentRecordRequest>,
    ) -> Result<Response<proto::GetDeploymentRecordResponse>, Status> {
        unary!(self, GetDeploymentRecord, request, history::get)
    }

    async fn list_deployment_records(
        &self,
        request: Request<proto::ListDeploymentRecordsRequest>,
    ) -> Result<Response<proto::ListDeploymentRecordsResponse>, Status> {
        unary!(self, ListDeploymentRecords, request, history::list)
    }

    async fn retract_deployment_record(
        &self,
        request: Request<proto::RetractDeploymentRecordRequest>,
    ) -> Result<Response<proto::RetractDeploymentRecordResponse>, Status> {
        unary!(self, RetractDeploymentRecord, request, history::retract)
    }

    async fn get_current_state(
        &self,
        request: Request<proto::GetCurrentStateRequest>,
    ) -> Result<Response<proto::GetCurrentStateResponse>, Status> {
        unary!(self, GetCurrentState, request, cells::get)
    }

    async fn list_current_state(
        &self,
        request: Request<proto::ListCurrentStateRequest>,
    ) -> Result<Response<proto::ListCurrentStateResponse>, Status> {
        unary!(self, ListCurrentState, request, cells::list)
    }

    async fn compare_environments(
        &self,
        request: Request<proto::CompareEnvironmentsRequest>,
    ) -> Result<Response<proto::CompareEnvironmentsResponse>, Status> {
        unary!(self, CompareEnvironments, request, compare::compare)
    }

    async fn watch_current_state(
        &self,
        request: Request<proto::WatchCurrentStateRequest>,
    ) -> Result<Response<Self::WatchCurrentStateStream>, Status> {
        let (mut session, message) = self.enter(Command::WatchCurrentState, request).await?;
        match watch::start(&mut session, message).await {
            Ok(watch) => Ok(Response::new(answers(session, &self.shutdown, watch))),
            Err(refusal) => Err(session.refused(refusal).await),
        }
    }

    async fn resolve_version(
        &self,
        request: Request<proto::ResolveVersionRequest>,
    ) -> Result<Response<proto::ResolveVersionResponse>, Status> {
        unary!(self, ResolveVersion, request, resolve::resolve)
    }

    async fn get_statistics(
        &self,
        request: Request<proto::GetStatisticsRequest>,
    ) -> Result<Response<proto::GetStatisticsResponse>, Status> {
        unary!(self, GetStatistics, request, statistics::get)
    }
}
