//! GitHub's own description of its API (OpenAPI), against which requests and answers are checked.
//!
//! It comes from the npm package `@octokit/openapi`: `.ci/tools octokit` puts it under `target/tools`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::server::Recorded;

/// GitHub's description.
#[derive(Debug)]
pub struct Description {
    whole: Value,
}

/// How much of a message must be known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// A request must not have what GitHub does not describe: it would be ignored.
    Refused,
    /// An answer may.
    Ignored,
}

impl Description {
    /// Reads the description; `None` where it has not been installed, which is said in one line.
    ///
    /// # Panics
    ///
    /// Where it is missing, with `SLIPWAY_TEST_REQUIRE=all`, and where it can't be read.
    pub fn load() -> Option<Self> {
        let path = Self::path();
        let Ok(text) = std::fs::read(&path) else {
            slipway_test_support::skip(&format!(
                "GitHub's description of its API is not at {}, so requests are not compared with it; install it by `.ci/tools octokit`",
                path.display()
            ));
            return None;
        };
        let whole = serde_json::from_slice(&text).expect("GitHub's description is JSON");
        Some(Self { whole })
    }

    fn path() -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |given| root.join(given));
        target.join("tools/octokit/api.github.com.json")
    }

    /// Compares a request with the description; the error says what is wrong with it.
    pub fn check_request(&self, asked: &Recorded) -> Result<(), String> {
        let operation = self.operation(asked)?;
        for name in asked.query.split('&').filter(|part| !part.is_empty()) {
            let name = name.split('=').next().unwrap_or_default();
            let known = self
                .parameters(operation)
                .any(|parameter| parameter["in"] == "query" && parameter["name"] == name);
            if !known {
                return Err(format!("there is no query parameter `{name}`"));
            }
        }
        let described = self.resolve(&operation["requestBody"]);
        match (
            &asked.body,
            described["content"]["application/json"].get("schema"),
        ) {
            (Some(body), Some(schema)) => self.check(body, schema, "body", Unknown::Refused),
            (None, Some(_)) if described["required"] == true => {
                Err("the body is missing".to_owned())
            }
            (None, _) => Ok(()),
            (Some(_), None) => Err("there must be no body".to_owned()),
        }
    }

    /// Compares an answer that no fault has made with the description; the error says what is wrong with it.
    pub fn check_answer(&self, asked: &Recorded) -> Result<(), String> {
        let Some(status) = asked.status.filter(|_| !asked.faked) else {
            return Ok(());
        };
        let operation = self.operation(asked)?;
        let described = operation["responses"].get(status.to_string());
        match described {
            Some(described) => {
                let described = self.resolve(described);
                match described["content"]["application/json"].get("schema") {
                    Some(schema) => self.check(&asked.answer, schema, "answer", Unknown::Ignored),
                    None => Ok(()),
                }
            }
            // What every call answers to bad credentials or too many requests is not listed with each of them.
            None if matches!(status, 401 | 403 | 404 | 409) => Ok(()),
            None => Err(format!("{status} is no answer that is described")),
        }
    }

    fn operation(&self, asked: &Recorded) -> Result<&Value, String> {
        let paths = self.whole["paths"].as_object().expect("paths");
        let method = asked.method.to_ascii_lowercase();
        // A path with fewer parameters is the more special one.
        paths
            .iter()
            .filter_map(|(template, operations)| {
                let operation = operations.get(&method)?;
                self.matches(template, operation, &asked.path)
                    .then_some((template.matches('{').count(), operation))
            })
            .min_by_key(|(parameters, _)| *parameters)
            .map(|(_, operation)| operation)
            .ok_or_else(|| "there is no such call".to_owned())
    }

    /// Whether a path is one of a template's. A parameter is one part of it, except where GitHub says otherwise.
    fn matches(&self, template: &str, operation: &Value, path: &str) -> bool {
        let mut parts = path.split('/').peekable();
        for wanted in template.split('/') {
            let Some(part) = parts.next() else {
                return false;
            };
            let Some(name) = wanted
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            else {
                if wanted != part {
                    return false;
                }
                continue;
            };
            if part.is_empty() {
                return false;
            }
            let many = self.parameters(operation).any(|parameter| {
                parameter["in"] == "path"
                    && parameter["name"] == name
                    && parameter["x-multi-segment"] == true
            });
            if many {
                return true;
            }
        }
        parts.next().is_none()
    }

    fn parameters<'a>(&'a self, operation: &'a Value) -> impl Iterator<Item = &'a Value> {
        operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolve(parameter))
    }

    /// What a reference within the description leads to.
    fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a reference within");
            value = self
                .whole
                .pointer(pointer)
                .expect("a reference that leads somewhere");
        }
        value
    }

    fn check(
        &self,
        value: &Value,
        schema: &Value,
        at: &str,
        unknown: Unknown,
    ) -> Result<(), String> {
        let schema = self.resolve(schema);
        for keyword in schema.as_object().into_iter().flat_map(Map::keys) {
            assert!(
                KEYWORDS.contains(&keyword.as_str()),
                "{at}: {keyword} is not checked here"
            );
        }
        if value.is_null() && schema["nullable"] == true {
            return Ok(());
        }
        for part in list(schema, "allOf") {
            self.check(value, part, at, unknown)?;
        }
        for key in ["anyOf", "oneOf"] {
            let mut problems = Vec::new();
            for choice in list(schema, key) {
                match self.check(value, choice, at, unknown) {
                    Ok(()) => {
                        problems.clear();
                        break;
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            if !problems.is_empty() {
                return Err(format!("none of: {}", problems.join(", ")));
            }
        }
        check_value(value, schema, at)?;
        match value {
            Value::Object(fields) => self.check_fields(fields, schema, at, unknown),
            Value::Array(items) if schema.get("items").is_some() => {
                items.iter().enumerate().try_for_each(|(i, item)| {
                    self.check(item, &schema["items"], &format!("{at}[{i}]"), unknown)
                })
            }
            _ => Ok(()),
        }
    }

    fn check_fields(
        &self,
        fields: &Map<String, Value>,
        schema: &Value,
        at: &str,
        unknown: Unknown,
    ) -> Result<(), String> {
        for name in list(schema, "required").filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return Err(format!("{at}.{name} is missing"));
            }
        }
        let Some(properties) = schema["properties"].as_object() else {
            return Ok(());
        };
        for (name, value) in fields {
            match properties.get(name) {
                Some(schema) => self.check(value, schema, &format!("{at}.{name}"), unknown)?,
                None if unknown == Unknown::Refused => {
                    return Err(format!("{at}.{name} is not described"));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What a schema may say: all that is checked, and what says nothing about the value.
const KEYWORDS: [&str; 20] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "description",
    "enum",
    "example",
    "examples",
    "format",
    "items",
    "maxLength",
    "minLength",
    "nullable",
    "oneOf",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
];

fn list<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    schema[key].as_array().into_iter().flatten()
}

/// What a schema says of a value alone.
fn check_value(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let fits = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some(other) => return Err(format!("{at}: `{other}` is no type")),
    };
    if !fits {
        return Err(format!("{at} is not of the type {}", schema["type"]));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{at} is none of {}", schema["enum"]));
    }
    let Some(text) = value.as_str() else {
        return Ok(());
    };
    let length = text.chars().count() as u64;
    if schema["minLength"]
        .as_u64()
        .is_some_and(|least| length < least)
        || schema["maxLength"]
            .as_u64()
            .is_some_and(|most| length > most)
    {
        return Err(format!("{at} has {length} characters"));
    }
    let is_date = || {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).is_ok()
    };
    if schema["format"] == "date-time" && !is_date() {
        return Err(format!("{at} is no time"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(method: &str, path: &str, body: Option<Value>) -> Recorded {
        Recorded {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            body,
            status: None,
            answer: Value::Null,
            faked: false,
        }
    }

    #[test]
    fn what_github_does_not_describe_is_found() {
        let Some(description) = Description::load() else {
            return;
        };
        let wrong = |method, path, body, said: &str| {
            let refused = description.check_request(&asked(method, path, body));
            let refused = refused.expect_err(path);
            assert!(refused.contains(said), "{path}: {refused}");
        };
        let blob = |path, value| description.check_request(&asked("POST", path, Some(value)));
        assert_eq!(
            blob("/repos/o/r/git/blobs", json!({ "content": "x" })),
            Ok(())
        );
        wrong("POST", "/repos/o/r/git/blobz", None, "no such call");
        wrong("PUT", "/repos/o/r/git/blobs", None, "no such call");
        wrong("POST", "/repos/o/r/s/git/blobs", None, "no such call");
        wrong("POST", "/repos/o/r/git/blobs", None, "body is missing");
        for (body, said) in [
            (json!({}), "body.content is missing"),
            (
                json!({ "content": null }),
                "body.content is not of the type",
            ),
            (
                json!({ "content": "x", "encodin": "utf-8" }),
                "body.encodin is not described",
            ),
        ] {
            wrong("POST", "/repos/o/r/git/blobs", Some(body), said);
        }
        let entry = |mode, sha: Value| json!({ "tree": [{ "path": "a", "mode": mode, "type": "blob", "sha": sha }] });
        assert_eq!(
            blob("/repos/o/r/git/trees", entry("100644", Value::Null)),
            Ok(())
        );
        wrong(
            "POST",
            "/repos/o/r/git/trees",
            Some(entry("100664", Value::Null)),
            "body.tree[0].mode is none of",
        );
        let mut listed = asked("GET", "/repos/o/r/git/trees/main", None);
        listed.query = "recursive=1".to_owned();
        assert_eq!(description.check_request(&listed), Ok(()));
        listed.query = "recursiv=1".to_owned();
        assert!(description.check_request(&listed).is_err());
        // A name of several parts.
        let branch = asked("GET", "/repos/o/r/git/ref/heads/env/production", None);
        assert_eq!(description.check_request(&branch), Ok(()));
    }
}
