//! Texts with parameters: `release of {{version}}`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How long a parameter's name may be, in bytes.
const MAX_NAME: usize = 64;
/// How long a text with its values may be, in bytes: no text of a release is longer.
const MAX_FILLED: usize = 16_384;

/// A text of at most `MAX` bytes, without NUL characters, in which `{{name}}` stands for the value of a parameter. Names
/// are 1 to 64 of small letters, digits and `_`, a letter first; spaces around them are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateText<const MAX: usize>(String);

/// A text that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateTextError {
    /// Longer than the field allows.
    #[error("is {length} bytes long; at most {limit} are allowed")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A NUL character.
    #[error("contains a NUL character; remove it")]
    Nul,
    /// Braces around what is no name.
    #[error(
        "has `{{{{` at byte {at} without a parameter's name and `}}}}` behind it; names are small letters, digits and `_`"
    )]
    Braces {
        /// Where the braces stand, in bytes.
        at: usize,
    },
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Parameter(&'a str),
}

/// The parts of a text, or where it is faulty.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, usize> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while let Some(braces) = text[from..].find("{{").map(|at| from + at) {
        pieces.push(Piece::Literal(&text[from..braces]));
        let inside = braces + 2;
        let end = text[inside..].find("}}").map(|at| inside + at);
        let end = end.ok_or(braces)?;
        let name = text[inside..end].trim();
        if !is_name(name) {
            return Err(braces);
        }
        pieces.push(Piece::Parameter(name));
        from = end + 2;
    }
    pieces.push(Piece::Literal(&text[from..]));
    Ok(pieces)
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && text.as_bytes()[0].is_ascii_lowercase()
}

impl<const MAX: usize> TemplateText<MAX> {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of its parameters.
    pub fn parameters(&self) -> BTreeSet<&str> {
        let pieces = pieces(&self.0).unwrap_or_default().into_iter();
        let names = pieces.filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Parameter(name) => Some(name),
        });
        names.collect()
    }

    /// The text with these values in it; a parameter without a value stands for nothing. Values are not looked through for
    /// parameters. Refused where it is longer than any text of a release, before it is put together: a short text can name
    /// a long value many times.
    pub fn filled(&self, values: &BTreeMap<String, String>) -> Result<String, TemplateTextError> {
        let pieces = pieces(&self.0).unwrap_or_default().into_iter();
        let texts: Vec<_> = pieces
            .map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Parameter(name) => values.get(name).map_or("", String::as_str),
            })
            .collect();
        let length = texts.iter().map(|text| text.len()).sum();
        if length > MAX_FILLED {
            let limit = MAX_FILLED;
            return Err(TemplateTextError::TooLong { length, limit });
        }
        Ok(texts.concat())
    }
}

impl<const MAX: usize> TryFrom<String> for TemplateText<MAX> {
    type Error = TemplateTextError;

    fn try_from(text: String) -> Result<Self, TemplateTextError> {
        if text.len() > MAX {
            return Err(TemplateTextError::TooLong {
                length: text.len(),
                limit: MAX,
            });
        }
        if text.contains('\0') {
            return Err(TemplateTextError::Nul);
        }
        match pieces(&text).map(drop) {
            Err(at) => Err(TemplateTextError::Braces { at }),
            Ok(()) => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> From<TemplateText<MAX>> for String {
    fn from(text: TemplateText<MAX>) -> Self {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Result<TemplateText<100>, TemplateTextError> {
        text.to_owned().try_into()
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn parameters_are_found_and_filled() {
        let text = text("{{a}} and {{ b_2 }}{{a}}, {c} }}").expect("a text");
        assert_eq!(text.parameters(), ["a", "b_2"].into());
        let filled = |pairs| text.filled(&values(pairs)).expect("short");
        assert_eq!(
            filled(&[("a", "{{b_2}}"), ("b_2", "ü"), ("c", "x")]),
            "{{b_2}} and ü{{b_2}}, {c} }}"
        );
        assert_eq!(filled(&[]), " and , {c} }}");
        let long = "x".repeat(MAX_FILLED / 2);
        assert!(matches!(
            text.filled(&values(&[("a", &long)])),
            Err(TemplateTextError::TooLong { length, .. }) if length > MAX_FILLED
        ));
    }

    #[test]
    fn braces_without_a_name_are_told() {
        for (bad, at) in [
            ("{{", 0),
            ("ä {{a} b", 3),
            ("{{}}", 0),
            ("{{A}}", 0),
            ("{{1a}}", 0),
            ("{{a b}}", 0),
            ("{{{a}}}", 0),
            ("{{a}} {{-}}", 6),
        ] {
            assert_eq!(text(bad), Err(TemplateTextError::Braces { at }), "{bad}");
        }
        assert_eq!(text("a\0"), Err(TemplateTextError::Nul));
        assert!(matches!(
            text(&"x".repeat(101)),
            Err(TemplateTextError::TooLong { length: 101, .. })
        ));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_told(given in "(\\{\\{|\\}\\}|[a-c{}ä _]){0,20}") {
            if let Ok(text) = text(&given) {
                let names = text.parameters();
                let same: BTreeMap<_, _> = names
                    .iter()
                    .map(|name| ((*name).to_owned(), format!("{{{{{name}}}}}")))
                    .collect();
                let plain = |text: &str| text.replace(' ', "");
                let filled = text.filled(&same).expect("short");
                prop_assert_eq!(plain(&filled), plain(&given));
            }
        }
    }
}
