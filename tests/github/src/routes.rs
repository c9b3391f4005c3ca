//! The calls. What GitHub documents of them stands in its OpenAPI description; its words in refusals are as seen.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Response, StatusCode},
    routing::{get, patch, post, put},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    access::now,
    answers::{self, Reply, not_found, refusal, unprocessable},
    git::{Change, Failed, Person},
    server::{Inner, Message, Shared, lock},
};

/// The message of a request, where it has one.
#[derive(Debug, Clone)]
pub(crate) struct Asked(pub(crate) Option<Arc<Value>>);

impl Asked {
    fn value(&self) -> Result<&Value, Reply> {
        self.0
            .as_deref()
            .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "Problems parsing JSON"))
    }
}

impl From<Failed> for Reply {
    /// Git failed at something that was asked for.
    fn from(failed: Failed) -> Self {
        unprocessable(&failed.to_string())
    }
}

const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

type Answered = Result<Reply, Reply>;

pub(crate) fn api() -> Router<Arc<Inner>> {
    let repository = "/repos/{owner}/{repo}";
    let below = |rest: &str| format!("{repository}{rest}");
    Router::new()
        .route(repository, get(repo))
        .route(&below("/git/ref/{*name}"), get(get_ref))
        .route(&below("/git/refs"), post(create_ref))
        .route(&below("/git/refs/{*name}"), patch(update_ref))
        .route(&below("/git/blobs"), post(create_blob))
        .route(&below("/git/blobs/{sha}"), get(get_blob))
        .route(&below("/git/trees"), post(create_tree))
        .route(&below("/git/trees/{sha}"), get(get_tree))
        .route(&below("/git/commits"), post(create_commit))
        .route(&below("/git/commits/{sha}"), get(get_commit))
        .route(&below("/compare/{basehead}"), get(compare))
        .route(&below("/contents/{*path}"), put(put_contents))
        .route("/app/installations/{id}/access_tokens", post(create_token))
}

/// The last part of the path; owner and repository have been looked at.
type Last = Path<(String, String, String)>;

fn respond(answered: Answered) -> Response<Body> {
    match answered {
        Ok(reply) | Err(reply) => reply.into_response(),
    }
}

async fn create_token(
    State(inner): Shared,
    Path(installation): Path<String>,
    headers: HeaderMap,
    message: Message,
) -> Response<Body> {
    let body = message.0.0.as_deref().cloned().unwrap_or_default();
    lock(&inner.tokens)
        .exchange(
            inner.options.app.as_ref(),
            &installation,
            &inner.options.repository,
            &headers,
            &body,
        )
        .into_response()
}

async fn repo(State(inner): Shared) -> Response<Body> {
    let options = &inner.options;
    Reply::new(
        StatusCode::OK,
        json!({
            "id": 1,
            "node_id": "R_1",
            "name": options.repository,
            "full_name": format!("{}/{}", options.owner, options.repository),
            "private": options.private,
            "owner": { "login": options.owner, "id": 1, "type": "Organization" },
            "html_url": format!("https://github.com/{}/{}", options.owner, options.repository),
            "url": inner.api,
            "default_branch": "main",
            "archived": false,
        }),
    )
    .into_response()
}

async fn get_ref(State(inner): Shared, Path((_, _, name)): Last) -> Response<Body> {
    let name = format!("refs/{name}");
    let Some(sha) = inner.repository.reference(&name).await else {
        return not_found().into_response();
    };
    ref_reply(&inner, StatusCode::OK, &name, &sha)
        .await
        .into_response()
}

async fn ref_reply(inner: &Inner, status: StatusCode, name: &str, sha: &str) -> Reply {
    let kind = inner.repository.kind(sha).await.unwrap_or_default();
    Reply::new(status, answers::reference(&inner.api, name, &kind, sha))
}

async fn create_ref(State(inner): Shared, message: Message) -> Response<Body> {
    respond(try_create_ref(&inner, &message.0).await)
}

async fn try_create_ref(inner: &Inner, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let (name, sha) = (text(asked, "ref")?, text(asked, "sha")?);
    let valid = name.starts_with("refs/") && name.matches('/').count() >= 2;
    if !valid || !inner.repository.is_valid_reference(name).await {
        return Err(unprocessable("Reference name is not valid"));
    }
    if inner.repository.kind(sha).await.is_none() {
        return Err(unprocessable("Object does not exist"));
    }
    let _guard = inner.refs.lock().await;
    if inner.repository.reference(name).await.is_some() {
        return Err(unprocessable("Reference already exists"));
    }
    inner.repository.update_reference(name, sha, "").await?;
    Ok(ref_reply(inner, StatusCode::CREATED, name, sha).await)
}

