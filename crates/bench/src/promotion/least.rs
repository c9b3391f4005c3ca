//! The least list of calls that a promotion needs at all, made one after another.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use slipway_n8n_stand_in::StandIn;

use super::landscape::{Landscape, called, with_callee};
use crate::Failure;

/// What the list of calls took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Least {
    /// All calls.
    pub(super) calls: usize,
    /// Of which show one workflow each.
    pub(super) shown: usize,
    /// How long all of them took.
    pub(super) took: Duration,
    /// How long those took that show one workflow each.
    pub(super) showing: Duration,
}

/// Promotes, knowing beforehand what is in the way and that nothing goes wrong: nothing is read twice, nothing is read
/// back, nothing is written down.
///
/// The calls are: the list of either side; each workflow of the source, and each of the target that has one of these
/// names, because a list shows no descriptions; the list of tags, and the missing ones; a creation or a change of each
/// workflow, callees first; a change for each new one with a description, which a creation refuses; its tags; its
/// activation; and one more change in the cycle, whose first member could not know the last.
pub(super) async fn promote(landscape: &Landscape) -> Result<Least, Failure> {
    let mut least = Least::default();
    let began = Instant::now();
    let (source, target) = (Api::of(&landscape.source), Api::of(&landscape.target));
    let listed = source.list(&mut least).await?;
    let standing = target.list(&mut least).await?;
    let mut wanted = BTreeMap::new();
    for id in listed.keys() {
        wanted.insert(id.clone(), source.show(&mut least, id).await?);
    }
    let names: BTreeSet<_> = wanted.values().map(|row| text(row, "name")).collect();
    let mut known = BTreeMap::new();
    for (id, row) in standing {
        if names.contains(&text(&row, "name")) {
            let row = target.show(&mut least, &id).await?;
            known.insert(text(&row, "name"), (id, row));
        }
    }
    let tags = target.tags(&mut least, &wanted).await?;
    // What the source calls a workflow, and what the target does.
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut waiting = Vec::new();
    for (id, row) in callees_first(&wanted) {
        let callee = called(row);
        let there = callee.as_ref().and_then(|callee| ids.get(callee));
        let document = with_callee(row.clone(), there.map_or("", String::as_str));
        if callee.is_some() && there.is_none() {
            waiting.push(id);
        }
        let known = known.get(&text(row, "name"));
        let made = target.write(&mut least, &document, known, &tags).await?;
        ids.insert(id.clone(), made);
    }
    for id in waiting {
        let row = &wanted[id];
        let callee = called(row).and_then(|callee| ids.get(&callee).cloned());
        let document = with_callee(row.clone(), &callee.unwrap_or_default());
        let path = format!("/workflows/{}", ids[id]);
        target
            .call(&mut least, Method::PUT, &path, Some(&changed(&document)))
            .await?;
    }
    least.took = began.elapsed();
    Ok(least)
}

/// The rows, each after the one that it calls; a cycle begins anywhere.
fn callees_first(rows: &BTreeMap<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered = Vec::with_capacity(rows.len());
    let mut seen = BTreeSet::new();
    for first in rows.keys() {
        let mut chain = Vec::new();
        let mut next = Some(first.clone());
        while let Some(id) = next.filter(|id| !seen.contains(id)) {
            let Some((id, row)) = rows.get_key_value(&id) else {
                break;
            };
            seen.insert(id.clone());
            chain.push((id, row));
            next = called(row);
        }
        ordered.extend(chain.into_iter().rev());
    }
    ordered
}

/// n8n's API over one connection.
struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    root: String,
    key: String,
}

