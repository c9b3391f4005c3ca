//! Clients that bear a token and remember what they saw.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::{Frame, SizeHint};
use slipway_api::approvals::v1::approval_service_client::ApprovalServiceClient;
use slipway_api::approvals::v1::freeze_service_client::FreezeServiceClient;
use slipway_api::audit::v1::audit_service_client::AuditServiceClient;
use slipway_api::catalog::v1::application_service_client::ApplicationServiceClient;
use slipway_api::catalog::v1::environment_service_client::EnvironmentServiceClient;
use slipway_api::deployments::v1::deployment_service_client::DeploymentServiceClient;
use slipway_api::deployments::v1::pipeline_service_client::PipelineServiceClient;
use slipway_api::deployments::v1::template_service_client::TemplateServiceClient;
use slipway_api::identity::v1::identity_service_client::IdentityServiceClient;
use slipway_api::ledger::v1::ledger_service_client::LedgerServiceClient;
use slipway_api::notifications::v1::webhook_service_client::WebhookServiceClient;
use slipway_api::snapshots::v1::snapshot_service_client::SnapshotServiceClient;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use crate::{Backend, coverage};

/// A caller: a connection, and the token it presents.
#[derive(Debug, Clone)]
pub struct Client {
    wire: Wire,
    /// The caller's principal; empty where there is none.
    pub principal_id: String,
}

impl Client {
    /// A caller of a server on this database that presents this token, or none.
    pub fn new(backend: Backend, channel: Channel, token: Option<&str>) -> Self {
        let authorization = token.map(|token| {
            format!("Bearer {token}")
                .parse()
                .expect("a token is printable")
        });
        Self {
            wire: Wire {
                backend,
                channel,
                authorization: Arc::new(authorization),
            },
            principal_id: String::new(),
        }
    }

    /// The same connection with another token, or with none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self::new(self.wire.backend, self.wire.channel.clone(), token)
    }

    /// The same caller, known to be this principal.
    #[must_use]
    pub fn known_as(self, principal_id: impl Into<String>) -> Self {
        Self {
            principal_id: principal_id.into(),
            ..self
        }
    }

    /// The token that the caller presents, if it does.
    pub fn token(&self) -> Option<&str> {
        let authorization = self.wire.authorization.as_ref().as_ref()?;
        authorization.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// The connection itself.
    pub fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// Principals, projects, memberships and tokens.
    pub fn identity(&self) -> IdentityServiceClient<Wire> {
        IdentityServiceClient::new(self.wire())
    }

    /// Environments.
    pub fn environments(&self) -> EnvironmentServiceClient<Wire> {
        EnvironmentServiceClient::new(self.wire())
    }

    /// Applications and versions.
    pub fn applications(&self) -> ApplicationServiceClient<Wire> {
        ApplicationServiceClient::new(self.wire())
    }

    /// Records and the current state.
    pub fn ledger(&self) -> LedgerServiceClient<Wire> {
        LedgerServiceClient::new(self.wire())
    }

    /// Deployments.
    pub fn deployments(&self) -> DeploymentServiceClient<Wire> {
        DeploymentServiceClient::new(self.wire())
    }

    /// Approval requests.
    pub fn approvals(&self) -> ApprovalServiceClient<Wire> {
        ApprovalServiceClient::new(self.wire())
    }

    /// Freezes.
    pub fn freezes(&self) -> FreezeServiceClient<Wire> {
        FreezeServiceClient::new(self.wire())
    }

    /// Snapshots.
    pub fn snapshots(&self) -> SnapshotServiceClient<Wire> {
        SnapshotServiceClient::new(self.wire())
    }

    /// Pipelines.
    pub fn pipelines(&self) -> PipelineServiceClient<Wire> {
        PipelineServiceClient::new(self.wire())
    }

    /// Templates for releases.
    pub fn templates(&self) -> TemplateServiceClient<Wire> {
        TemplateServiceClient::new(self.wire())
    }

    /// Webhooks.
    pub fn webhooks(&self) -> WebhookServiceClient<Wire> {
        WebhookServiceClient::new(self.wire())
    }

    /// The audit trail.
    pub fn audit(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::new(self.wire())
    }
}

/// A connection that adds the token to each call and hands the call's outcome to [`coverage`].
#[derive(Debug, Clone)]
pub struct Wire {
    backend: Backend,
    channel: Channel,
    authorization: Arc<Option<header::HeaderValue>>,
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(authorization) = &*self.authorization {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization.clone());
        }
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let backend = self.backend;
        let answer = self.channel.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let mut watched = Watched {
                backend,
                method,
                body: Body::empty(),
                had_message: false,
                ended: false,
            };
            // A refusal without a message has its status in the headers.
            watched.look(response.headers());
            Ok(response.map(|body| {
                watched.body = body;
                Body::new(watched)
            }))
        })
    }
}

/// The body of an answer, whose end says how the call went.
#[derive(Debug)]
struct Watched {
    backend: Backend,
    method: String,
    body: Body,
    had_message: bool,
    ended: bool,
}

impl Watched {
    fn look(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers).filter(|_| !self.ended) {
            coverage::saw(self.backend, &self.method, &status);
            self.ended = true;
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            if let Some(trailers) = frame.trailers_ref() {
                self.look(trailers);
            } else {
                self.had_message = true;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    /// A stream that the caller left after a message was a success: a watch has no other end.
    fn drop(&mut self) {
        if self.had_message && !self.ended {
            coverage::saw(self.backend, &self.method, &Status::ok(""));
        }
    }
}
