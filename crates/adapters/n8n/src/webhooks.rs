//! Which addresses the nodes of a workflow have n8n answer at.

use std::fmt;

use serde_json::{Map, Value};

/// A method and a path below n8n's root for webhooks. One active workflow only can have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    method: String,
    path: String,
}

/// A node with one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) node: String,
    pub(crate) address: Address,
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, address } = self;
        let Address { method, path } = address;
        write!(f, "the path `{path}` ({method}) of the node `{node}`")
    }
}

/// The addresses that these nodes have, as far as the document alone tells: not those that an expression computes.
pub(crate) fn of<'a>(nodes: impl IntoIterator<Item = &'a Map<String, Value>>) -> Vec<Webhook> {
    let enabled = |node: &&Map<String, Value>| node.get("disabled") != Some(&Value::Bool(true));
    let nodes = nodes.into_iter().filter(enabled);
    nodes.flat_map(of_node).collect()
}

fn of_node(fields: &Map<String, Value>) -> Vec<Webhook> {
    let node = Node(fields);
    let addresses = node.addresses();
    let known = addresses
        .into_iter()
        .filter(|(_, path)| !path.is_empty() && !path.starts_with('='));
    let webhooks = known.map(|(method, path)| Webhook {
        node: text(fields, "name").to_owned(),
        address: Address {
            path: normal(&path, node.identity()),
            method,
        },
    });
    webhooks.collect()
}

struct Node<'a>(&'a Map<String, Value>);

impl<'a> Node<'a> {
    fn identity(&self) -> &'a str {
        text(self.0, "webhookId")
    }

    fn version(&self) -> f64 {
        let version = self.0.get("typeVersion").and_then(Value::as_f64);
        version.unwrap_or(1.0)
    }

    fn parameter(&self, key: &str) -> Option<&'a Value> {
        self.0.get("parameters")?.get(key)
    }

    fn path(&self) -> &'a str {
        let path = self.parameter("path").and_then(Value::as_str);
        path.unwrap_or_default()
    }

    /// Method and path of each, as given.
    fn addresses(&self) -> Vec<(String, String)> {
        let or_identity = |path: &'a str| {
            if path.is_empty() {
                self.identity()
            } else {
                path
            }
        };
        let below_identity = |end: &str| match self.identity() {
            "" => String::new(),
            identity => format!("{identity}/{end}"),
        };
        let at = |methods: &[&str], path: String| {
            let methods = methods.iter();
            methods
                .map(|method| ((*method).to_owned(), path.clone()))
                .collect()
        };
        let kind = text(self.0, "type");
        match kind {
            "n8n-nodes-base.webhook" => {
                let path = or_identity(self.path());
                at(&self.methods(), path.to_owned())
            }
            "n8n-nodes-base.formTrigger" => at(&["GET", "POST"], self.form(or_identity)),
            "@n8n/n8n-nodes-langchain.chatTrigger" => at(&["GET", "POST"], below_identity("chat")),
            "@n8n/n8n-nodes-langchain.mcpTrigger" if self.version() < 2.0 => {
                let path = self.path();
                let mut all: Vec<_> = at(&["GET"], format!("{path}/sse"));
                all.push(("POST".to_owned(), format!("{path}/messages")));
                all
            }
            "@n8n/n8n-nodes-langchain.mcpTrigger" => {
                at(&["GET", "POST", "DELETE"], self.path().to_owned())
            }
            // Where other services send their events.
            _ if kind.ends_with("Trigger") => at(&["POST"], below_identity("webhook")),
            _ => Vec::new(),
        }
    }

    fn form(&self, or_identity: impl Fn(&'a str) -> &'a str) -> String {
        match self.version() {
            version if version < 2.0 => format!("{}/n8n-form", self.path()),
            version if version < 2.2 => or_identity(self.path()).to_owned(),
            _ => {
                let options = self.parameter("options");
                let path = options.and_then(|options| options.get("path")?.as_str());
                or_identity(path.unwrap_or_default()).to_owned()
            }
        }
    }

    fn methods(&self) -> Vec<&'a str> {
        match self.parameter("httpMethod") {
            Some(Value::Array(methods)) => methods.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(method)) => vec![method],
            _ if self.parameter("multipleMethods") == Some(&Value::Bool(true)) => {
                vec!["GET", "POST"]
            }
            _ => vec!["GET"],
        }
    }
}

