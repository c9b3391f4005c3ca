//! `slipway.approvals.v1`.

mod refusals;
mod requests;
mod words;

use slipway_api::approvals::v1 as proto;
use slipway_api::approvals::v1::approval_service_server::ApprovalService;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl ApprovalService for Api {
    async fn approve(
        &self,
        request: Request<proto::ApproveRequest>,
    ) -> Result<Response<proto::ApproveResponse>, Status> {
        unary!(self, Approve, request, requests::approve)
    }

    async fn reject(
        &self,
        request: Request<proto::RejectRequest>,
    ) -> Result<Response<proto::RejectResponse>, Status> {
        unary!(self, Reject, request, requests::reject)
    }

    async fn get_approval_request(
        &self,
        request: Request<proto::GetApprovalRequestRequest>,
    ) -> Result<Response<proto::GetApprovalRequestResponse>, Status> {
        unary!(self, GetApprovalRequest, request, requests::get)
    }

    async fn list_approval_requests(
        &self,
        request: Request<proto::ListApprovalRequestsRequest>,
    ) -> Result<Response<proto::ListApprovalRequestsResponse>, Status> {
        unary!(self, ListApprovalRequests, request, requests::list)
    }
}
