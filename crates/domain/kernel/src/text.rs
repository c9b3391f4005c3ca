//! Free text with a limit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Longer than the field allows.
    #[error("is {length} bytes long; at most {limit} are allowed")]
    TooLong {
        /// The length given, in bytes of UTF-8.
        length: usize,
        /// The limit, in bytes of UTF-8.
        limit: usize,
    },
    /// Contains U+0000, which `PostgreSQL` can't store.
    #[error("contains a NUL character at byte {at}; remove it")]
    Nul {
        /// Where the first one stands, in bytes.
        at: usize,
    },
}

/// Free text of at most `MAX` bytes of UTF-8 without NUL characters. It may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(String);

/// What a thing is called on a page: at most 200 bytes.
pub type DisplayName = Text<200>;
/// What a thing is for: at most 2,000 bytes.
pub type Description = Text<2_000>;
/// Why somebody did something: at most 2,000 bytes.
pub type Reason = Text<2_000>;
/// A media type as given (`application/json`): at most 255 bytes.
pub type MediaType = Text<255>;
/// What a check is called, whether it is demanded or reported: at most 128 bytes, compared exactly.
pub type CheckName = Text<128>;
/// Notes to a record or a version: at most 16 KiB.
pub type Notes = Text<16_384>;

impl<const MAX: usize> Text<MAX> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.len() > MAX {
            return Err(TextError::TooLong {
                length: text.len(),
                limit: MAX,
            });
        }
        match text.find('\0') {
            Some(at) => Err(TextError::Nul { at }),
            None => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        text.to_owned().try_into()
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_in_bytes() {
        assert!("ää".parse::<Text<4>>().is_ok());
        assert_eq!(
            "äää".parse::<Text<4>>(),
            Err(TextError::TooLong {
                length: 6,
                limit: 4
            })
        );
    }

    #[test]
    fn nul_is_refused_with_its_place() {
        assert_eq!("ab\0".parse::<Text<9>>(), Err(TextError::Nul { at: 2 }));
    }
}
