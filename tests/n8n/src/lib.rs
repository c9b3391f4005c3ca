//! A stand-in for n8n in tests: its public REST API over a memory of its own, on a loopback port.
//!
//! It answers as a real instance (2.41.1) was seen to, refusals included, so that what passes here passes there: fields
//! that are read-only or unknown, settings that are merged, dropped or refused, drafts that are saved although the answer
//! is a refusal, pages in no order. Beyond that it can be told to misbehave ([`StandIn::inject`], [`StandIn::throttle`],
//! [`StandIn::latency`]), and it keeps a log of every call with what it changed.

mod credentials;
mod faults;
mod json;
mod page;
mod refusal;
mod schema;
mod server;
mod state;
mod tags;
mod trigger;
mod workflows;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use crate::faults::{Call, Effect, Fault, Injection};
use crate::server::Shared;

/// The most bytes of a request's body.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// How a stand-in differs from a plain one.
#[derive(Debug, Clone)]
pub struct Options {
    /// The only key that it takes.
    pub api_key: String,
    /// Where given, every page of a list is cut from another order of the rows, so that rows repeat and are missed. The
    /// seed makes it the same each time.
    pub shuffle: Option<u64>,
    /// Node types that it knows beside those whose names begin with `n8n-nodes-base.` or `@n8n/`.
    pub known_types: Vec<String>,
    /// How long the webhooks of a workflow are not registered yet after it was activated: until then another workflow with
    /// the same one passes, as with the real one.
    pub registering: Duration,
    /// How long the webhooks of a workflow are not let go of yet after it was stopped. Another workflow that asks for one
    /// then makes it unusable for good, and the stopped one can't be removed yet, as with the real one.
    pub releasing: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_key: "n8n_api_stand_in_7c1d".to_owned(),
            shuffle: None,
            known_types: Vec::new(),
            registering: Duration::from_millis(500),
            releasing: Duration::from_secs(1),
        }
    }
}

/// A running stand-in. Dropping it ends it.
#[derive(Debug)]
pub struct StandIn {
    /// Where it is, without a path: `http://127.0.0.1:12345`.
    pub url: String,
    /// The key that it takes.
    pub api_key: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl StandIn {
    /// Starts one on a port that the system picks.
    ///
    /// # Panics
    ///
    /// Where there is no loopback port.
    #[expect(clippy::expect_used, reason = "a test can't go on without its engine")]
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let api_key = options.api_key.clone();
        let shared = Arc::new(Shared::new(options, port));
        let accepting = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
        Self {
            url: format!("http://127.0.0.1:{port}"),
            api_key,
            shared,
            accepting,
        }
    }

    /// Makes every call wait before it is looked at.
    pub fn latency(&self, latency: Duration) {
        self.shared.control().latency = latency;
    }

    /// Answers the next calls with 429 and this many seconds of `Retry-After`, doing nothing.
    pub fn throttle(&self, calls: usize, retry_after: u64) {
        self.shared.control().throttle = (calls, retry_after);
    }

    /// Misbehaves on chosen calls. Where several injections fit a call, the oldest one is used.
    pub fn inject(&self, injection: Injection) {
        self.shared.control().injections.push(injection);
    }

    /// Takes back whatever [`Self::latency`], [`Self::throttle`] and [`Self::inject`] asked for.
    pub fn behave(&self) {
        self.shared.control().behave();
    }

    /// Waits until a call is held by [`Fault::HoldBefore`] or [`Fault::HoldAfter`].
    pub async fn held(&self) {
        self.shared.held().await;
    }

    /// Lets the calls go that are held.
    pub fn release(&self) {
        self.shared.release();
    }

    /// From now on the activation of this workflow answers 500, as that of some real workflows does.
    pub fn break_activation(&self, id: &str) {
        self.shared.state().broken.insert(id.to_owned());
    }

    /// From now on the activation of this workflow answers 400 with this text: a node lacks configuration.
    pub fn refuse_activation(&self, id: &str, message: &str) {
        let mut state = self.shared.state();
        state
            .misconfigured
            .insert(id.to_owned(), message.to_owned());
    }

    /// Every call so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.control().calls.clone()
    }

    /// How many calls there were of a method and pattern, for example `PUT /workflows/{id}`.
    pub fn count(&self, pattern: &str) -> usize {
        let control = self.shared.control();
        let calls = control.calls.iter();
        calls.filter(|call| call.pattern == pattern).count()
    }

    /// The calls that could have changed something (all but GET), refused ones included.
    pub fn writes(&self) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.method != "GET");
        calls
    }

    /// What was changed so far, in order: the path and the effect of each write that had one.
    pub fn effects(&self) -> Vec<(String, Effect)> {
        let calls = self.calls().into_iter();
        calls
            .filter_map(|call| Some((call.path, call.effect?)))
            .collect()
    }

    /// Forgets the calls so far and the highest number in flight.
    pub fn forget_calls(&self) {
        self.shared.control().forget();
    }

    /// The most calls that were answered at the same time.
    pub fn max_in_flight(&self) -> usize {
        self.shared.control().max_in_flight
    }

    /// A workflow as `GET /workflows/{id}` shows it.
    pub fn workflow(&self, id: &str) -> Option<Value> {
        let state = self.shared.state();
        state.workflows.get(id).map(|row| row.to_json(&state))
    }

    /// The ids of all workflows, oldest first.
    pub fn ids(&self) -> Vec<String> {
        let state = self.shared.state();
        state.in_order().map(|row| row.id.clone()).collect()
    }

    /// Adds a workflow as the editor would: nothing is checked, and any setting is kept. `active`, `isArchived`,
    /// `description` and `tags` (names) of the document count. Answers with the new id.
    pub fn seed(&self, document: Value) -> String {
        self.shared.state().seed(document)
    }

    /// Changes a workflow's document as the editor would, leaving a new draft; `false` where there is none. What runs
    /// stays as it was published.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        self.shared.state().edit(id, change)
    }

    /// Removes a workflow, active or not.
    pub fn remove(&self, id: &str) -> bool {
        self.shared.state().workflows.remove(id).is_some()
    }

    /// Puts a workflow away, as the editor would: it is inactive then.
    pub fn archive(&self, id: &str) -> bool {
        self.shared.state().archive(id, true)
    }

    /// The names of all tags, oldest first.
    pub fn tags(&self) -> Vec<String> {
        let state = self.shared.state();
        state.tags.iter().map(|tag| tag.name.clone()).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
