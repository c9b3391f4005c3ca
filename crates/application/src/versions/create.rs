use bytes::Bytes;
use serde::Serialize;
use slipway_catalog::{
    Content, Version,
    version::{Dependencies, MAX_CONTENT},
};
use slipway_identity::Command;
use slipway_kernel::{
    Attributes, Key, PrincipalId, ProjectId, Sha256, Slug, VersionId,
    text::{MediaType, Notes},
};

use super::{VersionError, described, named};
use crate::{Call, Context, change::Change};

/// A version to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateVersion {
    /// The project.
    pub project: Slug,
    /// The application.
    pub application: Key,
    /// Its name in every request.
    pub identifier: Key,
    /// The SHA-256 of its content where that is given, else of what it stands for.
    pub digest: Option<Sha256>,
    /// Its content.
    pub content: Option<NewContent>,
    /// What it needs.
    pub dependencies: Dependencies,
    /// What the caller wants to remember about it.
    pub attributes: Attributes,
    /// What is new.
    pub notes: Notes,
    /// Who made the content; `None` is the caller.
    pub author: Option<PrincipalId>,
    /// Whether only to check: the same refusals, nothing written.
    pub validate_only: bool,
}

/// The content of a new version.
#[derive(Debug, Clone, Serialize)]
pub struct NewContent {
    /// The content. Two requests are the same where the digest of it is, which stands in the version.
    #[serde(skip)]
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: MediaType,
}

/// Adds a version. With `validate_only` the id and the time of the one returned mean nothing.
///
/// Content is kept before the change begins: it lies under its own digest, so that keeping it twice, or for a change
/// that fails, does no harm.
pub async fn create_version(
    context: &Context,
    call: &Call<'_>,
    mut command: CreateVersion,
) -> Result<Version, VersionError> {
    let project = context
        .authorise_in(call, Command::CreateVersion, &command.project)
        .await?;
    if let Some(content) = &command.content {
        command.digest = Some(check(&content.bytes, command.digest)?);
        if !command.validate_only {
            context.objects.put(content.bytes.clone()).await?;
        }
    }
    let mut change = Change::begin(context, call, Command::CreateVersion, Some(project)).await?;
    let repeated = if command.validate_only {
        None
    } else {
        change
            .made_before(&command, command.identifier.as_str())
            .await?
    };
    let key = &command.application;
    let application = change.unit.applications().find(project, key).await?;
    let application =
        application.ok_or_else(|| VersionError::ApplicationNotFound { key: key.clone() })?;
    if repeated.is_some() {
        let version = change
            .unit
            .versions()
            .find(application.id, &command.identifier)
            .await?;
        return version.ok_or(VersionError::NotFound {
            application: command.application,
            version: command.identifier,
        });
    }
    change.require_open(&command.project).await?;
    if application.archived_at.is_some() {
        return Err(VersionError::ApplicationArchived {
            key: application.key,
        });
    }
    let created_by = call.caller.principal;
    let author = command.author.unwrap_or(created_by);
    if author != created_by {
        require_author(&mut change, project, author).await?;
    }
    let version = Version {
        id: VersionId::new(&*context.ids),
        application: application.id,
        identifier: command.identifier,
        digest: command.digest,
        content: command.content.map(|content| Content {
            size: content.bytes.len() as u64,
            media_type: content.media_type,
        }),
        dependencies: command.dependencies.into(),
        attributes: command.attributes,
        notes: command.notes,
        author,
        created_by,
        created_at: change.now,
        deprecated: None,
    };
    let inserted = change
        .unit
        .versions()
        .insert(std::slice::from_ref(&version))
        .await?;
    if inserted.is_empty() {
        return Err(VersionError::AlreadyExists {
            application: application.key,
            version: version.identifier,
        });
    }
    if command.validate_only {
        return Ok(version);
    }
    change
        .done(
            named(&application, &version),
            None,
            Some(described(&application, &version)),
        )
        .await?;
    Ok(version)
}

/// The digest of content, which must not be too large and have the digest that was given, if any.
fn check(content: &Bytes, given: Option<Sha256>) -> Result<Sha256, VersionError> {
    if content.len() > MAX_CONTENT {
        return Err(VersionError::ContentTooLarge {
            size: content.len(),
        });
    }
    let found = Sha256::of_bytes(content);
    match given {
        Some(given) if given != found => Err(VersionError::DigestMismatch { given, found }),
        _ => Ok(found),
    }
}

async fn require_author(
    change: &mut Change<'_>,
    project: ProjectId,
    id: PrincipalId,
) -> Result<(), VersionError> {
    let membership = change.unit.memberships().get(project, id).await?;
    let principal = change.unit.principals().get(id).await?;
    match (membership, principal) {
        (Some(_), Some(principal)) if principal.disabled.is_some() => {
            Err(VersionError::AuthorDisabled { id })
        }
        (Some(_), Some(_)) => Ok(()),
        _ => Err(VersionError::AuthorNotFound { id }),
    }
}
