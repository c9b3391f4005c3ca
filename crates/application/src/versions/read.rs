use bytes::Bytes;
use slipway_catalog::{Version, version::Place};
use slipway_identity::Command;
use slipway_kernel::{Key, Page, PageSize, ProjectId, Slug};

use super::VersionError;
use crate::{Call, Context};

/// One version of an application, deprecated or not, with its content where asked.
pub async fn get_version(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    application: &Key,
    identifier: &Key,
    include_content: bool,
) -> Result<(Version, Option<Bytes>), VersionError> {
    let project = context
        .authorise_in(call, Command::GetVersion, project)
        .await?;
    let version = context
        .reader()
        .version(project, application, identifier)
        .await?;
    let Some(version) = version else {
        require_application(context, project, application).await?;
        return Err(VersionError::NotFound {
            application: application.clone(),
            version: identifier.clone(),
        });
    };
    let bytes = if include_content {
        content_of(context, &version).await?
    } else {
        None
    };
    Ok((version, bytes))
}

/// An application's versions, newest first, without the deprecated ones where `exclude_deprecated` says so.
pub async fn list_versions(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    application: &Key,
    exclude_deprecated: bool,
    after: Option<Place>,
    size: PageSize,
) -> Result<Page<Version, Place>, VersionError> {
    let project = context
        .authorise_in(call, Command::ListVersions, project)
        .await?;
    let page = context
        .reader()
        .versions(project, application, exclude_deprecated, after, size)
        .await?;
    if page.items.is_empty() {
        require_application(context, project, application).await?;
    }
    Ok(page)
}

/// The content of a version, verified; `None` where Slipway keeps none.
async fn content_of(context: &Context, version: &Version) -> Result<Option<Bytes>, VersionError> {
    let (Some(digest), Some(_)) = (version.digest, &version.content) else {
        return Ok(None);
    };
    match context.objects.get(digest).await? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(VersionError::ContentMissing { digest }),
    }
}

async fn require_application(
    context: &Context,
    project: ProjectId,
    key: &Key,
) -> Result<(), VersionError> {
    let application = context.reader().application(project, key).await?;
    application
        .map(drop)
        .ok_or_else(|| VersionError::ApplicationNotFound { key: key.clone() })
}
