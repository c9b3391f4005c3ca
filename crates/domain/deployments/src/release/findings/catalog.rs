//! Whether there is what an item names, whether it may be deployed, and whether that leads anywhere.

use std::cmp::Ordering;

use slipway_kernel::version_order::compare;

use super::{About, Chosen, Looked, Reason, is_current};

/// Looks an item up, and answers with the version where it wants one that there is.
pub(super) fn look<'a>(looked_at: &Looked<'a>, about: &mut About<'_>) -> Option<Chosen<'a>> {
    let key = &looked_at.item.application;
    let Some(application) = looked_at.facts.applications.get(key) else {
        about.error(
            Reason::ApplicationNotFound,
            format!(
                "there is no application `{key}` in this project: create it, or correct the key"
            ),
        );
        return None;
    };
    let Some(identifier) = looked_at.item.version() else {
        if is_current(looked_at.item, looked_at.facts) {
            about.warning(
                Reason::AlreadyCurrent,
                format!("nothing of `{key}` is in the environment: there is nothing to remove"),
            );
        }
        return None;
    };
    if application.archived {
        about.error(
            Reason::ApplicationArchived,
            format!("the application `{key}` is archived: it can only be removed; leave it out"),
        );
    }
    let Some(version) = application.versions.get(identifier) else {
        about.error(
            Reason::VersionNotFound,
            format!("`{key}` has no version `{identifier}`: create it, or choose another one"),
        );
        return None;
    };
    if let Some(reason) = &version.deprecated {
        about.error(
            Reason::VersionDeprecated,
            format!(
                "version `{identifier}` of `{key}` is deprecated ({}): choose another one",
                reason.as_str()
            ),
        );
    }
    let chosen = Chosen {
        identifier,
        version,
    };
    if is_current(looked_at.item, looked_at.facts) {
        about.warning(
            Reason::AlreadyCurrent,
            format!("version `{identifier}` of `{key}` is current in the environment already"),
        );
    } else {
        look_back(looked_at, &chosen, about);
    }
    Some(chosen)
}

/// Whether the version is older than the one that is current.
pub(super) fn look_back(looked_at: &Looked<'_>, chosen: &Chosen<'_>, about: &mut About<'_>) {
    let item = looked_at.item;
    let Some(current) = looked_at.facts.current.get(&item.application) else {
        return;
    };
    let Chosen {
        identifier,
        version,
    } = chosen;
    let order = compare(version.ordered(identifier), current.ordered());
    if order == Ordering::Less && !item.allow_older {
        about.error(
            Reason::VersionGoesBack,
            format!(
                "version `{identifier}` of `{}` is older than `{}`, which is current: choose a newer one, or say that it may \
                 be older",
                item.application, current.identifier
            ),
        );
    }
}
