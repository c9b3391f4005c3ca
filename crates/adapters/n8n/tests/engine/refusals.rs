//! What n8n refuses, in its words.

use serde_json::json;
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::{Effect, Fault, Injection};
use slipway_workflows::{EngineError, Workflow, WorkflowEngine, WorkflowId};

use crate::{failed, node, refused, schedule, scheduled, start, with, workflow};

const UNKNOWN: &str = "Nobody0000000000";

#[tokio::test]
async fn documents_that_n8n_does_not_take() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("there")));
    let mut unknown_key = scheduled("a");
    unknown_key["nodes"][1]["color"] = json!("red");
    let mut no_position = scheduled("a");
    let second = no_position["nodes"][1].as_object_mut().expect("a node");
    second.remove("position");
    let settings = |settings| with(scheduled("a"), "settings", settings);
    // Our own parser would not let it through.
    let mut long = workflow(scheduled("a"));
    long.name = "n".repeat(129);
    let words = "Workflow name must be 1 to 128 characters long.";
    assert_eq!(refused(n8n.create(&long).await), words);
    assert_eq!(refused(n8n.update(&id, &long).await), words);
    for (document, words) in [
        (
            unknown_key,
            "request/body/nodes/1 Unrecognized key(s) in object: 'color' (the node `Work`)",
        ),
        (
            no_position,
            "Workflow structure is invalid. nodes[1].position (invalid_type): Required (the node `Work`)",
        ),
        (
            settings(json!({"errorWorkflow": null})),
            "request/body/settings/errorWorkflow Expected string, received null",
        ),
        (
            settings(json!({"colour": "red"})),
            "request/body/settings Unrecognized key(s) in object: 'colour'",
        ),
        (
            settings(json!({"saveDataSuccessExecution": "DEFAULT"})),
            "request/body/settings/saveDataSuccessExecution Invalid enum value. Expected 'all' | 'none', received 'DEFAULT'",
        ),
    ] {
        let document = workflow(document);
        assert_eq!(refused(n8n.create(&document).await), words);
        assert_eq!(refused(n8n.update(&id, &document).await), words);
    }
    assert_eq!(stand_in.effects(), []);
    assert_eq!(stand_in.ids().len(), 1);
}

/// Documents that no parser of ours lets through, in case another one does.
#[tokio::test]
async fn documents_whose_structure_is_wrong() {
    let (stand_in, n8n) = start().await;
    let fields = |document: serde_json::Value| Workflow {
        nodes: serde_json::from_value(document["nodes"].clone()).expect("nodes"),
        connections: serde_json::from_value(document["connections"].clone()).expect("connections"),
        ..workflow(scheduled("a"))
    };
    let twice = json!({"nodes": [schedule("A"), schedule("A")], "connections": {}});
    let mut same_id = json!({"nodes": [schedule("A"), schedule("B")], "connections": {}});
    same_id["nodes"][1]["id"] = json!("id of A");
    let dangling =
        json!({"nodes": [schedule("A")], "connections": {"A": {"main": [[{"node": "B"}]]}}});
    for (document, words) in [
        (
            twice,
            "Workflow structure is invalid. nodes[1].name (duplicate_node_name): Duplicate node name \"A\" (the node `A`)",
        ),
        (
            same_id,
            "Workflow structure is invalid. nodes[1].id (duplicate_node_id): Nodes \"A\" and \"B\" share the node ID \"id of A\" (the node `B`)",
        ),
        (
            dangling,
            "Workflow structure is invalid. connections.A.main[0][0].node (unknown_connection_target): Connection target \"B\" does not reference an existing node",
        ),
    ] {
        assert_eq!(refused(n8n.create(&fields(document)).await), words);
    }
    assert_eq!(stand_in.effects(), []);
}

#[tokio::test]
async fn tags_that_n8n_has_no_room_for() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("there")));
    let name = "a tag of twenty-five char";
    let document = workflow(with(scheduled("a"), "tags", json!(["fine", name])));
    let takes = "n8n takes 1 to 24, with no space at an end: rename it";
    let words = format!("the tag `{name}` has 25 characters; {takes}");
    assert_eq!(refused(n8n.create(&document).await), words);
    assert_eq!(refused(n8n.update(&id, &document).await), words);
    let mut spaced = workflow(scheduled("a"));
    spaced.tags.insert(" etl".to_owned());
    let words = format!("the tag ` etl` has spaces at an end; {takes}");
    assert_eq!(refused(n8n.create(&spaced).await), words);
    assert_eq!(stand_in.calls(), []);

    // One of 24 characters that are not bytes fits.
    let name = "ü".repeat(24);
    let document = workflow(with(scheduled("a"), "tags", json!([name])));
    n8n.update(&id, &document).await.expect("tagged");
    assert_eq!(stand_in.tags(), [name]);
}

#[tokio::test]
async fn a_tag_that_n8n_refuses_is_named_and_changes_nothing() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("there")));
    stand_in.inject(Injection::always("POST /tags", Fault::Html(409)));
    let document = workflow(with(scheduled("renamed"), "tags", json!(["new"])));
    let words = "the tag `new`: 409 Conflict: Conflict";
    assert_eq!(refused(n8n.create(&document).await), words);
    assert_eq!(refused(n8n.update(&id, &document).await), words);
    assert_eq!(stand_in.effects(), []);
}

