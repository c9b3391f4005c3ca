//! The adapter against a real n8n, where there is one: `SLIPWAY_TEST_N8N_URL` says where, `SLIPWAY_TEST_N8N_KEY_FILE` in
//! which file its key is. The workflows that are added there are removed again (two tags stay); what else is there stays as it is.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]
#![expect(clippy::panic, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_workflows::{EngineError, Workflow, WorkflowEngine, WorkflowId};

/// An instance, and a word that nobody else uses there.
struct Real {
    n8n: N8n,
    options: Options,
    word: String,
}

impl Real {
    fn new() -> Option<Self> {
        let (Ok(url), Ok(file)) = (
            std::env::var("SLIPWAY_TEST_N8N_URL"),
            std::env::var("SLIPWAY_TEST_N8N_KEY_FILE"),
        ) else {
            slipway_test_support::absent(
                "no real n8n: SLIPWAY_TEST_N8N_URL and SLIPWAY_TEST_N8N_KEY_FILE are not set",
            );
            return None;
        };
        let key = std::fs::read_to_string(file).expect("the key's file");
        let options = Options::new(url, ApiKey::new(key.trim()));
        let n8n = N8n::new(&options).expect("an engine");
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
        let word = format!("slipway{}", now.as_micros());
        Some(Self { n8n, options, word })
    }

    /// A workflow with a webhook at this path.
    fn hook(&self, name: &str, path: &str) -> Workflow {
        let path = format!("{}-{path}", self.word);
        workflow(json!({
            "name": name, "connections": {}, "settings": {},
            "nodes": [{"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
                "webhookId": path, "parameters": {"path": path, "httpMethod": "POST"}}],
        }))
    }

    async fn add(&self, workflow: &Workflow) -> WorkflowId {
        self.n8n.create(workflow).await.expect("created")
    }

    async fn read(&self, id: &WorkflowId) -> Workflow {
        let found = self.n8n.get(id).await.expect("read").expect("there");
        found.workflow.expect("a document")
    }

    async fn remove(&self, ids: impl IntoIterator<Item = &WorkflowId>) {
        for id in ids {
            self.n8n.delete(id).await.expect("deleted");
        }
    }
}

fn workflow(document: Value) -> Workflow {
    Workflow::from_value(document, "unnamed").expect("a workflow")
}

fn refused<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Refused { message }) => message,
        other => panic!("it should have been refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_workflow_lives_through_all_that_a_document_can_hold() {
    let Some(real) = Real::new() else { return };
    let full = workflow(json!({
        "name": "Grüße 🚀 «ß»", "description": "why", "tags": ["slipway-test", "slipway-tést"],
        "nodes": [
            {"id": "1", "name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.0,
                "position": [0, 0.5], "parameters": {}},
            {"id": "2", "name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [1, 1],
                "parameters": {"url": "https://example.org", "text": "z".repeat(1_000_000)},
                "credentials": {"httpBasicAuth": {"id": "nobody", "name": "Nobody"}}},
        ],
        "connections": {"Every hour": {"main": [[{"node": "Ask", "type": "main", "index": 0}]]}},
        "settings": {"timezone": "Europe/Vienna", "executionTimeout": 5, "errorWorkflow": "x", "executionOrder": "v1",
            "callerPolicy": "any"},
        "pinData": {"Ask": [{"json": {"a": 1}}]},
        "nodeGroups": [{"id": "g", "name": "G", "nodeIds": ["2"]}],
    }));
    let id = real.add(&full).await;
    assert_eq!(real.read(&id).await, full);
    let plain = workflow(json!({
        "name": "plain", "connections": {}, "settings": {"executionOrder": "v1", "callerPolicy": "any"},
        "nodes": [{"id": "1", "name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0],
            "parameters": {}}],
    }));
    real.n8n.update(&id, &plain).await.expect("all taken away");
    assert_eq!(real.read(&id).await, plain);
    real.n8n.update(&id, &full).await.expect("all put back");
    assert_eq!(real.read(&id).await, full);

    real.n8n.activate(&id).await.expect("activated");
    real.n8n.activate(&id).await.expect("activated already");
    real.n8n.update(&id, &plain).await.expect("published");
    let active = Workflow {
        active: true,
        ..plain
    };
    assert_eq!(real.read(&id).await, active);
    let manual = workflow(json!({
        "name": "manual", "connections": {}, "settings": {"executionOrder": "v1", "callerPolicy": "any"},
        "nodes": [{"id": "1", "name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0],
            "parameters": {}}],
    }));
    let message = refused(real.n8n.update(&id, &manual).await);
    assert!(
        message.contains("no trigger node") && message.contains("as a draft"),
        "{message}"
    );
    real.n8n.deactivate(&id).await.expect("stopped");
    real.n8n.deactivate(&id).await.expect("stopped already");
    real.n8n.activate(&id).await.expect_err("no trigger");
    // The same name twice, and an active one is removed.
    let twin = real.add(&active).await;
    real.n8n.activate(&twin).await.expect("activated");
    real.remove([&id, &twin, &id]).await;
    assert_eq!(real.n8n.get(&id).await.expect("read"), None);
}

