//! In which order workflows that call one another are written.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

/// Workflows that are written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<T> {
    /// Which, in their own order; never none.
    pub workflows: Vec<T>,
    /// Whether they refer to one another in a circle, or the one to itself: then a new one needs to be created first,
    /// and pointed at the others once all have ids.
    pub cyclic: bool,
}

/// Groups of the given workflows, such that each workflow stands behind those that it refers to, except within a
/// group that is cyclic. The same workflows always give the same order.
///
/// `references` has every workflow that is to be written, and what it refers to; a reference to one that is not
/// written does not matter.
pub fn callees_first<T: Ord + Clone>(references: &BTreeMap<T, BTreeSet<T>>) -> Vec<Group<T>> {
    let mut graph = DiGraph::<&T, ()>::with_capacity(references.len(), references.len());
    let places: BTreeMap<_, _> = references
        .keys()
        .map(|workflow| (workflow, graph.add_node(workflow)))
        .collect();
    for (from, targets) in references {
        for to in targets {
            if let (Some(from), Some(to)) = (places.get(from), places.get(to)) {
                graph.add_edge(*from, *to, ());
            }
        }
    }
    // Strongly connected components come with those first that others lead to.
    let groups = kosaraju_scc(&graph).into_iter().map(|mut group| {
        group.sort_unstable();
        Group {
            cyclic: group.len() > 1 || group.iter().any(|one| graph.contains_edge(*one, *one)),
            workflows: group.iter().map(|one| graph[*one].clone()).collect(),
        }
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordered(references: &[(&'static str, &[&'static str])]) -> Vec<(Vec<&'static str>, bool)> {
        let references = references
            .iter()
            .map(|(from, to)| (*from, to.iter().copied().collect()))
            .collect();
        callees_first(&references)
            .into_iter()
            .map(|group| (group.workflows, group.cyclic))
            .collect()
    }

    #[test]
    fn callees_come_first() {
        assert_eq!(ordered(&[]), []);
        assert_eq!(
            ordered(&[("a", &["b", "elsewhere"]), ("b", &["c"]), ("c", &[])]),
            [(vec!["c"], false), (vec!["b"], false), (vec!["a"], false)]
        );
    }

    #[test]
    fn circles_are_told() {
        assert_eq!(
            ordered(&[
                ("a", &["b"]),
                ("b", &["c"]),
                ("c", &["b"]),
                ("d", &["d", "a"])
            ]),
            [
                (vec!["b", "c"], true),
                (vec!["a"], false),
                (vec!["d"], true)
            ]
        );
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let chain: BTreeMap<u32, BTreeSet<u32>> =
            (0..100_000).map(|n| (n, BTreeSet::from([n + 1]))).collect();
        let groups = callees_first(&chain);
        assert_eq!(groups.len(), 100_000);
        assert_eq!(groups[0].workflows, [99_999]);
    }

    proptest! {
        #[test]
        fn each_stands_behind_what_it_refers_to(
            references in prop::collection::btree_map(
                0_u8..12,
                prop::collection::btree_set(0_u8..14, 0..4),
                0..12,
            ),
        ) {
            let groups = callees_first(&references);
            let place = |workflow: &u8| groups.iter().position(|group| group.workflows.contains(workflow));
            let listed: Vec<_> = groups.iter().flat_map(|group| &group.workflows).collect();
            prop_assert_eq!(listed.len(), references.len());
            for (from, targets) in &references {
                for to in targets.iter().filter(|to| references.contains_key(to)) {
                    prop_assert!(place(to) <= place(from));
                    let together = place(to) == place(from);
                    prop_assert!(!together || groups[place(to).unwrap()].cyclic);
                }
            }
            // What is called cyclic is: each of the group reaches itself.
            for group in groups.iter().filter(|group| group.cyclic) {
                for one in &group.workflows {
                    prop_assert!(reached(&references, *one).contains(one));
                }
            }
        }
    }

    fn reached(references: &BTreeMap<u8, BTreeSet<u8>>, from: u8) -> BTreeSet<u8> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            for to in references.get(&next).into_iter().flatten() {
                if reached.insert(*to) {
                    open.push(*to);
                }
            }
        }
        reached
    }
}
