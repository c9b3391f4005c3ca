//! `slipway.audit.v1`.

mod chain;
mod dora;
mod events;
mod export;
mod report;

use slipway_api::audit::v1 as proto;
use slipway_api::audit::v1::audit_service_server::AuditService;
use slipway_identity::Command;
use tonic::{Request, Response, Status, async_trait};

use super::Api;
use super::door::unary;
use super::stream::{Answers, answers};

#[async_trait]
impl AuditService for Api {
    type ExportAuditEventsStream = Answers<proto::ExportAuditEventsResponse>;
    type GetComplianceReportStream = Answers<proto::GetComplianceReportResponse>;

    async fn list_audit_events(
        &self,
        request: Request<proto::ListAuditEventsRequest>,
    ) -> Result<Response<proto::ListAuditEventsResponse>, Status> {
        unary!(self, ListAuditEvents, request, events::list)
    }

    async fn export_audit_events(
        &self,
        request: Request<proto::ExportAuditEventsRequest>,
    ) -> Result<Response<Self::ExportAuditEventsStream>, Status> {
        let (mut session, message) = self.enter(Command::ExportAuditEvents, request).await?;
        match export::start(&mut session, message).await {
            Ok(export) => Ok(Response::new(answers(session, &self.shutdown, export))),
            Err(refusal) => Err(session.refused(refusal).await),
        }
    }

    async fn verify_audit_trail(
        &self,
        request: Request<proto::VerifyAuditTrailRequest>,
    ) -> Result<Response<proto::VerifyAuditTrailResponse>, Status> {
        unary!(self, VerifyAuditTrail, request, chain::verify)
    }

    async fn export_checkpoint(
        &self,
        request: Request<proto::ExportCheckpointRequest>,
    ) -> Result<Response<proto::ExportCheckpointResponse>, Status> {
        unary!(self, ExportCheckpoint, request, chain::checkpoint)
    }

    async fn get_compliance_report(
        &self,
        request: Request<proto::GetComplianceReportRequest>,
    ) -> Result<Response<Self::GetComplianceReportStream>, Status> {
        let (mut session, message) = self.enter(Command::GetComplianceReport, request).await?;
        match report::start(&mut session, message).await {
            Ok(report) => Ok(Response::new(answers(session, &self.shutdown, report))),
            Err(refusal) => Err(session.refused(refusal).await),
        }
    }

    async fn get_dora_metrics(
        &self,
        request: Request<proto::GetDoraMetricsRequest>,
    ) -> Result<Response<proto::GetDoraMetricsResponse>, Status> {
        unary!(self, GetDoraMetrics, request, dora::metrics)
    }
}
