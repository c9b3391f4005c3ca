//! The server: connections, what is kept of each request, and where faults strike.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::{Method, Response, StatusCode, header},
    middleware::{self, Next},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

use crate::{
    access::{Access, App, Tokens, now},
    answers::{Reply, not_found, refusal},
    fault::{Fault, Faults, When, code},
    git::{Person, Repository},
    routes,
};

/// The most bytes of a request.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// The repository, and who may do what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who owns it.
    pub owner: String,
    /// Its name.
    pub repository: String,
    /// Whether those who may not read it don't see it.
    pub private: bool,
    /// Whether there is nothing in it yet; otherwise a README on `main`.
    pub empty: bool,
    /// Whether the API is below `/api/v3`, as on an Enterprise Server.
    pub enterprise: bool,
    /// The good tokens.
    pub tokens: Vec<(String, Access)>,
    /// The App, if there is one.
    pub app: Option<App>,
}

impl Default for Options {
    /// A private repository `octo-org/snapshots` with a README, and the token `ghp_write`.
    fn default() -> Self {
        Self {
            owner: "octo-org".to_owned(),
            repository: "snapshots".to_owned(),
            private: true,
            empty: false,
            enterprise: false,
            tokens: vec![("ghp_write".to_owned(), Access::Write)],
            app: None,
        }
    }
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// GET, POST, PATCH or PUT.
    pub method: String,
    /// Below the API's address.
    pub path: String,
    /// Without the question mark; empty where there is none.
    pub query: String,
    /// Of the request; `None` where it has none, or it is no JSON.
    pub body: Option<Value>,
    /// Of the answer; `None` where the connection was dropped.
    pub status: Option<u16>,
    /// The answer's message.
    pub answer: Value,
    /// Whether a fault made the answer.
    pub faked: bool,
}

/// The running server. It ends when this is dropped.
#[derive(Debug)]
pub struct StandIn {
    inner: Arc<Inner>,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) api: String,
    pub(crate) repository: Repository,
    pub(crate) tokens: Mutex<Tokens>,
    /// Held while a ref is looked at and moved.
    pub(crate) refs: tokio::sync::Mutex<()>,
    /// The most entries that a recursive listing has.
    pub(crate) list_at_most: AtomicUsize,
    faults: Mutex<Faults>,
    recorded: Mutex<Vec<Recorded>>,
    /// How many of them are not shown any more.
    forgotten: AtomicUsize,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

/// GitHub truncates listings beyond this.
const LISTED_AT_MOST: usize = 100_000;

