//! What the risk of an item goes by, out of what is known about a draft.

use std::cmp::Ordering;

use slipway_kernel::{
    Key,
    version_order::{compare, semantic},
};

use super::{Circumstances, Movement};
use crate::release::{CurrentVersion, Draft, DraftItem, Facts, VersionFacts};

/// What the risk of an item of a draft goes by; `None` where the project has no such application.
pub fn circumstances(draft: &Draft, item: &DraftItem, facts: &Facts) -> Option<Circumstances> {
    let application = facts.applications.get(&item.application)?;
    let current = facts.current.get(&item.application);
    let wanted = item.version();
    let version = wanted.and_then(|wanted| application.versions.get(wanted));
    let major = wanted.zip(current).and_then(|(wanted, current)| {
        let before = semantic(&current.identifier)?.major;
        let after = semantic(wanted)?.major;
        (before != after).then_some((before, after))
    });
    Some(Circumstances {
        tier: facts.tier,
        kind: application.kind,
        major,
        movement: movement(wanted.zip(version), wanted.is_none(), current),
        items: draft.items.len(),
        author: wanted.is_none() || version.is_some_and(|version| version.author.is_some()),
    })
}

fn movement(
    wanted: Option<(&Key, &VersionFacts)>,
    removal: bool,
    current: Option<&CurrentVersion>,
) -> Movement {
    match (wanted, current) {
        _ if removal => Movement::Out,
        (_, None) => Movement::In,
        (Some((identifier, version)), Some(current))
            if compare(version.ordered(identifier), current.ordered()) == Ordering::Less =>
        {
            Movement::Back
        }
        _ => Movement::Forward,
    }
}
