use serde::Serialize;
use slipway_catalog::{Deprecation, Version};
use slipway_identity::Command;
use slipway_kernel::{Key, Slug, text::Reason};

use super::{VersionError, described, named};
use crate::{Call, Context, change::Change};

/// A version that must not be deployed any more.
#[derive(Debug, Clone, Serialize)]
pub struct DeprecateVersion {
    /// The project.
    pub project: Slug,
    /// The application.
    pub application: Key,
    /// The version.
    pub version: Key,
    /// Why.
    pub reason: Reason,
}

/// Forbids further deployments of a version. One that is deprecated already is returned as it is.
pub async fn deprecate_version(
    context: &Context,
    call: &Call<'_>,
    command: DeprecateVersion,
) -> Result<Version, VersionError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::DeprecateVersion, &command.project).await?;
    let (key, identifier) = (&command.application, &command.version);
    let application = change.unit.applications().find(project, key).await?;
    let application =
        application.ok_or_else(|| VersionError::ApplicationNotFound { key: key.clone() })?;
    let before = change
        .unit
        .versions()
        .find(application.id, identifier)
        .await?;
    let before = before.ok_or_else(|| VersionError::NotFound {
        application: key.clone(),
        version: identifier.clone(),
    })?;
    if change
        .made_before(&command, identifier.as_str())
        .await?
        .is_some()
    {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if application.archived_at.is_some() {
        return Err(VersionError::ApplicationArchived {
            key: application.key,
        });
    }
    if before.deprecated.is_some() {
        return Ok(before);
    }
    let deprecation = Deprecation {
        at: change.now,
        by: call.caller.principal,
        reason: command.reason,
    };
    let versions = change.unit.versions();
    if !versions.deprecate(before.id, &deprecation).await? {
        // Somebody else was faster: theirs is the reason that stands.
        let found = versions.find(application.id, identifier).await?;
        return Ok(found.unwrap_or(before));
    }
    let after = Version {
        deprecated: Some(deprecation),
        ..before.clone()
    };
    change
        .done(
            named(&application, &after),
            Some(described(&application, &before)),
            Some(described(&application, &after)),
        )
        .await?;
    Ok(after)
}