#[tokio::test]
async fn workflows_that_can_not_be_activated() {
    let (stand_in, n8n) = start().await;
    let add = |document| WorkflowId(stand_in.seed(document));
    let manual = json!({"name": "m", "nodes": [node("Start", "n8n-nodes-base.manualTrigger")], "connections": {}});
    let manual = add(manual);
    let strange =
        json!({"name": "s", "nodes": [schedule("A"), node("B", "acme.odd")], "connections": {}});
    let strange = add(strange);
    let misconfigured = add(scheduled("misconfigured"));
    stand_in.refuse_activation(&misconfigured.0, "Node \"Work\" has issues: no credentials");
    let fine = add(scheduled("fine"));
    let archived = add(scheduled("archived"));
    stand_in.archive(&archived.0);
    let broken = add(scheduled("broken"));
    stand_in.break_activation(&broken.0);

    n8n.activate(&fine).await.expect("activated");
    n8n.activate(&fine).await.expect("activated already");
    for (id, words) in [
        (
            &manual,
            "Workflow cannot be activated because it has no trigger node. At least one trigger, webhook, or polling node is required.",
        ),
        (&strange, "Unrecognized node type: acme.odd"),
        (&misconfigured, "Node \"Work\" has issues: no credentials"),
        (&archived, "Cannot activate an archived workflow."),
    ] {
        assert_eq!(refused(n8n.activate(id).await), words);
    }
    assert_eq!(failed(n8n.activate(&broken).await), "Internal server error");
    assert_eq!(stand_in.effects().len(), 1);
    for id in stand_in.ids() {
        let active = stand_in.workflow(&id).expect("there")["active"].clone();
        assert_eq!(active, json!(id == fine.0));
    }
}

#[tokio::test]
async fn what_is_not_there() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(UNKNOWN.to_owned());
    let document = workflow(scheduled("a"));
    for result in [
        n8n.update(&id, &document).await,
        n8n.activate(&id).await,
        n8n.deactivate(&id).await,
        n8n.activate(&WorkflowId("a/b".to_owned())).await,
        n8n.update(&WorkflowId("..".to_owned()), &document).await,
    ] {
        assert!(
            matches!(result, Err(EngineError::NotFound { .. })),
            "{result:?}"
        );
    }
    assert_eq!(n8n.get(&id).await.expect("read"), None);
    n8n.delete(&id).await.expect("gone already");
    n8n.delete(&WorkflowId("a/b".to_owned()))
        .await
        .expect("gone already");
    assert_eq!(stand_in.effects(), []);
}

/// A PUT says 404 in words of its own.
#[tokio::test]
async fn one_removed_before_it_could_be_changed() {
    let (stand_in, n8n) = start().await;
    let id = stand_in.seed(scheduled("a"));
    stand_in.latency(std::time::Duration::from_millis(300));
    let removing = async {
        while stand_in.count("PUT /workflows/{id}") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stand_in.remove(&id);
    };
    let id = WorkflowId(id.clone());
    let document = workflow(scheduled("b"));
    let (updated, ()) = tokio::join!(n8n.update(&id, &document), removing);
    assert!(matches!(updated, Err(EngineError::NotFound { id: found }) if found == id));
    let put = stand_in.writes().pop().expect("a PUT");
    assert_eq!((put.status, put.effect), (Some(404), None));
}

#[tokio::test]
async fn archived_workflows_are_removed_but_not_changed() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    stand_in.archive(&id.0);
    let message = refused(n8n.update(&id, &workflow(scheduled("b"))).await);
    assert_eq!(
        message,
        "the workflow `a` is archived and can't be changed: bring it back in n8n first"
    );
    assert_eq!(stand_in.writes(), []);
    n8n.delete(&id).await.expect("removed");
    assert_eq!(stand_in.ids(), [""; 0]);
}

#[tokio::test]
async fn an_active_workflow_is_stopped_before_it_is_removed() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(with(scheduled("a"), "active", json!(true))));
    // While it is being stopped, the real one breaks at times.
    stand_in.inject(Injection::once("DELETE /workflows/{id}", Fault::FailBefore).after(1));
    n8n.delete(&id).await.expect("removed");
    let effects: Vec<_> = stand_in
        .effects()
        .into_iter()
        .map(|(_, effect)| effect)
        .collect();
    assert_eq!(effects, [Effect::Deactivated, Effect::Deleted]);
    n8n.delete(&id).await.expect("gone already");
}

#[tokio::test]
async fn a_wrong_key_is_not_repeated() {
    let (stand_in, _) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    let options = Options::new(&stand_in.url, ApiKey::new("n8n_api_hunter2"));
    let n8n = N8n::new(&options).expect("an engine");
    let document = workflow(scheduled("b"));
    for error in [
        n8n.check().await.map(drop),
        n8n.export().await.map(drop),
        n8n.get(&id).await.map(drop),
        n8n.create(&document).await.map(drop),
        n8n.update(&id, &document).await,
        n8n.delete(&id).await,
        n8n.activate(&id).await,
        n8n.deactivate(&id).await,
    ] {
        let error = error.expect_err("a wrong key");
        assert!(matches!(error, EngineError::Unauthenticated), "{error:?}");
    }
    assert_eq!(stand_in.effects(), []);
    assert!(!format!("{n8n:?} {options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_workflow_that_is_too_large() {
    let (stand_in, n8n) = start().await;
    // Our own parser would not let it through.
    let mut document = workflow(scheduled("large"));
    let parameters = json!({"x": "y".repeat(17 * 1024 * 1024)});
    document.nodes[0].insert("parameters".to_owned(), parameters);
    let message = refused(n8n.create(&document).await);
    assert_eq!(
        message,
        "413 Payload Too Large: PayloadTooLargeError: request entity too large"
    );
    assert_eq!(stand_in.effects(), []);

    let mut document = scheduled("just not too large");
    document["nodes"][0]["parameters"] = json!({"x": "y".repeat(15 * 1024 * 1024)});
    let document = workflow(document);
    let id = n8n.create(&document).await.expect("created");
    let found = n8n.get(&id).await.expect("read").expect("there");
    assert_eq!(found.workflow, Ok(document));
}
