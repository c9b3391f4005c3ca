//! What stands in a version: its languages, and what should not stand there.

use slipway_kernel::ApplicationKind;
use slipway_workflows::secrets;

use super::{About, Chosen, Looked, Reason, told};
use crate::release::{MAX_LOOKED_THROUGH, VersionFacts};

/// The attribute, and the field of content that is JSON, that say which languages a version has.
const LOCALES: &str = "locales";

/// How many secrets of one version are told.
const MOST_SECRETS: usize = 3;

pub(super) fn look(looked_at: &Looked<'_>, chosen: &Chosen<'_>, about: &mut About<'_>) {
    let key = &looked_at.item.application;
    let kind = looked_at.facts.applications.get(key).map(|it| it.kind);
    if kind == Some(ApplicationKind::Prompt) {
        look_for_locales(looked_at, chosen, about);
    }
    if let Some(size) = chosen.version.unread {
        about.warning(
            Reason::ContentNotLookedThrough,
            format!(
                "the content of version `{}` of `{key}` has {size} bytes, and only what has up to {MAX_LOOKED_THROUGH} is \
                 looked through for secrets and languages",
                chosen.identifier
            ),
        );
    }
    let found = chosen.version.text.as_deref().map(secrets::in_text);
    let found = found.unwrap_or_default();
    if !found.is_empty() {
        let shown: Vec<_> = found
            .iter()
            .take(MOST_SECRETS)
            .map(|secret| format!("{} at {}", secret.kind, secret.place))
            .collect();
        let more = match found.len().saturating_sub(MOST_SECRETS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        about.error(
            Reason::SecretInContent,
            format!(
                "version `{}` of `{key}` seems to hold {}{more}: what a version holds never changes, so make a new version \
                 without it, and release that; replace a secret that is real wherever it is used, and write what only looks \
                 like one in other words",
                chosen.identifier,
                shown.join(", ")
            ),
        );
    }
}

fn look_for_locales(looked_at: &Looked<'_>, chosen: &Chosen<'_>, about: &mut About<'_>) {
    let has = locales(chosen.version);
    let required = looked_at.facts.requirements.locales.as_slice().iter();
    let missing: Vec<_> = required
        .filter(|locale| !has.iter().any(|name| locale.is(name)))
        .map(slipway_kernel::requirements::Locale::as_str)
        .collect();
    if !missing.is_empty() {
        about.error(
            Reason::LocaleMissing,
            format!(
                "version `{}` of the prompt `{}` lacks {}, which the project requires: make one with all of them, named \
                 in its attribute `locales`",
                chosen.identifier,
                looked_at.item.application,
                told(missing)
            ),
        );
    }
}

/// The languages that a version has: those of its attribute `locales`, separated by commas, or, where it has no such
/// attribute and its content is a JSON object with an object in its field `locales`, the names in that.
fn locales(version: &VersionFacts) -> Vec<String> {
    if let Some(attribute) = version.attributes.get(LOCALES) {
        return attribute
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect();
    }
    let content = version.text.as_deref().unwrap_or_default();
    let content: serde_json::Value = serde_json::from_str(content).unwrap_or_default();
    let names = content.get(LOCALES).and_then(|locales| locales.as_object());
    names
        .map(|names| names.keys().cloned().collect())
        .unwrap_or_default()
}
