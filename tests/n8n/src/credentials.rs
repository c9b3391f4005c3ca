//! `/credentials`, whose secrets go in and never come out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Has};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::Effect;
use crate::json::text;
use crate::page::PageQuery;
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::state::Credential;

pub(crate) async fn list(
    Has(shared): Has<Arc<Shared>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    query.cut(&shared.state().credentials, Credential::to_json)
}

pub(crate) async fn get(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let state = shared.state();
    let found = state.credentials.iter().find(|found| found.id == id);
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(Json(found.to_json()))
}

pub(crate) async fn create(
    Has(shared): Has<Arc<Shared>>,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    for key in ["name", "type", "data"] {
        if body.get(key).is_none() {
            let message = format!("request/body must have required property '{key}'");
            return Err(Refusal::bad(message));
        }
    }
    let mut state = shared.state();
    let credential = Credential {
        id: state.new_id(),
        name: text(&body, "name").to_owned(),
        kind: text(&body, "type").to_owned(),
        created: state.tick(),
    };
    let mut response = Json(credential.to_json()).into_response();
    state.credentials.push(credential);
    response.extensions_mut().insert(Effect::Created);
    Ok(response)
}

pub(crate) async fn delete(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let mut state = shared.state();
    let position = state.credentials.iter().position(|found| found.id == id);
    let found = state
        .credentials
        .remove(position.ok_or_else(Refusal::not_found)?);
    let mut response = Json(found.to_json()).into_response();
    response.extensions_mut().insert(Effect::Deleted);
    Ok(response)
}
