//! Whether the project's own rules hold.

use slipway_kernel::requirements::{Field, Ready};

use super::{About, Chosen, Looked, Reason};

/// Asks every rule that is about an item's kind. Where there is no version to look at, only those about what the release
/// says.
pub(super) fn look(
    looked_at: &Looked<'_>,
    chosen: Option<&Chosen<'_>>,
    rules: &[Ready<'_>],
    about: &mut About<'_>,
) {
    let item = looked_at.item;
    let Some(application) = looked_at.facts.applications.get(&item.application) else {
        return;
    };
    let author = chosen
        .and_then(|chosen| chosen.version.author)
        .map(|author| author.to_string());
    for ready in rules.iter().filter(|rule| rule.is_about(application.kind)) {
        let value = match (&ready.rule.field, chosen) {
            (Field::ChangeMessage, _) => Some(item.message.as_str()),
            (_, None) => continue,
            (Field::Attribute(name), Some(chosen)) => chosen.version.attributes.get(name),
            (Field::Identifier, Some(chosen)) => Some(chosen.identifier.as_str()),
            (Field::Notes, Some(chosen)) => Some(chosen.version.notes.as_str()),
            (Field::Author, Some(_)) => author.as_deref(),
        };
        if !ready.holds(value) {
            let rule = ready.rule;
            about.add(
                rule.severity,
                Reason::RuleViolated,
                format!(
                    "`{}` breaks the rule `{}` (`{}` must {}): {}",
                    item.application, rule.name, rule.field, rule.test, rule.message
                ),
            );
        }
    }
}
