//! What a rule looks at, and what must be so about it.

use std::{fmt, str::FromStr};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::{
    attributes::{MAX_NAME, MAX_VALUE},
    words,
};

/// The most values that a rule compares with.
pub const MAX_VALUES: usize = 100;
/// How long a pattern may be, in bytes.
const MAX_PATTERN: usize = 500;
/// How large a pattern may become when it is compiled, in bytes.
const MAX_COMPILED: usize = 256 * 1024;
/// What stands before an attribute's name.
const ATTRIBUTE: &str = "attribute:";

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// An attribute of the version, by its name.
    Attribute(String),
    /// The version's identifier.
    Identifier,
    /// The version's notes.
    Notes,
    /// The id of the person who made the version; absent where no person is known.
    Author,
    /// What the release says about the item.
    ChangeMessage,
}

/// What must be so about a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "operator",
    content = "value",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Test {
    /// It is there, and not empty.
    Exists,
    /// It is exactly this.
    Equals(String),
    /// It is not this; being absent is as good.
    NotEquals(String),
    /// The pattern is found in it.
    Matches(Pattern),
    /// It is one of these.
    OneOf(Vec<String>),
    /// It is a number, and at least this one.
    AtLeast(Number),
}

/// The sorts of tests, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// See [`Test::Exists`].
    Exists,
    /// See [`Test::Equals`].
    Equals,
    /// See [`Test::NotEquals`].
    NotEquals,
    /// See [`Test::Matches`].
    Matches,
    /// See [`Test::OneOf`].
    OneOf,
    /// See [`Test::AtLeast`].
    AtLeast,
}

words! {
    Operator, "operator":
    Exists = "EXISTS",
    Equals = "EQUALS",
    NotEquals = "NOT_EQUALS",
    Matches = "MATCHES",
    OneOf = "ONE_OF",
    AtLeast = "AT_LEAST",
}

/// A regular expression that compiles within a limit: 1 to 500 bytes.
///
/// What comes from the database is not compiled again before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern(String);

/// A number, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number(String);

/// What is no part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A field that there is not.
    #[error(
        "`{given}` is no field; use `attribute:NAME`, `identifier`, `notes`, `author` or `change_message`"
    )]
    Field {
        /// What was given, cut after 64 characters.
        given: String,
    },
    /// As many values as the operator does not take.
    #[error("has {given} values; {operator} takes {allowed}")]
    Values {
        /// The operator.
        operator: Operator,
        /// How many were given.
        given: usize,
        /// How many it takes.
        allowed: &'static str,
    },
    /// A value that is too long.
    #[error("has a value of {length} bytes; at most {MAX_VALUE} are allowed")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
    },
    /// A value with a NUL character.
    #[error("has a NUL character in a value; remove it")]
    Nul,
    /// A value that is not a number.
    #[error("has `{given}`, which is no number")]
    Number {
        /// What was given, cut after 64 characters.
        given: String,
    },
    /// A pattern that can't be used.
    #[error("has a pattern that can't be used: {why}")]
    Pattern {
        /// Why not.
        why: String,
    },
}

impl Test {
    /// A test of a sort with its values.
    pub fn new(operator: Operator, values: Vec<String>) -> Result<Self, RuleError> {
        for value in &values {
            if value.len() > MAX_VALUE {
                let length = value.len();
                return Err(RuleError::TooLong { length });
            }
            if value.contains('\0') {
                return Err(RuleError::Nul);
            }
        }
        let given = values.len();
        let wrong = |allowed| RuleError::Values {
            operator,
            given,
            allowed,
        };
        let one = |mut values: Vec<String>| match (values.pop(), values.is_empty()) {
            (Some(value), true) => Ok(value),
            _ => Err(wrong("one")),
        };
        Ok(match operator {
            Operator::Exists if given == 0 => Self::Exists,
            Operator::Exists => return Err(wrong("none")),
            Operator::Equals => Self::Equals(one(values)?),
            Operator::NotEquals => Self::NotEquals(one(values)?),
            Operator::Matches => Self::Matches(one(values)?.parse()?),
            Operator::OneOf if (1..=MAX_VALUES).contains(&given) => Self::OneOf(values),
            Operator::OneOf => return Err(wrong("1 to 100")),
            Operator::AtLeast => Self::AtLeast(one(values)?.try_into()?),
        })
    }

    /// Its sort and its values.
    pub fn parts(&self) -> (Operator, Vec<String>) {
        match self {
            Self::Exists => (Operator::Exists, Vec::new()),
            Self::Equals(value) => (Operator::Equals, vec![value.clone()]),
            Self::NotEquals(value) => (Operator::NotEquals, vec![value.clone()]),
            Self::Matches(pattern) => (Operator::Matches, vec![pattern.0.clone()]),
            Self::OneOf(values) => (Operator::OneOf, values.clone()),
            Self::AtLeast(number) => (Operator::AtLeast, vec![number.0.clone()]),
        }
    }
}

