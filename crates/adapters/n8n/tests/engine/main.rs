//! The adapter against a stand-in for n8n that refuses what the real one refuses.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]
#![expect(clippy::panic, reason = "what fails here fails the test")]

mod corpus;
mod faults;
mod listing;
mod refusals;
mod updates;
mod webhooks;

use std::time::Duration;

use serde_json::{Value, json};
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::StandIn;
use slipway_workflows::{EngineError, Workflow};

/// A plain stand-in, and the engine for it.
async fn start() -> (StandIn, N8n) {
    let stand_in = StandIn::start(slipway_n8n_stand_in::Options::default()).await;
    let n8n = engine(&stand_in, Duration::from_secs(20));
    (stand_in, n8n)
}

fn engine(stand_in: &StandIn, timeout: Duration) -> N8n {
    let mut options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
    options.timeout = timeout;
    N8n::new(&options).expect("an engine")
}

fn workflow(document: Value) -> Workflow {
    Workflow::from_value(document, "unnamed").expect("a workflow")
}

fn node(name: &str, kind: &str) -> Value {
    json!({"name": name, "id": format!("id of {name}"), "type": kind, "typeVersion": 1, "position": [0, 0],
        "parameters": {}})
}

fn schedule(name: &str) -> Value {
    node(name, "n8n-nodes-base.scheduleTrigger")
}

/// A workflow that can be activated.
fn scheduled(name: &str) -> Value {
    json!({
        "name": name,
        "nodes": [schedule("Every hour"), node("Work", "n8n-nodes-base.set")],
        "connections": {"Every hour": {"main": [[{"node": "Work", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"},
    })
}

/// A workflow with a webhook at this path.
fn with_webhook(name: &str, path: &str) -> Value {
    let mut webhook = node("Webhook", "n8n-nodes-base.webhook");
    webhook["parameters"] = json!({"path": path, "httpMethod": "POST"});
    webhook["webhookId"] = json!(path);
    json!({"name": name, "nodes": [webhook], "connections": {}, "settings": {}})
}

/// The document with one field changed.
fn with(mut document: Value, key: &str, value: Value) -> Value {
    document[key] = value;
    document
}

/// The words of a refusal.
fn refused<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Refused { message }) => message,
        other => panic!("it should have been refused: {other:?}"),
    }
}

fn uncertain<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Uncertain { problem }) => problem,
        other => panic!("it should be uncertain: {other:?}"),
    }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Unavailable { problem }) => problem,
        other => panic!("it should be unavailable: {other:?}"),
    }
}

fn failed<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Failed { message }) => message,
        other => panic!("it should have failed: {other:?}"),
    }
}
