//! The door: connections, faults, the key, and the way to each resource.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::faults::{Control, Place};
use crate::refusal::{self, Refusal};
use crate::state::{Delays, State};
use crate::{Call, Effect, Fault, MAX_BODY, Options};
use crate::{credentials, tags, workflows};

/// The root of the API.
const ROOT: &str = "/api/v1";

/// The most bytes that are read of a body that is too large, so that its sender gets to see the answer.
const MOST_READ: usize = 4 * MAX_BODY;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    control: Mutex<Control>,
    api_key: String,
    /// How many calls are held, and how often held ones were let go.
    held: watch::Sender<usize>,
    released: watch::Sender<usize>,
}

impl Shared {
    pub(crate) fn new(options: Options, port: u16) -> Self {
        let delays = Delays {
            registering: options.registering,
            releasing: options.releasing,
        };
        let state = State::new(options.known_types, options.shuffle, delays, port.into());
        Self {
            state: Mutex::new(state),
            control: Mutex::default(),
            api_key: options.api_key,
            held: watch::Sender::new(0),
            released: watch::Sender::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody lets go.
    async fn hold(&self) {
        let mut released = self.released.subscribe();
        self.held.send_modify(|held| *held += 1);
        // It ends with an error only where the stand-in does.
        drop(released.changed().await);
        self.held.send_modify(|held| *held -= 1);
    }

    pub(crate) fn release(&self) {
        self.released.send_modify(|released| *released += 1);
    }

    pub(crate) async fn held(&self) {
        let mut held = self.held.subscribe();
        drop(held.wait_for(|held| *held > 0).await);
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on demand")
    }
}

impl std::error::Error for Dropped {}

/// Serves until it is aborted, and every connection with it.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let router = router(Arc::clone(&shared));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, router.clone(), Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, router: Router, shared: Arc<Shared>) {
    // Without it, an answer of several packets waits for the reader's acknowledgement.
    drop(stream.set_nodelay(true));
    let answer = service_fn(move |request| {
        // A task of its own, because the real one goes on where the caller has left.
        let answered = tokio::spawn(answer(request, router.clone(), Arc::clone(&shared)));
        async move { answered.await.unwrap_or(Err(Dropped)) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    // It ends with an error where the caller leaves, or where it is dropped on demand.
    drop(connection.await);
}

async fn answer(
    request: Request<Incoming>,
    router: Router,
    shared: Arc<Shared>,
) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let call = call(&parts);
    let pattern = call.pattern.clone();
    let (place, latency) = {
        let mut control = shared.control();
        (control.arrive(call), control.latency)
    };
    let answered = async {
        let body = whole(body).await?;
        tokio::time::sleep(latency).await;
        let request = Request::from_parts(parts, body);
        faulty(request, &pattern, place, router, &shared).await
    };
    let answered = answered.await;
    let mut control = shared.control();
    control.in_flight -= 1;
    let status = answered.as_ref().ok().map(|it| it.status().as_u16());
    control.note(place, |call| call.status = status);
    answered
}

fn call(parts: &http::request::Parts) -> Call {
    let path = parts.uri.path();
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let pattern: Vec<_> = path
        .split('/')
        .enumerate()
        .map(|(index, part)| if index == 2 { "{id}" } else { part })
        .collect();
    Call {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        pattern: format!("{} {}", parts.method, pattern.join("/")),
        status: None,
        effect: None,
    }
}

/// The body; none where it is larger than n8n takes.
async fn whole(mut body: Incoming) -> Result<Option<Bytes>, Dropped> {
    let mut bytes = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Dropped)?.into_data() else {
            continue;
        };
        length += data.len();
        if length > MOST_READ {
            return Err(Dropped);
        }
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((length <= MAX_BODY).then(|| bytes.freeze()))
}

async fn faulty(
    request: Request<Option<Bytes>>,
    pattern: &str,
    place: Place,
    router: Router,
    shared: &Shared,
) -> Result<Response, Dropped> {
    let throttled = shared.control().throttled();
    if let Some(seconds) = throttled {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
        let wait = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
        return Ok((wait, refusal).into_response());
    }
    let fault = shared.control().fault(pattern);
    match fault {
        Some(Fault::DropBefore) => return Err(Dropped),
        Some(Fault::FailBefore) => return Ok(Refusal::broken().into_response()),
        Some(Fault::Html(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let reason = status.canonical_reason().unwrap_or_default();
            return Ok(refusal::page(status, reason));
        }
        Some(Fault::Redirect) => {
            let elsewhere = [(header::LOCATION, "http://192.0.2.1/api/v1/workflows")];
            return Ok((StatusCode::FOUND, elsewhere).into_response());
        }
        Some(Fault::HoldBefore) => shared.hold().await,
        Some(
            Fault::DropAfter
            | Fault::FailAfter
            | Fault::SlowAnswer(_)
            | Fault::HoldAfter
            | Fault::Padded(_),
        )
        | None => {}
    }
    let response = plain(request, router, shared).await;
    let effect = response.extensions().get::<Effect>().copied();
    shared.control().note(place, |call| call.effect = effect);
    match fault {
        Some(Fault::DropAfter) => Err(Dropped),
        Some(Fault::FailAfter) => Ok(Refusal::broken().into_response()),
        Some(Fault::SlowAnswer(delay)) => {
            tokio::time::sleep(delay).await;
            Ok(response)
        }
        Some(Fault::HoldAfter) => {
            shared.hold().await;
            Ok(response)
        }
        Some(Fault::Padded(spaces)) => padded(response, spaces).await,
        _ => Ok(response),
    }
}

async fn padded(response: Response, spaces: usize) -> Result<Response, Dropped> {
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let mut bytes = vec![b' '; spaces];
    bytes.extend_from_slice(&body);
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Body::from(bytes)))
}

async fn plain(request: Request<Option<Bytes>>, router: Router, shared: &Shared) -> Response {
    let (parts, body) = request.into_parts();
    let Some(body) = body else {
        let problem = "PayloadTooLargeError: request entity too large";
        return refusal::page(StatusCode::PAYLOAD_TOO_LARGE, problem);
    };
    if is_json(&parts.headers)
        && !body.is_empty()
        && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&body)
    {
        let problem = format!("SyntaxError: {error}");
        return refusal::page(StatusCode::INTERNAL_SERVER_ERROR, &problem);
    }
    if let Err(refusal) = authenticate(&parts.headers, &shared.api_key) {
        return refusal.into_response();
    }
    let Ok(response) = router
        .oneshot(Request::from_parts(parts, Body::from(body)))
        .await;
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn authenticate(headers: &HeaderMap, api_key: &str) -> Result<(), Refusal> {
    let problem = match headers.get("x-n8n-api-key") {
        Some(key) if key.as_bytes() == api_key.as_bytes() => return Ok(()),
        Some(_) => "unauthorized",
        None => "'X-N8N-API-KEY' header required",
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, problem))
}

fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/workflows", get(workflows::list).post(workflows::create))
        .route(
            "/workflows/{id}",
            get(workflows::get)
                .put(workflows::update)
                .delete(workflows::delete),
        )
        .route("/workflows/{id}/activate", post(workflows::activate))
        .route("/workflows/{id}/publish", post(workflows::activate))
        .route("/workflows/{id}/deactivate", post(workflows::deactivate))
        .route("/workflows/{id}/unpublish", post(workflows::deactivate))
        .route("/workflows/{id}/archive", post(workflows::archive))
        .route("/workflows/{id}/unarchive", post(workflows::unarchive))
        .route(
            "/workflows/{id}/tags",
            put(workflows::set_tags).get(workflows::tags),
        )
        .route("/tags", get(tags::list).post(tags::create))
        .route("/tags/{id}", delete(tags::delete))
        .route(
            "/credentials",
            get(credentials::list).post(credentials::create),
        )
        .route(
            "/credentials/{id}",
            get(credentials::get).delete(credentials::delete),
        )
        .route("/variables", get(not_licensed).post(not_licensed))
        .route("/projects", get(not_licensed).post(not_licensed))
        .route("/source-control/pull", post(not_licensed))
        .method_not_allowed_fallback(not_allowed)
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared);
    Router::new().nest(ROOT, api)
}

async fn not_licensed() -> Refusal {
    let message = "Your license does not allow for this feature.";
    Refusal::new(StatusCode::FORBIDDEN, message)
}

async fn not_allowed(method: Method) -> Refusal {
    let message = format!("{method} method not allowed");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

async fn nothing_here() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not found")
}
