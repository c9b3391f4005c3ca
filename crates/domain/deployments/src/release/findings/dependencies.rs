//! Whether what a version needs is there, or comes with it.

use super::{About, Chosen, Looked, Reason};
use crate::release::{Needed, Wanted, is_met_by};

pub(super) fn look(looked_at: &Looked<'_>, chosen: &Chosen<'_>, about: &mut About<'_>) {
    let application = &looked_at.item.application;
    let named = format!("version `{}` of `{application}`", chosen.identifier);
    for needed in &chosen.version.dependencies {
        let (reason, why) = match looked_at.wanted(&needed.application) {
            Some(Wanted::Removal) => (
                Reason::DependencyMissing,
                "this release removes it: leave the removal out".to_owned(),
            ),
            Some(Wanted::Version(identifier)) if !is_met_by(&needed.requirement, identifier) => (
                Reason::DependencyIncompatible,
                format!("this release has `{identifier}`: choose one that will do"),
            ),
            Some(Wanted::Version(_)) => continue,
            None => match looked_at.facts.current.get(&needed.application) {
                None => (
                    Reason::DependencyMissing,
                    "nothing of it is in the environment: add it to the release".to_owned(),
                ),
                Some(current) if !is_met_by(&needed.requirement, &current.identifier) => (
                    Reason::DependencyIncompatible,
                    format!(
                        "`{}` is current in the environment: add one that will do to the release",
                        current.identifier
                    ),
                ),
                Some(_) => continue,
            },
        };
        about.error(
            reason,
            format!("{named} needs {}, but {why}", needing(needed)),
        );
    }
}

fn needing(needed: &Needed) -> String {
    let Needed {
        application,
        requirement,
    } = needed;
    match requirement.trim() {
        "" => format!("`{application}` in any version"),
        requirement => format!("`{application}` in a version `{requirement}`"),
    }
}
