//! `[log]`: what is logged, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The `[log]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Which events are logged: `LEVEL`, or `TARGET=LEVEL` separated by commas. Default: `info`. One line per call is
    /// logged under the target `slipway::access`.
    pub filter: String,
}

/// The setting `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// For people: one coloured line per event.
    Pretty,
    /// For machines: one JSON object per line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

impl Log {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let words = |what: &str| {
            format!(
                "log.filter = \"{}\": {what}; write one like `info,slipway::access=warn`",
                self.filter
            )
        };
        // To the library a word that is no level is a target, of which everything is logged.
        let misspelt = self.filter.split(',').find_map(|directive| {
            let level = directive.rsplit('=').next().unwrap_or_default();
            (level.is_empty() || level.parse::<LevelFilter>().is_err()).then_some(level)
        });
        if let Some(level) = misspelt {
            problems.push(words(&format!(
                "`{level}` is no level (off, error, warn, info, debug, trace)"
            )));
        } else if let Err(error) = EnvFilter::builder().parse(&self.filter) {
            problems.push(words(&error.to_string()));
        }
    }
}
