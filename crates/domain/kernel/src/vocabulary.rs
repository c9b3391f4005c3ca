//! Words that several domains decide by, and how any enum becomes words.

use serde::{Deserialize, Serialize};

/// A text that is not one of the words it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what}")]
pub struct UnknownWord {
    /// What it should have been.
    pub what: &'static str,
    /// What was given, cut after 64 characters.
    pub given: String,
}

/// Gives an enum without data its words, as the database and messages have them: `ALL`, `as_str`, `Display`, `FromStr`.
#[macro_export]
macro_rules! words {
    ($type:ident, $what:literal: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $type {
            /// All of them, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Its name in the database and in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::vocabulary::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::vocabulary::UnknownWord {
                        what: $what,
                        given: text.chars().take(64).collect(),
                    }),
                }
            }
        }
    };
}

/// What kind of thing an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationKind {
    /// Deployed by other tools, which report it.
    Service,
    /// A workflow of a workflow engine.
    Workflow,
    /// Code that Slipway builds and runs.
    Function,
    /// A prompt for a language model.
    Prompt,
    /// Something that prompts use.
    PromptAsset,
    /// A model, or the choice of one.
    AiModel,
}

words! {
    ApplicationKind, "kind of application":
    Service = "SERVICE",
    Workflow = "WORKFLOW",
    Function = "FUNCTION",
    Prompt = "PROMPT",
    PromptAsset = "PROMPT_ASSET",
    AiModel = "AI_MODEL",
}

/// How much depends on an environment, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tier {
    /// Developers' own.
    Development,
    /// For automatic and manual tests.
    Testing,
    /// Like production, before it.
    Staging,
    /// What users use.
    Production,
}

words! {
    Tier, "tier":
    Development = "DEVELOPMENT",
    Testing = "TESTING",
    Staging = "STAGING",
    Production = "PRODUCTION",
}

/// How risky a deployment is said or found to be, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RiskLevel {
    /// Routine.
    Low,
    /// Worth a look.
    Medium,
    /// Worth care.
    High,
    /// Worth everybody's attention; emergencies too.
    Critical,
}

words! {
    RiskLevel, "risk level":
    Low = "LOW",
    Medium = "MEDIUM",
    High = "HIGH",
    Critical = "CRITICAL",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_others_are_named() {
        for kind in ApplicationKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            let json = serde_json::to_value(kind).expect("a word");
            assert_eq!(json, kind.as_str(), "the same word in JSON");
        }
        for tier in Tier::ALL {
            assert_eq!(tier.as_str().parse(), Ok(tier));
            assert_eq!(serde_json::to_value(tier).expect("a word"), tier.as_str());
        }
        for level in RiskLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).expect("a word"), level.as_str());
        }
        assert!("EMERGENCY".parse::<RiskLevel>().is_err());
        let unknown = "PROD".parse::<Tier>().expect_err("unknown");
        assert_eq!(unknown.to_string(), "`PROD` is not a tier");
    }
}
