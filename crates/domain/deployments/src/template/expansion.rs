//! A template with its parameters filled in.

use std::collections::BTreeMap;

use slipway_kernel::{Key, requirements::Severity, text::Description};

use super::{Template, TemplateItem};
use crate::release::{
    Draft, DraftItem, Wanted,
    findings::{Finding, Reason},
};

/// What a template stands for with these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// What the release is for.
    pub description: Description,
    /// What is released.
    pub draft: Draft,
}

/// A template with these values for its parameters, or all that stands against that: parameters without a value, values
/// without a parameter, and texts that become unfit by their values.
pub fn expand(
    template: &Template,
    values: &BTreeMap<String, String>,
) -> Result<Expanded, Vec<Finding>> {
    let mut findings = named(template, values);
    if !findings.is_empty() {
        return Err(findings);
    }
    let description = template.description.filled(values).try_into();
    let description = description.unwrap_or_else(|error| {
        findings.push(unfit(None, "the description", &error));
        Description::default()
    });
    let mut items = Vec::new();
    for (position, item) in template.items.as_slice().iter().enumerate() {
        match filled(item, values) {
            Ok(item) => items.push(item),
            Err((what, why)) => {
                let what = format!("the {what} of `{}`", item.application);
                findings.push(unfit(Some(position), &what, &why));
            }
        }
    }
    if findings.is_empty() {
        let draft = Draft { items };
        Ok(Expanded { description, draft })
    } else {
        Err(findings)
    }
}

/// Whether each parameter has a value, and each value a parameter.
fn named(template: &Template, values: &BTreeMap<String, String>) -> Vec<Finding> {
    let parameters = template.parameters();
    let missing = parameters
        .iter()
        .filter(|name| !values.contains_key(**name));
    let missing = missing.map(|name| {
        let message = format!("the parameter `{name}` has no value: give one");
        finding(Reason::ParameterMissing, None, message)
    });
    let unknown = values
        .keys()
        .filter(|name| !parameters.contains(name.as_str()));
    let unknown = unknown.map(|name| {
        let name: String = name.chars().take(64).collect();
        let message = format!("the template has no parameter `{name}`: leave it out");
        finding(Reason::ParameterUnknown, None, message)
    });
    missing.chain(unknown).collect()
}

fn filled(
    item: &TemplateItem,
    values: &BTreeMap<String, String>,
) -> Result<DraftItem, (&'static str, String)> {
    let wanted = match &item.version {
        None => Wanted::Removal,
        Some(version) => {
            let identifier = version.filled(values).parse::<Key>();
            Wanted::Version(identifier.map_err(|error| ("version", error.to_string()))?)
        }
    };
    let message = item.message.filled(values).try_into();
    Ok(DraftItem {
        application: item.application.clone(),
        wanted,
        message: message
            .map_err(|error: slipway_kernel::TextError| ("change message", error.to_string()))?,
        declared: item.declared,
        allow_older: item.allow_older,
    })
}

fn unfit(item: Option<usize>, what: &str, why: &impl std::fmt::Display) -> Finding {
    let message = format!("with these values {what} can't be used: {why}");
    finding(Reason::ParameterUnfit, item, message)
}

const fn finding(reason: Reason, item: Option<usize>, message: String) -> Finding {
    Finding {
        reason,
        severity: Severity::Error,
        item,
        message,
    }
}

#[cfg(test)]
mod tests {
    use slipway_kernel::{Revision, RiskLevel, Timestamp};

    use super::*;

    fn template() -> Template {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        let item = |application: &str, version: Option<&str>, message: &str| TemplateItem {
            application: application.parse().expect("a key"),
            version: version.map(|text| text.to_owned().try_into().expect("a text")),
            message: message.to_owned().try_into().expect("a text"),
            declared: RiskLevel::Medium,
            allow_older: false,
        };
        let items = vec![
            item("chat", Some("{{version}}"), "{{why}}"),
            item("assets", Some("{{version}}-assets"), ""),
            item("old", None, "not needed with {{version}}"),
        ];
        Template {
            id: id.parse().expect("an id"),
            project: id.parse().expect("an id"),
            slug: "chat".parse().expect("a slug"),
            version: Revision::FIRST,
            display_name: "Chat".parse().expect("a name"),
            description: "Chat {{version}}: {{why}}"
                .to_owned()
                .try_into()
                .expect("a text"),
            items: items.try_into().expect("few"),
            created_by: id.parse().expect("an id"),
            created_at: Timestamp::from_micros(1).expect("in range"),
        }
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn reasons(pairs: &[(&str, &str)]) -> Vec<(Reason, Option<usize>)> {
        let findings = expand(&template(), &values(pairs)).expect_err("findings");
        findings
            .into_iter()
            .map(|it| (it.reason, it.item))
            .collect()
    }

    #[test]
    fn values_go_where_their_parameters_stand() {
        let expanded = expand(&template(), &values(&[("version", "2.0.0"), ("why", "")]));
        let expanded = expanded.expect("expanded");
        assert_eq!(expanded.description.as_str(), "Chat 2.0.0: ");
        let items: Vec<_> = expanded
            .draft
            .items
            .iter()
            .map(|item| (item.version().map(Key::as_str), item.message.as_str()))
            .collect();
        assert_eq!(
            items,
            [
                (Some("2.0.0"), ""),
                (Some("2.0.0-assets"), ""),
                (None, "not needed with 2.0.0"),
            ]
        );
        assert_eq!(expanded.draft.items[0].declared, RiskLevel::Medium);
    }

    #[test]
    fn what_is_missing_unknown_or_unfit_is_told() {
        use Reason::{ParameterMissing, ParameterUnfit, ParameterUnknown};
        assert_eq!(reasons(&[]), [(ParameterMissing, None); 2]);
        assert_eq!(
            reasons(&[("version", "1"), ("vresion", "1")]),
            [(ParameterMissing, None), (ParameterUnknown, None)]
        );
        assert_eq!(
            reasons(&[("version", "no version"), ("why", "")]),
            [(ParameterUnfit, Some(0)), (ParameterUnfit, Some(1))]
        );
        let long = "x".repeat(1_999);
        assert_eq!(
            reasons(&[("version", "1"), ("why", &long)]),
            [(ParameterUnfit, None)]
        );
    }
}
