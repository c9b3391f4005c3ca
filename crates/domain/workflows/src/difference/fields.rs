//! Which fields of two objects differ.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Listed, MAX_FIELDS_LISTED, MAX_VALUE_CHARACTERS};
use crate::{
    path,
    secrets::{governing_name, mask},
    text::cut_around_difference,
};

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Where it is (`parameters.rules[0].value`); cut after 200 characters.
    pub path: String,
    /// What it was, as JSON, cut around the first place where it differs; `None` where there was none.
    pub before: Option<String>,
    /// What it became, likewise.
    pub after: Option<String>,
}

/// The fields that differ, down to the innermost objects, in the order of their names. Lists of equal length are
/// compared item by item, unless they are of plain values, like positions.
pub(super) fn changes(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Listed<FieldChange> {
    let mut changes = Listed::default();
    compare_objects(path, before, after, &mut changes);
    changes
}

/// A value and the name that says what it holds.
#[derive(Clone, Copy)]
struct Side<'a> {
    name: &'a str,
    value: &'a Value,
}

impl<'a> Side<'a> {
    fn field(fields: &'a Map<String, Value>, name: &'a str) -> Option<Self> {
        Some(Self {
            name: governing_name(fields, name),
            value: fields.get(name)?,
        })
    }

    fn text(self) -> String {
        mask(self.name, self.value).to_string()
    }
}

fn compare_objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Listed<FieldChange>,
) {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        if before.get(name) == after.get(name) {
            continue;
        }
        let (before, after) = (Side::field(before, name), Side::field(after, name));
        compare(&path::field(path, name), before, after, changes);
    }
}

fn compare(
    path: &str,
    before: Option<Side>,
    after: Option<Side>,
    changes: &mut Listed<FieldChange>,
) {
    if let (Some(old), Some(new)) = (before, after) {
        match (old.value, new.value) {
            (Value::Object(before), Value::Object(after)) => {
                return compare_objects(path, before, after, changes);
            }
            (Value::Array(before), Value::Array(after))
                if before.len() == after.len() && !(is_plain(before) && is_plain(after)) =>
            {
                for (index, (before, after)) in before.iter().zip(after).enumerate() {
                    if before != after {
                        let side = |name, value| Some(Side { name, value });
                        let (before, after) = (side(old.name, before), side(new.name, after));
                        compare(&path::item(path, index), before, after, changes);
                    }
                }
                return;
            }
            _ => {}
        }
    }
    if changes.items.len() < MAX_FIELDS_LISTED {
        changes.items.push(change(path, before, after));
    }
    changes.total += 1;
}

fn is_plain(items: &[Value]) -> bool {
    !items
        .iter()
        .any(|item| matches!(item, Value::Object(_) | Value::Array(_)))
}

fn change(path: &str, before: Option<Side>, after: Option<Side>) -> FieldChange {
    let [old, new] = [before, after].map(|side| side.map(Side::text).unwrap_or_default());
    let (old, new) = cut_around_difference(&old, &new, MAX_VALUE_CHARACTERS);
    FieldChange {
        path: path::shown(path),
        before: before.map(|_| old),
        after: after.map(|_| new),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: Value, after: Value) -> Vec<(String, Option<String>, Option<String>)> {
        let (Value::Object(before), Value::Object(after)) = (before, after) else {
            panic!("two objects");
        };
        let changes = changes("p", &before, &after);
        assert_eq!(changes.total, changes.items.len());
        let changes = changes.items.into_iter();
        changes.map(|c| (c.path, c.before, c.after)).collect()
    }

    fn row(
        path: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> (String, Option<String>, Option<String>) {
        (
            path.to_owned(),
            before.map(str::to_owned),
            after.map(str::to_owned),
        )
    }

    #[test]
    fn the_innermost_field_is_told() {
        assert_eq!(
            told(
                json!({"a": {"b": [{"c": 1, "d": 2}, 0]}, "e": [1, 2], "f": "x", "g": 1, "n": null}),
                json!({"a": {"b": [{"c": 3, "d": 2}, 0]}, "e": [1, 3], "f": {"x": 1}, "h": 1}),
            ),
            [
                row("p.a.b[0].c", Some("1"), Some("3")),
                row("p.e", Some("[1,2]"), Some("[1,3]")),
                row("p.f", Some("\"x\""), Some("{\"x\":1}")),
                row("p.g", Some("1"), None),
                row("p.h", None, Some("1")),
                row("p.n", Some("null"), None),
            ]
        );
        assert_eq!(
            told(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 1}, {"b": 2}]})),
            [row(
                "p.a",
                Some("[{\"b\":1}]"),
                Some("[{\"b\":1},{\"b\":2}]")
            )]
        );
    }

    #[test]
    fn a_secret_is_masked_and_its_change_told() {
        assert_eq!(
            told(
                json!({"h": [{"name": "X-Api-Key", "value": "q7w8e9r0"}], "password": "hunter2", "url": "x"}),
                json!({"h": [{"name": "X-Api-Key", "value": "r7w8e9q0"}], "password": "hunter3", "url": "ftp://u:hunter3@h"}),
            ),
            [
                row("p.h[0].value", Some("\"***\""), Some("\"***\"")),
                row("p.password", Some("\"***\""), Some("\"***\"")),
                row("p.url", Some("\"x\""), Some("\"ftp://u:***@h\"")),
            ]
        );
    }

    #[test]
    fn what_is_told_has_an_end_and_what_is_counted_has_none() {
        let fields = |value: &str| -> Map<String, Value> {
            let value = value.repeat(1_000);
            (0..1_000)
                .map(|n| (format!("{n:0500}"), json!(value)))
                .collect()
        };
        let changes = changes("p", &fields("ab"), &fields("ac"));
        assert_eq!(
            (changes.items.len(), changes.total),
            (MAX_FIELDS_LISTED, 1_000)
        );
        for change in changes.items {
            assert!(change.path.chars().count() <= 201);
            for text in [change.before.unwrap(), change.after.unwrap()] {
                assert!(text.chars().count() <= MAX_VALUE_CHARACTERS + 2);
            }
        }
    }
}
