//! The workflow document.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{connection, number, secrets, text};

/// The most bytes that a workflow has as JSON, as it is read and as [`Workflow::to_pretty_json`] writes it. Engines
/// refuse larger bodies.
pub const MAX_BYTES: usize = 16_000_000;

/// Settings that belong to an instance of n8n: its API takes them and throws them away, so that no document can carry them
/// from one to another. They are no part of a workflow.
pub const INSTANCE_SETTINGS: [&str; 2] = ["binaryMode", "redactionPolicy"];
/// The most nodes that a workflow has. Engines run workflows of 2,000.
pub const MAX_NODES: usize = 10_000;
/// The most objects and arrays that stand in one another, the document included. The JSON reader allows 127, and a
/// document has to fit into a list of others.
pub const MAX_DEPTH: usize = 100;
/// The most characters that the name of a workflow or of a tag has.
pub const MAX_NAME_CHARACTERS: usize = 128;
/// The most characters that the name of a node has.
pub const MAX_NODE_NAME_CHARACTERS: usize = 256;

/// A workflow without what an engine makes up for itself (ids, times, version numbers) and without its `staticData`,
/// which is the memory of one instance: what is left means the same in every environment.
///
/// As JSON it has n8n's names (`pinData`, `nodeGroups`). Its numbers are what engines, which are written in JavaScript,
/// can hold: doubles. So `1.0` is read as `1`, and an integer from 2^53 on as the nearest double.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Value")]
pub struct Workflow {
    /// What people call it: 1 to [`MAX_NAME_CHARACTERS`], no control characters.
    pub name: String,
    /// Whether the engine runs it on its triggers.
    pub active: bool,
    /// The names of its tags, which have the limits of its own name.
    pub tags: BTreeSet<String>,
    /// What it is for; may be empty.
    pub description: String,
    /// Its steps, at most [`MAX_NODES`], each an object with a unique `name` of 1 to [`MAX_NODE_NAME_CHARACTERS`]
    /// without control characters, and a unique `id` where it has one. An engine demands more (a `type`, a
    /// `typeVersion`, a `position`, `parameters`), and says so itself.
    pub nodes: Vec<Map<String, Value>>,
    /// By node name, what its outputs lead to.
    pub connections: Map<String, Value>,
    /// How it is run.
    pub settings: Map<String, Value>,
    /// Saved outputs of nodes, for tests by hand; never an empty object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_data: Option<Map<String, Value>>,
    /// How nodes are grouped on the canvas; never an empty list or object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_groups: Option<Value>,
}

/// Why a document is no workflow. The text names the node and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// It has more than [`MAX_BYTES`].
    #[error(
        "the workflow has {bytes} bytes; at most {MAX_BYTES} are allowed: move pinned data or large parameters out of it"
    )]
    TooLarge {
        /// How many it has, as given or, where only that is too large, with line feeds and indentation.
        bytes: usize,
    },
    /// It has more than [`MAX_NODES`].
    #[error(
        "the workflow has {nodes} nodes; at most {MAX_NODES} are allowed: move some of them into a workflow of their own"
    )]
    TooManyNodes {
        /// How many it has.
        nodes: usize,
    },
    /// Its objects and arrays stand in one another more than [`MAX_DEPTH`] deep.
    #[error(
        "the workflow's objects and arrays are nested deeper than {MAX_DEPTH} levels: flatten the parameter or the pinned data"
    )]
    TooDeep,
    /// A name is longer than allowed.
    #[error("the name of {what}, `{name}`, has {length} characters; use {limit} at most")]
    NameTooLong {
        /// Whose it is: `the workflow`, `a tag`, `a node`.
        what: &'static str,
        /// The name, cut after 64 characters.
        name: String,
        /// How many characters it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A name has a line feed, a NUL or the like in it.
    #[error("the name of {what}, `{name}`, contains a control character: type it anew")]
    ControlCharacter {
        /// Whose it is: `the workflow`, `a tag`, `a node`.
        what: &'static str,
        /// The name, escaped and cut after 64 characters.
        name: String,
    },
    /// It is not JSON, or not an object of the expected shape.
    #[error("the document is no workflow: {problem}")]
    NoWorkflow {
        /// What is wrong, with line and column where it is the syntax; cut after 300 characters, without secrets.
        problem: String,
    },
    /// Two nodes have the same name, by which connections know them.
    #[error("two nodes are called `{name}`: rename one of them")]
    DuplicateNodeName {
        /// The name.
        name: String,
    },
    /// Two nodes have the same id.
    #[error("the nodes `{first}` and `{second}` have the same id `{id}`: copy one of them anew")]
    DuplicateNodeId {
        /// The id.
        id: String,
        /// One node.
        first: String,
        /// The other.
        second: String,
    },
    /// A connection starts or ends at a node that does not exist.
    #[error(
        "a connection from `{from}` leads to `{to}`, but there is no node `{missing}`: remove the connection or restore the node"
    )]
    DanglingConnection {
        /// Where it starts.
        from: String,
        /// Where it ends.
        to: String,
        /// Which of the two is missing.
        missing: String,
    },
}