impl Api {
    fn of(engine: &StandIn) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        Self {
            http: Client::builder(TokioExecutor::new()).build(tcp),
            root: format!("{}/api/v1", engine.url),
            key: engine.api_key.clone(),
        }
    }

    async fn call(
        &self,
        least: &mut Least,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.root))
            .header("X-N8N-API-KEY", &self.key)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(bytes)))?;
        least.calls += 1;
        let answer = self.http.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            let words = String::from_utf8_lossy(&body);
            return Err(format!("{method} {path}: {status} {words}").into());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    async fn list(&self, least: &mut Least) -> Result<BTreeMap<String, Value>, Failure> {
        let page = self
            .call(least, Method::GET, "/workflows?limit=250", None)
            .await?;
        let rows = page["data"].as_array().into_iter().flatten();
        Ok(rows.map(|row| (text(row, "id"), row.clone())).collect())
    }

    async fn show(&self, least: &mut Least, id: &str) -> Result<Value, Failure> {
        let began = Instant::now();
        let row = self
            .call(least, Method::GET, &format!("/workflows/{id}"), None)
            .await?;
        least.shown += 1;
        least.showing += began.elapsed();
        Ok(row)
    }

    /// What the target calls the tags that are needed.
    async fn tags(
        &self,
        least: &mut Least,
        wanted: &BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let listed = self
            .call(least, Method::GET, "/tags?limit=250", None)
            .await?;
        let listed = listed["data"].as_array().into_iter().flatten();
        let mut ids: BTreeMap<_, _> = listed
            .map(|tag| (text(tag, "name"), text(tag, "id")))
            .collect();
        for name in wanted.values().flat_map(tags_of) {
            if let Entry::Vacant(missing) = ids.entry(name) {
                let body = json!({ "name": missing.key() });
                let tag = self.call(least, Method::POST, "/tags", Some(&body)).await?;
                missing.insert(text(&tag, "id"));
            }
        }
        Ok(ids)
    }

    /// Makes or changes a workflow, and answers with its id.
    async fn write(
        &self,
        least: &mut Least,
        row: &Value,
        known: Option<&(String, Value)>,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let (id, standing) = if let Some((id, standing)) = known {
            (id.clone(), standing.clone())
        } else {
            let body = created(row);
            let made = self
                .call(least, Method::POST, "/workflows", Some(&body))
                .await?;
            (text(&made, "id"), made)
        };
        if known.is_some() || !text(row, "description").is_empty() {
            let path = format!("/workflows/{id}");
            self.call(least, Method::PUT, &path, Some(&changed(row)))
                .await?;
        }
        if tags_of(row) != tags_of(&standing) {
            let ids: Value = tags_of(row)
                .iter()
                .map(|name| json!({ "id": tags.get(name) }))
                .collect();
            let path = format!("/workflows/{id}/tags");
            self.call(least, Method::PUT, &path, Some(&ids)).await?;
        }
        if row["active"] == true && standing["active"] != true {
            let path = format!("/workflows/{id}/activate");
            self.call(least, Method::POST, &path, None).await?;
        }
        Ok(id)
    }
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

fn tags_of(row: &Value) -> Vec<String> {
    let tags = row["tags"].as_array().into_iter().flatten();
    tags.map(|tag| text(tag, "name")).collect()
}

/// What a creation takes.
fn created(row: &Value) -> Value {
    let fields = ["name", "nodes", "connections", "settings"];
    let fields: Map<_, _> = fields
        .map(|field| (field.to_owned(), row[field].clone()))
        .into_iter()
        .collect();
    Value::Object(fields)
}

/// What a change takes.
fn changed(row: &Value) -> Value {
    let mut body = created(row);
    body["description"] = text(row, "description").into();
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_list_of_calls_is_enough() {
        let landscape = Landscape::start(0).await.unwrap();
        landscape.source.latency(Duration::ZERO);
        landscape.target.latency(Duration::ZERO);
        let least = promote(&landscape).await.unwrap();
        landscape.check().unwrap();
        assert_eq!(least.shown, 220);
        let seen = landscape.source.calls().len() + landscape.target.calls().len();
        assert_eq!(least.calls, seen);
    }
}
