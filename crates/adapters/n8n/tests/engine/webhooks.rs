//! Webhooks that two workflows have, which n8n notices late and does not name.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::{Effect, StandIn};
use slipway_workflows::{WorkflowEngine, WorkflowId};

use crate::{node, refused, start, with, with_webhook, workflow};

/// What n8n says, and all that it says.
const WORDS: &str = "There is a conflict with one of the webhooks.";

fn in_use(other: &WorkflowId) -> String {
    format!(
        "the path `orders` (POST) of the node `Webhook` is in use by the active workflow `first` ({}): change it, or \
         deactivate that workflow",
        other.0
    )
}

fn add(stand_in: &StandIn, name: &str, path: &str) -> WorkflowId {
    WorkflowId(stand_in.seed(with_webhook(name, path)))
}

fn is_active(stand_in: &StandIn, id: &WorkflowId) -> Value {
    stand_in.workflow(&id.0).expect("there")["active"].clone()
}

/// Longer than the stand-in takes to register a webhook.
async fn registered() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

#[tokio::test]
async fn the_second_one_is_refused_though_n8n_would_let_it_pass() {
    let (stand_in, n8n) = start().await;
    let first = add(&stand_in, "first", "orders");
    let second = add(&stand_in, "second", "/orders/");
    n8n.activate(&first).await.expect("activated");
    let message = refused(n8n.activate(&second).await);
    assert_eq!(message, in_use(&first));
    assert_eq!(is_active(&stand_in, &second), json!(false));
    assert_eq!(stand_in.count("POST /workflows/{id}/activate"), 1);
    n8n.activate(&first).await.expect("activated already");

    // Where the first one was stopped by somebody else, or got another path, nothing stands in the way.
    assert!(stand_in.edit(&first.0, |draft| {
        draft["nodes"][0]["parameters"]["path"] = json!("parcels");
    }));
    let draft = stand_in.workflow(&first.0).expect("there");
    assert_ne!(draft["versionId"], draft["activeVersionId"]);
    assert_eq!(refused(n8n.activate(&second).await), in_use(&first));
    stand_in.remove(&first.0);
    n8n.activate(&second).await.expect("activated");
}

/// Without us, both would be active, and only one of them called.
#[tokio::test]
async fn two_at_the_same_time_are_one_too_many() {
    let (stand_in, n8n) = start().await;
    stand_in.latency(Duration::from_millis(50));
    let ids: Vec<_> = (0..4).map(|_| add(&stand_in, "first", "orders")).collect();
    let all = ids.iter().map(|id| n8n.activate(id));
    let all = futures_util::future::join_all(all).await;
    let refusals: Vec<_> = all
        .into_iter()
        .filter(Result::is_err)
        .map(refused)
        .collect();
    assert_eq!(refusals.len(), 3);
    assert!(
        refusals.iter().all(|it| it.contains("`orders`")),
        "{refusals:?}"
    );
    let active = ids
        .iter()
        .filter(|id| is_active(&stand_in, id) == json!(true));
    assert_eq!(active.count(), 1);

    // Another method is another address.
    let mut other = with_webhook("other", "orders");
    other["nodes"][0]["parameters"]["httpMethod"] = json!(["GET", "PUT"]);
    let other = WorkflowId(stand_in.seed(other));
    n8n.activate(&other).await.expect("activated");
}

#[tokio::test]
async fn a_refusal_of_n8n_gets_the_names() {
    let (stand_in, n8n) = start().await;
    let first =
        WorkflowId(stand_in.seed(with(with_webhook("first", "orders"), "active", json!(true))));
    for number in 0..60 {
        let path = format!("p{number}");
        stand_in.seed(with(with_webhook(&path, &path), "active", json!(true)));
    }
    registered().await;
    let second = add(&stand_in, "second", "orders");
    let message = refused(n8n.activate(&second).await);
    assert_eq!(message, format!("{WORDS} {}", in_use(&first)));

    let mut twice = with_webhook("twice", "parcels");
    let mut again = twice["nodes"][0].clone();
    again["name"] = json!("Again");
    again["id"] = json!("2");
    twice["nodes"].as_array_mut().expect("nodes").push(again);
    let twice = WorkflowId(stand_in.seed(twice));
    let message = refused(n8n.activate(&twice).await);
    assert_eq!(
        message,
        format!(
            "{WORDS} The node `Webhook` has the path `parcels` (POST) of the node `Again` as well: change one of them"
        )
    );
}