impl Workflow {
    /// Reads a document, as an engine exports it or a person saved it: what an engine makes up for itself is left out.
    /// A document without a name is called `fallback_name`.
    pub fn from_json(bytes: &[u8], fallback_name: &str) -> Result<Self, WorkflowError> {
        if bytes.len() > MAX_BYTES {
            return Err(WorkflowError::TooLarge { bytes: bytes.len() });
        }
        let document = serde_json::from_slice(bytes)
            .map_err(|error| no_workflow(format_args!("it is not JSON: {error}")))?;
        Self::from_value(document, fallback_name)
    }

    /// Like [`Self::from_json`], for a document that is parsed already.
    pub fn from_value(mut document: Value, fallback_name: &str) -> Result<Self, WorkflowError> {
        // An array would pass for a list of the fields.
        if !document.is_object() {
            return Err(no_workflow("it is not a JSON object"));
        }
        if is_deeper_than(&document, MAX_DEPTH) {
            return Err(WorkflowError::TooDeep);
        }
        number::make_doubles(&mut document);
        let read: Document = serde_json::from_value(document).map_err(no_workflow)?;
        let mut settings = read.settings.unwrap_or_default();
        settings.retain(|key, _| !INSTANCE_SETTINGS.contains(&key.as_str()));
        let workflow = Self {
            name: read
                .name
                .filter(|name| !name.trim().is_empty())
                .unwrap_or_else(|| fallback_name.to_owned()),
            active: read.active.unwrap_or_default(),
            tags: read.tags.into_iter().flatten().map(Tag::name).collect(),
            description: read.description.unwrap_or_default(),
            nodes: read.nodes,
            connections: read.connections,
            settings,
            pin_data: read.pin_data.filter(|data| !data.is_empty()),
            node_groups: read.node_groups.filter(|groups| !is_empty(groups)),
        };
        workflow.check()?;
        Ok(workflow)
    }

