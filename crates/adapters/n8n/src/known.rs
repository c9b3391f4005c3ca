//! What the last export read, so that the next one reads only what has changed since.

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

/// What was read of an instance, by id.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeMap<String, (Listed, Bytes)>>);

impl Known {
    /// The answer that showed the workflow, where the list tells of no change since; never where it tells no moment.
    pub(crate) fn unchanged(&self, listed: &Listed) -> Option<Bytes> {
        listed.updated_at.as_ref()?;
        let held = self.held();
        let (before, answer) = held.get(&listed.id)?;
        (before == listed).then(|| answer.clone())
    }

    /// Remembers what an export read, and forgets all else. What the list told came before the answer, so that a change
    /// in between is found by the next list.
    pub(crate) fn remember(&self, read: Vec<(Listed, Bytes)>) {
        let mut bytes = 0;
        let fits = read.into_iter().take_while(|(_, answer)| {
            bytes += answer.len();
            bytes <= MOST
        });
        *self.held() = fits
            .map(|(listed, answer)| (listed.id.clone(), (listed, answer)))
            .collect();
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, (Listed, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    }
}