/// Its content runs at once, so that its webhooks must be free.
#[tokio::test]
async fn a_change_of_an_active_workflow_takes_no_other_ones_path() {
    let (stand_in, n8n) = start().await;
    let first = add(&stand_in, "first", "orders");
    let second = add(&stand_in, "second", "parcels");
    n8n.activate(&second).await.expect("activated");
    n8n.activate(&first).await.expect("activated");
    let changed = workflow(with_webhook("second", "orders"));
    // n8n does not know of it yet, and nothing is written.
    assert_eq!(refused(n8n.update(&second, &changed).await), in_use(&first));
    assert_eq!(stand_in.count("PUT /workflows/{id}"), 0);

    // Another server of ours asks n8n, which saves a draft.
    registered().await;
    let options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
    let other = N8n::new(&options).expect("an engine");
    assert_eq!(
        refused(other.update(&second, &changed).await),
        format!(
            "{WORDS} {}; the content was saved all the same, as a draft: what runs is the version before it",
            in_use(&first)
        )
    );
    let row = stand_in.workflow(&second.0).expect("there");
    assert_eq!(
        row["activeVersion"]["nodes"][0]["parameters"]["path"],
        "parcels"
    );
    assert_eq!(
        stand_in.effects().pop().expect("an effect").1,
        Effect::Changed { published: false }
    );
    // A path that nobody has is no matter.
    let free = workflow(with_webhook("second", "letters"));
    n8n.update(&second, &free).await.expect("updated");
}

/// Asking for an address while n8n lets go of it would make it unusable.
#[tokio::test]
async fn an_address_changes_hands() {
    let (stand_in, n8n) = start().await;
    let first = add(&stand_in, "first", "orders");
    let second = add(&stand_in, "second", "orders");
    let third = add(&stand_in, "third", "orders");
    n8n.activate(&first).await.expect("activated");
    registered().await;
    n8n.delete(&first).await.expect("deleted");
    n8n.activate(&second).await.expect("activated");
    registered().await;
    let moved = workflow(with_webhook("second", "parcels"));
    n8n.update(&second, &moved).await.expect("moved away");
    n8n.activate(&third).await.expect("activated");
}

#[tokio::test]
async fn an_address_that_n8n_holds_back_is_told() {
    let (stand_in, n8n) = start().await;
    let first = add(&stand_in, "first", "orders");
    let second = add(&stand_in, "second", "orders");
    n8n.activate(&first).await.expect("activated");
    n8n.deactivate(&first).await.expect("stopped");
    // Somebody who doesn't know of it.
    let options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
    let other = N8n::new(&options).expect("an engine");
    let expected = format!(
        "{WORDS} It is about the path `orders` (POST) of the node `Webhook`, and no active workflow that our key may see \
         has that: n8n can hold on to an address after its workflow was stopped; change it, try again later, or restart n8n"
    );
    assert_eq!(refused(other.activate(&second).await), expected);
    assert_eq!(refused(n8n.activate(&second).await), expected);
    n8n.activate(&first).await.expect("its own is no conflict");
}

#[tokio::test]
async fn chats_and_forms_have_addresses() {
    let (stand_in, n8n) = start().await;
    for kind in [
        "n8n-nodes-base.formTrigger",
        "@n8n/n8n-nodes-langchain.chatTrigger",
    ] {
        let mut trigger = node("Start", kind);
        trigger["webhookId"] = json!("w");
        trigger["typeVersion"] = json!(2.2);
        let document = json!({"name": "a", "nodes": [trigger], "connections": {}, "settings": {}});
        let (first, second) = (stand_in.seed(document.clone()), stand_in.seed(document));
        n8n.activate(&WorkflowId(first)).await.expect("activated");
        let message = refused(n8n.activate(&WorkflowId(second)).await);
        assert!(message.starts_with("the path `w"), "{message}");
    }
}