    /// Its JSON with sorted keys and two spaces for each level, ending with a line feed: the form that is read in Git.
    pub fn to_pretty_json(&self) -> Vec<u8> {
        // A `Value`'s objects are sorted by key.
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn check(&self) -> Result<(), WorkflowError> {
        if self.nodes.len() > MAX_NODES {
            return Err(WorkflowError::TooManyNodes {
                nodes: self.nodes.len(),
            });
        }
        if self.name.trim().is_empty() {
            return Err(no_workflow("it has no name"));
        }
        check_name("the workflow", &self.name, MAX_NAME_CHARACTERS)?;
        for tag in &self.tags {
            check_name("a tag", tag, MAX_NAME_CHARACTERS)?;
        }
        let names = self.check_nodes()?;
        self.check_connections(&names)?;
        self.check_size()
    }

    fn check_nodes(&self) -> Result<BTreeSet<&str>, WorkflowError> {
        let mut names = BTreeSet::new();
        let mut ids = BTreeMap::new();
        for node in &self.nodes {
            let name = name_of(node);
            if name.is_empty() {
                return Err(no_workflow("a node has no name"));
            }
            check_name("a node", name, MAX_NODE_NAME_CHARACTERS)?;
            if !names.insert(name) {
                return Err(WorkflowError::DuplicateNodeName {
                    name: name.to_owned(),
                });
            }
            if let Some(id) = id_of(node)
                && let Some(first) = ids.insert(id, name)
            {
                return Err(WorkflowError::DuplicateNodeId {
                    id: text::cut(id, 64),
                    first: first.to_owned(),
                    second: name.to_owned(),
                });
            }
        }
        Ok(names)
    }

    fn check_connections(&self, names: &BTreeSet<&str>) -> Result<(), WorkflowError> {
        for edge in connection::edges(&self.connections) {
            let ends = [edge.from, edge.to];
            if let Some(missing) = ends.into_iter().find(|name| !names.contains(name)) {
                return Err(WorkflowError::DanglingConnection {
                    from: text::cut(edge.from, MAX_NODE_NAME_CHARACTERS),
                    to: text::cut(edge.to, MAX_NODE_NAME_CHARACTERS),
                    missing: text::cut(missing, MAX_NODE_NAME_CHARACTERS),
                });
            }
        }
        Ok(())
    }

    /// What is accepted can be written and read again.
    fn check_size(&self) -> Result<(), WorkflowError> {
        let mut counter = Counter { bytes: 1 };
        serde_json::to_writer_pretty(&mut counter, self).map_err(no_workflow)?;
        if counter.bytes > MAX_BYTES {
            return Err(WorkflowError::TooLarge {
                bytes: counter.bytes,
            });
        }
        Ok(())
    }
}

impl TryFrom<Value> for Workflow {
    type Error = WorkflowError;

    fn try_from(document: Value) -> Result<Self, WorkflowError> {
        Self::from_value(document, "")
    }
}

/// A node's name; empty where it has none, which no checked workflow's node has.
pub(crate) fn name_of(node: &Map<String, Value>) -> &str {
    node.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// A node's id, where it has one.
pub(crate) fn id_of(node: &Map<String, Value>) -> Option<&str> {
    node.get("id").and_then(Value::as_str)
}

/// A node's type; empty where it has none.
pub(crate) fn type_of(node: &Map<String, Value>) -> &str {
    node.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// A document as engines write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: Option<String>,
    active: Option<bool>,
    tags: Option<Vec<Tag>>,
    description: Option<String>,
    nodes: Vec<Map<String, Value>>,
    connections: Map<String, Value>,
    settings: Option<Map<String, Value>>,
    pin_data: Option<Map<String, Value>>,
    node_groups: Option<Value>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a tag is neither a text nor an object with a `name`"
)]
enum Tag {
    Name(String),
    Row { name: String },
}

impl Tag {
    fn name(self) -> String {
        match self {
            Self::Name(name) | Self::Row { name } => name,
        }
    }
}

fn check_name(what: &'static str, name: &str, limit: usize) -> Result<(), WorkflowError> {
    let length = name.chars().count();
    if length > limit {
        return Err(WorkflowError::NameTooLong {
            what,
            name: text::cut(name, 64),
            length,
            limit,
        });
    }
    if name.chars().any(char::is_control) {
        return Err(WorkflowError::ControlCharacter {
            what,
            name: text::cut(&name.escape_debug().to_string(), 64),
        });
    }
    Ok(())
}

/// Whether more than `levels` objects and arrays stand in one another.
fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else {
        return value.is_object() || value.is_array();
    };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper_than(item, left)),
        Value::Object(fields) => fields.values().any(|field| is_deeper_than(field, left)),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
fn no_workflow(problem: impl ToString) -> WorkflowError {
    // The JSON reader quotes what it did not expect.
    let problem = secrets::mask_text(&problem.to_string());
    WorkflowError::NoWorkflow {
        problem: text::cut(&problem, 300),
    }
}

/// Counts what is written.
struct Counter {
    bytes: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(document: Value) -> Result<Workflow, WorkflowError> {
        Workflow::from_value(document, "from the file")
    }