impl fmt::Display for Test {
    /// What must be so, behind "must".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("be there and not empty"),
            Self::Equals(value) => write!(f, "be `{value}`"),
            Self::NotEquals(value) => write!(f, "not be `{value}`"),
            Self::Matches(pattern) => write!(f, "match `{}`", pattern.0),
            Self::OneOf(values) => write!(f, "be one of `{}`", values.join("`, `")),
            Self::AtLeast(number) => write!(f, "be a number of at least {}", number.0),
        }
    }
}

impl Pattern {
    pub(super) fn compile(&self) -> Result<Regex, RuleError> {
        RegexBuilder::new(&self.0)
            .size_limit(MAX_COMPILED)
            .build()
            .map_err(|error| RuleError::Pattern {
                why: error.to_string(),
            })
    }
}

impl FromStr for Pattern {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.is_empty() || text.len() > MAX_PATTERN {
            return Err(RuleError::Pattern {
                why: format!(
                    "it is {} bytes long; 1 to {MAX_PATTERN} are allowed",
                    text.len()
                ),
            });
        }
        let pattern = Self(text.to_owned());
        pattern.compile()?;
        Ok(pattern)
    }
}

impl Number {
    /// Whether a text is a number that is at least this one.
    pub fn is_reached_by(&self, text: &str) -> bool {
        matches!((number(text), number(&self.0)), (Some(given), Some(least)) if given >= least)
    }
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

impl TryFrom<String> for Number {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        match number(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(RuleError::Number { given: cut(&text) }),
        }
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl FromStr for Field {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match (text.strip_prefix(ATTRIBUTE), text) {
            (Some(name), _) if (1..=MAX_NAME).contains(&name.len()) && !name.contains('\0') => {
                Ok(Self::Attribute(name.to_owned()))
            }
            (_, "identifier") => Ok(Self::Identifier),
            (_, "notes") => Ok(Self::Notes),
            (_, "author") => Ok(Self::Author),
            (_, "change_message") => Ok(Self::ChangeMessage),
            _ => Err(RuleError::Field { given: cut(text) }),
        }
    }
}

impl TryFrom<String> for Field {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl fmt::Display for Field {
    /// As requests spell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(f, "{ATTRIBUTE}{name}"),
            Self::Identifier => f.write_str("identifier"),
            Self::Notes => f.write_str("notes"),
            Self::Author => f.write_str("author"),
            Self::ChangeMessage => f.write_str("change_message"),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(operator: Operator, values: &[&str]) -> Result<Test, RuleError> {
        Test::new(
            operator,
            values.iter().map(|value| (*value).to_owned()).collect(),
        )
    }

    #[test]
    fn values_are_as_many_as_the_operator_takes() {
        for (operator, values) in [
            (Operator::Exists, &["x"][..]),
            (Operator::Equals, &[]),
            (Operator::Equals, &["a", "b"]),
            (Operator::OneOf, &[]),
        ] {
            let refused = test(operator, values).expect_err("refused");
            assert!(matches!(refused, RuleError::Values { .. }), "{refused}");
        }
        assert!(test(Operator::OneOf, &["x"; 101]).is_err());
        assert!(test(Operator::Equals, &["a\0"]).is_err());
        assert!(test(Operator::Equals, &[&"x".repeat(1_025)]).is_err());
        for number in ["", "x", "NaN", "inf", "1,5"] {
            assert!(test(Operator::AtLeast, &[number]).is_err(), "{number}");
        }
        for good in Operator::ALL {
            let values: &[&str] = if good == Operator::Exists {
                &[]
            } else {
                &["1"]
            };
            let test = test(good, values).expect("a test");
            assert_eq!(test.parts().0, good);
            assert_eq!(Test::new(good, test.parts().1).as_ref(), Ok(&test));
        }
    }

    #[test]
    fn a_pattern_has_limits() {
        for bad in ["", "(", &"a".repeat(501), "(?:\\w{1000}){1000}"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:.20}");
        }
        assert!("^[a-z]+$".parse::<Pattern>().is_ok());
    }

    #[test]
    fn fields_by_name() {
        for name in [
            "attribute:locales",
            "identifier",
            "notes",
            "author",
            "change_message",
        ] {
            let field: Field = name.parse().expect("a field");
            assert_eq!(field.to_string(), name);
        }
        for bad in ["", "attribute:", "attribute", "content", "Notes"] {
            assert!(bad.parse::<Field>().is_err(), "{bad}");
        }
    }
}
