//! What callers want to remember about a version or a record, and Slipway only keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many attributes a thing may have.
pub const MAX_ATTRIBUTES: usize = 64;
/// How long an attribute's name may be, in bytes.
pub const MAX_NAME: usize = 128;
/// How long an attribute's value may be, in bytes.
pub const MAX_VALUE: usize = 1_024;

/// Names and values that callers gave: at most 64, names of 1 to 128 bytes, values of at most 1,024, no NUL characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Attributes(BTreeMap<String, String>);

/// Attributes that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// Too many.
    #[error("has {given} entries; at most {MAX_ATTRIBUTES} are allowed")]
    TooMany {
        /// How many were given.
        given: usize,
    },
    /// A name that is empty or too long.
    #[error("has a name of {length} bytes; 1 to {MAX_NAME} are allowed")]
    Name {
        /// Its length, in bytes.
        length: usize,
    },
    /// A value that is too long.
    #[error("has a value of {length} bytes at `{name}`; at most {MAX_VALUE} are allowed")]
    Value {
        /// The value's name.
        name: String,
        /// The value's length, in bytes.
        length: usize,
    },
    /// A NUL character in a name or a value.
    #[error("has a NUL character in `{name}` or its value; remove it")]
    Nul {
        /// The name.
        name: String,
    },
}

impl Attributes {
    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl TryFrom<BTreeMap<String, String>> for Attributes {
    type Error = AttributesError;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, AttributesError> {
        if map.len() > MAX_ATTRIBUTES {
            return Err(AttributesError::TooMany { given: map.len() });
        }
        for (name, value) in &map {
            if name.is_empty() || name.len() > MAX_NAME {
                return Err(AttributesError::Name { length: name.len() });
            }
            if value.len() > MAX_VALUE {
                return Err(AttributesError::Value {
                    name: name.clone(),
                    length: value.len(),
                });
            }
            if name.contains('\0') || value.contains('\0') {
                return Err(AttributesError::Nul {
                    name: name.replace('\0', "␀"),
                });
            }
        }
        Ok(Self(map))
    }
}

impl From<Attributes> for BTreeMap<String, String> {
    fn from(attributes: Attributes) -> Self {
        attributes.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(&str, &str)]) -> Result<Attributes, AttributesError> {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
            .try_into()
    }

    #[test]
    fn limits_hold() {
        assert!(of(&[("commit", "2be20d5"), ("build", "")]).is_ok());
        assert_eq!(of(&[("", "x")]), Err(AttributesError::Name { length: 0 }));
        assert!(matches!(
            of(&[("a", &"v".repeat(1_025))]),
            Err(AttributesError::Value { length: 1_025, .. })
        ));
        assert!(matches!(
            of(&[("a\0", "")]),
            Err(AttributesError::Nul { .. })
        ));
        let many: BTreeMap<_, _> = (0..65).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(
            Attributes::try_from(many),
            Err(AttributesError::TooMany { given: 65 })
        );
    }
}
