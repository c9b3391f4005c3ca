//! A call's way through the transport, without a socket.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;
use uuid::Uuid;

use super::*;

/// Gives the same id each time.
struct OneId;

impl IdGenerator for OneId {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(7)
    }
}

/// A transport around a service with the methods `Echo`, `Hang`, `Panic` (unary) and `Tick`, `Fall`, `Silent` (streams).
pub(super) struct Bench {
    pub(super) transport: Arc<Transport>,
    routes: Routes,
    /// Lets every `Hang` answer.
    release: Arc<Notify>,
}

impl Bench {
    pub(super) fn new(limits: Limits) -> Self {
        let config = Config {
            limits,
            ..Config::default()
        };
        let transport = Transport::new(
            &config,
            methods(),
            Arc::new(Metrics::new()),
            Arc::new(OneId),
            Shutdown::default(),
        );
        let release = Arc::new(Notify::new());
        let hang = release.clone();
        let router = Router::new()
            .route("/test.v1.Test/Echo", post(async || ok()))
            .route("/grpc.health.v1.Health/Check", post(async || ok()))
            .route(
                "/test.v1.Test/Hang",
                post(async move || {
                    hang.notified().await;
                    ok()
                }),
            )
            .route("/test.v1.Test/Panic", post(fails))
            .route(
                "/test.v1.Test/Tick",
                post(async || {
                    frames(stream::repeat(()).then(async |()| {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Frame::data(Bytes::from_static(b"tick"))
                    }))
                }),
            )
            .route(
                "/test.v1.Test/Fall",
                post(async || frames(stream::once(async { panic!("secret words") }))),
            )
            .route(
                "/test.v1.Test/Silent",
                post(async || frames(stream::pending())),
            )
            .route(
                "/grpc.health.v1.Health/Watch",
                post(async || frames(stream::pending())),
            );
        Self {
            routes: transport.wrap(Routes::from(router)),
            transport,
            release,
        }
    }

    async fn call(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Response<tonic::body::Body> {
        let mut request = Request::post(path).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(tonic::body::Body::empty()).unwrap();
        self.routes.clone().oneshot(request).await.unwrap()
    }

    /// The status at the answer's end, and how many messages came before.
    async fn status(&self, path: &str, headers: &[(&'static str, &str)]) -> (Status, usize) {
        end(self.call(path, headers).await).await
    }

    fn metric(&self, line: &str) -> bool {
        self.transport
            .metrics
            .encode()
            .unwrap()
            .lines()
            .any(|found| found == line)
    }
}

pub(super) async fn end(response: Response<tonic::body::Body>) -> (Status, usize) {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return (status, 0);
    }
    let (mut body, mut messages) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        match frame.unwrap().into_trailers() {
            Ok(trailers) => return (Status::from_header_map(&trailers).unwrap(), messages),
            Err(_) => messages += 1,
        }
    }
    panic!("the answer ended without a status");
}

async fn fails() -> Response {
    panic!("secret words")
}

/// A unary answer: one message, then OK.
fn ok() -> Response {
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )]);
    frames(stream::iter([
        Frame::data(Bytes::from_static(b"ok")),
        Frame::trailers(trailers),
    ]))
}

fn frames(frames: impl stream::Stream<Item = Frame<Bytes>> + Send + 'static) -> Response {
    Response::new(Body::new(StreamBody::new(
        frames.map(Ok::<_, std::convert::Infallible>),
    )))
}

