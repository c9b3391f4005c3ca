//! Answers in GitHub's shapes.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::git::{Commit, Entry};

/// An answer before it is one of HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        for (name, value) in self.headers {
            let value = HeaderValue::from_str(&value).expect("a header's value");
            headers.insert(HeaderName::from_static(name), value);
        }
        response
    }
}

/// A refusal in GitHub's shape.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Reply {
    Reply::new(
        status,
        json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.as_u16().to_string(),
        }),
    )
}

pub(crate) fn unprocessable(message: &str) -> Reply {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, message)
}

pub(crate) fn not_found() -> Reply {
    refusal(StatusCode::NOT_FOUND, "Not Found")
}

/// Seconds since 1970, as GitHub writes times.
pub(crate) fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .expect("a time")
        .format(&Rfc3339)
        .expect("a time")
}

/// A ref's message.
pub(crate) fn reference(api: &str, name: &str, kind: &str, sha: &str) -> Value {
    json!({
        "ref": name,
        "node_id": node_id(name),
        "url": format!("{api}/git/{name}"),
        "object": { "sha": sha, "type": kind, "url": format!("{api}/git/{kind}s/{sha}") },
    })
}

/// A blob's message: base64 in lines, as GitHub has it.
pub(crate) fn blob(api: &str, sha: &str, content: &[u8]) -> Value {
    let digits = STANDARD.encode(content);
    let mut lines = String::new();
    for line in digits.as_bytes().chunks(60) {
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    json!({
        "sha": sha,
        "node_id": node_id(sha),
        "size": content.len(),
        "url": format!("{api}/git/blobs/{sha}"),
        "content": lines,
        "encoding": "base64",
    })
}

/// A tree's message.
pub(crate) fn tree(api: &str, sha: &str, entries: &[Entry], truncated: bool) -> Value {
    let entries: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut value = json!({
                "path": entry.path,
                "mode": entry.mode,
                "type": entry.kind,
                "sha": entry.sha,
            });
            if let Some(size) = entry.size {
                value["size"] = size.into();
            }
            if entry.kind != "commit" {
                value["url"] = format!("{api}/git/{}s/{}", entry.kind, entry.sha).into();
            }
            value
        })
        .collect();
    json!({
        "sha": sha,
        "url": format!("{api}/git/trees/{sha}"),
        "tree": entries,
        "truncated": truncated,
    })
}

/// A commit's message. GitHub tells times in UTC and messages without line breaks at their end.
pub(crate) fn commit(api: &str, sha: &str, commit: &Commit) -> Value {
    let html = format!("https://github.com/o/r/commit/{sha}");
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent,
                "url": format!("{api}/git/commits/{parent}"),
                "html_url": format!("https://github.com/o/r/commit/{parent}"),
            })
        })
        .collect();
    let signed = commit.signature.is_some();
    json!({
        "sha": sha,
        "node_id": node_id(sha),
        "url": format!("{api}/git/commits/{sha}"),
        "html_url": html,
        "author": person(&commit.author),
        "committer": person(&commit.committer),
        "tree": { "sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree) },
        "message": commit.message.trim_end_matches('\n'),
        "parents": parents,
        "verification": {
            "verified": false,
            "reason": if signed { "unknown_key" } else { "unsigned" },
            "signature": commit.signature,
            "payload": signed.then_some(&commit.payload),
            "verified_at": null,
        },
    })
}

fn person(line: &str) -> Value {
    let (name, rest) = line.split_once(" <").expect("a name");
    let (email, rest) = rest.split_once("> ").expect("an address");
    let seconds = rest
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a time");
    json!({ "name": name, "email": email, "date": rfc3339(seconds) })
}

fn node_id(of: &str) -> String {
    STANDARD.encode(of)
}
