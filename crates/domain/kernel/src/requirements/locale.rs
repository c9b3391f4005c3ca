//! The languages that texts are in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How long a locale may be, in bytes.
const MAX: usize = 35;

/// A language, perhaps of a script or a region (`en`, `pt-BR`, `zh-Hans`), in the form of BCP 47: words of 1 to 8 ASCII
/// letters and digits, joined by `-`, the first one of letters. Whether such a language exists is not looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Locale(String);

/// A text that is no locale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no locale; use a language, perhaps with script or region: `en`, `pt-BR`, `zh-Hans`"
)]
pub struct LocaleError {
    /// What was given, cut after 64 characters.
    pub given: String,
}

impl Locale {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text names this locale. Capitals don't count, and `_` is as good as `-`.
    pub fn is(&self, name: &str) -> bool {
        let same = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (a, b) == (b'-', b'_');
        let name = name.trim();
        self.0.len() == name.len() && self.0.bytes().zip(name.bytes()).all(same)
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(text: &str) -> Result<Self, LocaleError> {
        let mut words = text.split('-');
        let word = |word: &str| {
            (1..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let first = words
            .next()
            .is_some_and(|first| word(first) && first.as_bytes()[0].is_ascii_alphabetic());
        if first && words.all(word) && text.len() <= MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(LocaleError {
                given: text.chars().take(64).collect(),
            })
        }
    }
}

impl TryFrom<String> for Locale {
    type Error = LocaleError;

    fn try_from(text: String) -> Result<Self, LocaleError> {
        text.parse()
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_form() {
        for good in ["en", "pt-BR", "zh-Hans-CN", "x-acme", "sl-rozaj-biske-1994"] {
            assert!(good.parse::<Locale>().is_ok(), "{good}");
        }
        let long = "en-".to_owned() + &["abcdefgh"; 4].join("-");
        for bad in [
            "",
            "-",
            "en-",
            "en_GB",
            "1en",
            "englisch-",
            "ü",
            "en GB",
            &long,
        ] {
            assert!(bad.parse::<Locale>().is_err(), "{bad}");
        }
        let error = "e n".parse::<Locale>().expect_err("no locale");
        assert!(error.to_string().starts_with("`e n` is no locale"));
    }

    #[test]
    fn capitals_and_underscores_are_passed_over() {
        let locale: Locale = "pt-BR".parse().expect("a locale");
        for same in ["pt-BR", "pt-br", "PT_BR", " pt-BR "] {
            assert!(locale.is(same), "{same}");
        }
        for other in ["pt", "pt-PT", "pt-BR-x", ""] {
            assert!(!locale.is(other), "{other}");
        }
    }
}
