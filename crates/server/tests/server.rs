//! A whole server on real sockets: TLS, reflection, operations, and the drain.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use slipway_server::config::{Config, Reflection, Tls};
use slipway_server::serve::{Listening, Process, ServeError, Services};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::Service;

/// A running server, stopped by [`Running::stop`].
struct Running {
    address: SocketAddr,
    operations: SocketAddr,
    process: Process,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(mut config: Config, services: Services) -> Self {
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
        let process = Process::new();
        let listening = Listening::bind(&config).await.unwrap();
        let address = listening.address().unwrap();
        let operations = listening.operations_address().unwrap().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn({
            let process = process.clone();
            async move {
                let stop = async { stopped.await.unwrap() };
                listening.serve(&config, &process, services, stop).await
            }
        });
        Self {
            address,
            operations,
            process,
            stop,
            ended,
        }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// The status line and body of a plain HTTP answer.
    async fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(self.operations).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn stop(self) -> Result<(), ServeError> {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap()
    }
}

async fn check(channel: Channel) -> Result<ServingStatus, Status> {
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await?;
    Ok(answer.into_inner().status())
}

/// The services that reflection lists, or the status it answers.
async fn reflected(channel: Channel) -> Result<Vec<String>, Status> {
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut client = ServerReflectionClient::new(channel);
    let requests = futures_util::stream::iter([request]);
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    match answers
        .message()
        .await?
        .and_then(|answer| answer.message_response)
    {
        Some(MessageResponse::ListServicesResponse(list)) => Ok(list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect()),
        other => panic!("reflection answered {other:?}"),
    }
}

/// A unary service that answers a health response once it is released.
#[derive(Clone)]
struct Slow {
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

impl tonic::server::NamedService for Slow {
    const NAME: &'static str = "test.v1.Slow";
}

impl Service<http::Request<Body>> for Slow {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let slow = self.clone();
        Box::pin(async move {
            slow.entered.notify_one();
            slow.release.notified().await;
            // A message of no bytes, which is a whole HealthCheckResponse.
            let message = http_body_util::Full::new(Bytes::from_static(&[0, 0, 0, 0, 0]));
            let trailers = async {
                let ok = (
                    http::HeaderName::from_static("grpc-status"),
                    http::HeaderValue::from_static("0"),
                );
                Some(Ok(http::HeaderMap::from_iter([ok])))
            };
            let body = http_body_util::BodyExt::with_trailers(message, trailers);
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok(response.body(Body::new(body)).unwrap())
        })
    }
}

async fn call_slow(channel: Channel) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client
        .ready()
        .await
        .map_err(|error| Status::unknown(error.to_string()))?;
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/test.v1.Slow/Call");
    let request = tonic::Request::new(HealthCheckRequest::default());
    client.unary(request, path, codec).await.map(drop)
}

fn slow() -> (Slow, Services) {
    let slow = Slow {
        entered: Arc::default(),
        release: Arc::default(),
    };
    let mut services = Services::default();
    services.routes.add_service(slow.clone());
    (slow, services)
}

#[tokio::test]
async fn health_reflection_and_operations_answer() {
    let server = Running::start(Config::default(), Services::default()).await;

    assert_eq!(
        check(server.channel().await).await.unwrap(),
        ServingStatus::Serving
    );
    let services = reflected(server.channel().await).await.unwrap();
    assert!(
        services.contains(&"grpc.health.v1.Health".to_owned()),
        "{services:?}"
    );
    assert!(
        services.contains(&"grpc.reflection.v1alpha.ServerReflection".to_owned()),
        "{services:?}"
    );
    let unknown = call_slow(server.channel().await).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);

    assert!(server.get("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(server.get("/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = server.get("/metrics").await;
    let line = r#"slipway_rpc_handled_total{method="/grpc.health.v1.Health/Check",code="OK"} 1"#;
    assert!(metrics.contains(line), "{metrics}");

    server.stop().await.unwrap();
}

#[tokio::test]
async fn reflection_can_be_switched_off() {
    let mut config = Config::default();
    config.server.reflection = Reflection::Never;
    let server = Running::start(config, Services::default()).await;
    let refused = reflected(server.channel().await).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn tls_is_served_from_files_and_plaintext_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls {
        certificate_file: directory.path().join("certificate.pem"),
        key_file: directory.path().join("key.pem"),
        client_ca_file: None,
    };
    std::fs::write(&tls.certificate_file, made.cert.pem()).unwrap();
    std::fs::write(&tls.key_file, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::default();
    config.server.tls = Some(tls);
    let server = Running::start(config, Services::default()).await;

    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(made.cert.pem()))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).unwrap();
    let channel = endpoint.tls_config(trust).unwrap().connect().await.unwrap();
    assert_eq!(check(channel).await.unwrap(), ServingStatus::Serving);

    assert!(check(server.channel().await).await.is_err());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_absent_certificate_is_named() {
    let mut config = Config::default();
    config.server.tls = Some(Tls {
        certificate_file: "no/such.pem".into(),
        key_file: "no/such.key".into(),
        client_ca_file: None,
    });
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.metrics_listen = None;
    let Err(error) = Listening::bind(&config).await else {
        panic!("there is no certificate");
    };
    assert!(error.to_string().contains("no/such.pem"), "{error}");
}

#[tokio::test]
async fn a_drain_waits_for_calls_in_flight_and_takes_no_new_ones() {
    let (slow, services) = slow();
    let server = Running::start(Config::default(), services).await;
    let call = tokio::spawn(call_slow(server.channel().await));
    slow.entered.notified().await;
    let mut watch = HealthClient::new(server.channel().await)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );

    server.stop.send(()).unwrap();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    server.process.shutdown.draining().await;
    for attempt in 0.. {
        if TcpStream::connect(server.address).await.is_err() {
            break;
        }
        assert!(attempt < 100, "connections are still accepted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!server.ended.is_finished(), "a call is in flight");

    slow.release.notify_one();
    call.await.unwrap().unwrap();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let (slow, services) = slow();
    let mut config = Config::default();
    config.server.drain_timeout = Duration::from_millis(50);
    let server = Running::start(config, services).await;
    let call = tokio::spawn(call_slow(server.channel().await));
    slow.entered.notified().await;

    server.stop().await.unwrap();
    call.abort();
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::default();
    config.server.listen = taken.local_addr().unwrap();
    let Err(error) = Listening::bind(&config).await else {
        panic!("the address is taken");
    };
    let words = error.to_string();
    assert!(
        words.contains(&config.server.listen.to_string()) && words.contains("server.listen"),
        "{words}"
    );
}
