//! What projects require of versions, as messages have it.

use std::collections::BTreeSet;

use slipway_api::identity::v1 as proto;
use slipway_api::identity::v1::validation_rule as rule;
use slipway_kernel::requirements::{
    Field, Locale, Operator, RequiredLocales, Severity, Test, ValidationRule, ValidationRules,
};

use crate::grpc::fields::Fields;

/// Required locales; `None` where they can't be kept, which is noted.
pub(super) fn locales(fields: &mut Fields, names: &[String]) -> Option<RequiredLocales> {
    let locales: Vec<Option<Locale>> = names
        .iter()
        .enumerate()
        .map(|(index, name)| fields.required(&format!("required_locales[{index}]"), name))
        .collect();
    let locales: Vec<Locale> = locales.into_iter().collect::<Option<_>>()?;
    locales
        .try_into()
        .map_err(|error| fields.refuse("required_locales", error))
        .ok()
}

/// Validation rules; `None` where they can't be kept, which is noted.
pub(super) fn rules(
    fields: &mut Fields,
    messages: Vec<proto::ValidationRule>,
) -> Option<ValidationRules> {
    let rules: Vec<Option<ValidationRule>> = messages
        .into_iter()
        .enumerate()
        .map(|(index, message)| {
            let mut inner = Fields::within(&format!("validation_rules[{index}]"));
            let rule = one(&mut inner, message);
            fields.absorb(inner);
            rule
        })
        .collect();
    let rules: Vec<ValidationRule> = rules.into_iter().collect::<Option<_>>()?;
    rules
        .try_into()
        .map_err(|error| fields.refuse("validation_rules", error))
        .ok()
}

fn one(fields: &mut Fields, message: proto::ValidationRule) -> Option<ValidationRule> {
    let operator: Option<Operator> = fields.required_choice("operator", message.operator, operator);
    let severity = fields.choice("severity", message.severity, |word| Some(severity(word)));
    let name = fields.required_text("name", message.name);
    let kinds: Vec<_> = message
        .kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| fields.required(&format!("kinds[{index}]"), kind))
        .collect();
    let subject: Option<Field> = fields.required("field", &message.field);
    let text = fields.required_text("message", message.message);
    let must = Test::new(operator?, message.values)
        .map_err(|error| fields.refuse("values", error))
        .ok();
    Some(ValidationRule {
        name,
        kinds: kinds
            .into_iter()
            .collect::<Option<BTreeSet<_>>>()?
            .into_iter()
            .collect(),
        field: subject?,
        test: must?,
        message: text,
        severity: severity?,
    })
}

fn operator(word: rule::Operator) -> Option<Operator> {
    match word {
        rule::Operator::Unspecified => None,
        rule::Operator::Exists => Some(Operator::Exists),
        rule::Operator::Equals => Some(Operator::Equals),
        rule::Operator::NotEquals => Some(Operator::NotEquals),
        rule::Operator::Matches => Some(Operator::Matches),
        rule::Operator::OneOf => Some(Operator::OneOf),
        rule::Operator::AtLeast => Some(Operator::AtLeast),
    }
}

const fn severity(word: rule::Severity) -> Severity {
    match word {
        rule::Severity::Unspecified | rule::Severity::Error => Severity::Error,
        rule::Severity::Warning => Severity::Warning,
    }
}

/// A rule as a message has it.
pub(super) fn shown(rule: ValidationRule) -> proto::ValidationRule {
    let (operator, values) = rule.test.parts();
    proto::ValidationRule {
        name: rule.name.into(),
        kinds: rule
            .kinds
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        field: rule.field.to_string(),
        operator: match operator {
            Operator::Exists => rule::Operator::Exists,
            Operator::Equals => rule::Operator::Equals,
            Operator::NotEquals => rule::Operator::NotEquals,
            Operator::Matches => rule::Operator::Matches,
            Operator::OneOf => rule::Operator::OneOf,
            Operator::AtLeast => rule::Operator::AtLeast,
        }
        .into(),
        values,
        message: rule.message.into(),
        severity: match rule.severity {
            Severity::Warning => rule::Severity::Warning,
            Severity::Error => rule::Severity::Error,
        }
        .into(),
    }
}
