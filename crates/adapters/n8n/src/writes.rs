//! Changing workflows.

use std::time::Duration;

use http::{Method, StatusCode};
use slipway_workflows::{EngineError, Workflow, WorkflowId};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::content::{self, Row};
use crate::webhooks::{self, Webhook};
use crate::{activation, export, tags};

/// Adds a workflow. One that could only be added without its description or tags is removed again.
pub(crate) async fn create(
    client: &Client,
    wanted: &Workflow,
    deadline: Instant,
) -> Result<WorkflowId, EngineError> {
    tags::check(&wanted.tags)?;
    let tag_ids = tags::find_or_create(client, &wanted.tags, deadline).await?;
    let body = content::new(wanted);
    let answer = client
        .write(Method::POST, "/workflows", Some(&body), deadline)
        .await?;
    let answer = client
        .accept(answer, None)
        .map_err(|error| named(error, wanted))?;
    let row = answer.content::<Row>().ok();
    let Some((id, row)) = row.and_then(|row| Some((row.id()?, row))) else {
        return Err(EngineError::Uncertain {
            problem: "n8n says that the workflow was added, but not under which id".to_owned(),
        });
    };
    let completed = async {
        if !wanted.description.is_empty() {
            put(client, &id, wanted, &row, deadline).await?;
        }
        if !tag_ids.is_empty() {
            tags::set(client, &id, &tag_ids, deadline).await?;
        }
        Ok(())
    };
    match completed.await {
        Ok(()) => Ok(id),
        Err(error) => Err(undone(client, &id, error, deadline).await),
    }
}

/// Removes a workflow that was added in part, and says so.
async fn undone(
    client: &Client,
    id: &WorkflowId,
    error: EngineError,
    deadline: Instant,
) -> EngineError {
    if delete(client, id, deadline).await.is_err() {
        return partly(
            error,
            &format!(
                "the workflow was added as `{}` without its description or tags, and could not be removed again",
                id.0
            ),
        );
    }
    match error {
        EngineError::Uncertain { problem } => EngineError::Unavailable {
            problem: format!(
                "{problem}; the workflow that was added without its description or tags was removed again"
            ),
        },
        EngineError::NotFound { id } => EngineError::Failed {
            message: format!("the workflow `{}` vanished while it was added", id.0),
        },
        other => other,
    }
}

/// Makes a workflow what the document says.
pub(crate) async fn update(
    client: &Client,
    id: &WorkflowId,
    wanted: &Workflow,
    deadline: Instant,
) -> Result<(), EngineError> {
    tags::check(&wanted.tags)?;
    let Some(before) = export::row(client, id, deadline).await? else {
        return Err(EngineError::NotFound { id: id.clone() });
    };
    if before.is_archived() {
        return Err(EngineError::Refused {
            message: format!(
                "the workflow `{}` is archived and can't be changed: bring it back in n8n first",
                before.name()
            ),
        });
    }
    // Before the content, so that a tag that is refused leaves everything as it is.
    let tag_ids = if before.tags() == wanted.tags {
        None
    } else {
        Some(tags::find_or_create(client, &wanted.tags, deadline).await?)
    };
    let changes = !before.holds(wanted);
    if changes {
        replace(client, id, wanted, &before, deadline).await?;
    }
    let Some(tag_ids) = tag_ids else {
        return Ok(());
    };
    let tagged = tags::set(client, id, &tag_ids, deadline).await;
    tagged.map_err(|error| {
        if changes {
            partly(error, "the content was saved, the tags were not")
        } else {
            error
        }
    })
}

/// Replaces the content. That of an active workflow runs at once, so that its webhooks must be free.
async fn replace(
    client: &Client,
    id: &WorkflowId,
    wanted: &Workflow,
    before: &Row,
    deadline: Instant,
) -> Result<(), EngineError> {
    let running = before.running();
    let after = if before.is_active() {
        webhooks::of(&content::with_identities(&wanted.nodes, before))
    } else {
        Vec::new()
    };
    let without = |these: &[Webhook], those: &[Webhook]| -> Vec<Webhook> {
        let is_new = |it: &&Webhook| those.iter().all(|that| that.address != it.address);
        these.iter().filter(is_new).cloned().collect()
    };
    let (added, gone) = (without(&after, &running), without(&running, &after));
    let mut held = (client.addresses)
        .hold(added.iter().chain(&gone), deadline)
        .await?;
    activation::check_free(client, id, &added, &held, deadline).await?;
    let replaced = put(client, id, wanted, before, deadline).await;
    if matches!(replaced, Ok(()) | Err(EngineError::Uncertain { .. })) {
        held.give(&added, id);
        held.take(&gone, id);
    }
    replaced
}

