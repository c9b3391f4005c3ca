//! Tags, which a document names and n8n numbers.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_workflows::{EngineError, WorkflowId};
use tokio::time::Instant;

use crate::client::Client;
use crate::export;

/// The most characters of a tag's name.
const NAME: usize = 24;

#[derive(Debug, Deserialize)]
struct Tag {
    id: String,
    name: String,
}

/// Refuses names that n8n has no room for.
pub(crate) fn check(names: &BTreeSet<String>) -> Result<(), EngineError> {
    for name in names {
        let problem = match name.chars().count() {
            0 => "is empty".to_owned(),
            // n8n would cut them off, and refuse the name the next time.
            _ if name.trim() != name => "has spaces at an end".to_owned(),
            1..=NAME => continue,
            length => format!("has {length} characters"),
        };
        return Err(EngineError::Refused {
            message: format!(
                "the tag `{}` {problem}; n8n takes 1 to {NAME}, with no space at an end: rename it",
                crate::answer::cut(name, 200)
            ),
        });
    }
    Ok(())
}

/// The ids of these tags. Missing ones are made, which changes no workflow.
pub(crate) async fn find_or_create(
    client: &Client,
    names: &BTreeSet<String>,
    deadline: Instant,
) -> Result<Vec<String>, EngineError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = list(client, deadline).await?;
    let mut ids = Vec::new();
    for name in names {
        let id = match known.remove(name) {
            Some(id) => id,
            None => create(client, name, deadline).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

async fn list(client: &Client, deadline: Instant) -> Result<BTreeMap<String, String>, EngineError> {
    let tags: Vec<Tag> = export::all(client, "/tags?limit=250", deadline).await?;
    Ok(tags.into_iter().map(|tag| (tag.name, tag.id)).collect())
}

async fn create(client: &Client, name: &str, deadline: Instant) -> Result<String, EngineError> {
    let body = json!({ "name": name });
    let answer = client
        .write(Method::POST, "/tags", Some(&body), deadline)
        .await?;
    match client.accept(answer, None) {
        Ok(answer) => answer.content::<Tag>().map(|tag| tag.id),
        // Somebody may have made it meanwhile; or a page of the list missed it.
        Err(EngineError::Refused { message }) => {
            let found = list(client, deadline).await?.remove(name);
            found.ok_or_else(|| EngineError::Refused {
                message: format!("the tag `{name}`: {message}"),
            })
        }
        Err(error) => Err(error),
    }
}

/// Gives a workflow these tags and no others.
pub(crate) async fn set(
    client: &Client,
    id: &WorkflowId,
    ids: &[String],
    deadline: Instant,
) -> Result<(), EngineError> {
    let path = format!("/workflows/{}/tags", id.0);
    let body: Value = ids.iter().map(|id| json!({ "id": id })).collect();
    let answer = client
        .write(Method::PUT, &path, Some(&body), deadline)
        .await?;
    match client.accept(answer, Some(id)) {
        Ok(_) => Ok(()),
        // The workflow was there a moment ago.
        Err(EngineError::NotFound { .. }) => Err(EngineError::Failed {
            message: "a tag, or the workflow itself, was removed meanwhile: try again".to_owned(),
        }),
        Err(error) => Err(error),
    }
}