async fn update_ref(
    State(inner): Shared,
    Path((_, _, name)): Last,
    message: Message,
) -> Response<Body> {
    respond(try_update_ref(&inner, &format!("refs/{name}"), &message.0).await)
}

async fn try_update_ref(inner: &Inner, name: &str, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let sha = text(asked, "sha")?;
    let force = asked["force"].as_bool().unwrap_or_default();
    if inner.repository.kind(sha).await.is_none() {
        return Err(unprocessable("Object does not exist"));
    }
    let _guard = inner.refs.lock().await;
    let Some(old) = inner.repository.reference(name).await else {
        return Err(unprocessable("Reference does not exist"));
    };
    if !force && !inner.repository.is_ancestor(&old, sha).await {
        return Err(unprocessable("Update is not a fast forward"));
    }
    inner.repository.update_reference(name, sha, &old).await?;
    Ok(ref_reply(inner, StatusCode::OK, name, sha).await)
}

async fn create_blob(State(inner): Shared, message: Message) -> Response<Body> {
    respond(try_create_blob(&inner, &message.0).await)
}

async fn try_create_blob(inner: &Inner, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let content = text(asked, "content")?;
    let bytes = match asked["encoding"].as_str() {
        None | Some("utf-8") => content.as_bytes().to_vec(),
        Some("base64") => from_base64(content)?,
        Some(_) => return Err(unprocessable("encoding must be utf-8 or base64")),
    };
    let sha = inner.repository.write_blob(&bytes).await?;
    let url = format!("{}/git/blobs/{sha}", inner.api);
    Ok(Reply::new(
        StatusCode::CREATED,
        json!({ "sha": sha, "url": url }),
    ))
}

async fn get_blob(State(inner): Shared, Path((_, _, sha)): Last) -> Response<Body> {
    if inner.repository.kind(&sha).await.as_deref() != Some("blob") {
        return not_found().into_response();
    }
    let content = match inner.repository.read_blob(&sha).await {
        Ok(content) => content,
        Err(failed) => return Reply::from(failed).into_response(),
    };
    Reply::new(StatusCode::OK, answers::blob(&inner.api, &sha, &content)).into_response()
}

async fn create_tree(State(inner): Shared, message: Message) -> Response<Body> {
    respond(try_create_tree(&inner, &message.0).await)
}

async fn try_create_tree(inner: &Inner, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let entries = asked["tree"]
        .as_array()
        .filter(|entries| !entries.is_empty())
        .ok_or_else(|| unprocessable("Invalid tree info"))?;
    let base = match asked["base_tree"].as_str() {
        None => None,
        Some(base) => Some(
            inner
                .repository
                .resolve(base, "tree")
                .await
                .ok_or_else(|| unprocessable("base_tree is not a valid tree oid"))?,
        ),
    };
    let known = match &base {
        Some(base) => inner.repository.list(base, true).await?,
        None => Vec::new(),
    };
    let known: BTreeSet<String> = known.into_iter().map(|entry| entry.path).collect();
    let mut changes = Vec::with_capacity(entries.len());
    for entry in entries {
        let change = change(inner, entry).await?;
        if change.1.is_none() && !known.contains(&change.0) {
            return Err(unprocessable("GitRPC::BadObjectState"));
        }
        changes.push(change);
    }
    let sha = inner
        .repository
        .write_tree(base.as_deref(), &changes)
        .await?;
    let listed = inner.repository.list(&sha, false).await?;
    if listed.is_empty() {
        return Err(unprocessable("Invalid tree info"));
    }
    Ok(Reply::new(
        StatusCode::CREATED,
        answers::tree(&inner.api, &sha, &listed, false),
    ))
}

/// What one entry of a new tree asks for.
async fn change(inner: &Inner, entry: &Value) -> Result<Change, Reply> {
    let path = text(entry, "path")?.to_owned();
    let mode = text(entry, "mode")?.to_owned();
    let kind = text(entry, "type")?;
    let sha = match (entry.get("sha"), entry["content"].as_str()) {
        (Some(Value::Null), None) => return Ok((path, None)),
        (Some(Value::String(sha)), None) => {
            if inner.repository.kind(sha).await.as_deref() != Some(kind) {
                let said = format!("tree.sha {sha} is not a valid {kind}");
                return Err(unprocessable(&said));
            }
            sha.clone()
        }
        (None, Some(content)) => inner.repository.write_blob(content.as_bytes()).await?,
        _ => {
            return Err(unprocessable(
                "Must supply either tree.sha or tree.content. Request will be rejected if both are present.",
            ));
        }
    };
    Ok((path, Some((mode, sha))))
}

