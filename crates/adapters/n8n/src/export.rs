//! Reading workflows.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use slipway_workflows::workflow::WorkflowError;
use slipway_workflows::{EngineError, Exported, WorkflowId};
use tokio::time::Instant;
use url::form_urlencoded;

use crate::answer::Answer;
use crate::client::{Client, LIST, NoAnswer, ONE};
use crate::content::Row;
use crate::known::{Known, Listed};

/// How many rows a page has; the next smaller one where a page has more bytes than we take.
const PAGES: [usize; 4] = [250, 50, 10, 1];
/// The most rows of a list. It only ends a list that has no end.
const MOST_ROWS: usize = 100_000;
/// How often a list is read before we give up on its bringing everything.
const MOST_PASSES: usize = 40;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

/// Passes where the instance answers and takes the key.
pub(crate) async fn check(client: &Client, deadline: Instant) -> Result<(), EngineError> {
    let answer = client
        .read("/workflows?limit=1&excludePinnedData=true", LIST, deadline)
        .await
        .map_err(NoAnswer::of_read)?;
    client.accept(answer, None)?.content::<Page<Listed>>()?;
    Ok(())
}

/// Every workflow, by id.
pub(crate) async fn export(
    client: &Client,
    known: &Known,
    max_parallel: usize,
    deadline: Instant,
) -> Result<Vec<Exported>, EngineError> {
    let listed = list(client, deadline).await?;
    // One by one, because a list shows no descriptions.
    let reads: Vec<_> = listed
        .into_values()
        .map(|listed| whole(client, known, listed, deadline))
        .collect();
    let found = stream::iter(reads).buffered(max_parallel);
    // What was removed since it was listed is left out.
    let found: Vec<_> = found
        .try_filter_map(async |found| Ok(found))
        .try_collect()
        .await?;
    let (exported, read): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    known.remember(read.into_iter().flatten().collect());
    Ok(exported)
}

/// A workflow that is there, and the answer that showed it to be remembered.
type Whole = (Exported, Option<(Listed, Bytes)>);

async fn whole(
    client: &Client,
    known: &Known,
    listed: Listed,
    deadline: Instant,
) -> Result<Option<Whole>, EngineError> {
    let id = WorkflowId(listed.id.clone());
    let answer = match known.unchanged(&listed) {
        Some(body) => Ok(Some(Answer::remembered(body))),
        None => answered(client, &id, deadline).await,
    };
    match answer {
        Ok(Some(answer)) => {
            let exported = answer.content::<Row>()?.exported(id);
            Ok(Some((exported, Some((listed, answer.body)))))
        }
        Ok(None) => Ok(None),
        // One that is too large must not hide the others.
        Err(ReadError::TooLarge { bytes }) => {
            let exported = Exported {
                id,
                name: listed.name,
                archived: listed.is_archived,
                workflow: Err(WorkflowError::TooLarge { bytes }),
            };
            Ok(Some((exported, None)))
        }
        Err(ReadError::Engine(error)) => Err(error),
    }
}

