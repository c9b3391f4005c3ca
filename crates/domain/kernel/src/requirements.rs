//! What a project requires of versions before they are released: kept with the project, decided by where releases are.

mod locale;
mod rule;
mod test;

pub use locale::{Locale, LocaleError};
pub use rule::{Ready, RuleName, Severity, ValidationRule};
pub use test::{Field, MAX_VALUES, Number, Operator, Pattern, RuleError, Test};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The most locales that a project may require.
pub const MAX_LOCALES: usize = 100;
/// The most validation rules of a project.
pub const MAX_RULES: usize = 100;
/// How long the names, values and messages of all rules of a project may be together, in bytes.
pub const MAX_RULES_SIZE: usize = 128 * 1024;

/// What a project requires of versions before they are released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The languages that every prompt must have.
    pub locales: RequiredLocales,
    /// What versions must be like.
    pub rules: ValidationRules,
}

/// Required locales, at most [`MAX_LOCALES`], each once, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Locale>", into = "Vec<Locale>")]
pub struct RequiredLocales(Vec<Locale>);

/// Validation rules, at most [`MAX_RULES`], each name once, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ValidationRule>", into = "Vec<ValidationRule>")]
pub struct ValidationRules(Vec<ValidationRule>);

/// Requirements that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementsError {
    /// Too many.
    #[error("has {given} entries; at most {limit} are allowed")]
    TooMany {
        /// How many were given.
        given: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Too long together.
    #[error(
        "has {length} bytes of names, values and messages; at most {MAX_RULES_SIZE} are allowed"
    )]
    TooLong {
        /// How long they are, in bytes.
        length: usize,
    },
    /// One of them is there twice.
    #[error("names `{what}` twice; name each once")]
    Repeated {
        /// The locale, or the rule's name.
        what: String,
    },
}

impl RequiredLocales {
    /// In the order given.
    pub fn as_slice(&self) -> &[Locale] {
        &self.0
    }
}

impl ValidationRules {
    /// In the order given.
    pub fn as_slice(&self) -> &[ValidationRule] {
        &self.0
    }
}

impl TryFrom<Vec<Locale>> for RequiredLocales {
    type Error = RequirementsError;

    fn try_from(locales: Vec<Locale>) -> Result<Self, RequirementsError> {
        each_once(&locales, MAX_LOCALES, |locale| {
            locale.as_str().to_ascii_lowercase()
        })?;
        Ok(Self(locales))
    }
}

impl TryFrom<Vec<ValidationRule>> for ValidationRules {
    type Error = RequirementsError;

    fn try_from(rules: Vec<ValidationRule>) -> Result<Self, RequirementsError> {
        each_once(&rules, MAX_RULES, |rule| rule.name.to_string())?;
        let length = rules.iter().map(ValidationRule::length).sum();
        if length > MAX_RULES_SIZE {
            return Err(RequirementsError::TooLong { length });
        }
        Ok(Self(rules))
    }
}

impl From<RequiredLocales> for Vec<Locale> {
    fn from(locales: RequiredLocales) -> Self {
        locales.0
    }
}

impl From<ValidationRules> for Vec<ValidationRule> {
    fn from(rules: ValidationRules) -> Self {
        rules.0
    }
}

fn each_once<T>(
    given: &[T],
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Result<(), RequirementsError> {
    if given.len() > limit {
        return Err(RequirementsError::TooMany {
            given: given.len(),
            limit,
        });
    }
    let mut seen = BTreeSet::new();
    match given
        .iter()
        .map(name)
        .find(|name| !seen.insert(name.clone()))
    {
        Some(what) => Err(RequirementsError::Repeated { what }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_few_and_different() {
        let of = |names: &[&str]| {
            let locales: Vec<Locale> = names
                .iter()
                .map(|name| name.parse().expect("a locale"))
                .collect();
            RequiredLocales::try_from(locales)
        };
        assert!(of(&["en", "de-AT"]).is_ok());
        assert_eq!(
            of(&["en-GB", "en-gb"]),
            Err(RequirementsError::Repeated {
                what: "en-gb".to_owned()
            })
        );
        let many: Vec<Locale> = (0..=MAX_LOCALES)
            .map(|n| format!("x{n:03}").parse().expect("a locale"))
            .collect();
        assert!(matches!(
            RequiredLocales::try_from(many),
            Err(RequirementsError::TooMany { given: 101, .. })
        ));
    }

    #[test]
    fn they_come_back_from_json() {
        let locales = r#"["en","pt-BR"]"#;
        let kept: RequiredLocales = serde_json::from_str(locales).expect("locales");
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), locales);
        assert!(serde_json::from_str::<RequiredLocales>(r#"["en","en"]"#).is_err());
        assert!(serde_json::from_str::<RequiredLocales>(r#"["e n"]"#).is_err());
    }
}