/// The path as n8n keeps it: slashes at its ends don't count. One with a part to fill in (`:name`, whatever the name)
/// stands below the node's own identity.
fn normal(path: &str, identity: &str) -> String {
    let path = path.trim_matches('/');
    let is_open = |part: &str| part.starts_with(':');
    if !path.split('/').any(is_open) {
        return path.to_owned();
    }
    let parts = path.split('/');
    let parts = parts.map(|part| if is_open(part) { ":" } else { part });
    let parts: Vec<_> = std::iter::once(identity).chain(parts).collect();
    parts.join("/")
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The addresses of one node of this type and version, named `N`, with the identity `w`.
    fn addresses(kind: &str, version: f64, parameters: Value) -> Vec<String> {
        let mut node = json!({"name": "N", "type": kind, "typeVersion": version, "webhookId": "w"});
        node["parameters"] = parameters;
        let webhooks = of(node.as_object());
        let shown =
            |webhook: Webhook| format!("{} {}", webhook.address.method, webhook.address.path);
        webhooks.into_iter().map(shown).collect()
    }

    #[test]
    fn a_webhook_has_a_path_and_methods() {
        let of = |parameters| addresses("n8n-nodes-base.webhook", 2.0, parameters);
        assert_eq!(of(json!({"path": "/a/b/"})), ["GET a/b"]);
        assert_eq!(of(json!({})), ["GET w"]);
        let post = json!({"path": "a", "httpMethod": "POST"});
        assert_eq!(of(post), ["POST a"]);
        let several = json!({"path": "a", "httpMethod": ["PUT", "POST"], "multipleMethods": true});
        assert_eq!(of(several), ["PUT a", "POST a"]);
        let usual = json!({"path": "a", "multipleMethods": true});
        assert_eq!(of(usual), ["GET a", "POST a"]);
        assert_eq!(of(json!({"path": "a/:id"})), of(json!({"path": "a/:x/"})));
        assert_eq!(of(json!({"path": "a/:id"})), ["GET w/a/:"]);
        assert_eq!(of(json!({"path": "={{ $workflow.id }}"})), [""; 0]);
    }

    #[test]
    fn other_triggers_have_addresses_too() {
        let form =
            |version, parameters| addresses("n8n-nodes-base.formTrigger", version, parameters);
        assert_eq!(form(1.0, json!({"path": "a"}))[0], "GET a/n8n-form");
        assert_eq!(form(2.1, json!({"path": "a"})), ["GET a", "POST a"]);
        assert_eq!(form(2.2, json!({"path": "a"}))[0], "GET w");
        assert_eq!(form(2.2, json!({"options": {"path": "a"}}))[0], "GET a");
        let langchain = |kind: &str, version| {
            let kind = format!("@n8n/n8n-nodes-langchain.{kind}");
            addresses(&kind, version, json!({"path": "a"}))
        };
        assert_eq!(langchain("chatTrigger", 1.1), ["GET w/chat", "POST w/chat"]);
        assert_eq!(
            langchain("mcpTrigger", 1.1),
            ["GET a/sse", "POST a/messages"]
        );
        assert_eq!(
            langchain("mcpTrigger", 2.0),
            ["GET a", "POST a", "DELETE a"]
        );
        let slack = addresses("n8n-nodes-base.slackTrigger", 1.0, json!({}));
        assert_eq!(slack, ["POST w/webhook"]);
        assert_eq!(addresses("n8n-nodes-base.set", 1.0, json!({})), [""; 0]);
    }

    #[test]
    fn a_node_that_is_switched_off_has_none() {
        let node = json!({"name": "N", "type": "n8n-nodes-base.webhook", "disabled": true, "parameters": {"path": "a"}});
        assert_eq!(of(node.as_object()), []);
    }
}
