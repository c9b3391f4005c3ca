//! Comparing what two snapshots hold, or a snapshot and an engine.

use std::collections::{BTreeMap, BTreeSet};

use slipway_kernel::{Key, Page, PageSize};
use slipway_snapshots::{
    Became, content,
    outline::{List, outline},
};
use slipway_workflows::{Difference, Workflow, difference, inventory::Inventory};

use super::contents::{Contents, ContentsError};

/// One of two that are compared.
pub(crate) enum Side<'a> {
    /// A snapshot.
    Kept(&'a Contents),
    /// What an engine holds.
    Live(List, &'a Inventory),
}

impl<'a> Side<'a> {
    /// What an engine holds, to be compared as a whole or only as to the workflows named.
    pub(crate) fn live(inventory: &'a Inventory, only: Option<&BTreeSet<Key>>) -> Self {
        Self::Live(content::listed(inventory, only), inventory)
    }

    fn list(&self) -> &List {
        match self {
            Self::Kept(contents) => &contents.manifest.workflows,
            Self::Live(list, _) => list,
        }
    }

    /// Documents with keys in place of ids.
    async fn documents(
        &self,
        keys: &BTreeSet<Key>,
    ) -> Result<BTreeMap<Key, Workflow>, ContentsError> {
        let inventory = match self {
            Self::Kept(contents) => return contents.documents(keys).await,
            Self::Live(_, inventory) => inventory,
        };
        let portable = |key: &Key| {
            let workflow = inventory.get(key)?.workflow.as_ref().ok()?;
            Some((key.clone(), inventory.portable(workflow)))
        };
        Ok(keys.iter().filter_map(portable).collect())
    }
}

/// A workflow that is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowChange {
    /// Its key.
    pub key: Key,
    /// What people call it: on the later side, where it has it.
    pub name: String,
    /// What became of it.
    pub became: Became,
    /// Whether it ran on the earlier side; `None` where that does not have it, or it could not be read.
    pub active_before: Option<bool>,
    /// Whether it runs on the later side, likewise.
    pub active_after: Option<bool>,
    /// Whether one side's document could not be read, so that all that is known is that they differ.
    pub unreadable: bool,
    documents: Option<(Workflow, Workflow)>,
}

impl WorkflowChange {
    /// How the later document differs, where there are two, with keys in place of ids.
    pub fn difference(&self) -> Option<Difference> {
        let (before, after) = self.documents.as_ref()?;
        Some(difference(before, after))
    }
}

/// How the workflows of two sides differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Those that are not the same, by key.
    pub changes: Vec<WorkflowChange>,
    /// How many are the same.
    pub unchanged: usize,
    /// How many can be read on neither side, so that nobody can tell.
    pub unreadable: usize,
}

impl Comparison {
    /// How many became so.
    pub fn count(&self, became: Became) -> usize {
        let changes = self.changes.iter();
        changes.filter(|change| change.became == became).count()
    }

    /// The changes behind a key, as many as a page has.
    pub fn page(&mut self, after: Option<&Key>, size: PageSize) -> Page<WorkflowChange, Key> {
        let behind = |change: &WorkflowChange| after.is_none_or(|after| change.key > *after);
        let changes = std::mem::take(&mut self.changes).into_iter();
        // One more than fits says whether there is another page.
        let changes = changes.filter(behind).take(size.get() as usize + 1);
        Page::from_rows(changes.collect(), size, |change: &WorkflowChange| {
            change.key.clone()
        })
    }
}

/// Compares two sides, or of both only the workflows named. What the lists of both say is not read.
pub(crate) async fn compare(
    before: &Side<'_>,
    after: &Side<'_>,
    only: Option<&BTreeSet<Key>>,
) -> Result<Comparison, ContentsError> {
    let mut outline = outline(before.list(), after.list(), only);
    let mut changes = BTreeMap::new();
    for (key, became) in std::mem::take(&mut outline.certain) {
        let change = change(&key, became, before, after, None);
        changes.insert(key, change);
    }
    if !outline.suspects.is_empty() {
        let mut earlier = before.documents(&outline.suspects).await?;
        let mut later = after.documents(&outline.suspects).await?;
        for key in outline.suspects {
            let pair = earlier.remove(&key).zip(later.remove(&key));
            let same = |(a, b): &(Workflow, Workflow)| a.state_hash() == b.state_hash();
            if pair.as_ref().is_some_and(same) {
                outline.unchanged += 1;
                continue;
            }
            let change = change(&key, Became::Changed, before, after, pair);
            changes.insert(key, change);
        }
    }
    Ok(Comparison {
        changes: changes.into_values().collect(),
        unchanged: outline.unchanged,
        unreadable: outline.unreadable,
    })
}

fn change(
    key: &Key,
    became: Became,
    before: &Side<'_>,
    after: &Side<'_>,
    documents: Option<(Workflow, Workflow)>,
) -> WorkflowChange {
    let (there, here) = (before.list().get(key), after.list().get(key));
    let there = there.filter(|_| became != Became::Added);
    let here = here.filter(|_| became != Became::Removed);
    WorkflowChange {
        key: key.clone(),
        name: here.or(there).map(|it| it.name.clone()).unwrap_or_default(),
        became,
        active_before: there.and_then(|it| it.hash.map(|_| it.active)),
        active_after: here.and_then(|it| it.hash.map(|_| it.active)),
        unreadable: became == Became::Changed && documents.is_none(),
        documents,
    }
}
