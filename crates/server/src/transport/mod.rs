//! The gRPC transport: what every call passes before it reaches a service, and after.
//!
//! From the outside in: a request id, the access log with its metrics, panics, load shedding, the form of refusals,
//! deadlines. A service below may rely on a bounded time, a bounded number of neighbours, a [`RequestId`] among the
//! request's extensions and a span that carries it.

mod access;
mod deadline;
mod listener;
mod methods;
mod panics;
mod refusal;
mod request_id;
mod shed;
mod translate;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use slipway_kernel::IdGenerator;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::service::Routes;
use tonic::transport::server::{Router, TcpConnectInfo, TlsConnectInfo};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

pub use methods::{Method, Methods};
pub(crate) use refusal::name as code_name;
pub use refusal::{ERROR_DOMAIN, error_info, refusal, refusal_after};
pub use request_id::RequestId;

use self::listener::Listener;
use crate::config::{Config, Limits, Tls};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// How often an idle connection is probed, and how long it may take to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of headers that one call may bring.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// Serves gRPC within limits.
pub struct Transport {
    limits: Limits,
    tls: Option<Tls>,
    methods: Arc<Methods>,
    metrics: Arc<Metrics>,
    ids: Arc<dyn IdGenerator>,
    shutdown: Shutdown,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// Why calls can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A certificate or a key can't be read.
    #[error("`{path}`, named in [server.tls], can't be read")]
    TlsFile {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The certificate and the key are no PEM, or don't belong together.
    #[error(
        "the files named in [server.tls] can't be used; certificate and key must be PEM and belong together, and \
         client_ca_file must hold certificates as PEM"
    )]
    Tls(#[source] tonic::transport::Error),
    /// The listener failed.
    #[error("the gRPC listener failed")]
    Serve(#[source] tonic::transport::Error),
}

impl Transport {
    /// A transport for the methods that `methods` lists; others are answered too, and counted as `unknown`.
    pub fn new(
        config: &Config,
        methods: Methods,
        metrics: Arc<Metrics>,
        ids: Arc<dyn IdGenerator>,
        shutdown: Shutdown,
    ) -> Arc<Self> {
        let limits = config.limits.clone();
        Arc::new(Self {
            tls: config.server.tls.clone(),
            methods: Arc::new(methods),
            metrics,
            ids,
            shutdown,
            requests: Arc::new(Semaphore::new(limits.max_concurrent_requests)),
            streams: Arc::new(Semaphore::new(limits.max_open_streams)),
            connections: Arc::new(Semaphore::new(limits.max_connections)),
            limits,
        })
    }

    /// Serves `routes` on `listener` until the process drains and the last connection has closed. It doesn't bound
    /// that wait: its caller does.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        routes: Routes,
    ) -> Result<(), TransportError> {
        let listener = Listener {
            socket: listener,
            places: self.connections.clone(),
            metrics: self.metrics.clone(),
            shutdown: self.shutdown.clone(),
        };
        self.router(routes)
            .await?
            .serve_with_incoming_shutdown(listener.connections(), self.shutdown.draining())
            .await
            .map_err(TransportError::Serve)
    }

    /// Puts everything a call passes around `routes`.
    pub fn wrap(self: &Arc<Self>, routes: Routes) -> Routes {
        // The layer that is added last is the outermost.
        routes
            .into_axum_router()
            .layer(from_fn_with_state(self.clone(), deadline::enforce))
            .layer(from_fn_with_state(self.clone(), translate::statuses))
            .layer(from_fn_with_state(self.clone(), shed::admit))
            .layer(from_fn_with_state(self.clone(), panics::catch))
            .layer(from_fn_with_state(self.clone(), access::record))
            .layer(from_fn_with_state(self.clone(), request_id::assign))
            .into()
    }

    async fn router(self: &Arc<Self>, routes: Routes) -> Result<Router, TransportError> {
        let mut server = Server::builder()
            .max_concurrent_streams(self.limits.max_concurrent_streams)
            .max_connection_age(self.limits.max_connection_age)
            .max_connection_age_grace(self.limits.stream_timeout)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .http2_max_header_list_size(MAX_HEADER_BYTES);
        if let Some(tls) = &self.tls {
            server = encrypted(server, tls).await?;
        }
        Ok(server.add_routes(self.wrap(routes)))
    }
}

/// The same server behind the certificate that `tls` names. A client may show a certificate of its own where authorities of
/// clients are configured; one that they did not sign, or whose time is over, ends the connection.
async fn encrypted(server: Server, tls: &Tls) -> Result<Server, TransportError> {
    let identity = Identity::from_pem(
        read(&tls.certificate_file).await?,
        read(&tls.key_file).await?,
    );
    let mut config = ServerTlsConfig::new()
        .identity(identity)
        .timeout(HANDSHAKE_TIMEOUT);
    if let Some(path) = &tls.client_ca_file {
        let authorities = Certificate::from_pem(read(path).await?);
        config = config
            .client_ca_root(authorities)
            .client_auth_optional(true);
    }
    server.tls_config(config).map_err(TransportError::Tls)
}

/// Makes sure that what `tls` names can be used.
pub(crate) async fn check(tls: &Tls) -> Result<(), TransportError> {
    encrypted(Server::builder(), tls).await.map(drop)
}

/// The caller's address, where the call came over a socket.
pub fn peer(extensions: &http::Extensions) -> Option<std::net::SocketAddr> {
    let plain = extensions.get::<TcpConnectInfo>();
    let encrypted = || {
        extensions
            .get::<TlsConnectInfo<TcpConnectInfo>>()
            .map(TlsConnectInfo::get_ref)
    };
    plain
        .or_else(encrypted)
        .and_then(TcpConnectInfo::remote_addr)
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, TransportError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| TransportError::TlsFile {
            path: path.to_owned(),
            source,
        })
}
