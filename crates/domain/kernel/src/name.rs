//! The names that people and tools give to things: slugs, and the wider keys that exist elsewhere already.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name that is not a slug or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`.
    #[error(
        "`{given}` is not a slug; use 1 to 63 of a-z, 0-9 and `-`, starting with a letter and not ending with `-`"
    )]
    Slug {
        /// What was given, cut after 64 characters.
        given: String,
    },
    /// Not 1 to 128 of the characters a key may have.
    #[error("`{given}` is not a key; use 1 to 128 of ASCII letters, digits and `. _ + - / @ ~ :`")]
    Key {
        /// What was given, cut after 64 characters.
        given: String,
    },
}

/// The name of a project or an environment: `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The name of an application or a version, as another system gave it: 1 to 128 of ASCII letters, digits and
/// `. _ + - / @ ~ :`, kept as given and compared exactly. It never becomes a path as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Slug {
    /// A name that stands in the code, and so is known to be one.
    pub fn known(text: &'static str) -> Self {
        debug_assert!(is_slug(text), "`{text}` is not a slug");
        Self(text.to_owned())
    }
}

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes.first(), Some(b'a'..=b'z'))
        && matches!(bytes.last(), Some(b'a'..=b'z' | b'0'..=b'9'))
        && bytes.len() <= 63
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'.' | b'_' | b'+' | b'-' | b'/' | b'@' | b'~' | b':')
        })
}

macro_rules! name {
    ($type:ident, $check:ident) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::$type {
                        given: text.chars().take(64).collect(),
                    })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    text.parse()
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(Slug, is_slug);
name!(Key, is_key);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for good in ["a", "dev", "prod-eu", "a1", &"a".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "a-",
            "A",
            "a_b",
            "a b",
            "ä",
            "a\0",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys() {
        for good in [
            "g++",
            "python3.11",
            "@acme/cart",
            "acme/api",
            "1:2.0~rc1-1+b2",
            &"k".repeat(128),
        ] {
            assert!(good.parse::<Key>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "ü", "a\0", "a%", &"k".repeat(129)] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_compared_exactly() {
        assert_ne!("Cart".parse::<Key>(), "cart".parse::<Key>());
    }
}
