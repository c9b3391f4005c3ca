//! Whether an effect happened: what is found in the target, beside what was there and what should be.

use slipway_workflows::Workflow;

/// What an item's step has to do about what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// What should be is there.
    Happened,
    /// What was there before is still there, or the change stopped half way: do it (again).
    Open,
    /// Something else is there, which somebody else must have made: touch nothing.
    Conflict,
}

/// Compares what is found in the target with what was there before and with what should be there; `None` means that there
/// is no such workflow. A change takes several calls (content, tags, description, activation) and can stop between them:
/// `in_between` says whether every part of what is found is either the old or the new one. So it is when a change is undone
/// that was applied only in part.
///
/// A caller that finds several workflows which could be the item does not ask this: the step is
/// [`Unknown`](crate::Phase::Unknown) then. A call without an answer can still take effect for as long as a call may last;
/// the target has to be read after that time.
pub fn probe<T: PartialEq>(
    before: Option<&T>,
    after: Option<&T>,
    found: Option<&T>,
    in_between: impl FnOnce() -> bool,
) -> Probe {
    if found == after {
        Probe::Happened
    } else if found == before || in_between() {
        Probe::Open
    } else {
        Probe::Conflict
    }
}

/// Whether every part of a workflow is either the old one or the new one, as it is when a change of several calls stopped
/// half way. A side without a workflow counts as inactive, without tags and without description.
pub fn in_between(found: &Workflow, before: Option<&Workflow>, after: Option<&Workflow>) -> bool {
    let part = |matches: &dyn Fn(&Workflow) -> bool, of_none: bool| {
        [before, after]
            .into_iter()
            .any(|side| side.map_or(of_none, matches))
    };
    let content = |side: &Workflow| {
        side.nodes == found.nodes
            && side.connections == found.connections
            && side.pin_data == found.pin_data
            && side.node_groups == found.node_groups
    };
    part(&|side| side.name == found.name, false)
        && part(&content, false)
        && part(&|side| side.settings == found.settings, false)
        && part(&|side| side.active == found.active, !found.active)
        && part(&|side| side.tags == found.tags, found.tags.is_empty())
        && part(
            &|side| side.description == found.description,
            found.description.is_empty(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_decides() {
        let cases = [
            (Some(1), Some(2), Some(2), Probe::Happened),
            (Some(1), Some(2), Some(1), Probe::Open),
            (Some(1), Some(2), Some(3), Probe::Conflict),
            (Some(1), Some(2), None, Probe::Conflict),
            (None, Some(2), None, Probe::Open),
            (Some(1), None, None, Probe::Happened),
            (Some(1), None, Some(1), Probe::Open),
            (Some(1), Some(1), Some(1), Probe::Happened),
        ];
        for (before, after, found, expected) in cases {
            let (before, after, found) = (before.as_ref(), after.as_ref(), found.as_ref());
            let got = probe(before, after, found, || false);
            assert_eq!(got, expected, "{before:?} {after:?} {found:?}");
        }
        let half = probe(Some(&1), Some(&2), Some(&3), || true);
        assert_eq!(half, Probe::Open);
    }
}