/// One workflow for others.
pub(crate) async fn get(
    client: &Client,
    known: &Known,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<Option<Exported>, EngineError> {
    let Some(answer) = one(client, id, deadline).await? else {
        return Ok(None);
    };
    let row: Row = answer.content()?;
    known.add(&answer.body);
    Ok(Some(row.exported(id.clone())))
}

/// One workflow as n8n shows it.
pub(crate) async fn row(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<Option<Row>, EngineError> {
    let answer = one(client, id, deadline).await?;
    answer.map(|answer| answer.content()).transpose()
}

async fn one(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<Option<Answer>, EngineError> {
    let answer = answered(client, id, deadline).await;
    answer.map_err(|error| match error {
        ReadError::TooLarge { bytes } => NoAnswer::TooLarge { bytes }.of_read(),
        ReadError::Engine(error) => error,
    })
}

enum ReadError {
    TooLarge { bytes: usize },
    Engine(EngineError),
}

/// The answer that shows a workflow; none where there is no such workflow.
async fn answered(
    client: &Client,
    id: &WorkflowId,
    deadline: Instant,
) -> Result<Option<Answer>, ReadError> {
    let path = format!("/workflows/{}", id.0);
    let answer = match client.read(&path, ONE, deadline).await {
        Ok(answer) => answer,
        Err(NoAnswer::TooLarge { bytes }) => return Err(ReadError::TooLarge { bytes }),
        Err(other) => return Err(ReadError::Engine(other.of_read())),
    };
    match client.accept(answer, Some(id)) {
        Ok(answer) => Ok(Some(answer)),
        Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(ReadError::Engine(error)),
    }
}

/// Every workflow once, by id. Pages have no order of their own, so that rows come twice or not at all: a list of several
/// pages is read until it brings nothing new, twice in a row where rows came twice.
async fn list(client: &Client, deadline: Instant) -> Result<BTreeMap<String, Listed>, EngineError> {
    let mut all = BTreeMap::new();
    let mut unordered = false;
    let mut quiet = 0;
    let mut rows = 0;
    for _ in 0..MOST_PASSES {
        let before = all.len();
        let pass = pass(client, &mut all, deadline).await?;
        if pass.pages == 1 {
            return Ok(all);
        }
        rows = pass.rows;
        unordered |= pass.distinct < rows;
        quiet = if all.len() == before { quiet + 1 } else { 0 };
        let enough = if unordered { 2 } else { 1 };
        if quiet >= enough && all.len() >= rows {
            return Ok(all);
        }
    }
    Err(EngineError::Failed {
        message: format!(
            "its list of workflows has {rows} rows, but only {} of them could be seen in {MOST_PASSES} readings: try again \
             while nobody adds or removes workflows",
            all.len()
        ),
    })
}

/// What one reading of the list brought.
struct Pass {
    pages: usize,
    rows: usize,
    distinct: usize,
}

async fn pass(
    client: &Client,
    all: &mut BTreeMap<String, Listed>,
    deadline: Instant,
) -> Result<Pass, EngineError> {
    let mut too_large = 0;
    for limit in PAGES {
        let path = format!("/workflows?limit={limit}&excludePinnedData=true");
        match pages::<Listed>(client, &path, deadline).await {
            Ok((pages, listed)) => {
                let rows = listed.len();
                let mut ids = BTreeSet::new();
                for listed in listed {
                    ids.insert(listed.id.clone());
                    all.insert(listed.id.clone(), listed);
                }
                return Ok(Pass {
                    pages,
                    rows,
                    distinct: ids.len(),
                });
            }
            Err(ReadError::TooLarge { bytes }) => too_large = bytes,
            Err(ReadError::Engine(error)) => return Err(error),
        }
    }
    Err(NoAnswer::TooLarge { bytes: too_large }.of_read())
}

/// All rows of a list, in pages.
async fn pages<T: for<'de> Deserialize<'de>>(
    client: &Client,
    path: &str,
    deadline: Instant,
) -> Result<(usize, Vec<T>), ReadError> {
    let mut rows = Vec::new();
    let mut next = path.to_owned();
    for number in 1..=MOST_ROWS {
        let answer = match client.read(&next, LIST, deadline).await {
            Ok(answer) => answer,
            Err(NoAnswer::TooLarge { bytes }) => return Err(ReadError::TooLarge { bytes }),
            Err(other) => return Err(ReadError::Engine(other.of_read())),
        };
        let answer = client.accept(answer, None).map_err(ReadError::Engine)?;
        let page: Page<T> = answer.content().map_err(ReadError::Engine)?;
        rows.extend(page.data);
        let cursor = page.next_cursor.filter(|cursor| !cursor.is_empty());
        let Some(cursor) = cursor else {
            return Ok((number, rows));
        };
        if rows.len() > MOST_ROWS {
            break;
        }
        let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        next = format!("{path}&cursor={cursor}");
    }
    Err(ReadError::Engine(EngineError::Failed {
        message: format!("its list has more than {MOST_ROWS} rows, or no end"),
    }))
}

/// All rows of a short list, such as that of tags.
pub(crate) async fn all<T: for<'de> Deserialize<'de>>(
    client: &Client,
    path: &str,
    deadline: Instant,
) -> Result<Vec<T>, EngineError> {
    match pages(client, path, deadline).await {
        Ok((_, rows)) => Ok(rows),
        Err(ReadError::TooLarge { bytes }) => Err(NoAnswer::TooLarge { bytes }.of_read()),
        Err(ReadError::Engine(error)) => Err(error),
    }
}
