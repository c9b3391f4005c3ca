//! What the instance holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::json::{as_javascript, items, text};
use crate::trigger;

/// Everything. Times are the numbers of changes so far, in seconds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) workflows: BTreeMap<String, Row>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) known_types: Vec<String>,
    pub(crate) broken: BTreeSet<String>,
    pub(crate) misconfigured: BTreeMap<String, String>,
    /// How long a webhook is not registered yet, and how long it is not let go of.
    pub(crate) delays: Delays,
    /// Addresses that were taken from a workflow: by whom, and when.
    released: BTreeMap<Address, (String, Instant)>,
    /// When each workflow was stopped last.
    stopped: BTreeMap<String, Instant>,
    /// Addresses that nobody but these workflows gets any more.
    stuck: BTreeMap<Address, String>,
    shuffle: Option<StdRng>,
    ids: StdRng,
    now: u32,
}

/// A webhook's method and path.
pub(crate) type Address = (String, String);

/// How late webhooks come and go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    pub(crate) registering: Duration,
    pub(crate) releasing: Duration,
}

/// A workflow.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) archived: bool,
    /// `name`, `nodes`, `connections`, `settings`, and what else a document may bear.
    pub(crate) draft: Map<String, Value>,
    /// Ids.
    pub(crate) tags: Vec<String>,
    pub(crate) version: String,
    /// What runs, while it is active.
    pub(crate) published: Option<Published>,
    pub(crate) counter: u32,
    created: u32,
    updated: u32,
}

/// A version that runs.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) version: String,
    pub(crate) nodes: Value,
    pub(crate) connections: Value,
    pub(crate) since: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) created: u32,
}

impl State {
    /// Ids depend on the seed, so that two instances share none.
    pub(crate) fn new(
        known_types: Vec<String>,
        shuffle: Option<u64>,
        delays: Delays,
        seed: u64,
    ) -> Self {
        Self {
            workflows: BTreeMap::new(),
            tags: Vec::new(),
            credentials: Vec::new(),
            known_types,
            broken: BTreeSet::new(),
            misconfigured: BTreeMap::new(),
            delays,
            released: BTreeMap::new(),
            stopped: BTreeMap::new(),
            stuck: BTreeMap::new(),
            shuffle: shuffle.map(StdRng::seed_from_u64),
            ids: StdRng::seed_from_u64(seed),
            now: 0,
        }
    }

    pub(crate) fn tick(&mut self) -> u32 {
        self.now += 1;
        self.now
    }

    /// 16 letters and digits.
    pub(crate) fn new_id(&mut self) -> String {
        let letters = rand::distr::Alphanumeric;
        let ids = &mut self.ids;
        ids.sample_iter(letters).take(16).map(char::from).collect()
    }

    pub(crate) fn new_uuid(&mut self) -> String {
        let hex = format!("{:032x}", self.ids.random::<u128>());
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        parts.join("-")
    }

