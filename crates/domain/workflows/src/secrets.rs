//! Secrets that stand in a workflow itself instead of in a credential: where they are, and texts without them.

mod finder;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Workflow, path, workflow::name_of};

/// The most secrets that are reported of one workflow.
pub const MAX_SECRETS: usize = 1_000;

/// What stands in a secret's place.
const MASK: &str = "***";

/// A secret in a workflow. It says where, never what: neither the secret nor a part of it nor its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// The node it stands in, or whose pinned data it stands in.
    pub node: String,
    /// Where in the node (`parameters.url`, `notes`) or in its pinned data (`pinData[0].json.headers.authorization`);
    /// cut after 200 characters.
    pub path: String,
    /// What it seems to be.
    pub kind: SecretKind,
}

/// What a secret seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A key or token of the form that a service gives its own.
    ServiceToken {
        /// The service: `GitHub`, `AWS`, …
        service: &'static str,
    },
    /// A signed JSON web token.
    JsonWebToken,
    /// A private key in PEM form.
    PrivateKey,
    /// What follows `Bearer` or `Basic`, or the value of a header that authenticates.
    AuthorizationHeader,
    /// A password or key that is part of a URL.
    Url,
    /// A literal in a field whose name says that it is secret (`password`, `apiKey`, …).
    NamedField,
}

/// A secret in a text that is no workflow. It says where, never what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInText {
    /// Where it stands: in JSON the path of its field (`tools[0].api_key`), elsewhere `line 3`; cut after 200 characters.
    pub place: String,
    /// What it seems to be.
    pub kind: SecretKind,
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceToken { service } => write!(f, "a key or token of {service}"),
            Self::JsonWebToken => f.write_str("a JSON web token"),
            Self::PrivateKey => f.write_str("a private key"),
            Self::AuthorizationHeader => f.write_str("an authorization header"),
            Self::Url => f.write_str("a password or key in a URL"),
            Self::NamedField => f.write_str("a literal in a field for secrets"),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, path, kind } = self;
        write!(
            f,
            "the node `{node}` holds {kind} in `{path}`: move it into a credential"
        )
    }
}

impl Workflow {
    /// The secrets that stand in its nodes' parameters, notes and pinned data, in the order of nodes and fields; at most
    /// [`MAX_SECRETS`], each place once.
    ///
    /// It goes by the form of a text and by the name of its field, so it can miss a secret, and can take a random text
    /// for one. An expression is none, unless a literal in it is.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut found = Vec::new();
        for node in &self.nodes {
            for part in ["parameters", "notes"] {
                if let Some(value) = node.get(part) {
                    search(name_of(node), part, part, value, &mut found);
                }
            }
        }
        for (node, data) in self.pin_data.iter().flatten() {
            search(node, "pinData", "", data, &mut found);
        }
        found
    }
}

/// The secrets in a text: in its fields where it is JSON, else in its lines. At most [`MAX_SECRETS`], in their order.
///
/// It goes by the same forms and names as [`Workflow::secrets`].
pub fn in_text(text: &str) -> Vec<SecretInText> {
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        let mut found = Vec::new();
        search("", "", "", &value, &mut found);
        let told = found.into_iter().map(|secret| SecretInText {
            place: secret.path,
            kind: secret.kind,
        });
        return told.collect();
    }
    let (mut line, mut from) = (1, 0);
    let found = finder::find("", text).into_iter().take(MAX_SECRETS);
    found
        .map(|found| {
            line += text[from..found.range.start].matches('\n').count();
            from = found.range.start;
            SecretInText {
                place: format!("line {line}"),
                kind: found.kind,
            }
        })
        .collect()
}