    #[test]
    fn what_an_engine_makes_up_is_left_out() {
        let workflow = read(json!({
            "id": "7", "versionId": "x", "staticData": {"cursor": 1}, "pinData": {}, "tags": [{"id": "1", "name": "etl"}],
            "nodes": [{"name": "A", "id": "a"}], "connections": {},
        }))
        .expect("a workflow");
        assert_eq!(workflow.name, "from the file");
        assert_eq!(
            serde_json::to_value(&workflow).expect("JSON"),
            json!({"name": "from the file", "active": false, "tags": ["etl"], "description": "", "settings": {},
                "nodes": [{"name": "A", "id": "a"}], "connections": {}})
        );
        assert_eq!(
            Workflow::from_json(&workflow.to_pretty_json(), ""),
            Ok(workflow)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let node = |name: &str, id: &str| json!({"name": name, "id": id});
        for (document, problem) in [
            (
                json!([]),
                "the document is no workflow: it is not a JSON object",
            ),
            (json!({"nodes": []}), "missing field `connections`"),
            (
                json!({"nodes": [{}], "connections": {}}),
                "a node has no name",
            ),
            (
                json!({"nodes": [node("A", "1"), node("A", "2")], "connections": {}}),
                "two nodes are called `A`",
            ),
            (
                json!({"nodes": [node("A", "1"), node("B", "1")], "connections": {}}),
                "the nodes `A` and `B` have the same id `1`",
            ),
            (
                json!({"nodes": [node("A", "1")], "connections": {"A": {"main": [null, [{"node": "B"}]]}}}),
                "a connection from `A` leads to `B`, but there is no node `B`",
            ),
        ] {
            let error = read(document).expect_err(problem).to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert!(Workflow::from_json(b"{\"nodes\": [}", "").is_err());
    }

    fn with_node(name: &str) -> Value {
        json!({"nodes": [{"name": name}], "connections": {}})
    }

    #[test]
    fn nulls_are_what_is_left_out() {
        let workflow = read(json!({
            "name": null, "active": null, "tags": null, "description": null, "settings": null, "pinData": null,
            "nodeGroups": [], "nodes": [], "connections": {},
        }));
        assert_eq!(workflow, read(json!({"nodes": [], "connections": {}})));
    }

    #[test]
    fn names_have_limits() {
        let named = |name: &str| json!({"name": name, "nodes": [], "connections": {}});
        let tagged = |tag: &str| json!({"tags": [tag], "nodes": [], "connections": {}});
        assert!(read(named(&"ä".repeat(MAX_NAME_CHARACTERS))).is_ok());
        assert!(read(with_node(&"ä".repeat(MAX_NODE_NAME_CHARACTERS))).is_ok());
        for (document, what, limit) in [
            (named(&"ä".repeat(129)), "the workflow", 128),
            (tagged(&"ä".repeat(129)), "a tag", 128),
            (with_node(&"ä".repeat(257)), "a node", 256),
        ] {
            let problem = format!(
                "the name of {what}, `{}…`, has {} characters; use {limit} at most",
                "ä".repeat(64),
                limit + 1
            );
            assert_eq!(read(document).expect_err(what).to_string(), problem);
        }
        for (document, what) in [
            (named("a\nb"), "the workflow"),
            (tagged("a\nb"), "a tag"),
            (with_node("a\nb"), "a node"),
        ] {
            let problem =
                format!("the name of {what}, `a\\nb`, contains a control character: type it anew");
            assert_eq!(read(document).expect_err(what).to_string(), problem);
        }
        let nameless =
            Workflow::from_value(json!({"name": " ", "nodes": [], "connections": {}}), "");
        assert_eq!(
            nameless.expect_err("no name").to_string(),
            "the document is no workflow: it has no name"
        );
    }

    #[test]
    fn nesting_nodes_and_bytes_have_limits() {
        let nested = |levels: usize| {
            let inner = (0..levels).fold(json!(1), |inner, _| json!([inner]));
            json!({"nodes": [{"name": "A", "x": inner}], "connections": {}})
        };
        // The document, the list and the node are three.
        let deepest = read(nested(MAX_DEPTH - 3)).expect("a workflow");
        assert_eq!(
            Workflow::from_json(&deepest.to_pretty_json(), ""),
            Ok(deepest)
        );
        assert_eq!(read(nested(MAX_DEPTH - 2)), Err(WorkflowError::TooDeep));
        let text = "[".repeat(100_000);
        assert!(Workflow::from_json(text.as_bytes(), "").is_err());

        let many = |count: usize| {
            let nodes = (0..count).map(|n| json!({"name": n.to_string()}));
            json!({"nodes": nodes.collect::<Value>(), "connections": {}})
        };
        assert!(read(many(MAX_NODES)).is_ok());
        assert_eq!(
            read(many(MAX_NODES + 1)),
            Err(WorkflowError::TooManyNodes {
                nodes: MAX_NODES + 1
            })
        );

        let bytes = vec![b' '; MAX_BYTES + 1];
        let too_large = WorkflowError::TooLarge { bytes: bytes.len() };
        assert_eq!(Workflow::from_json(&bytes, ""), Err(too_large));
    }

    #[test]
    fn what_is_accepted_can_be_read_again() {
        let with = |items: usize| json!({"nodes": [{"name": "A", "x": vec![1; items]}], "connections": {}});
        // Each item takes a line of its own, with eight spaces before it.
        let fits = read(with(1_400_000)).expect("a workflow");
        assert!(Workflow::from_json(&fits.to_pretty_json(), "").is_ok());
        let compact = with(1_500_000).to_string();
        assert!(compact.len() < 4_000_000);
        let error = Workflow::from_json(compact.as_bytes(), "W").expect_err("too large");
        assert!(matches!(error, WorkflowError::TooLarge { bytes } if bytes > MAX_BYTES));
    }

    #[test]
    fn numbers_are_doubles() {
        let text = r#"{"name": "W", "connections": {}, "nodes": [{"name": "A", "x": [1.0, -0.0, 9007199254740993, 1e400]}]}"#;
        assert!(Workflow::from_json(text.as_bytes(), "").is_err());
        let text = text.replace("1e400", "123456789012345678901234567890");
        let workflow = Workflow::from_json(text.as_bytes(), "").expect("a workflow");
        assert_eq!(
            workflow.nodes[0]["x"],
            json!([
                1,
                0,
                9_007_199_254_740_992.0,
                123_456_789_012_345_678_901_234_567_890.0
            ])
        );
    }

    #[test]
    fn a_problem_holds_no_secret_and_has_an_end() {
        let token = ["ghp", "_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
        let document = json!({"nodes": [], "connections": {}, "settings": format!("{token} {}", "x".repeat(1_000))});
        let problem = read(document).expect_err("no settings").to_string();
        assert!(
            problem.contains("***") && !problem.contains(&token),
            "{problem}"
        );
        assert!(problem.chars().count() < 400, "{problem}");
        let document = json!({"nodes": [], "connections": {}, "tags": [7]});
        assert_eq!(
            read(document).expect_err("no tag").to_string(),
            "the document is no workflow: a tag is neither a text nor an object with a `name`"
        );
    }

    #[test]
    fn it_is_checked_however_it_is_read() {
        let document =
            json!({"name": "W", "nodes": [{"name": "A"}, {"name": "A"}], "connections": {}});
        let error = serde_json::from_value::<Workflow>(document).expect_err("two nodes");
        assert_eq!(
            error.to_string(),
            "two nodes are called `A`: rename one of them"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Workflow::from_json(&bytes, "W").is_err());
        }

        #[test]
        fn a_damaged_document_is_read_or_refused(workflow in crate::arbitrary::workflow(), at: usize, byte: u8) {
            let mut bytes = workflow.to_pretty_json();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(read) = Workflow::from_json(&bytes, "W") {
                prop_assert_eq!(Workflow::from_json(&read.to_pretty_json(), ""), Ok(read));
            }
        }
    }
}