    /// Workflows, oldest first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Row> {
        let mut rows: Vec<_> = self.workflows.values().collect();
        rows.sort_by_key(|row| row.created);
        rows.into_iter()
    }

    /// The ids of workflows in the order of one page.
    pub(crate) fn ids_for_page(&mut self) -> Vec<String> {
        let mut ids: Vec<_> = self.in_order().map(|row| row.id.clone()).collect();
        if let Some(shuffle) = &mut self.shuffle {
            ids.shuffle(shuffle);
        }
        ids
    }

    /// Adds a workflow that is inactive.
    pub(crate) fn add(&mut self, mut draft: Map<String, Value>) -> String {
        draft.values_mut().for_each(as_javascript);
        self.complete(&mut draft);
        let now = self.tick();
        let row = Row {
            id: self.new_id(),
            active: false,
            archived: false,
            draft,
            tags: Vec::new(),
            version: self.new_uuid(),
            published: None,
            counter: 1,
            created: now,
            updated: now,
        };
        let id = row.id.clone();
        self.workflows.insert(id.clone(), row);
        id
    }

    /// Gives nodes the ids that they lack.
    pub(crate) fn complete(&mut self, draft: &mut Map<String, Value>) {
        let nodes = draft.get_mut("nodes").and_then(Value::as_array_mut);
        for node in nodes.into_iter().flatten() {
            let has_address = trigger::has_address(text(node, "type"));
            let Some(node) = node.as_object_mut() else {
                continue;
            };
            if !node.contains_key("id") {
                node.insert("id".to_owned(), self.new_uuid().into());
            }
            if has_address && !node.contains_key("webhookId") {
                node.insert("webhookId".to_owned(), self.new_uuid().into());
            }
        }
    }

    /// Puts a draft in the place of another. Whether the nodes or connections differ from before, and whether anything
    /// does.
    pub(crate) fn save(&mut self, id: &str, mut draft: Map<String, Value>) -> Option<bool> {
        draft.values_mut().for_each(as_javascript);
        self.complete(&mut draft);
        let now = self.tick();
        let version = self.new_uuid();
        let row = self.workflows.get_mut(id)?;
        let differs = row.draft != draft;
        if row.draft.get("nodes") != draft.get("nodes")
            || row.draft.get("connections") != draft.get("connections")
        {
            row.version = version;
        }
        row.draft = draft;
        row.updated = now;
        row.counter += 1;
        Some(differs)
    }

    pub(crate) fn seed(&mut self, document: Value) -> String {
        let Value::Object(mut draft) = document else {
            return String::new();
        };
        let active = draft.remove("active") == Some(Value::Bool(true));
        let archived = draft.remove("isArchived") == Some(Value::Bool(true));
        let tags = draft.remove("tags").unwrap_or_default();
        draft.remove("id");
        let tags = items(&tags)
            .iter()
            .map(|tag| self.tag(tag.as_str().unwrap_or_else(|| text(tag, "name"))))
            .collect();
        let id = self.add(draft);
        if let Some(row) = self.workflows.get_mut(&id) {
            row.tags = tags;
            row.archived = archived;
            if active {
                row.publish();
            }
        }
        id
    }

    /// The id of the tag with this name, which is made where it is missing.
    fn tag(&mut self, name: &str) -> String {
        if let Some(tag) = self.tags.iter().find(|tag| tag.name == name) {
            return tag.id.clone();
        }
        let tag = Tag {
            id: self.new_id(),
            name: name.to_owned(),
            created: self.tick(),
        };
        self.tags.push(tag.clone());
        tag.id
    }

    pub(crate) fn edit(&mut self, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        let Some(row) = self.workflows.get(id) else {
            return false;
        };
        let mut draft = row.draft.clone();
        change(&mut draft);
        self.save(id, draft).is_some()
    }

    pub(crate) fn archive(&mut self, id: &str, archived: bool) -> bool {
        let now = self.tick();
        let Some(row) = self.workflows.get_mut(id) else {
            return false;
        };
        row.archived = archived;
        row.updated = now;
        self.stop(id);
        true
    }

    /// Whether a webhook of these nodes is in use by another workflow, as far as the real one notices: what was activated a
    /// moment ago is not registered yet, and who asks for what is just being let go of makes it stay taken.
    pub(crate) fn has_conflict(&mut self, id: &str, nodes: &Value) -> bool {
        let wanted = trigger::webhooks(nodes);
        for address in &wanted {
            let released = self.released.get(address);
            if let Some((by, at)) = released
                && by != id
                && at.elapsed() < self.delays.releasing
            {
                self.stuck.insert(address.clone(), by.clone());
            }
        }
        let others = self.workflows.values().filter(|row| row.id != id);
        let mut registered = others.filter_map(|row| {
            let published = row.published.as_ref()?;
            let is_late = published.since.elapsed() < self.delays.registering;
            (!is_late).then_some(published)
        });
        trigger::has_webhook_twice(nodes)
            || (wanted.iter()).any(|address| self.stuck.get(address).is_some_and(|by| by != id))
            || registered.any(|it| !trigger::webhooks(&it.nodes).is_disjoint(&wanted))
    }

    /// Stops a workflow; `false` where it did not run.
    pub(crate) fn stop(&mut self, id: &str) -> bool {
        let row = self.workflows.get_mut(id);
        let Some(published) = row.and_then(|row| {
            row.active = false;
            row.published.take()
        }) else {
            return false;
        };
        for address in trigger::webhooks(&published.nodes) {
            let released = (id.to_owned(), Instant::now());
            self.released.insert(address, released);
        }
        self.stopped.insert(id.to_owned(), Instant::now());
        true
    }

    /// Whether it was stopped only a moment ago.
    pub(crate) fn is_stopping(&self, id: &str) -> bool {
        let stopped = self.stopped.get(id);
        stopped.is_some_and(|at| at.elapsed() < self.delays.releasing)
    }
}

