//! One rule about versions: a field, a test, and what to say where it fails.

use serde::{Deserialize, Serialize};

use super::{Field, Test};
use crate::{ApplicationKind, Text, words};

/// What a rule is called: 1 to 100 bytes.
pub type RuleName = Text<100>;

/// What versions of some kinds must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationRule {
    /// What it is called; unique in its project.
    pub name: RuleName,
    /// Which kinds it is about; all where none is named.
    pub kinds: Vec<ApplicationKind>,
    /// What is looked at.
    pub field: Field,
    /// What must be so about it.
    pub test: Test,
    /// What is said where it is not, and what to do.
    pub message: Text<500>,
    /// Whether that stands against a release.
    pub severity: Severity,
}

/// Whether something stands against a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// It does not; people should know.
    Warning,
    /// It does.
    Error,
}

words! {
    Severity, "severity":
    Warning = "WARNING",
    Error = "ERROR",
}

/// A rule that is ready to be asked many times.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The rule.
    pub rule: &'a ValidationRule,
    /// Its pattern, compiled, where it has one; `None` too where it does not compile any more, and so is never found.
    pattern: Option<regex::Regex>,
}

impl ValidationRule {
    /// How long its name, values and message are, in bytes.
    pub(super) fn length(&self) -> usize {
        let (_, values) = self.test.parts();
        let values: usize = values.iter().map(String::len).sum();
        self.name.as_str().len() + values + self.message.as_str().len()
    }

    /// Compiles what has to be.
    pub fn ready(&self) -> Ready<'_> {
        let pattern = match &self.test {
            Test::Matches(pattern) => pattern.compile().ok(),
            _ => None,
        };
        Ready {
            rule: self,
            pattern,
        }
    }
}

impl Ready<'_> {
    /// Whether the rule is about applications of this kind.
    pub fn is_about(&self, kind: ApplicationKind) -> bool {
        self.rule.kinds.is_empty() || self.rule.kinds.contains(&kind)
    }

    /// Whether the field of the rule, which has this value or is not there, is as it must be.
    pub fn holds(&self, value: Option<&str>) -> bool {
        match (&self.rule.test, value) {
            (Test::Exists, value) => value.is_some_and(|value| !value.trim().is_empty()),
            (Test::NotEquals(unwanted), value) => value != Some(unwanted),
            (_, None) => false,
            (Test::Equals(wanted), Some(value)) => value == wanted,
            (Test::Matches(_), Some(value)) => self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(value)),
            (Test::OneOf(wanted), Some(value)) => wanted.iter().any(|wanted| wanted == value),
            (Test::AtLeast(least), Some(value)) => least.is_reached_by(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements::Operator;

    fn rule(operator: Operator, values: &[&str]) -> ValidationRule {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        ValidationRule {
            name: "r".parse().expect("a name"),
            kinds: vec![ApplicationKind::Prompt],
            field: Field::Notes,
            test: Test::new(operator, values).expect("a test"),
            message: Text::default(),
            severity: Severity::Error,
        }
    }

    #[test]
    fn tests_hold_and_fail() {
        for (operator, values, good, bad) in [
            (Operator::Exists, &[][..], vec!["x"], vec!["", " \n"]),
            (Operator::Equals, &["a"], vec!["a"], vec!["A", ""]),
            (Operator::NotEquals, &["a"], vec!["A", ""], vec!["a"]),
            (
                Operator::Matches,
                &["^JIRA-[0-9]+$"],
                vec!["JIRA-12"],
                vec!["JIRA-", "x JIRA-1"],
            ),
            (Operator::OneOf, &["a", "b"], vec!["b"], vec!["c", ""]),
            (
                Operator::AtLeast,
                &["0.8"],
                vec!["0.8", "1e3", " 2 "],
                vec!["0.79", "much", "", "NaN", "inf"],
            ),
        ] {
            let rule = rule(operator, values);
            let ready = rule.ready();
            for value in good {
                assert!(ready.holds(Some(value)), "{operator} {value}");
            }
            for value in bad {
                assert!(!ready.holds(Some(value)), "{operator} {value}");
            }
            let absent_is_good = operator == Operator::NotEquals;
            assert_eq!(ready.holds(None), absent_is_good, "{operator}");
        }
    }

    #[test]
    fn kinds_are_all_where_none_is_named() {
        let mut rule = rule(Operator::Exists, &[]);
        assert!(rule.ready().is_about(ApplicationKind::Prompt));
        assert!(!rule.ready().is_about(ApplicationKind::Service));
        rule.kinds.clear();
        assert!(rule.ready().is_about(ApplicationKind::Service));
    }

    #[test]
    fn it_comes_back_from_json() {
        for (operator, values) in [
            (Operator::Exists, &[][..]),
            (Operator::Matches, &["^a"]),
            (Operator::OneOf, &["a", "b"]),
            (Operator::AtLeast, &["1.5"]),
        ] {
            let rule = rule(operator, values);
            let json = serde_json::to_string(&rule).expect("JSON");
            let back: ValidationRule = serde_json::from_str(&json).expect("a rule");
            assert_eq!(back, rule);
        }
    }
}