fn methods() -> Methods {
    let method = |name: &str, streaming: bool| MethodDescriptorProto {
        name: Some(name.to_owned()),
        server_streaming: Some(streaming),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Test".to_owned()),
        method: vec![
            method("Echo", false),
            method("Hang", false),
            method("Panic", false),
            method("Tick", true),
            method("Fall", true),
            method("Silent", true),
        ],
        options: None,
    };
    let file = FileDescriptorProto {
        package: Some("test.v1".to_owned()),
        service: vec![service],
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    Methods::from_descriptor_sets(&[&set, tonic_health::pb::FILE_DESCRIPTOR_SET]).unwrap()
}

pub(super) fn reason(status: &Status) -> String {
    let info = status
        .get_details_error_info()
        .expect("every refusal gives a reason");
    assert_eq!(info.domain, "slipway");
    info.reason
}

/// Waits until `count` calls are in flight.
async fn in_flight(bench: &Bench, count: i64) {
    for _ in 0..1000 {
        if bench.transport.metrics.in_flight.get() == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!(
        "{} calls are in flight, not {count}",
        bench.transport.metrics.in_flight.get()
    );
}

#[tokio::test]
async fn a_callers_request_id_comes_back_and_others_get_a_new_one() {
    let bench = Bench::new(Limits::default());
    let new = Uuid::from_u128(7).to_string();
    let long = "x".repeat(129);
    for (given, expected) in [
        (Some("build-42/a"), "build-42/a"),
        (None, &*new),
        (Some("two words"), &*new),
        (Some(""), &*new),
        (Some(&*long), &*new),
        (Some("é"), &*new),
    ] {
        let headers: Vec<_> = given
            .map(|given| ("x-request-id", given))
            .into_iter()
            .collect();
        let answer = bench.call("/test.v1.Test/Echo", &headers).await;
        assert_eq!(answer.headers()["x-request-id"], expected, "{given:?}");
    }
    let refused = bench
        .call("/no.Such/Method", &[("x-request-id", "a")])
        .await;
    assert_eq!(refused.headers()["x-request-id"], "a");
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_refused_and_health_is_not() {
    let bench = Arc::new(Bench::new(Limits {
        max_concurrent_requests: 1,
        max_open_streams: 1,
        ..Limits::default()
    }));
    let first = tokio::spawn({
        let bench = bench.clone();
        async move { bench.status("/test.v1.Test/Hang", &[]).await.0.code() }
    });
    in_flight(&bench, 1).await;

    let (refused, _) = bench.status("/test.v1.Test/Echo", &[]).await;
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason(&refused), "OVERLOADED");
    assert!(refused.get_details_retry_info().is_some());
    assert!(bench.metric("slipway_rpc_shed_total 1"));
    assert_eq!(
        bench
            .status("/grpc.health.v1.Health/Check", &[])
            .await
            .0
            .code(),
        Code::Ok
    );

    // Streams have places of their own. A refused one has its status in its head.
    let refusal = async || {
        let answer = bench.call("/test.v1.Test/Tick", &[]).await;
        (
            Status::from_header_map(answer.headers()).map(|status| status.code()),
            answer,
        )
    };
    let (admitted, open) = refusal().await;
    assert_eq!(admitted, None);
    assert_eq!(refusal().await.0, Some(Code::ResourceExhausted));
    drop(open);
    assert_eq!(refusal().await.0, None);

    bench.release.notify_one();
    assert_eq!(first.await.unwrap(), Code::Ok);
    assert_eq!(
        bench.status("/test.v1.Test/Echo", &[]).await.0.code(),
        Code::Ok
    );
}

#[tokio::test]
async fn a_place_is_held_until_the_answer_has_ended() {
    let bench = Bench::new(Limits {
        max_concurrent_requests: 1,
        ..Limits::default()
    });
    let unread = bench.call("/test.v1.Test/Echo", &[]).await;
    assert_eq!(
        bench.status("/test.v1.Test/Echo", &[]).await.0.code(),
        Code::ResourceExhausted
    );
    drop(unread);
    assert_eq!(
        bench.status("/test.v1.Test/Echo", &[]).await.0.code(),
        Code::Ok
    );
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_ends_at_the_sooner_deadline() {
    let bench = Bench::new(Limits::default());
    for (headers, after, words) in [
        (vec![], 30_000, "30s"),
        (vec![("grpc-timeout", "200m")], 195, "the caller set"),
        (vec![("grpc-timeout", "8m")], 7, "the caller set"),
        (vec![("grpc-timeout", "99999999H")], 30_000, "30s"),
    ] {
        let began = tokio::time::Instant::now();
        let (status, _) = bench.status("/test.v1.Test/Hang", &headers).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(reason(&status), "DEADLINE_PASSED");
        assert!(status.message().contains(words), "{}", status.message());
        let took = began.elapsed().as_millis();
        assert!((after..=after + 1).contains(&took), "{took} ms");
    }
    assert!(bench.metric(
        r#"slipway_rpc_handled_total{method="/test.v1.Test/Hang",code="DEADLINE_EXCEEDED"} 4"#
    ));
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_a_deadline_for_its_whole_life_and_one_for_silence() {
    let bench = Bench::new(Limits {
        stream_timeout: Duration::from_millis(59_500),
        stream_idle_timeout: Duration::from_secs(10),
        ..Limits::default()
    });
    let (status, messages) = bench.status("/test.v1.Test/Tick", &[]).await;
    assert_eq!((status.code(), messages), (Code::DeadlineExceeded, 59));
    assert_eq!(reason(&status), "DEADLINE_PASSED");

    let (status, messages) = bench
        .status("/test.v1.Test/Tick", &[("grpc-timeout", "5S")])
        .await;
    assert_eq!((status.code(), messages), (Code::DeadlineExceeded, 4));

    let (status, _) = bench.status("/test.v1.Test/Silent", &[]).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(
        status
            .message()
            .contains("no message went either way for 10s")
    );
}

#[tokio::test]
async fn a_drain_ends_health_watches() {
    let bench = Bench::new(Limits::default());
    let watch = bench.call("/grpc.health.v1.Health/Watch", &[]).await;
    bench.transport.shutdown.begin();
    let (status, _) = end(watch).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(reason(&status), "SHUTTING_DOWN");
}

#[tokio::test]
async fn a_panic_fails_its_own_call_without_details() {
    let bench = Bench::new(Limits::default());
    for path in ["/test.v1.Test/Panic", "/test.v1.Test/Fall"] {
        let (status, _) = bench.status(path, &[("x-request-id", "call-1")]).await;
        assert_eq!(status.code(), Code::Internal);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (&*info.reason, &*info.metadata["correlation_id"]),
            ("INTERNAL", "call-1")
        );
        assert!(!status.message().contains("secret"), "{}", status.message());
        assert!(bench.metric(&format!(
            r#"slipway_rpc_handled_total{{method="{path}",code="INTERNAL"}} 1"#
        )));
    }
    assert!(bench.metric("slipway_rpc_panics_total 2"));
    assert_eq!(
        bench.status("/test.v1.Test/Echo", &[]).await.0.code(),
        Code::Ok
    );
}

#[tokio::test]
async fn every_call_is_counted_once_under_a_bounded_name() {
    let bench = Bench::new(Limits::default());
    bench.status("/test.v1.Test/Echo", &[]).await;
    drop(bench.call("/test.v1.Test/Tick", &[]).await);
    bench.call("/made/up", &[]).await;
    bench.call("/made/up/too", &[]).await;

    assert!(bench.metric(r#"slipway_rpc_handled_total{method="/test.v1.Test/Echo",code="OK"} 1"#));
    assert!(
        bench
            .metric(r#"slipway_rpc_handled_total{method="/test.v1.Test/Tick",code="CANCELLED"} 1"#)
    );
    let text = bench.transport.metrics.encode().unwrap();
    assert!(
        text.contains(r#"method="unknown""#) && !text.contains("made/up"),
        "{text}"
    );
    assert!(bench.metric("slipway_rpc_in_flight 0"));
}