async fn get_tree(
    State(inner): Shared,
    Path((_, _, sha)): Last,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    let Some(tree) = inner.repository.resolve(&sha, "tree").await else {
        return not_found().into_response();
    };
    // Whatever its value is.
    let recursive =
        query.is_some_and(|query| query.split('&').any(|part| part.starts_with("recursive=")));
    let listed = inner.repository.list(&tree, recursive).await;
    respond(listed.map_err(Reply::from).map(|mut entries| {
        let most = inner.list_at_most.load(Ordering::Relaxed);
        let truncated = recursive && entries.len() > most;
        if truncated {
            entries.truncate(most);
        }
        Reply::new(
            StatusCode::OK,
            answers::tree(&inner.api, &tree, &entries, truncated),
        )
    }))
}

async fn create_commit(State(inner): Shared, message: Message) -> Response<Body> {
    respond(try_create_commit(&inner, &message.0).await)
}

async fn try_create_commit(inner: &Inner, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let (message, tree) = (text(asked, "message")?, text(asked, "tree")?);
    if tree == EMPTY_TREE {
        // Git knows it everywhere, but wants it written where a commit holds it.
        inner.repository.write_object("tree", b"").await?;
    }
    if inner.repository.resolve(tree, "tree").await.is_none() {
        return Err(unprocessable("Tree SHA does not exist"));
    }
    let mut parents = Vec::new();
    for parent in asked["parents"].as_array().into_iter().flatten() {
        let sha = parent.as_str().unwrap_or_default();
        if inner.repository.kind(sha).await.as_deref() != Some("commit") {
            return Err(unprocessable(
                "Parent SHA does not exist or is not a commit object",
            ));
        }
        parents.push(sha.to_owned());
    }
    let author = person(&asked["author"], None)?;
    let committer = person(&asked["committer"], Some(&author))?;
    let sha = inner
        .repository
        .write_commit(tree, &parents, &author, &committer, message)
        .await?;
    let commit = inner.repository.read_commit(&sha).await?;
    Ok(Reply::new(
        StatusCode::CREATED,
        answers::commit(&inner.api, &sha, &commit),
    ))
}

async fn get_commit(State(inner): Shared, Path((_, _, sha)): Last) -> Response<Body> {
    if inner.repository.kind(&sha).await.as_deref() != Some("commit") {
        return not_found().into_response();
    }
    let commit = match inner.repository.read_commit(&sha).await {
        Ok(commit) => commit,
        Err(failed) => return Reply::from(failed).into_response(),
    };
    Reply::new(StatusCode::OK, answers::commit(&inner.api, &sha, &commit)).into_response()
}

async fn compare(State(inner): Shared, Path((_, _, basehead)): Last) -> Response<Body> {
    respond(try_compare(&inner, &basehead).await)
}

async fn try_compare(inner: &Inner, basehead: &str) -> Answered {
    let (base, head) = basehead.split_once("...").ok_or_else(not_found)?;
    let base = inner.repository.resolve(base, "commit").await;
    let head = inner.repository.resolve(head, "commit").await;
    let (base, head) = base.zip(head).ok_or_else(not_found)?;
    let Ok(common) = inner.repository.run(&["merge-base", &base, &head]).await else {
        let said = format!("No common ancestor between {base} and {head}.");
        return Err(refusal(StatusCode::NOT_FOUND, &said));
    };
    let (behind, ahead) = inner.repository.distance(&base, &head).await?;
    let status = match (behind, ahead) {
        (0, 0) => "identical",
        (0, _) => "ahead",
        (_, 0) => "behind",
        _ => "diverged",
    };
    let before = inner.repository.blobs(&common).await?;
    let after = inner.repository.blobs(&head).await?;
    let changed = |path: &String| match (before.get(path), after.get(path)) {
        (None, Some(sha)) => Some(json!({ "filename": path, "sha": sha, "status": "added" })),
        (Some(sha), None) => Some(json!({ "filename": path, "sha": sha, "status": "removed" })),
        (Some(old), Some(sha)) if old != sha => {
            Some(json!({ "filename": path, "sha": sha, "status": "modified" }))
        }
        _ => None,
    };
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    // GitHub's own limit.
    let files: Vec<Value> = paths.into_iter().filter_map(changed).take(300).collect();
    Ok(Reply::new(
        StatusCode::OK,
        json!({
            "url": format!("{}/compare/{basehead}", inner.api),
            "status": status,
            "ahead_by": ahead,
            "behind_by": behind,
            "total_commits": ahead,
            "base_commit": { "sha": base },
            "merge_base_commit": { "sha": common },
            "files": files,
        }),
    ))
}

