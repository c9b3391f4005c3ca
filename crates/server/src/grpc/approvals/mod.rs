//! `slipway.approvals.v1`.

mod freezes;
mod overriding;
mod policies;
mod refusals;
mod requests;
mod schedules;
mod shown;
mod words;

use slipway_api::approvals::v1 as proto;
use slipway_api::approvals::v1::approval_service_server::ApprovalService;
use slipway_api::approvals::v1::freeze_service_server::FreezeService;
use tonic::{Request, Response, Status};

pub(super) use self::words::shown_state;
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

    async fn withdraw_approval(
        &self,
        request: Request<proto::WithdrawApprovalRequest>,
    ) -> Result<Response<proto::WithdrawApprovalResponse>, Status> {
        unary!(self, WithdrawApproval, request, requests::withdraw)
    }

    async fn override_approval(
        &self,
        request: Request<proto::OverrideApprovalRequest>,
    ) -> Result<Response<proto::OverrideApprovalResponse>, Status> {
        unary!(
            self,
            OverrideApproval,
            request,
            overriding::override_approval
        )
    }

    async fn review_override(
        &self,
        request: Request<proto::ReviewOverrideRequest>,
    ) -> Result<Response<proto::ReviewOverrideResponse>, Status> {
        unary!(self, ReviewOverride, request, overriding::review)
    }

    async fn set_policy(
        &self,
        request: Request<proto::SetPolicyRequest>,
    ) -> Result<Response<proto::SetPolicyResponse>, Status> {
        unary!(self, SetPolicy, request, policies::set)
    }

    async fn get_policy(
        &self,
        request: Request<proto::GetPolicyRequest>,
    ) -> Result<Response<proto::GetPolicyResponse>, Status> {
        unary!(self, GetPolicy, request, policies::get)
    }

    async fn list_policies(
        &self,
        request: Request<proto::ListPoliciesRequest>,
    ) -> Result<Response<proto::ListPoliciesResponse>, Status> {
        unary!(self, ListPolicies, request, policies::list)
    }

    async fn delete_policy(
        &self,
        request: Request<proto::DeletePolicyRequest>,
    ) -> Result<Response<proto::DeletePolicyResponse>, Status> {
        unary!(self, DeletePolicy, request, policies::delete)
    }
}

#[tonic::async_trait]
impl FreezeService for Api {
    async fn create_freeze_window(
        &self,
        request: Request<proto::CreateFreezeWindowRequest>,
    ) -> Result<Response<proto::CreateFreezeWindowResponse>, Status> {
        unary!(self, CreateFreezeWindow, request, freezes::create)
    }

    async fn get_freeze_window(
        &self,
        request: Request<proto::GetFreezeWindowRequest>,
    ) -> Result<Response<proto::GetFreezeWindowResponse>, Status> {
        unary!(self, GetFreezeWindow, request, freezes::get)
    }

    async fn list_freeze_windows(
        &self,
        request: Request<proto::ListFreezeWindowsRequest>,
    ) -> Result<Response<proto::ListFreezeWindowsResponse>, Status> {
        unary!(self, ListFreezeWindows, request, freezes::list)
    }

    async fn update_freeze_window(
        &self,
        request: Request<proto::UpdateFreezeWindowRequest>,
    ) -> Result<Response<proto::UpdateFreezeWindowResponse>, Status> {
        unary!(self, UpdateFreezeWindow, request, freezes::update)
    }

    async fn delete_freeze_window(
        &self,
        request: Request<proto::DeleteFreezeWindowRequest>,
    ) -> Result<Response<proto::DeleteFreezeWindowResponse>, Status> {
        unary!(self, DeleteFreezeWindow, request, freezes::delete)
    }

    async fn override_freeze(
        &self,
        request: Request<proto::OverrideFreezeRequest>,
    ) -> Result<Response<proto::OverrideFreezeResponse>, Status> {
        unary!(self, OverrideFreeze, request, freezes::let_through)
    }
}
