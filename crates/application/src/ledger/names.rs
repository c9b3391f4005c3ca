//! Which of the names in a question stand for nothing: looked up only where the answer was empty.

use slipway_kernel::{Key, ProjectId, Slug};

use super::LedgerError;
use crate::Context;

/// The names that a question was narrowed by; what is `None` was not named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names<'a> {
    pub(super) application: Option<&'a Key>,
    pub(super) version: Option<&'a Key>,
    pub(super) environment: Option<&'a Slug>,
}

impl Names<'_> {
    /// Passes where all of them exist, archived or not.
    pub(super) async fn must_exist(
        self,
        context: &Context,
        project: ProjectId,
    ) -> Result<(), LedgerError> {
        let reader = context.reader();
        if let Some(key) = self.application {
            if reader.application(project, key).await?.is_none() {
                return Err(LedgerError::ApplicationNotFound { key: key.clone() });
            }
            if let Some(version) = self.version
                && reader.version(project, key, version).await?.is_none()
            {
                return Err(LedgerError::VersionNotFound {
                    application: key.clone(),
                    version: version.clone(),
                });
            }
        }
        if let Some(slug) = self.environment
            && reader.environment(project, slug).await?.is_none()
        {
            return Err(LedgerError::EnvironmentNotFound { slug: slug.clone() });
        }
        Ok(())
    }
}
