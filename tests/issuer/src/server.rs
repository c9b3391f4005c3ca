//! The server that publishes keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::sign::{Key, now};

/// How the server answers who asks for its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By its keys.
    Keys,
    /// By its keys, after this long.
    Slow(Duration),
    /// By an error.
    Down,
    /// By sending elsewhere, where its keys are.
    Redirect,
    /// By a page for people.
    Html,
    /// By its keys, and many bytes more than any set has.
    Huge,
    /// By this text.
    Text(String),
}

struct Shared {
    keys: Mutex<Vec<Arc<Key>>>,
    answer: Mutex<Answer>,
    asked: AtomicUsize,
}

/// An identity provider with one key. Dropping it ends the server.
pub struct StandIn {
    /// Its name, which is also its address.
    pub issuer: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl StandIn {
    /// A new one on a free port of loopback, with the key `first`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            keys: Mutex::new(vec![Arc::new(Key::new("first"))]),
            answer: Mutex::new(Answer::Keys),
            asked: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self {
            issuer,
            shared,
            serving,
        }
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/keys", self.issuer)
    }

    /// How it answers from now on.
    pub fn answer(&self, answer: Answer) {
        *self
            .shared
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// The key that it signs by.
    pub fn key(&self) -> Arc<Key> {
        let keys = self
            .shared
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(keys.last().unwrap())
    }

    /// Signs by this key from now on, and publishes it in place of all others.
    pub fn rotate(&self, key: Key) {
        *self
            .shared
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = vec![Arc::new(key)];
    }

    /// Publishes this key too.
    pub fn publish(&self, key: Key) {
        let mut keys = self
            .shared
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        keys.insert(0, Arc::new(key));
    }

    /// Claims that are good for an hour, for the audience `slipway`.
    pub fn claims(&self, subject: &str) -> Value {
        json!({
            "iss": self.issuer,
            "aud": "slipway",
            "sub": subject,
            "iat": now(),
            "exp": now() + 3_600,
        })
    }

    /// A token of somebody with these claims beside the usual ones, or in place of them; `null` leaves one out.
    pub fn token(&self, subject: &str, claims: &Value) -> String {
        self.key().sign(&self.claims_with(subject, claims))
    }

    /// The claims of such a token.
    pub fn claims_with(&self, subject: &str, claims: &Value) -> Value {
        let mut all = self.claims(subject);
        for (name, value) in claims.as_object().unwrap() {
            if value.is_null() {
                all.as_object_mut().unwrap().remove(name);
            } else {
                all[name] = value.clone();
            }
        }
        all
    }
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let answer = shared
        .answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match answer {
        Answer::Keys => document(&shared),
        Answer::Slow(pause) => {
            tokio::time::sleep(pause).await;
            document(&shared)
        }
        Answer::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Answer::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        Answer::Html => axum::response::Html("<html><h1>Sign in</h1></html>").into_response(),
        Answer::Huge => {
            let mut set = set(&shared);
            set["padding"] = json!("x".repeat(1024 * 1024));
            json_of(set.to_string())
        }
        Answer::Text(text) => json_of(text),
    }
}

async fn elsewhere(State(shared): State<Arc<Shared>>) -> Response {
    document(&shared)
}

fn document(shared: &Shared) -> Response {
    json_of(set(shared).to_string())
}

fn set(shared: &Shared) -> Value {
    let keys = shared.keys.lock().unwrap_or_else(PoisonError::into_inner);
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys })
}

fn json_of(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
