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
use crate::transport::{self, Methods, Transport, TransportError};
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
    /// The services' routes. Each method authenticates by itself.
    pub routes: RoutesBuilder,
    /// The services' encoded `google.protobuf.FileDescriptorSet`s.
    pub descriptor_sets: Vec<&'static [u8]>,
    /// Lets only known callers through to reflection. Without it, reflection that needs a known caller isn't served.
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
}

/// A server that listens and doesn't answer yet: its addresses are known, and connections wait.
pub struct Listening {
    grpc: TcpListener,
    operations: Option<TcpListener>,
}

impl Listening {
    /// Takes the addresses that the configuration names; a port of 0 takes a free one. Before that it makes sure that
    /// the certificate and its key can be used, so that what listens can also answer.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        if let Some(tls) = &config.server.tls {
            transport::check(tls).await?;
        }
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
        stop: impl Future<Output = ()>,
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
                () = stop => {}
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
    match (config.server.reflection_access(), protect) {
        (ReflectionAccess::Open, _) => wellknown::add_reflection(&mut routes, descriptor_sets)?,
        (ReflectionAccess::Authenticated, Some(protect)) => {
            let mut reflection = RoutesBuilder::default();
            wellknown::add_reflection(&mut reflection, descriptor_sets)?;
            // Only one of two merged routers may say what becomes of unknown paths.
            let reflection = protect(reflection.routes())
                .into_axum_router()
                .reset_fallback();
            routes = RoutesBuilder::from(Routes::from(
                routes.routes().into_axum_router().merge(reflection),
            ));
        }
        (ReflectionAccess::Authenticated, None) | (ReflectionAccess::Off, _) => {}
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

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    use axum::response::Response;
    use tonic::{Code, Status};
    use tower::ServiceExt;

    use super::*;
    use crate::config::Tls;

    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const HEALTH: &str = "/grpc.health.v1.Health/Check";

    /// The code that a call without a token gets from a server on this address.
    async fn code(listen: &str, protect: Option<Protect>, path: &str) -> Code {
        let mut config = Config::default();
        config.server.listen = listen.parse().unwrap();
        let methods = Methods::from_descriptor_sets(&wellknown::DESCRIPTOR_SETS).unwrap();
        let assembled = assemble(&config, &methods, RoutesBuilder::default(), &[], protect).await;
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .body(tonic::body::Body::empty())
            .unwrap();
        let answer = assembled.unwrap().0.oneshot(request).await.unwrap();
        Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
    }

    fn refuse_all() -> Protect {
        let refuse =
            async |_: Request, _: Next| -> Response { Status::unauthenticated("").into_http() };
        Box::new(move |routes| routes.into_axum_router().layer(from_fn(refuse)).into())
    }

    #[tokio::test]
    async fn a_key_that_can_not_be_used_is_told_before_anything_listens() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.metrics_listen = None;
        let tls = Tls {
            certificate_file: folder.path().join("certificate.pem"),
            key_file: folder.path().join("key.pem"),
            client_ca_file: None,
        };
        config.server.tls = Some(tls.clone());
        let refusal = async || Listening::bind(&config).await.err().map(|e| e.to_string());

        let absent = refusal().await.unwrap();
        assert!(absent.contains("certificate.pem"), "{absent}");
        std::fs::write(&tls.certificate_file, made.cert.pem()).unwrap();
        std::fs::write(&tls.key_file, other.serialize_pem()).unwrap();
        let stranger = refusal().await.unwrap();
        assert!(stranger.contains("belong together"), "{stranger}");
        std::fs::write(&tls.key_file, "no key").unwrap();
        assert!(refusal().await.is_some());
        std::fs::write(&tls.key_file, made.signing_key.serialize_pem()).unwrap();
        assert_eq!(refusal().await, None);

        let authorities = folder.path().join("clients.pem");
        if let Some(tls) = &mut config.server.tls {
            tls.client_ca_file = Some(authorities.clone());
        }
        let refusal = async || Listening::bind(&config).await.err().map(|e| e.to_string());
        let absent = refusal().await.unwrap();
        assert!(absent.contains("clients.pem"), "{absent}");
        std::fs::write(&authorities, "no certificate").unwrap();
        let useless = refusal().await.unwrap();
        assert!(useless.contains("client_ca_file"), "{useless}");
        std::fs::write(&authorities, made.cert.pem()).unwrap();
        assert_eq!(refusal().await, None);
    }

    #[tokio::test]
    async fn reflection_is_open_on_loopback_and_protected_elsewhere() {
        assert_eq!(code("127.0.0.1:1", None, REFLECTION).await, Code::Ok);
        assert_eq!(
            code("127.0.0.1:1", Some(refuse_all()), REFLECTION).await,
            Code::Ok
        );
        assert_eq!(
            code("192.0.2.1:1", Some(refuse_all()), REFLECTION).await,
            Code::Unauthenticated
        );
        assert_eq!(
            code("192.0.2.1:1", None, REFLECTION).await,
            Code::Unimplemented
        );
    }

    #[tokio::test]
    async fn health_answers_everyone() {
        // Without a message, the service itself refuses the call.
        assert_eq!(
            code("192.0.2.1:1", Some(refuse_all()), HEALTH).await,
            Code::Internal
        );
    }
}
