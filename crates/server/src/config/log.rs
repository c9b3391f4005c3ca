//! `[log]`: what is logged, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

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
        if let Err(error) = EnvFilter::builder().parse(&self.filter) {
            problems.push(format!(
                "log.filter = \"{}\" can't be read ({error}); write one like `info,slipway::access=warn`",
                self.filter
            ));
        }
    }
}
