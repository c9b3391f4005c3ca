//! Starts everything, and stops it in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use slipway_kernel::{Clock, IdGenerator};
use tokio::net::TcpListener;
use tonic::service::{Routes, RoutesBuilder};

use crate::config::{Config, ReflectionAccess};
use crate::metrics::Metrics;
use crate::operations::{Operations, Probe};
use crate::shutdown::Shutdown;
use crate::system::{SystemClock, SystemIds};
use crate::transport::{Methods, Transport, TransportError};
use crate::wellknown::{self, Health};

/// What all parts of one process share. Made first, so that services can be built with it.
#[derive(Clone)]
pub struct Process {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes identifiers.
    pub ids: Arc<dyn IdGenerator>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells of the end.
    pub shutdown: Shutdown,
}

impl Process {
    /// A process on the machine's clock.
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            metrics: Arc::new(Metrics::new()),
            shutdown: Shutdown::default(),
        }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// What is served, beside health, reflection and metrics.
#[derive(Default)]
pub struct Services {
    /// The services' routes. [`Services::protect`] is put around them.
    pub routes: RoutesBuilder,
    /// The services' encoded `google.protobuf.FileDescriptorSet`s.
    pub descriptor_sets: Vec<&'static [u8]>,
    /// Lets only known callers through. Without it, reflection that needs a known caller isn't served.
    pub protect: Option<Protect>,
    /// What `/readyz` asks.
    pub probes: Vec<Box<dyn Probe>>,
}

/// Puts authentication around routes, by `Routes::into_axum_router`, `layer` and `Routes::from`.
pub type Protect = Box<dyn FnOnce(Routes) -> Routes + Send>;

/// Why the server can't start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener's address can't be had.
    #[error("can't listen on {address}, given as `{setting}`; is another server running there?")]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A descriptor set can't be decoded.
    #[error("the services' descriptors can't be decoded")]
    Descriptors(#[from] prost::DecodeError),
    /// Reflection refuses the descriptors.
    #[error("the services' descriptors can't be served by reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport can't start, or failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The operators' listener failed.
    #[error("the listener of `server.metrics_listen` failed")]
    Operations(#[source] std::io::Error),
    /// The signals that stop the server can't be listened for.
    #[error("can't listen for signals")]
    Signals(#[source] std::io::Error),
}

/// A server that listens and doesn't answer yet: its addresses are known, and connections wait.
pub struct Listening {
    grpc: TcpListener,
    operations: Option<TcpListener>,
}

impl Listening {
    /// Takes the addresses that the configuration names; a port of 0 takes a free one.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        let grpc = bind("server.listen", config.server.listen).await?;
        let operations = match config.server.metrics_listen {
            Some(address) => Some(bind("server.metrics_listen", address).await?),
            None => None,
        };
        Ok(Self { grpc, operations })
    }

    /// Where gRPC is served.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// Where metrics are served, if they are.
    pub fn operations_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.operations.as_ref().map(TcpListener::local_addr)
    }

    /// Serves until `stop` is ready, then drains: health says `NOT_SERVING`, watchers are told to end, no connection is
    /// accepted, and calls in flight have `server.drain_timeout` to end. A call that takes longer is cut off when the
    /// process ends.
    pub async fn serve(
        self,
        config: &Config,
        process: &Process,
        services: Services,
        stop: impl Future<Output = std::io::Result<()>>,
    ) -> Result<(), ServeError> {
        let sets: Vec<&[u8]> = services
            .descriptor_sets
            .iter()
            .copied()
            .chain(wellknown::DESCRIPTOR_SETS)
            .collect();
        let methods = Methods::from_descriptor_sets(&sets)?;
        let (routes, health) = assemble(
            config,
            &methods,
            services.routes,
            &services.descriptor_sets,
            services.protect,
        )
        .await?;
        let operations = Operations {
            metrics: process.metrics.clone(),
            shutdown: process.shutdown.clone(),
            probes: services.probes.into(),
        };
        let transport = Transport::new(
            config,
            methods,
            process.metrics.clone(),
            process.ids.clone(),
            process.shutdown.clone(),
        );

        let operating = serve_operations(operations, self.operations);
        let serving = async {
            let answering = transport.serve(self.grpc, routes);
            tokio::pin!(answering);
            tokio::select! {
                ended = &mut answering => return Ok(ended?),
                signal = stop => signal.map_err(ServeError::Signals)?,
            }
            tracing::info!("stopping: calls in flight may end");
            health.stop().await;
            process.shutdown.begin();
            if let Ok(ended) = tokio::time::timeout(config.server.drain_timeout, answering).await {
                tracing::info!("stopped");
                return Ok(ended?);
            }
            let in_flight = process.metrics.in_flight.get();
            tracing::warn!(
                in_flight,
                "stopped before all calls had ended: server.drain_timeout is over"
            );
            Ok(())
        };
        tokio::select! {
            ended = serving => ended,
            failed = operating => failed,
        }
    }
}

/// All routes, each behind what guards it.
async fn assemble(
    config: &Config,
    methods: &Methods,
    mut routes: RoutesBuilder,
    descriptor_sets: &[&'static [u8]],
    protect: Option<Protect>,
) -> Result<(Routes, Health), ServeError> {
    let access = config.server.reflection_access();
    if access == ReflectionAccess::Authenticated && protect.is_some() {
        wellknown::add_reflection(&mut routes, descriptor_sets)?;
    }
    let mut routes = match protect {
        Some(protect) => RoutesBuilder::from(protect(routes.routes())),
        None => routes,
    };
    if access == ReflectionAccess::Open {
        wellknown::add_reflection(&mut routes, descriptor_sets)?;
    }
    let health = Health::add(&mut routes, methods.services()).await;
    Ok((routes.routes(), health))
}

/// Serves for ever, where there is a listener, or until it fails.
async fn serve_operations(
    operations: Operations,
    listener: Option<TcpListener>,
) -> Result<(), ServeError> {
    match listener {
        Some(listener) => operations
            .serve(listener)
            .await
            .map_err(ServeError::Operations),
        None => std::future::pending().await,
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen {
            setting,
            address,
            source,
        })
}
