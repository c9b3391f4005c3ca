//! What an update leaves behind.

use serde_json::json;
use slipway_n8n_stand_in::{Effect, Fault, Injection};
use slipway_workflows::{EngineError, WorkflowEngine, WorkflowId};

use crate::{
    node, refused, schedule, scheduled, start, unavailable, uncertain, with, with_webhook, workflow,
};

#[tokio::test]
async fn everything_becomes_what_the_document_says() {
    let (stand_in, n8n) = start().await;
    let mut before = scheduled("before");
    before["description"] = json!("before");
    before["tags"] = json!(["a", "b"]);
    before["pinData"] = json!({"Work": [{"json": {"x": 1}}]});
    before["nodeGroups"] = json!([{"name": "g", "nodes": ["Work"]}]);
    before["staticData"] = json!({"cursor": 7});
    before["settings"] = json!({"timezone": "UTC", "errorWorkflow": "x", "executionTimeout": 60, "binaryMode": "separate"});
    let id = WorkflowId(stand_in.seed(before));
    let mut after = scheduled("after");
    after["tags"] = json!(["b", "c"]);
    let after = workflow(after);
    n8n.update(&id, &after).await.expect("updated");

    let found = n8n.get(&id).await.expect("read").expect("there");
    assert_eq!(found.workflow, Ok(after.clone()));
    let row = stand_in.workflow(&id.0).expect("there");
    // The memory of the instance is its own, and so are settings that can't be set.
    assert_eq!(row["staticData"], json!({"cursor": 7}));
    assert_eq!(
        row["settings"],
        json!({"executionOrder": "v1", "binaryMode": "separate"})
    );
    assert_eq!(stand_in.tags(), ["a", "b", "c"]);

    stand_in.forget_calls();
    n8n.update(&id, &after).await.expect("the same again");
    assert_eq!(stand_in.writes(), []);

    let mut full = scheduled("full");
    full["description"] = json!("why");
    full["pinData"] = json!({"Work": [{"json": {"x": 1.0}}]});
    full["nodeGroups"] = json!([1]);
    full["settings"] = json!({"executionOrder": "v1", "timezone": "Europe/Berlin", "executionTimeout": 60.0, "callerPolicy": "any"});
    full["nodes"][0]["typeVersion"] = json!(2.0);
    let full = workflow(full);
    n8n.update(&id, &full).await.expect("updated");
    stand_in.forget_calls();
    // n8n writes 2.0 as 2, which is the same to it.
    n8n.update(&id, &full).await.expect("the same again");
    assert_eq!(stand_in.writes(), []);
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(row["settings"]["timezone"], json!("Europe/Berlin"));
    assert_eq!(row["tags"], json!([]));
}

#[tokio::test]
async fn settings_that_can_not_be_removed_are_told() {
    let (stand_in, n8n) = start().await;
    let settings = json!({"callerPolicy": "any", "saveManualExecutions": true, "timezone": "UTC"});
    let id = WorkflowId(stand_in.seed(with(scheduled("a"), "settings", settings)));
    let document = workflow(with(scheduled("b"), "settings", json!({})));
    let message = refused(n8n.update(&id, &document).await);
    assert!(
        message.starts_with(
            "the content was saved, but n8n's API can't remove the settings `callerPolicy`, `saveManualExecutions`: reset them"
        ),
        "{message}"
    );
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(row["name"], "b");
    assert_eq!(
        row["settings"],
        json!({"callerPolicy": "any", "saveManualExecutions": true})
    );
}

#[tokio::test]
async fn an_active_workflow_runs_the_new_content_at_once() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(with(scheduled("a"), "active", json!(true))));
    let mut document = scheduled("a");
    document["nodes"][1]["parameters"] = json!({"x": 1});
    let document = workflow(document);
    n8n.update(&id, &document).await.expect("updated");
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(row["active"], json!(true));
    assert_eq!(row["activeVersion"]["nodes"], row["nodes"]);

    // A draft that somebody left is not what runs, even where it is what the document says.
    stand_in.edit(&id.0, |draft| {
        draft["nodes"][1]["parameters"] = json!({"x": 2});
    });
    let mut document = document;
    document.nodes[1].insert("parameters".to_owned(), json!({"x": 2}));
    n8n.update(&id, &document).await.expect("published");
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(
        row["activeVersion"]["nodes"][1]["parameters"],
        json!({"x": 2})
    );
    let last = stand_in.effects().pop().expect("an effect").1;
    assert_eq!(last, Effect::Changed { published: true });
}

#[tokio::test]
async fn a_refusal_that_saved_a_draft_says_so() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(with(scheduled("a"), "active", json!(true))));
    let without_trigger = json!({
        "name": "a", "nodes": [node("Start", "n8n-nodes-base.manualTrigger")], "connections": {}, "settings": {"executionOrder": "v1"},
    });
    let without_trigger = workflow(without_trigger);
    let message = refused(n8n.update(&id, &without_trigger).await);
    assert!(
        message.starts_with("Workflow cannot be activated because it has no trigger node."),
        "{message}"
    );
    assert!(
        message.ends_with(
            "; the content was saved all the same, as a draft: what runs is the version before it"
        ),
        "{message}"
    );
    assert_eq!(
        stand_in.effects().pop().expect("an effect").1,
        Effect::Changed { published: false }
    );

    // It is not taken for done the next time.
    assert_eq!(refused(n8n.update(&id, &without_trigger).await), message);
    n8n.update(&id, &workflow(scheduled("a")))
        .await
        .expect("put back");
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(row["activeVersionId"], row["versionId"]);
}