impl Row {
    pub(crate) fn name(&self) -> &str {
        let name = self.draft.get("name");
        name.and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn nodes(&self) -> &Value {
        self.draft.get("nodes").unwrap_or(&Value::Null)
    }

    /// Makes the draft what runs.
    pub(crate) fn publish(&mut self) {
        self.active = true;
        self.published = Some(Published {
            version: self.version.clone(),
            nodes: self.nodes().clone(),
            connections: self.draft.get("connections").cloned().unwrap_or_default(),
            since: Instant::now(),
        });
    }

    /// The workflow as its own page shows it.
    pub(crate) fn to_json(&self, state: &State) -> Value {
        let draft = |key: &str| self.draft.get(key).cloned().unwrap_or_default();
        let tags: Vec<_> = state
            .tags
            .iter()
            .filter(|tag| self.tags.contains(&tag.id))
            .map(Tag::to_json)
            .collect();
        let active_version = self.published.as_ref().map(|published| {
            json!({
                "versionId": published.version, "workflowId": self.id, "nodes": published.nodes,
                "connections": published.connections,
            })
        });
        json!({
            "id": self.id,
            "name": draft("name"),
            "description": draft("description"),
            "active": self.active,
            "isArchived": self.archived,
            "nodes": draft("nodes"),
            "connections": draft("connections"),
            "settings": draft("settings"),
            "staticData": draft("staticData"),
            "pinData": draft("pinData"),
            "nodeGroups": draft("nodeGroups"),
            "meta": draft("meta"),
            "versionId": self.version,
            "activeVersionId": self.published.as_ref().map(|published| &published.version),
            "activeVersion": active_version,
            "versionCounter": self.counter,
            "triggerCount": u32::from(self.active),
            "sourceWorkflowId": null,
            "createdAt": timestamp(self.created),
            "updatedAt": timestamp(self.updated),
            "tags": tags,
            "shared": [{"role": "workflow:owner", "workflowId": self.id, "projectId": "personal"}],
        })
    }

    /// The workflow as a list shows it.
    pub(crate) fn to_list_json(&self, state: &State, without_pinned_data: bool) -> Value {
        let mut row = self.to_json(state);
        if let Some(fields) = row.as_object_mut() {
            fields.remove("description");
            fields.remove("versionCounter");
            if without_pinned_data {
                fields.remove("pinData");
            }
        }
        row
    }
}

impl Tag {
    pub(crate) fn to_json(&self) -> Value {
        let time = timestamp(self.created);
        json!({ "id": self.id, "name": self.name, "createdAt": time, "updatedAt": time })
    }
}

impl Credential {
    /// Without the secret, which is not even kept.
    pub(crate) fn to_json(&self) -> Value {
        let time = timestamp(self.created);
        json!({ "id": self.id, "name": self.name, "type": self.kind, "createdAt": time, "updatedAt": time })
    }
}

fn timestamp(seconds: u32) -> String {
    let time = datetime!(2026-01-01 00:00 UTC) + time::Duration::seconds(seconds.into());
    time.format(&Rfc3339).unwrap_or_default()
}
