//! The callers: the generated clients, over connections of their own, with a token.

use std::time::Duration;

use slipway_api::catalog::v1::ApplicationKind;
use slipway_api::ledger::v1 as ledger;
use slipway_api::ledger::v1::ledger_service_client::LedgerServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Failure;
use crate::load::{Run, Until, closed_loop, scattered};

/// The project that all benchmarks work in.
pub(crate) const PROJECT: &str = "default";
/// Applications in most benchmarks, `app-0` and up.
pub(crate) const APPLICATIONS: u64 = 400;
/// Environments in most benchmarks, `env-0` and up.
pub(crate) const ENVIRONMENTS: u64 = 20;
/// Versions of each application, `v0` and up.
pub(crate) const VERSIONS: u64 = 5;
/// Clients of a benchmark under load, and the connections that they share: the same on both sides of a ratio.
pub(crate) const CLIENTS: usize = 16;
/// `pgbench -j` and HTTP/2 connections.
pub(crate) const CONNECTIONS: usize = 4;

/// Callers that share some connections to one server.
#[derive(Clone)]
pub(crate) struct Callers {
    channels: Vec<Channel>,
    token: MetadataValue<Ascii>,
}

impl Callers {
    /// Opens the connections.
    pub(crate) async fn connect(
        address: &str,
        token: &str,
        connections: usize,
    ) -> Result<Self, Failure> {
        let mut channels = Vec::new();
        for _ in 0..connections {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?
                .connect_timeout(Duration::from_secs(5))
                .initial_connection_window_size(4 << 20)
                .initial_stream_window_size(2 << 20);
            channels.push(endpoint.connect().await?);
        }
        Ok(Self {
            channels,
            token: bearer(token)?,
        })
    }

    /// A connection, for the other services.
    pub(crate) fn channel(&self) -> Channel {
        self.channels[0].clone()
    }

    /// The connection of this client.
    pub(crate) fn connection(&self, client: usize) -> Channel {
        self.channels[client % self.channels.len()].clone()
    }

    /// Somebody else on the same connections.
    pub(crate) fn known_by(&self, token: &str) -> Result<Self, Failure> {
        Ok(Self {
            channels: self.channels.clone(),
            token: bearer(token)?,
        })
    }

    /// The ledger, as this client calls it.
    pub(crate) fn ledger(&self, client: usize) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.connection(client)).max_decoding_message_size(16 << 20)
    }

    /// A request with the token in it.
    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.token.clone());
        request
    }

    /// Empty unary calls (`grpc.health.v1.Health/Check`) over the same connections.
    pub(crate) async fn empty(&self, clients: usize, until: Until) -> Result<Run, Failure> {
        let this = self.clone();
        closed_loop(clients, until, move |client, _| {
            let mut health = HealthClient::new(this.connection(client));
            let request = this.request(HealthCheckRequest::default());
            async move {
                health.check(request).await?;
                Ok(())
            }
        })
        .await
    }

    /// `RecordDeployment` of random applications into random environments; each must become a new record.
    pub(crate) async fn record(&self, clients: usize, until: Until) -> Result<Run, Failure> {
        let this = self.clone();
        closed_loop(clients, until, move |client, number| {
            let mut service = this.ledger(client);
            let random = scattered(client, number);
            let request = this.request(ledger::RecordDeploymentRequest {
                project: PROJECT.to_owned(),
                report: Some(ledger::DeploymentReport {
                    application: format!("app-{}", random % APPLICATIONS),
                    version: format!("v{}", random / 1000 % VERSIONS),
                    environment: format!("env-{}", random / 100_000 % ENVIRONMENTS),
                    ..ledger::DeploymentReport::default()
                }),
                ..ledger::RecordDeploymentRequest::default()
            });
            async move {
                let answer = service.record_deployment(request).await?.into_inner();
                if answer.already_present {
                    return Err("a record that should be new was already present".into());
                }
                Ok(())
            }
        })
        .await
    }

    /// `ResolveVersion` of random cells, each with the token that `token` gives.
    pub(crate) async fn resolve_with(
        &self,
        clients: usize,
        until: Until,
        token: impl Fn(usize, u64) -> MetadataValue<Ascii> + Send + Sync + 'static,
    ) -> Result<Run, Failure> {
        let this = self.clone();
        closed_loop(clients, until, move |client, number| {
            let mut service = this.ledger(client);
            let random = scattered(client, number);
            let mut request = tonic::Request::new(ledger::ResolveVersionRequest {
                project: PROJECT.to_owned(),
                environment: format!("env-{}", random / 100_000 % ENVIRONMENTS),
                application: format!("app-{}", random % APPLICATIONS),
                ..ledger::ResolveVersionRequest::default()
            });
            request
                .metadata_mut()
                .insert("authorization", token(client, number));
            async move {
                let answer = service.resolve_version(request).await?.into_inner();
                if answer.version.is_empty() {
                    return Err("ResolveVersion answered without a version".into());
                }
                Ok(())
            }
        })
        .await
    }

    /// `ResolveVersion` of random cells.
    pub(crate) async fn resolve(&self, clients: usize, until: Until) -> Result<Run, Failure> {
        let token = self.token.clone();
        self.resolve_with(clients, until, move |_, _| token.clone())
            .await
    }

    /// `GetCurrentState` of random cells.
    pub(crate) async fn cell(&self, clients: usize, until: Until) -> Result<Run, Failure> {
        let this = self.clone();
        closed_loop(clients, until, move |client, number| {
            let mut service = this.ledger(client);
            let random = scattered(client, number);
            let request = this.request(ledger::GetCurrentStateRequest {
                project: PROJECT.to_owned(),
                environment: format!("env-{}", random / 100_000 % ENVIRONMENTS),
                application: format!("app-{}", random % APPLICATIONS),
                ..ledger::GetCurrentStateRequest::default()
            });
            async move {
                let answer = service.get_current_state(request).await?.into_inner();
                let state = answer
                    .state
                    .ok_or("GetCurrentState answered with an empty cell")?;
                if state.application_kind != ApplicationKind::Service as i32 {
                    return Err("GetCurrentState answered with another kind of application".into());
                }
                Ok(())
            }
        })
        .await
    }
}

/// A token as metadata.
pub(crate) fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Failure> {
    Ok(format!("Bearer {token}").parse()?)
}
