//! Words that several domains decide by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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

impl ApplicationKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Service,
        Self::Workflow,
        Self::Function,
        Self::Prompt,
        Self::PromptAsset,
        Self::AiModel,
    ];

    /// Its name in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "SERVICE",
            Self::Workflow => "WORKFLOW",
            Self::Function => "FUNCTION",
            Self::Prompt => "PROMPT",
            Self::PromptAsset => "PROMPT_ASSET",
            Self::AiModel => "AI_MODEL",
        }
    }
}

impl fmt::Display for ApplicationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no kind of application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of application")]
pub struct ApplicationKindError(String);

impl FromStr for ApplicationKind {
    type Err = ApplicationKindError;

    fn from_str(text: &str) -> Result<Self, ApplicationKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| ApplicationKindError(text.to_owned()))
    }
}

/// How much depends on an environment.
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

impl Tier {
    /// All tiers, from the least to the most that depends on them.
    pub const ALL: [Self; 4] = [
        Self::Development,
        Self::Testing,
        Self::Staging,
        Self::Production,
    ];

    /// Its name in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "DEVELOPMENT",
            Self::Testing => "TESTING",
            Self::Staging => "STAGING",
            Self::Production => "PRODUCTION",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tier")]
pub struct TierError(String);

impl FromStr for Tier {
    type Err = TierError;

    fn from_str(text: &str) -> Result<Self, TierError> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| TierError(text.to_owned()))
    }
}