/// Sends the content, and reads back what became of it.
async fn put(
    client: &Client,
    id: &WorkflowId,
    wanted: &Workflow,
    before: &Row,
    deadline: Instant,
) -> Result<(), EngineError> {
    let path = format!("/workflows/{}", id.0);
    let body = content::changed(wanted, before);
    let answer = client
        .write(Method::PUT, &path, Some(&body), deadline)
        .await;
    let answer = match answer {
        Ok(answer) if before.is_active() && answer.status == StatusCode::CONFLICT => {
            let nodes = content::with_identities(&wanted.nodes, before);
            let webhooks = webhooks::of(&nodes);
            Err(activation::conflict(client, id, &webhooks, &answer, deadline).await)
        }
        answer => answer.and_then(|answer| client.accept(answer, Some(id))),
    };
    let failure = match answer {
        Ok(_) => None,
        Err(
            error @ (EngineError::Refused { .. }
            | EngineError::Failed { .. }
            | EngineError::Uncertain { .. }),
        ) => Some(named(error, wanted)),
        Err(nothing_done) => return Err(nothing_done),
    };
    match (export::row(client, id, deadline).await, failure) {
        (Ok(Some(found)), failure) => judge(wanted, before, &found, failure),
        (Ok(None), _) => Err(EngineError::NotFound { id: id.clone() }),
        (Err(unread), None) => Err(partly(
            unread,
            "the content was saved, but could not be read back",
        )),
        (Err(unread), Some(EngineError::Refused { message })) => Err(EngineError::Uncertain {
            problem: format!(
                "n8n refused ({message}), which can leave a draft, and what it holds could not be read back ({unread})"
            ),
        }),
        (Err(_), Some(failure)) => Err(failure),
    }
}

/// Whether a change succeeded, by what is there after it.
fn judge(
    wanted: &Workflow,
    before: &Row,
    found: &Row,
    failure: Option<EngineError>,
) -> Result<(), EngineError> {
    let saved = found.shows(wanted, before);
    match failure {
        Some(failure) if !saved => return Err(failure),
        Some(failure) if found.is_behind() => {
            return Err(partly(
                failure,
                "the content was saved all the same, as a draft: what runs is the version before it",
            ));
        }
        None if found.is_behind() => {
            return Err(EngineError::Refused {
                message: "the content was saved as a draft only, and what runs is the version before it: deactivate and \
                          activate the workflow"
                    .to_owned(),
            });
        }
        // What was asked is there, and runs if the workflow runs: a bad answer changes nothing about that.
        _ => {}
    }
    let (leftovers, unkept) = (found.leftovers(wanted), found.unkept(wanted));
    let message = if !leftovers.is_empty() {
        format!(
            "the content was saved, but n8n's API can't remove the settings `{}`: reset them in n8n's editor, or take them \
             into the document",
            leftovers.join("`, `")
        )
    } else if !unkept.is_empty() {
        format!(
            "the content was saved, but n8n did not keep the settings `{}` as the document has them: take them out of it",
            unkept.join("`, `")
        )
    } else {
        return Ok(());
    };
    Err(EngineError::Refused { message })
}

/// How long we wait before we ask anew for the removal of a workflow that n8n is just stopping.
const STOPPING: Duration = Duration::from_millis(200);
/// How often we ask. Under load, 2 s were seen.
const MOST_ASKED: usize = 50;

/// Removes a workflow; an active one is stopped first.
pub(crate) async fn delete(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<(), EngineError> {
    match remove(client, id, deadline).await {
        Err(EngineError::NotFound { .. }) => Ok(()),
        removed => removed,
    }
}

async fn remove(client: &Client, id: &WorkflowId, deadline: Instant) -> Result<(), EngineError> {
    let path = format!("/workflows/{}", id.0);
    let remove = async || {
        let answer = client.write(Method::DELETE, &path, None, deadline).await?;
        let status = answer.status;
        let accepted = client.accept(answer, Some(id));
        Ok((status, accepted.map(|_| ())))
    };
    let (status, removed) = remove().await?;
    if status != StatusCode::CONFLICT {
        return removed;
    }
    // It is active.
    activation::deactivate(client, id, deadline).await?;
    let mut asked = 1;
    let removed = loop {
        match remove().await {
            // It is being stopped, which n8n says in these two ways.
            Ok((StatusCode::CONFLICT | StatusCode::INTERNAL_SERVER_ERROR, _))
                if asked < MOST_ASKED && Instant::now() + STOPPING < deadline =>
            {
                sleep(STOPPING).await;
                asked += 1;
            }
            other => break other.and_then(|(_, removed)| removed),
        }
    };
    removed.map_err(|error| match error {
        EngineError::NotFound { .. } => error,
        error => partly(error, "the workflow was deactivated"),
    })
}

/// The failure of a later step: that nothing was done is no longer true.
fn partly(error: EngineError, done: &str) -> EngineError {
    match error {
        EngineError::Refused { message } => EngineError::Refused {
            message: format!("{message}; {done}"),
        },
        EngineError::Failed { message } => EngineError::Failed {
            message: format!("{message}; {done}"),
        },
        EngineError::Uncertain { problem } => EngineError::Uncertain {
            problem: format!("{problem}; {done}"),
        },
        other => EngineError::Uncertain {
            problem: format!("{done}: {other}"),
        },
    }
}

/// The refusal with the name of the node that it is about.
fn named(error: EngineError, workflow: &Workflow) -> EngineError {
    match error {
        EngineError::Refused { message } => EngineError::Refused {
            message: content::name_node(&message, workflow),
        },
        other => other,
    }
}