impl StandIn {
    /// Starts the server on a port of its own, with a new repository. [`crate::available`] says whether it can.
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let prefix = if options.enterprise { "/api/v3" } else { "" };
        let inner = Arc::new(Inner {
            api: format!(
                "http://{address}{prefix}/repos/{}/{}",
                options.owner, options.repository
            ),
            repository: Repository::create().await.expect("a repository"),
            tokens: Mutex::new(Tokens::new(&options.tokens)),
            refs: tokio::sync::Mutex::new(()),
            list_at_most: AtomicUsize::new(LISTED_AT_MOST),
            faults: Mutex::default(),
            recorded: Mutex::default(),
            forgotten: AtomicUsize::new(0),
            options,
        });
        if !inner.options.empty {
            inner
                .commit_as_somebody("main", "README.md", "# Snapshots\n")
                .await;
        }
        let api = routes::api()
            .fallback(|| async { not_found().into_response() })
            .layer(middleware::from_fn_with_state(Arc::clone(&inner), watch))
            .with_state(Arc::clone(&inner));
        let router = if inner.options.enterprise {
            Router::new().nest("/api/v3", api)
        } else {
            api
        };
        let server = tokio::spawn(serve(listener, router));
        Self {
            inner,
            address,
            server,
        }
    }

    /// The API's address.
    pub fn base_url(&self) -> String {
        let prefix = if self.inner.options.enterprise {
            "/api/v3"
        } else {
            ""
        };
        format!("http://{}{prefix}", self.address)
    }

    /// The bare repository, to clone or to examine.
    pub fn repository(&self) -> &Path {
        self.inner.repository.path()
    }

    /// Runs Git in the repository.
    pub async fn git(&self, arguments: &[&str]) -> String {
        let said = self.inner.repository.run(arguments).await;
        said.expect("Git does what is asked")
    }

    /// Puts an object into the repository, whatever it is.
    pub async fn write_object(&self, kind: &str, bytes: &[u8]) -> String {
        let written = self.inner.repository.write_object(kind, bytes).await;
        written.expect("Git keeps the object")
    }

    /// Somebody else commits a file to a branch, which is made where it is missing.
    pub async fn somebody_commits(&self, branch: &str, path: &str, content: &str) -> String {
        self.inner.commit_as_somebody(branch, path, content).await
    }

    /// What was asked and answered since the start or the last [`StandIn::forget`], in the order of asking.
    pub fn recorded(&self) -> Vec<Recorded> {
        let forgotten = self.inner.forgotten.load(Ordering::Relaxed);
        lock(&self.inner.recorded)[forgotten..].to_vec()
    }

    /// Lets [`StandIn::recorded`] begin anew.
    pub fn forget(&self) {
        let count = lock(&self.inner.recorded).len();
        self.inner.forgotten.store(count, Ordering::Relaxed);
    }

    /// What was asked and answered since the start.
    pub fn everything(&self) -> Vec<Recorded> {
        lock(&self.inner.recorded).clone()
    }

    /// Lets something go wrong.
    pub fn plan(&self, when: When, fault: Fault) {
        lock(&self.inner.faults).add(when, fault);
    }

    /// Nothing more goes wrong.
    pub fn clear_faults(&self) {
        lock(&self.inner.faults).clear();
    }

    /// Makes all tokens bad, those of installations too.
    pub fn revoke_all(&self) {
        lock(&self.inner.tokens).revoke_all();
    }

    /// Makes a token good.
    pub fn grant(&self, token: &str, access: Access) {
        lock(&self.inner.tokens).grant(token, access);
    }

    /// Truncates recursive listings beyond so many entries, as GitHub does beyond 100,000.
    pub fn truncate_listings(&self, entries: usize) {
        self.inner.list_at_most.store(entries, Ordering::Relaxed);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    async fn commit_as_somebody(&self, branch: &str, path: &str, content: &str) -> String {
        let person = Person {
            name: "Somebody Else".to_owned(),
            email: "somebody@example.com".to_owned(),
            date: format!("@{} +0530", now()),
        };
        let repository = &self.repository;
        let name = format!("refs/heads/{branch}");
        let _guard = self.refs.lock().await;
        let before = repository.reference(&name).await;
        let blob = repository.write_blob(content.as_bytes()).await.unwrap();
        let change = (path.to_owned(), Some(("100644".to_owned(), blob)));
        let tree = repository
            .write_tree(before.as_deref(), &[change])
            .await
            .unwrap();
        let parents: Vec<String> = before.clone().into_iter().collect();
        let message = format!("Change {path}\n");
        let commit = repository
            .write_commit(&tree, &parents, &person, &person, &message)
            .await
            .unwrap();
        repository
            .update_reference(&name, &commit, &before.unwrap_or_default())
            .await
            .unwrap();
        commit
    }

    /// The refusals that come before a request is looked at.
    async fn admit(
        &self,
        method: &Method,
        path: &str,
        head: &axum::http::HeaderMap,
    ) -> Result<(), Reply> {
        if !head.contains_key(header::USER_AGENT) {
            return Err(refusal(
                StatusCode::FORBIDDEN,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            ));
        }
        let Some(rest) = path.strip_prefix("/repos/") else {
            return Ok(());
        };
        lock(&self.tokens).admit(method, head, self.options.private)?;
        let mut parts = rest.splitn(3, '/');
        let (owner, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if !owner.eq_ignore_ascii_case(&self.options.owner)
            || !name.eq_ignore_ascii_case(&self.options.repository)
        {
            return Err(not_found());
        }
        let database = parts.next().is_some_and(|rest| rest.starts_with("git/"));
        if database && self.repository.is_empty().await {
            return Err(refusal(StatusCode::CONFLICT, "Git Repository is empty."));
        }
        Ok(())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that there is no answer: the connection is to be dropped.
#[derive(Debug, Clone)]
struct Dropped;

#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
struct DroppedError;

/// Accepts connections until it is aborted, and they with it.
async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        // Those that have ended.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let router = router.clone();
        let service = service_fn(move |request| {
            let router = router.clone();
            async move {
                let Ok::<_, Infallible>(response) = router.oneshot(request).await;
                if response.extensions().get::<Dropped>().is_some() {
                    Err(DroppedError)
                } else {
                    Ok(response)
                }
            }
        });
        connections.spawn(async move {
            // An error ends this connection, which is what a dropped one is.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

/// Keeps what is asked and answered, and lets faults strike.
async fn watch(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await;
    let bytes = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let asked: Option<Value> = serde_json::from_slice(&bytes).ok();
    let path = head.uri.path().to_owned();
    let number = {
        let mut recorded = lock(&inner.recorded);
        recorded.push(Recorded {
            method: head.method.to_string(),
            path: path.clone(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: asked.clone(),
            status: None,
            answer: Value::Null,
            faked: false,
        });
        recorded.len() - 1
    };
    let faults = lock(&inner.faults).strike(&head.method, &path);
    let mut faked = None;
    for fault in &faults {
        match fault {
            Fault::DropBefore => return dropped(),
            Fault::Revoke => lock(&inner.tokens).revoke_all(),
            Fault::Delay(length) => tokio::time::sleep(*length).await,
            Fault::SomebodyCommits {
                branch,
                path,
                content,
            } => drop(inner.commit_as_somebody(branch, path, content).await),
            other => faked = faked.or(other.reply()),
        }
    }
    let was_faked = faked.is_some();
    let response = if let Some(reply) = faked {
        reply.into_response()
    } else if let Err(refused) = inner.admit(&head.method, &path, &head.headers).await {
        refused.into_response()
    } else {
        let mut request = Request::from_parts(head, Body::empty());
        request
            .extensions_mut()
            .insert(routes::Asked(asked.map(Arc::new)));
        next.run(request).await
    };
    finish(&inner, number, response, &faults, was_faked).await
}

async fn finish(
    inner: &Inner,
    number: usize,
    response: Response<Body>,
    faults: &[Fault],
    mut faked: bool,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body in memory").to_bytes();
    let mut answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    for fault in faults {
        match fault {
            Fault::DropAfter => return dropped(),
            Fault::StatusAfter(status) => {
                head.status = code(*status);
                answer = refusal(head.status, "Server Error").body;
                faked = true;
            }
            Fault::Alter(change) => {
                change(&mut answer);
                faked = true;
            }
            _ => {}
        }
    }
    if let Some(recorded) = lock(&inner.recorded).get_mut(number) {
        recorded.status = Some(head.status.as_u16());
        recorded.answer = answer.clone();
        recorded.faked = faked;
    }
    let limits = [
        ("x-ratelimit-limit", 5_000),
        ("x-ratelimit-remaining", 4_999),
        ("x-ratelimit-reset", now() + 3_600),
    ];
    for (name, value) in limits {
        head.headers.entry(name).or_insert_with(|| value.into());
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(answer.to_string()))
}

fn dropped() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Dropped);
    response
}

/// So that a handler can say what it needs.
pub(crate) type Shared = State<Arc<Inner>>;
/// The request's message.
pub(crate) type Message = Extension<routes::Asked>;
