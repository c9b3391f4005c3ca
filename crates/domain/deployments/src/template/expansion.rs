//! A template with its parameters filled in.

use std::collections::BTreeMap;

use slipway_kernel::{Key, requirements::Severity, text::Description};

use super::{Template, TemplateItem};
use crate::release::{
    DraftItem, Wanted,
    findings::{Finding, Reason},
};

/// What a template stands for with these values, as far as they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// What the release is for, or why that can't be said.
    pub description: Result<Description, Finding>,
    /// The items that can be told, with their places in the template.
    pub items: Vec<(usize, DraftItem)>,
    /// What stands against it: parameters without a value, values without a parameter, and texts of items that become unfit
    /// by their values.
    pub findings: Vec<Finding>,
}

/// A template with these values for its parameters.
pub fn expand(template: &Template, values: &BTreeMap<String, String>) -> Expanded {
    let mut findings = named(template, values);
    let mut items = Vec::new();
    for (position, item) in template.items.as_slice().iter().enumerate() {
        // What lacks a value is told once, for the template as a whole.
        if !item.parameters().iter().all(|it| values.contains_key(*it)) {
            continue;
        }
        match filled(item, values) {
            Ok(item) => items.push((position, item)),
            Err((what, why)) => {
                let what = format!("the {what} of `{}`", item.application);
                findings.push(unfit(Some(position), &what, &why));
            }
        }
    }
    Expanded {
        description: described(template, values),
        items,
        findings,
    }
}

fn described(
    template: &Template,
    values: &BTreeMap<String, String>,
) -> Result<Description, Finding> {
    let unfit = |why: &dyn std::fmt::Display| unfit(None, "the description", why);
    let text = template.description.filled(values);
    let text = text.map_err(|error| unfit(&error))?;
    text.try_into()
        .map_err(|error: slipway_kernel::TextError| unfit(&error))
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
            let told = |why: &dyn std::fmt::Display| ("version", why.to_string());
            let identifier = version.filled(values).map_err(|error| told(&error))?;
            Wanted::Version(identifier.parse::<Key>().map_err(|error| told(&error))?)
        }
    };
    let told = |why: &dyn std::fmt::Display| ("change message", why.to_string());
    let message = item.message.filled(values).map_err(|error| told(&error))?;
    let message = message.try_into();
    Ok(DraftItem {
        application: item.application.clone(),
        wanted,
        message: message.map_err(|error: slipway_kernel::TextError| told(&error))?,
        declared: item.declared,
        allow_older: item.allow_older,
    })
}

fn unfit(item: Option<usize>, what: &str, why: &dyn std::fmt::Display) -> Finding {
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
        let expanded = expand(&template(), &values(pairs));
        let findings = expanded
            .findings
            .into_iter()
            .chain(expanded.description.err());
        findings.map(|it| (it.reason, it.item)).collect()
    }

    fn told(pairs: &[(&str, &str)]) -> Vec<usize> {
        let expanded = expand(&template(), &values(pairs));
        expanded.items.into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn values_go_where_their_parameters_stand() {
        let expanded = expand(&template(), &values(&[("version", "2.0.0"), ("why", "")]));
        assert_eq!(expanded.findings, []);
        let description = expanded.description.expect("a description");
        assert_eq!(description.as_str(), "Chat 2.0.0: ");
        let items: Vec<_> = expanded
            .items
            .iter()
            .map(|(place, item)| {
                (
                    *place,
                    item.version().map(Key::as_str),
                    item.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            items,
            [
                (0, Some("2.0.0"), ""),
                (1, Some("2.0.0-assets"), ""),
                (2, None, "not needed with 2.0.0"),
            ]
        );
        assert_eq!(expanded.items[0].1.declared, RiskLevel::Medium);
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
        let endless = "x".repeat(20_000);
        assert_eq!(
            reasons(&[("version", "1"), ("why", &endless)]),
            [(ParameterUnfit, Some(0)), (ParameterUnfit, None)]
        );
    }

    #[test]
    fn items_that_have_all_their_values_are_there_whatever_else_is_wrong() {
        assert_eq!(told(&[]), [0; 0]);
        assert_eq!(told(&[("version", "1"), ("vresion", "1")]), [1, 2]);
        assert_eq!(told(&[("version", "no version"), ("why", "")]), [2]);
    }
}
