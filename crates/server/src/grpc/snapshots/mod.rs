//! `slipway.snapshots.v1`.

mod backups;
mod comparison;
mod refusals;
mod workflow;

use slipway_api::snapshots::v1 as proto;
use slipway_api::snapshots::v1::snapshot_service_server::SnapshotService;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl SnapshotService for Api {
    async fn create_snapshot(
        &self,
        request: Request<proto::CreateSnapshotRequest>,
    ) -> Result<Response<proto::CreateSnapshotResponse>, Status> {
        unary!(self, CreateSnapshot, request, backups::create)
    }

    async fn get_snapshot(
        &self,
        request: Request<proto::GetSnapshotRequest>,
    ) -> Result<Response<proto::GetSnapshotResponse>, Status> {
        unary!(self, GetSnapshot, request, backups::get)
    }

    async fn list_snapshots(
        &self,
        request: Request<proto::ListSnapshotsRequest>,
    ) -> Result<Response<proto::ListSnapshotsResponse>, Status> {
        unary!(self, ListSnapshots, request, backups::list)
    }

    async fn compare_snapshots(
        &self,
        request: Request<proto::CompareSnapshotsRequest>,
    ) -> Result<Response<proto::CompareSnapshotsResponse>, Status> {
        unary!(self, CompareSnapshots, request, comparison::compare)
    }

    async fn get_snapshot_workflow(
        &self,
        request: Request<proto::GetSnapshotWorkflowRequest>,
    ) -> Result<Response<proto::GetSnapshotWorkflowResponse>, Status> {
        unary!(self, GetSnapshotWorkflow, request, workflow::get)
    }

    async fn detect_drift(
        &self,
        request: Request<proto::DetectDriftRequest>,
    ) -> Result<Response<proto::DetectDriftResponse>, Status> {
        unary!(self, DetectDrift, request, comparison::drift)
    }

    async fn restore_snapshot(
        &self,
        request: Request<proto::RestoreSnapshotRequest>,
    ) -> Result<Response<proto::RestoreSnapshotResponse>, Status> {
        unary!(self, RestoreSnapshot, request, backups::restore)
    }
}
