//! What became of an environment's workflows between two moments, as far as lists without documents tell.

use std::collections::{BTreeMap, BTreeSet};

use slipway_kernel::Key;
use slipway_workflows::WorkflowId;

use crate::content::Listed;

/// The workflows of an environment without their documents.
pub type List = BTreeMap<Key, Listed>;

/// What became of a workflow. One that is archived counts as absent, as it does in the content hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Only the later side has it.
    Added,
    /// Only the earlier side has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

/// How two lists of workflows differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Those of which the lists say enough. A workflow has changed here where only one side's document can be read.
    pub certain: BTreeMap<Key, Became>,
    /// Those whose documents are written differently: whether they mean something else, only the documents tell.
    pub suspects: BTreeSet<Key>,
    /// How many are the same.
    pub unchanged: usize,
    /// How many can be read on neither side, so that nobody can tell.
    pub unreadable: usize,
}

/// Compares two lists, or of both only the workflows named.
///
/// Documents with the same hash mean the same where both sides call the workflows that both have the same. Where they
/// don't, as between environments, every document has to be looked at: an id in it may stand for another workflow.
pub fn outline(before: &List, after: &List, only: Option<&BTreeSet<Key>>) -> Outline {
    let same_ids = ids_agree(before, after);
    let mut outline = Outline::default();
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    for key in keys {
        if only.is_some_and(|only| !only.contains(key)) {
            continue;
        }
        let there = |list: &List| {
            list.get(key)
                .filter(|listed| !listed.archived)
                .map(|it| it.hash)
        };
        let became = match (there(before), there(after)) {
            (None, None) => continue,
            (None, Some(_)) => Became::Added,
            (Some(_), None) => Became::Removed,
            (Some(before), Some(after)) => match (before, after) {
                (None, None) => {
                    outline.unreadable += 1;
                    continue;
                }
                (Some(before), Some(after)) if before == after && same_ids => {
                    outline.unchanged += 1;
                    continue;
                }
                (Some(_), Some(_)) => {
                    outline.suspects.insert(key.clone());
                    continue;
                }
                _ => Became::Changed,
            },
        };
        outline.certain.insert(key.clone(), became);
    }
    outline
}

/// Whether a workflow that both lists have has the same id in both, and an id that both have the same key.
fn ids_agree(before: &List, after: &List) -> bool {
    let ids = before.iter().map(|(key, listed)| (&listed.id, key));
    let keys: BTreeMap<&WorkflowId, &Key> = ids.collect();
    after.iter().all(|(key, listed)| {
        let same_key = keys.get(&listed.id).is_none_or(|before| *before == key);
        let same_id = before.get(key).is_none_or(|before| before.id == listed.id);
        same_key && same_id
    })
}

#[cfg(test)]
mod tests {
    use slipway_kernel::Sha256;

    use super::*;

    fn key(text: &str) -> Key {
        text.parse().expect("a key")
    }

    fn listed(id: &str, document: Option<&str>) -> Listed {
        Listed {
            id: WorkflowId(id.to_owned()),
            name: id.to_owned(),
            active: false,
            archived: false,
            hash: document.map(|document| Sha256::of_bytes(document.as_bytes())),
        }
    }

    fn list(workflows: &[(&str, &str, Option<&str>)]) -> List {
        let workflows = workflows.iter();
        workflows
            .map(|(name, id, document)| (key(name), listed(id, *document)))
            .collect()
    }

    #[test]
    fn lists_tell_most_of_it() {
        let before = list(&[
            ("same", "1", Some("a")),
            ("other", "2", Some("a")),
            ("gone", "3", Some("a")),
            ("never", "4", None),
            ("mended", "5", None),
        ]);
        let after = list(&[
            ("same", "1", Some("a")),
            ("other", "2", Some("b")),
            ("new", "6", Some("a")),
            ("never", "4", None),
            ("mended", "5", Some("a")),
        ]);
        let found = outline(&before, &after, None);
        let certain = [
            ("gone", Became::Removed),
            ("mended", Became::Changed),
            ("new", Became::Added),
        ];
        assert_eq!(
            found.certain,
            certain.map(|(name, it)| (key(name), it)).into()
        );
        assert_eq!(found.suspects, [key("other")].into());
        assert_eq!((found.unchanged, found.unreadable), (1, 1));

        let only = [key("new"), key("same"), key("absent")].into();
        let found = outline(&before, &after, Some(&only));
        assert_eq!(found.certain, [(key("new"), Became::Added)].into());
        assert_eq!((found.suspects.len(), found.unchanged), (0, 1));
    }

    #[test]
    fn an_archived_workflow_counts_as_absent() {
        let before = list(&[("a", "1", Some("a")), ("b", "2", Some("a"))]);
        let mut after = before.clone();
        for listed in after.values_mut() {
            listed.archived = listed.id.0 == "1";
        }
        let found = outline(&before, &after, None);
        assert_eq!(found.certain, [(key("a"), Became::Removed)].into());
        let back = outline(&after, &before, None);
        assert_eq!(back.certain, [(key("a"), Became::Added)].into());
        assert_eq!(outline(&after, &after, None).unchanged, 1);
    }

    #[test]
    fn equal_documents_are_looked_at_where_ids_stand_for_others() {
        let here = list(&[("a", "1", Some("x")), ("b", "2", Some("y"))]);
        let there = list(&[("a", "2", Some("x")), ("b", "1", Some("y"))]);
        let found = outline(&here, &there, None);
        assert_eq!(found.suspects, [key("a"), key("b")].into());
        assert_eq!(found.unchanged, 0);
        let elsewhere = list(&[("a", "7", Some("x")), ("b", "8", Some("y"))]);
        assert_eq!(outline(&here, &elsewhere, None).suspects.len(), 2);
        // One that only one side has misleads nobody.
        let more = list(&[
            ("a", "1", Some("x")),
            ("b", "2", Some("y")),
            ("c", "3", None),
        ]);
        assert_eq!(outline(&here, &more, None).unchanged, 2);
    }
}