#[tokio::test]
async fn one_of_two_gets_the_webhook() {
    let Some(real) = Real::new() else { return };
    let first = real.add(&real.hook("first", "a")).await;
    let second = real.add(&real.hook("second", "a")).await;
    let third = real.add(&real.hook("third", "b")).await;
    let path = format!("{}-a", real.word);
    // At the same time, right after, and after n8n has noticed.
    let (one, two) = tokio::join!(real.n8n.activate(&first), real.n8n.activate(&second));
    let (winner, loser, refusal) = if one.is_ok() {
        (&first, &second, two)
    } else {
        (&second, &first, one)
    };
    for refusal in [refusal, real.n8n.activate(loser).await] {
        let message = refused(refusal);
        assert!(
            message.contains(&path) && message.contains(&winner.0),
            "{message}"
        );
    }
    assert!(!real.read(loser).await.active);
    real.n8n.activate(&third).await.expect("activated");
    let moved = real.hook("third", "a");
    let message = refused(real.n8n.update(&third, &moved).await);
    assert!(message.contains(&path), "{message}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let other = N8n::new(&real.options).expect("an engine");
    let message = refused(other.activate(loser).await);
    assert!(
        message.starts_with("There is a conflict")
            && message.contains(&path)
            && message.contains(&winner.0),
        "{message}"
    );
    let message = refused(other.update(&third, &moved).await);
    assert!(
        message.contains(&path) && message.contains("as a draft"),
        "{message}"
    );

    // It changes hands at once.
    real.n8n.deactivate(winner).await.expect("stopped");
    real.n8n.activate(loser).await.expect("free");
    tokio::time::sleep(Duration::from_secs(1)).await;
    real.n8n.delete(loser).await.expect("removed");
    real.n8n.activate(winner).await.expect("free again");
    real.remove([&first, &second, &third]).await;
}

#[tokio::test]
async fn a_long_list_is_complete() {
    let Some(real) = Real::new() else { return };
    let mut added = BTreeMap::new();
    for number in 0..260 {
        let name = format!("{} {number}", real.word);
        let document = real.hook(&name, &format!("list-{number}"));
        added.insert(real.add(&document).await, document);
    }
    let exported = real.n8n.export().await.expect("exported");
    let mut found: BTreeMap<_, _> = (exported.into_iter())
        .map(|it| (it.id, it.workflow))
        .collect();
    found.retain(|id, _| added.contains_key(id));
    assert_eq!(found.len(), 260);
    for (id, document) in &added {
        assert_eq!(found[id].as_ref(), Ok(document));
    }
    real.remove(added.keys()).await;
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|it| it == "json") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn real_workflows_come_back_as_they_were_sent() {
    let Some(real) = Real::new() else { return };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/corpus/workflows");
    if !corpus.is_dir() {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    }
    let mut paths = Vec::new();
    documents(&corpus, &mut paths);
    assert_eq!(paths.len(), 35);
    for path in paths {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let bytes = std::fs::read(&path).expect("a file");
        let mut document = Workflow::from_json(&bytes, &name).expect("a workflow");
        document.active = false;
        document.description = format!("What {name} is for");
        let id = real.add(&document).await;
        assert_eq!(real.read(&id).await, document, "{name}");
        real.n8n
            .update(&id, &document)
            .await
            .expect("the same again");
        document.name.push_str(" (2)");
        real.n8n.update(&id, &document).await.expect("renamed");
        assert_eq!(real.read(&id).await, document, "{name}");
        real.remove([&id]).await;
    }
}
