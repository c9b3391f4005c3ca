//! `/workflows`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Has};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Effect;
use crate::json::text;
use crate::page::PageQuery;
use crate::refusal::Refusal;
use crate::schema;
use crate::server::Shared;
use crate::state::{Row, State};
use crate::trigger;

type Answer = Result<Response, Refusal>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ListQuery {
    active: Option<bool>,
    tags: Option<String>,
    name: Option<String>,
    exclude_pinned_data: bool,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListQuery {
    fn fits(&self, row: &Row, state: &State) -> bool {
        let tags = self.tags.iter().flat_map(|tags| tags.split(','));
        let mut tags = tags.map(|name| state.tags.iter().find(|tag| tag.name == name.trim()));
        self.active.is_none_or(|active| active == row.active)
            && (self.name.as_ref()).is_none_or(|part| row.name().contains(part.as_str()))
            && tags.all(|tag| tag.is_some_and(|tag| row.tags.contains(&tag.id)))
    }
}

pub(crate) async fn list(Has(shared): Has<Arc<Shared>>, Query(query): Query<ListQuery>) -> Answer {
    let mut state = shared.state();
    let ids = state.ids_for_page();
    let rows = ids.iter().filter_map(|id| state.workflows.get(id));
    let rows: Vec<_> = rows.filter(|row| query.fits(row, &state)).collect();
    let page = PageQuery::of(query.limit, query.cursor);
    let page = page.cut(&rows, |row| {
        row.to_list_json(&state, query.exclude_pinned_data)
    })?;
    Ok(page.into_response())
}

pub(crate) async fn get(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let state = shared.state();
    let row = state.workflows.get(&id).ok_or_else(Refusal::not_found)?;
    let tag = format!("W/\"{id}-{}-{}\"", row.version, row.counter);
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Ok(([(header::ETAG, tag)], Json(row.to_json(&state))).into_response())
}

pub(crate) async fn create(Has(shared): Has<Arc<Shared>>, Json(body): Json<Value>) -> Answer {
    let mut draft = schema::check_new(&body)?.clone();
    // Values that a PUT removes are kept here.
    if let Some(settings) = draft.get_mut("settings").and_then(Value::as_object_mut) {
        settings.retain(|key, _| !schema::DROPPED_SETTINGS.contains(&key.as_str()));
    }
    let mut state = shared.state();
    let id = state.add(draft);
    show(&state, &id, Effect::Created)
}

#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UpdateQuery {
    publish_if_active: bool,
}

impl Default for UpdateQuery {
    fn default() -> Self {
        Self {
            publish_if_active: true,
        }
    }
}

pub(crate) async fn update(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<UpdateQuery>,
    Json(body): Json<Value>,
) -> Answer {
    let fields = schema::check_changed(&body)?;
    let mut state = shared.state();
    let row = state.workflows.get(&id).ok_or_else(|| {
        let message = "You do not have permission to update this workflow. Ask the owner to share it with you.";
        Refusal::new(StatusCode::NOT_FOUND, message)
    })?;
    if row.archived {
        return Err(Refusal::bad("Cannot update an archived workflow."));
    }
    let (active, mut draft) = (row.active, row.draft.clone());
    let settings = draft.get("settings").and_then(Value::as_object);
    let settings = merged(&settings.cloned().unwrap_or_default(), &body["settings"]);
    draft.extend(fields.clone());
    draft.insert("settings".to_owned(), settings);
    let differs = state.save(&id, draft).unwrap_or_default();
    let publish = active && query.publish_if_active;
    let nodes = state.workflows.get(&id).map(|row| row.nodes().clone());
    let nodes = nodes.ok_or_else(Refusal::not_found)?;
    if publish && !trigger::has_trigger(&nodes) {
        let refusal = Refusal::bad(trigger::NO_TRIGGER);
        return Err(refusal.although(Effect::Changed { published: false }));
    }
    if publish && state.has_conflict(&id, &nodes) {
        let refusal = Refusal::conflict(WEBHOOK_CONFLICT);
        return Err(refusal.although(Effect::Changed { published: false }));
    }
    let Some(row) = state.workflows.get_mut(&id) else {
        return Err(Refusal::not_found());
    };
    let behind = (row.published.as_ref()).is_some_and(|it| it.version != row.version);
    if publish {
        row.publish();
    }
    let effect = if differs || (publish && behind) {
        Effect::Changed { published: publish }
    } else {
        Effect::Touched
    };
    show(&state, &id, effect)
}

