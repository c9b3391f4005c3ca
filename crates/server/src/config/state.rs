//! `[state]`: where the embedded parts keep their files.

use std::path::PathBuf;

use serde::Deserialize;

/// The `[state]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The directory of the embedded database, contents and the administrator's first token. Default: `./.slipway`.
    pub dir: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("./.slipway"),
        }
    }
}
