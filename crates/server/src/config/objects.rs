//! `[objects]`: where contents are kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::State;

/// The `[objects]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objects {
    /// The directory of contents. Default: `objects` in the state directory.
    pub directory: Option<PathBuf>,
    /// Says that every server of a cluster sees the same directory, as on a network file system. Default: false.
    pub shared: bool,
}

impl Objects {
    pub(super) fn directory_or_default(&self, state: &State) -> PathBuf {
        self.directory
            .clone()
            .unwrap_or_else(|| state.dir.join("objects"))
    }

    pub(super) fn check_shared(&self, problems: &mut Vec<String>) {
        if !self.shared {
            problems.push(
                "cluster = true needs contents that every server sees; put objects.directory on a shared file system \
                 and set objects.shared = true"
                    .to_owned(),
            );
        }
    }
}
