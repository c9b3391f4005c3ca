//! Letting workflows run, and stopping them.

use http::{Method, StatusCode};
use slipway_workflows::{EngineError, WorkflowId};
use tokio::time::Instant;

use crate::addresses::Held;
use crate::answer::Answer;
use crate::client::Client;
use crate::content::Row;
use crate::export;
use crate::webhooks::Webhook;

/// Lets a workflow run on its triggers, unless another one has its webhooks.
pub(crate) async fn activate(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<(), EngineError> {
    let row = there(client, id, deadline).await?;
    let webhooks = row.drafted();
    let mut held = client.addresses.hold(&webhooks, deadline).await?;
    check_free(client, id, &webhooks, &held, deadline).await?;
    let answer = switch(client, id, "activate", deadline).await;
    let switched = match answer {
        Ok(answer) if answer.status == StatusCode::CONFLICT => {
            Err(conflict(client, id, &webhooks, &answer, deadline).await)
        }
        Ok(answer) => client.accept(answer, Some(id)).map(drop),
        Err(error) => Err(error),
    };
    if matches!(switched, Ok(()) | Err(EngineError::Uncertain { .. })) {
        held.give(&webhooks, id);
    }
    switched
}

/// Stops a workflow from running on its triggers.
pub(crate) async fn deactivate(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<(), EngineError> {
    let webhooks = there(client, id, deadline).await?.running();
    let mut held = client.addresses.hold(&webhooks, deadline).await?;
    let answer = switch(client, id, "deactivate", deadline).await;
    held.take(&webhooks, id);
    client.accept(answer?, Some(id)).map(drop)
}

async fn there(client: &Client, id: &WorkflowId, deadline: Instant) -> Result<Row, EngineError> {
    let row = export::row(client, id, deadline).await?;
    row.ok_or_else(|| EngineError::NotFound { id: id.clone() })
}

async fn switch(
    client: &Client,
    id: &WorkflowId,
    verb: &str,
    deadline: Instant,
) -> Result<Answer, EngineError> {
    let path = format!("/workflows/{}/{verb}", id.0);
    client.write(Method::POST, &path, None, deadline).await
}

/// Passes where no other workflow was given one of these webhooks lately and still has it. Waits where one was taken from
/// another just now.
pub(crate) async fn check_free(
    client: &Client,
    id: &WorkflowId,
    webhooks: &[Webhook],
    held: &Held,
    deadline: Instant,
) -> Result<(), EngineError> {
    for webhook in webhooks {
        let Some(other) = held.given_to(webhook, id) else {
            continue;
        };
        let other = export::row(client, other, deadline).await?;
        if let Some(other) = other.filter(|other| has(other, webhook)) {
            let message = in_use(webhook, &other);
            return Err(EngineError::Refused { message });
        }
    }
    held.settle(id, deadline).await
}

/// What n8n means when it says that there is a conflict with one of the webhooks, and no more than that.
pub(crate) async fn conflict(
    client: &Client,
    id: &WorkflowId,
    webhooks: &[Webhook],
    answer: &Answer,
    deadline: Instant,
) -> EngineError {
    let cause = match twice(webhooks) {
        Some(cause) => cause,
        None => held_by(client, id, webhooks, deadline).await,
    };
    let words = client.hide(&answer.words());
    EngineError::Refused {
        message: format!("{words} {cause}"),
    }
}

/// Two nodes of the workflow itself that have the same address.
fn twice(webhooks: &[Webhook]) -> Option<String> {
    webhooks.iter().enumerate().find_map(|(index, one)| {
        let two = webhooks[..index]
            .iter()
            .find(|two| two.address == one.address)?;
        Some(format!(
            "The node `{}` has {one} as well: change one of them",
            two.node
        ))
    })
}

async fn held_by(
    client: &Client,
    id: &WorkflowId,
    webhooks: &[Webhook],
    deadline: Instant,
) -> String {
    let path = "/workflows?active=true&limit=50&excludePinnedData=true";
    let active = export::all::<Row>(client, path, deadline).await;
    let others = active.as_deref().unwrap_or_default().iter();
    let others = others.filter(|row| row.id().as_ref() != Some(id));
    let mut found = others.filter_map(|other| {
        let shared = webhooks.iter().find(|webhook| has(other, webhook));
        shared.map(|webhook| in_use(webhook, other))
    });
    if let Some(cause) = found.next() {
        return cause;
    }
    let all: Vec<_> = webhooks.iter().map(ToString::to_string).collect();
    match &active {
        Ok(_) => format!(
            "It is about {}, and no active workflow that our key may see has that: n8n can hold on to an address after its \
             workflow was stopped; change it, try again later, or restart n8n",
            listed(&all)
        ),
        Err(error) => format!(
            "It is about {}; who has that could not be read ({error})",
            listed(&all)
        ),
    }
}

fn listed(webhooks: &[String]) -> String {
    if webhooks.is_empty() {
        "a path that an expression computes".to_owned()
    } else {
        webhooks.join(" or ")
    }
}

fn has(row: &Row, webhook: &Webhook) -> bool {
    let mut running = row.running().into_iter();
    running.any(|running| running.address == webhook.address)
}

fn in_use(webhook: &Webhook, other: &Row) -> String {
    let id = other.id().map(|id| id.0).unwrap_or_default();
    format!(
        "{webhook} is in use by the active workflow `{}` ({id}): change it, or deactivate that workflow",
        other.name()
    )
}
