//! `/tags`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Has};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::Value;

use crate::Effect;
use crate::json::text;
use crate::page::PageQuery;
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::state::Tag;

/// The most characters of a name.
const NAME: usize = 24;

pub(crate) async fn list(
    Has(shared): Has<Arc<Shared>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    query.cut(&shared.state().tags, Tag::to_json)
}

pub(crate) async fn create(
    Has(shared): Has<Arc<Shared>>,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    let name = text(&body, "name").trim();
    if body.get("name").is_none() {
        let message = "request/body must have required property 'name'";
        return Err(Refusal::bad(message));
    }
    let mut state = shared.state();
    // The real one says the same of a name that is empty or too long.
    if !(1..=NAME).contains(&name.chars().count()) || state.tags.iter().any(|tag| tag.name == name)
    {
        return Err(Refusal::conflict("Tag already exists"));
    }
    let tag = Tag {
        id: state.new_id(),
        name: name.to_owned(),
        created: state.tick(),
    };
    state.tags.push(tag.clone());
    let mut response = (StatusCode::CREATED, Json(tag.to_json())).into_response();
    response.extensions_mut().insert(Effect::Created);
    Ok(response)
}

pub(crate) async fn delete(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let mut state = shared.state();
    let position = state.tags.iter().position(|tag| tag.id == id);
    let tag = state.tags.remove(position.ok_or_else(Refusal::not_found)?);
    for row in state.workflows.values_mut() {
        row.tags.retain(|tag| *tag != id);
    }
    let mut response = Json(tag.to_json()).into_response();
    response.extensions_mut().insert(Effect::Deleted);
    Ok(response)
}
