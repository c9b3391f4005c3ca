//! What was read, so that the next export reads only what has changed since.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

/// The most bytes of answers that are remembered of one instance.
const MOST: usize = 32 * 1024 * 1024;

/// What a list tells of a workflow, apart from its content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) is_archived: bool,
    /// Moves, in milliseconds, with every change of what the row does not show or the list leaves out. A change takes longer
    /// than that, so that nothing that was read after one can have its moment and not its content.
    updated_at: Option<String>,
    version_id: Option<String>,
    active_version_id: Option<String>,
    active: Option<bool>,
    /// They are no part of the row.
    #[serde(default)]
    tags: Value,
}

/// What was read of an instance.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Answers>);

/// The answers by id, and how many bytes they have.
#[derive(Debug, Default)]
struct Answers {
    by_id: BTreeMap<String, (Listed, Bytes)>,
    bytes: usize,
}

impl Known {
    /// The answer that showed the workflow, where the list tells of no change since; never where it tells no moment.
    pub(crate) fn unchanged(&self, listed: &Listed) -> Option<Bytes> {
        listed.updated_at.as_ref()?;
        let held = self.held();
        let (before, answer) = held.by_id.get(&listed.id)?;
        (before == listed).then(|| answer.clone())
    }

    /// Remembers what an export read, and forgets all else. What the list told came before the answer, so that a change
    /// in between is found by the next list.
    pub(crate) fn remember(&self, read: Vec<(Listed, Bytes)>) {
        let mut answers = Answers::default();
        for (listed, answer) in read {
            answers.add(listed, answer);
        }
        *self.held() = answers;
    }

    /// Remembers one workflow that was read by itself, as the answer tells of it.
    pub(crate) fn add(&self, answer: &Bytes) {
        if let Ok(listed) = serde_json::from_slice(answer) {
            self.held().add(listed, answer.clone());
        }
    }

    fn held(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// In place of what was known of it. What does not fit is not remembered.
    fn add(&mut self, listed: Listed, answer: Bytes) {
        if let Some((_, before)) = self.by_id.remove(&listed.id) {
            self.bytes -= before.len();
        }
        if self.bytes + answer.len() <= MOST {
            self.bytes += answer.len();
            self.by_id.insert(listed.id.clone(), (listed, answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(fields: &Value) -> Listed {
        let mut row = json!({"id": "a", "updatedAt": "now", "active": true, "tags": []});
        for (field, value) in fields.as_object().expect("fields") {
            row[field] = value.clone();
        }
        serde_json::from_value(row).expect("a row")
    }

    #[test]
    fn any_change_that_a_list_tells_of_counts() {
        let known = Known::default();
        let before = listed(&json!({}));
        assert_eq!(known.unchanged(&before), None);
        known.remember(vec![(before.clone(), Bytes::from_static(b"{}"))]);
        assert!(known.unchanged(&before).is_some());
        for change in [
            json!({"id": "b"}),
            json!({"updatedAt": "later"}),
            json!({"active": false}),
            json!({"isArchived": true}),
            json!({"tags": [{"id": "t", "name": "nightly"}]}),
        ] {
            assert_eq!(known.unchanged(&listed(&change)), None, "{change}");
        }
    }

    #[test]
    fn a_list_without_moments_is_no_reason_not_to_read() {
        let known = Known::default();
        let undated = listed(&json!({"updatedAt": null}));
        known.remember(vec![(undated.clone(), Bytes::new())]);
        assert_eq!(known.unchanged(&undated), None);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let known = Known::default();
        let (first, second) = (listed(&json!({})), listed(&json!({"id": "b"})));
        let half = Bytes::from(vec![b' '; MOST / 2 + 1]);
        known.remember(vec![(first.clone(), half.clone()), (second.clone(), half)]);
        assert!(known.unchanged(&first).is_some());
        assert_eq!(known.unchanged(&second), None);
        // A smaller one in the place of the first makes room.
        let row = json!({"id": "a", "updatedAt": "now", "active": true, "tags": []});
        known.add(&Bytes::from(row.to_string()));
        assert!(known.unchanged(&first).is_some());
        known.add(&Bytes::from(row.to_string().replace("\"a\"", "\"b\"")));
        assert!(known.unchanged(&second).is_some());
    }
}
