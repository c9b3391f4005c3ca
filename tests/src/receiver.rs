//! Somebody who is told: a receiver of posts that does as it is told, however badly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The secret that servers under test sign with, as the variable `WEBHOOK_SECRET` holds it.
pub const SECRET: &str = "whsec_c2xpcHdheS1pcy10b2xkLXRvLXNpZ24td2l0aC10aGlz";
/// The most bytes of a body.
const MAX_BODY: usize = 1024 * 1024;
/// How long is waited for what is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a post is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With this status and a text.
    Status(u16, &'static str),
    /// Try later, in so many seconds.
    Later(u16, u32),
    /// By leading elsewhere.
    Redirect(String),
    /// Never.
    Hang,
    /// With a status at once, and then a byte now and then.
    Drip(u16),
}

/// A post that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where to.
    pub path: String,
    /// The delivery's id.
    pub id: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    /// How it was answered.
    pub answer: Answer,
    /// When it came.
    pub at: Instant,
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// What happened.
    pub fn event(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// The number of the deployment.
    pub fn number(&self) -> i64 {
        let json = self.json();
        let number = json["data"]["deployment"]["number"].as_i64();
        number.expect("a number")
    }

    /// Whether it was answered as taken.
    pub fn taken(&self) -> bool {
        matches!(
            self.answer,
            Answer::Status(200..=299, _) | Answer::Drip(200..=299)
        )
    }

    /// Verifies the signature with the library of the specification's authors, time and all.
    #[track_caller]
    pub fn verify(&self) {
        let theirs = standardwebhooks::Webhook::new(SECRET).expect("a secret");
        let verified = theirs.verify(&self.body, &self.headers);
        assert!(verified.is_ok(), "{verified:?}: {:?}", self.headers);
    }
}

#[derive(Debug, Default)]
struct Shared {
    received: Vec<Received>,
    answers: HashMap<String, Vec<Answer>>,
}

/// A receiver on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Its address without a path.
    pub url: String,
    shared: Arc<Mutex<Shared>>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("served");
        });
        Self {
            url,
            shared,
            serving,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers posts to this path from now on by these, one after the other, and the last one for ever.
    pub fn answer(&self, path: &str, mut answers: Vec<Answer>) {
        answers.reverse();
        self.shared().answers.insert(path.to_owned(), answers);
    }

    /// What came to this path so far.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let shared = self.shared();
        let to_path = shared.received.iter().filter(|one| one.path == path);
        to_path.cloned().collect()
    }

    /// What came to this path, as soon as it is enough.
    pub async fn wait(&self, path: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let received = self.received(path);
            if enough(&received) {
                return received;
            }
            let so_far: Vec<_> = received
                .iter()
                .map(|one| (one.event(), &one.answer))
                .collect();
            assert!(begun.elapsed() < PATIENCE, "{path}: only {so_far:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn receive(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = parts.uri.path().to_owned();
    let id = parts.headers.get("webhook-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let answer = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match shared.answers.get_mut(&path) {
            Some(answers) if answers.len() > 1 => answers.pop(),
            Some(answers) => answers.first().cloned(),
            None => None,
        };
        let answer = answer.unwrap_or(Answer::Status(200, "thank you"));
        shared.received.push(Received {
            path,
            id: id.to_owned(),
            headers: parts.headers.clone(),
            body,
            answer: answer.clone(),
            at: Instant::now(),
        });
        answer
    };
    let status = |status| StatusCode::from_u16(status).expect("a status");
    match answer {
        Answer::Status(number, text) => (status(number), text).into_response(),
        Answer::Later(number, seconds) => {
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            (status(number), after).into_response()
        }
        Answer::Redirect(to) => (status(307), [(header::LOCATION, to)]).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Drip(number) => {
            let drops = stream::unfold((), |()| async {
                sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), ()))
            });
            (status(number), Body::from_stream(drops)).into_response()
        }
    }
}