async fn put_contents(
    State(inner): Shared,
    Path((_, _, path)): Last,
    message: Message,
) -> Response<Body> {
    respond(try_put_contents(&inner, &path, &message.0).await)
}

async fn try_put_contents(inner: &Inner, path: &str, asked: &Asked) -> Answered {
    let asked = asked.value()?;
    let message = text(asked, "message")?;
    let content = from_base64(text(asked, "content")?)?;
    let branch = asked["branch"].as_str().unwrap_or("main");
    let committer = person(&asked["committer"], None)?;
    let author = person(&asked["author"], Some(&committer))?;
    let repository = &inner.repository;
    let name = format!("refs/heads/{branch}");
    let _guard = inner.refs.lock().await;
    let parent = repository.reference(&name).await;
    // In an empty repository the branch is made.
    if parent.is_none() && !repository.is_empty().await {
        let said = format!("Branch {branch} not found");
        return Err(refusal(StatusCode::NOT_FOUND, &said));
    }
    let before = match &parent {
        Some(parent) => repository.blobs(parent).await?.remove(path),
        None => None,
    };
    let is_new = before.is_none();
    match (before, asked["sha"].as_str()) {
        (Some(_), None) => {
            return Err(unprocessable(
                "Invalid request.\n\n\"sha\" wasn't supplied.",
            ));
        }
        (Some(before), Some(sha)) if before != sha => {
            let said = format!("{path} does not match {sha}");
            return Err(refusal(StatusCode::CONFLICT, &said));
        }
        _ => {}
    }
    let blob = repository.write_blob(&content).await?;
    let change = (path.to_owned(), Some(("100644".to_owned(), blob.clone())));
    let tree = repository.write_tree(parent.as_deref(), &[change]).await?;
    let parents: Vec<String> = parent.clone().into_iter().collect();
    let sha = repository
        .write_commit(&tree, &parents, &author, &committer, message)
        .await?;
    repository
        .update_reference(&name, &sha, &parent.unwrap_or_default())
        .await?;
    let commit = repository.read_commit(&sha).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Reply::new(
        status,
        json!({
            "content": { "name": path, "path": path, "sha": blob, "type": "file" },
            "commit": answers::commit(&inner.api, &sha, &commit),
        }),
    ))
}

/// A field that must be a text.
fn text<'a>(asked: &'a Value, field: &str) -> Result<&'a str, Reply> {
    asked[field]
        .as_str()
        .ok_or_else(|| unprocessable(&format!("Invalid request.\n\n\"{field}\" wasn't supplied.")))
}

fn from_base64(content: &str) -> Result<Vec<u8>, Reply> {
    let digits: String = content.split_ascii_whitespace().collect();
    STANDARD
        .decode(digits)
        .map_err(|_| unprocessable("content is not valid Base64"))
}

/// Who did it: as asked, else as `default`, else the token's owner now.
fn person(asked: &Value, default: Option<&Person>) -> Result<Person, Reply> {
    if asked.is_null() {
        return Ok(default.cloned().unwrap_or_else(|| Person {
            name: "octocat".to_owned(),
            email: "octocat@users.noreply.github.com".to_owned(),
            date: format!("@{} +0000", now()),
        }));
    }
    let date = match asked["date"].as_str() {
        None => format!("@{} +0000", now()),
        Some(date) => {
            let moment = OffsetDateTime::parse(date, &Rfc3339)
                .map_err(|_| unprocessable("date is not ISO 8601"))?;
            let (hours, minutes, _) = moment.offset().as_hms();
            let sign = if moment.offset().is_negative() {
                '-'
            } else {
                '+'
            };
            let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
            format!("@{} {sign}{hours:02}{minutes:02}", moment.unix_timestamp())
        }
    };
    Ok(Person {
        name: text(asked, "name")?.to_owned(),
        email: text(asked, "email")?.to_owned(),
        date,
    })
}