/// A value with every secret in its texts replaced by `***`.
///
/// `name` is the name of the field that the value stands in; it can be empty.
pub fn mask(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked(name, text)),
        Value::Array(items) => items.iter().map(|item| mask(name, item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), mask(governing_name(fields, key), field)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text with every secret in it replaced by `***`.
pub fn mask_text(text: &str) -> String {
    masked("", text)
}

fn masked(name: &str, text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut from = 0;
    for found in finder::find(name, text) {
        left.push_str(&text[from..found.range.start]);
        left.push_str(MASK);
        from = found.range.end;
    }
    left.push_str(&text[from..]);
    left
}

fn search(node: &str, path: &str, name: &str, value: &Value, found: &mut Vec<Secret>) {
    if found.len() >= MAX_SECRETS {
        return;
    }
    match value {
        Value::String(text) => {
            if let Some(secret) = finder::find(name, text).first() {
                found.push(Secret {
                    node: node.to_owned(),
                    path: path::shown(path),
                    kind: secret.kind,
                });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(node, &path::item(path, index), name, item, found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = governing_name(fields, key);
                search(node, &path::field(path, key), name, field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The name that says what a field holds: its own, or what stands beside it in `{"name": "X-Api-Key", "value": …}`.
pub(crate) fn governing_name<'a>(fields: &'a Map<String, Value>, key: &'a str) -> &'a str {
    if key != "value" {
        return key;
    }
    let beside = ["name", "key"]
        .into_iter()
        .find_map(|name| fields.get(name));
    beside.and_then(Value::as_str).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made up, and in pieces, so that this file holds nothing that looks like a token.
    fn github_token() -> String {
        ["ghp", "_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat()
    }

    fn workflow() -> Workflow {
        let token = github_token();
        let document = json!({
            "name": "W", "connections": {},
            "nodes": [
                {"name": "Request", "notes": format!("the key is {token}"), "parameters": {
                    "url": "https://api.example.com",
                    "headers": [{"name": "Accept", "value": "text/html"}, {"name": "X-Api-Key", "value": "q7w8e9r0"}],
                    "body": {"a b": format!("={{{{ $json.x }}}} {token} {token}")},
                }},
                {"name": "Fine", "parameters": {"password": "={{ $json.password }}", "maxTokens": 400, "secret": true}},
            ],
            "pinData": {"Fine": [{"json": {"headers": {"authorization": "Bearer t0p:Secret"}}}]},
        });
        Workflow::from_value(document, "").expect("a workflow")
    }

    #[test]
    fn a_secret_is_told_by_its_place() {
        let found: Vec<_> = workflow().secrets();
        let told: Vec<_> = found
            .iter()
            .map(|secret| (secret.node.as_str(), secret.path.as_str(), secret.kind))
            .collect();
        let github = SecretKind::ServiceToken { service: "GitHub" };
        assert_eq!(
            told,
            [
                ("Request", "parameters.body[\"a b\"]", github),
                (
                    "Request",
                    "parameters.headers[1].value",
                    SecretKind::NamedField
                ),
                ("Request", "notes", github),
                (
                    "Fine",
                    "pinData[0].json.headers.authorization",
                    SecretKind::AuthorizationHeader
                ),
            ]
        );
        assert_eq!(
            found[2].to_string(),
            "the node `Request` holds a key or token of GitHub in `notes`: move it into a credential"
        );
    }

    #[test]
    fn what_is_told_holds_no_secret() {
        let told = serde_json::to_string(&workflow().secrets()).expect("JSON");
        for secret in [github_token().as_str(), "q7w8e9r0", "t0p:Secret"] {
            assert!(!told.contains(secret), "{told}");
        }
    }

    #[test]
    fn a_masked_value_keeps_the_rest() {
        let token = github_token();
        assert_eq!(
            mask_text(&format!("a {token}, b {token}.")),
            "a ***, b ***."
        );
        assert_eq!(
            mask(
                "",
                &json!({"name": "password", "value": "hunter2!", "x": ["fine", 1, null]})
            ),
            json!({"name": "password", "value": "***", "x": ["fine", 1, null]})
        );
        assert_eq!(mask("password", &json!(["hunter2!"])), json!(["***"]));
        let once = serde_json::to_value(workflow()).expect("JSON");
        let once = mask("", &once);
        assert_eq!(mask("", &once), once);
    }

    #[test]
    fn secrets_of_other_texts_are_told_by_field_or_line() {
        let token = github_token();
        let told = |text: &str| -> Vec<_> {
            let found = in_text(text).into_iter();
            found.map(|secret| (secret.place, secret.kind)).collect()
        };
        let github = SecretKind::ServiceToken { service: "GitHub" };
        assert_eq!(
            told(&format!("You are a bot.\n\nUse {token}.\nAnd {token}")),
            [("line 3".to_owned(), github), ("line 4".to_owned(), github)]
        );
        let document = json!({"tools": [{"api_key": "q7w8e9r0"}], "text": format!("a\n{token}")});
        let mut of_fields = told(&document.to_string());
        of_fields.sort();
        assert_eq!(
            of_fields,
            [
                ("text".to_owned(), github),
                ("tools[0].api_key".to_owned(), SecretKind::NamedField)
            ]
        );
        assert_eq!(told("Answer in the user's language."), []);
        assert_eq!(told(""), []);
    }

    #[test]
    fn the_list_has_an_end() {
        let fields: Vec<_> = (0..=MAX_SECRETS).map(|_| github_token()).collect();
        let document = json!({"name": "W", "connections": {}, "nodes": [{"name": "A", "parameters": {"a": fields}}]});
        let workflow = Workflow::from_value(document, "").expect("a workflow");
        assert_eq!(workflow.secrets().len(), MAX_SECRETS);
    }
}