/// The settings after a POST or PUT: keys that are not sent stay, removing values remove, some are thrown away.
fn merged(before: &Map<String, Value>, sent: &Value) -> Value {
    let mut settings = before.clone();
    for (key, value) in sent.as_object().into_iter().flatten() {
        if schema::removes(key, value) {
            settings.remove(key);
        } else if !schema::DROPPED_SETTINGS.contains(&key.as_str()) {
            settings.insert(key.clone(), value.clone());
        }
    }
    Value::Object(settings)
}

pub(crate) async fn activate(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let mut state = shared.state();
    let row = state.workflows.get(&id).ok_or_else(Refusal::not_found)?;
    let runs_it = (row.published.as_ref()).is_some_and(|it| it.version == row.version);
    let was_active = row.active;
    check_activation(&mut state, &id)?;
    if runs_it {
        return show(&state, &id, None);
    }
    if let Some(row) = state.workflows.get_mut(&id) {
        row.publish();
    }
    let effect = if was_active {
        Effect::Changed { published: true }
    } else {
        Effect::Activated
    };
    show(&state, &id, effect)
}

fn check_activation(state: &mut State, id: &str) -> Result<(), Refusal> {
    let row = state.workflows.get(id).ok_or_else(Refusal::not_found)?;
    if row.archived {
        return Err(Refusal::bad("Cannot activate an archived workflow."));
    }
    if !trigger::has_trigger(row.nodes()) {
        return Err(Refusal::bad(trigger::NO_TRIGGER));
    }
    if let Some(kind) = trigger::unknown_type(row.nodes(), &state.known_types) {
        return Err(Refusal::bad(format!("Unrecognized node type: {kind}")));
    }
    if let Some(message) = state.misconfigured.get(id) {
        return Err(Refusal::bad(message));
    }
    if state.broken.contains(id) {
        return Err(Refusal::broken());
    }
    let nodes = row.nodes().clone();
    if state.has_conflict(id, &nodes) {
        return Err(Refusal::conflict(WEBHOOK_CONFLICT));
    }
    Ok(())
}

/// It says neither which one, nor with whom.
const WEBHOOK_CONFLICT: &str = "There is a conflict with one of the webhooks.";

pub(crate) async fn deactivate(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let mut state = shared.state();
    let effect = state.stop(&id).then_some(Effect::Deactivated);
    show(&state, &id, effect)
}

pub(crate) async fn archive(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    put_away(&shared, &id, true)
}

pub(crate) async fn unarchive(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    put_away(&shared, &id, false)
}

fn put_away(shared: &Shared, id: &str, archived: bool) -> Answer {
    let mut state = shared.state();
    if !state.archive(id, archived) {
        return Err(Refusal::not_found());
    }
    show(&state, id, Effect::Archived)
}

pub(crate) async fn delete(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let mut state = shared.state();
    let row = state.workflows.get(&id).ok_or_else(Refusal::not_found)?;
    if row.active {
        let message = "Cannot delete a published workflow. Unpublish it before deleting.";
        return Err(Refusal::conflict(message));
    }
    if state.is_stopping(&id) {
        let message = "Workflow is still being unpublished. Please try again in a few moments.";
        return Err(Refusal::conflict(message));
    }
    let answer = show(&state, &id, Effect::Deleted);
    state.workflows.remove(&id);
    answer
}

pub(crate) async fn tags(Has(shared): Has<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let state = shared.state();
    let row = state.workflows.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(Json(row.to_json(&state)["tags"].take()).into_response())
}

pub(crate) async fn set_tags(
    Has(shared): Has<Arc<Shared>>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Answer {
    let Some(rows) = body.as_array() else {
        return Err(Refusal::bad("request/body must be array"));
    };
    let ids: Vec<_> = rows.iter().map(|row| text(row, "id").to_owned()).collect();
    let mut state = shared.state();
    let unknown = |id: &String| !state.tags.iter().any(|tag| tag.id == *id);
    if ids.iter().any(unknown) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "Some tags not found"));
    }
    let row = state.workflows.get_mut(&id);
    let row = row.ok_or_else(Refusal::not_found)?;
    row.tags = ids;
    let mut response = Json(row.clone().to_json(&state)["tags"].take()).into_response();
    response.extensions_mut().insert(Effect::Tagged);
    Ok(response)
}

fn show(state: &State, id: &str, effect: impl Into<Option<Effect>>) -> Answer {
    let row = state.workflows.get(id).ok_or_else(Refusal::not_found)?;
    let mut response = Json(row.to_json(state)).into_response();
    if let Some(effect) = effect.into() {
        response.extensions_mut().insert(effect);
    }
    Ok(response)
}