#[tokio::test]
async fn a_node_without_an_id_keeps_the_one_that_it_was_given() {
    let (stand_in, n8n) = start().await;
    let mut document = with_webhook("a", "orders");
    let webhook = document["nodes"][0].as_object_mut().expect("a node");
    webhook.remove("id");
    webhook.remove("webhookId");
    let created = workflow(document.clone());
    let id = n8n.create(&created).await.expect("created");
    let given = stand_in.workflow(&id.0).expect("there")["nodes"][0].clone();
    assert!(given["id"].is_string() && given["webhookId"].is_string());
    stand_in.forget_calls();
    n8n.update(&id, &created).await.expect("the same again");
    assert_eq!(stand_in.writes(), []);

    document["nodes"][0]["parameters"]["path"] = json!("parcels");
    n8n.update(&id, &workflow(document)).await.expect("updated");
    let kept = stand_in.workflow(&id.0).expect("there")["nodes"][0].clone();
    assert_eq!(kept["parameters"]["path"], "parcels");
    assert_eq!(
        (&kept["id"], &kept["webhookId"]),
        (&given["id"], &given["webhookId"])
    );
}

#[tokio::test]
async fn a_new_workflow_is_inactive_and_complete() {
    let (stand_in, n8n) = start().await;
    let mut document = scheduled("a");
    document["active"] = json!(true);
    document["description"] = json!("why");
    document["tags"] = json!(["etl"]);
    document["staticData"] = json!({"cursor": 7});
    let mut document = workflow(document);
    let first = n8n.create(&document).await.expect("created");
    let second = n8n.create(&document).await.expect("a name twice");
    assert_ne!(first, second);
    let found = n8n.get(&first).await.expect("read").expect("there");
    document.active = false;
    assert_eq!(found.workflow, Ok(document));
    assert_eq!(
        stand_in.workflow(&first.0).expect("there")["staticData"],
        json!(null)
    );
    assert_eq!(stand_in.tags(), ["etl"]);
}

#[tokio::test]
async fn a_workflow_added_in_part_is_removed_again() {
    let (stand_in, n8n) = start().await;
    let mut document = scheduled("a");
    document["description"] = json!("why");
    document["tags"] = json!(["etl"]);
    let document = workflow(document);
    stand_in.inject(Injection::once(
        "PUT /workflows/{id}/tags",
        Fault::FailBefore,
    ));
    let error = n8n.create(&document).await.expect_err("failed");
    assert!(
        matches!(&error, EngineError::Failed { message } if message == "Internal server error"),
        "{error:?}"
    );
    assert_eq!(stand_in.ids(), [""; 0]);

    stand_in.inject(Injection::once(
        "PUT /workflows/{id}/tags",
        Fault::DropAfter,
    ));
    let problem = unavailable(n8n.create(&document).await);
    assert!(problem.ends_with("was removed again"), "{problem}");
    assert_eq!(stand_in.ids(), [""; 0]);

    // Where that does not work either, it says what is there.
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::DropBefore));
    stand_in.inject(Injection::once("DELETE /workflows/{id}", Fault::FailBefore));
    let problem = uncertain(n8n.create(&document).await);
    let left = stand_in.ids().pop().expect("left behind");
    assert!(
        problem.contains(&format!(
            "was added as `{left}` without its description or tags"
        )),
        "{problem}"
    );
}

#[tokio::test]
async fn a_change_whose_tags_fail_says_that_the_content_was_saved() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    let tagged = workflow(with(scheduled("b"), "tags", json!(["etl"])));
    stand_in.inject(Injection::once("PUT /workflows/{id}/tags", Fault::Redirect));
    let problem = uncertain(n8n.update(&id, &tagged).await);
    assert!(
        problem.starts_with("the content was saved, the tags were not: "),
        "{problem}"
    );
    n8n.update(&id, &tagged).await.expect("safe to repeat");
    // Only the tags were missing.
    assert_eq!(stand_in.count("PUT /workflows/{id}"), 1);
    assert_eq!(stand_in.tags(), ["etl"]);
}

#[tokio::test]
async fn two_that_need_the_same_new_tag_share_it() {
    let (stand_in, n8n) = start().await;
    // Both look for it before either makes it.
    let late = Fault::SlowAnswer(std::time::Duration::from_millis(200));
    stand_in.inject(Injection {
        times: 2,
        ..Injection::once("GET /tags", late)
    });
    let document = |name| {
        workflow(with(
            json!({"name": name, "nodes": [schedule("A")], "connections": {}}),
            "tags",
            json!(["etl"]),
        ))
    };
    let (one, two) = (document("1"), document("2"));
    let (one, two) = tokio::join!(n8n.create(&one), n8n.create(&two));
    for id in [one.expect("created"), two.expect("created")] {
        assert_eq!(
            stand_in.workflow(&id.0).expect("there")["tags"][0]["name"],
            "etl"
        );
    }
    assert_eq!(stand_in.tags(), ["etl"]);
    assert_eq!(stand_in.count("POST /tags"), 2);
}

/// n8n takes some settings and throws them away; an export from its editor has them all the same.
#[tokio::test]
async fn settings_of_the_instance_stay_behind() {
    let (stand_in, n8n) = start().await;
    let mut document = scheduled("a");
    document["settings"] =
        json!({"executionOrder": "v1", "binaryMode": "separate", "redactionPolicy": "none"});
    let document = workflow(document);
    assert_eq!(document.settings.len(), 1, "{:?}", document.settings);
    let id = n8n.create(&document).await.expect("created");
    let found = n8n.get(&id).await.expect("read").expect("there");
    assert_eq!(found.workflow, Ok(document));
    let row = stand_in.workflow(&id.0).expect("there");
    assert_eq!(row["settings"], json!({"executionOrder": "v1"}));
}
