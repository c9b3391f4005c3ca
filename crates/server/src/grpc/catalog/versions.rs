//! Versions.

use slipway_api::catalog::v1 as proto;
use slipway_application::versions::{
    CreateVersion, DeprecateVersion, NewContent, create_version, deprecate_version, get_version,
    list_versions,
};
use slipway_catalog::version::{Dependencies, DependenciesError, MAX_DEPENDENCIES, Place};
use slipway_catalog::{Dependency, Version};
use slipway_kernel::{Key, PrincipalId, Sha256, Slug};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

/// The media type of content whose author named none.
const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateVersionRequest,
) -> Result<proto::CreateVersionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let application: Option<Key> = fields.required("application", &message.application);
    let identifier = fields.required("identifier", &message.identifier);
    let digest = parse_digest(&mut fields, &message.digest);
    let content_type = fields.optional_text("content_type", message.content_type);
    if content_type.is_some() && message.content.is_none() {
        fields.refuse("content_type", "is allowed together with content only");
    }
    let content = message.content.map(|bytes| NewContent {
        bytes,
        media_type: content_type.unwrap_or_else(|| UNKNOWN_MEDIA_TYPE.parse().unwrap_or_default()),
    });
    let dependencies = parse_dependencies(&mut fields, message.dependencies);
    let attributes = fields.attributes("attributes", message.attributes);
    let notes = fields.text("notes", message.notes);
    let author = fields.optional("author_principal_id", &message.author_principal_id);
    let command = fields.finish(|| {
        Some(CreateVersion {
            project: project?,
            application: application?,
            identifier: identifier?,
            digest,
            content,
            dependencies,
            attributes,
            notes,
            author,
            validate_only: message.validate_only,
        })
    })?;
    let version = create_version(&api.context, &session.call(&message.request_id), command).await?;
    let names = Names(api.context.display_names(principals(&version)).await?);
    let mut version = shown(version, &message.project, &message.application, &names);
    if message.validate_only {
        version.version_id.clear();
        version.created_time = None;
    }
    Ok(proto::CreateVersionResponse {
        version: Some(version),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetVersionRequest,
) -> Result<proto::GetVersionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let application: Option<Key> = fields.required("application", &message.application);
    let identifier: Option<Key> = fields.required("version", &message.version);
    let (project, application, identifier) =
        fields.finish(|| Some((project?, application?, identifier?)))?;
    let (version, content) = get_version(
        &api.context,
        &session.call(""),
        &project,
        &application,
        &identifier,
        message.include_content,
    )
    .await?;
    let names = Names(api.context.display_names(principals(&version)).await?);
    let mut version = shown(version, &message.project, &message.application, &names);
    version.content = content.unwrap_or_default();
    Ok(proto::GetVersionResponse {
        version: Some(version),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListVersionsRequest,
) -> Result<proto::ListVersionsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let application: Option<Key> = fields.required("application", &message.application);
    let size = fields.page_size(message.page_size);
    let (project, application) = fields.finish(|| Some((project?, application?)))?;
    let list = List::of(
        "ListVersions",
        &(&project, &application, message.exclude_deprecated),
    )?;
    let after: Option<Place> = list.place(&message.page_token)?;
    let page = list_versions(
        &api.context,
        &session.call(""),
        &project,
        &application,
        message.exclude_deprecated,
        after,
        size,
    )
    .await?;
    let mentioned = page.items.iter().flat_map(principals).collect::<Vec<_>>();
    let names = Names(api.context.display_names(mentioned).await?);
    let place = |version: &Version| version.place();
    let page = fitting(page, api.max_page_bytes, place, |version| {
        shown(version, &message.project, &message.application, &names)
    });
    Ok(proto::ListVersionsResponse {
        versions: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn deprecate(
    api: &Api,
    session: &mut Session,
    message: proto::DeprecateVersionRequest,
) -> Result<proto::DeprecateVersionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let application = fields.required("application", &message.application);
    let version = fields.required("version", &message.version);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(DeprecateVersion {
            project: project?,
            application: application?,
            version: version?,
            reason,
        })
    })?;
    let version =
        deprecate_version(&api.context, &session.call(&message.request_id), command).await?;
    let names = Names(api.context.display_names(principals(&version)).await?);
    Ok(proto::DeprecateVersionResponse {
        version: Some(shown(
            version,
            &message.project,
            &message.application,
            &names,
        )),
    })
}

/// `sha256:` and 64 lower-case hexadecimal digits; empty is none.
fn parse_digest(fields: &mut Fields, text: &str) -> Option<Sha256> {
    if text.is_empty() {
        return None;
    }
    let digest = text
        .strip_prefix("sha256:")
        .filter(|digits| !digits.bytes().any(|byte| byte.is_ascii_uppercase()))
        .and_then(|digits| digits.parse().ok());
    if digest.is_none() {
        fields.refuse(
            "digest",
            "must be `sha256:` and 64 lower-case hexadecimal digits",
        );
    }
    digest
}

fn parse_dependencies(fields: &mut Fields, messages: Vec<proto::Dependency>) -> Dependencies {
    if messages.len() > MAX_DEPENDENCIES {
        let given = messages.len();
        fields.refuse("dependencies", DependenciesError::TooMany { given });
        return Dependencies::default();
    }
    let parsed: Vec<_> = messages
        .into_iter()
        .enumerate()
        .filter_map(|(at, message)| {
            let mut inner = Fields::within(&format!("dependencies[{at}]"));
            let application = inner.required("application", &message.application);
            let requirement = inner.text("requirement", message.requirement);
            fields.absorb(inner);
            Some(Dependency {
                application: application?,
                requirement,
            })
        })
        .collect();
    Dependencies::try_from(parsed)
        .map_err(|error| fields.refuse("dependencies", error))
        .unwrap_or_default()
}

/// Whom a version mentions.
fn principals(version: &Version) -> impl Iterator<Item = PrincipalId> + use<> {
    let deprecated_by = version
        .deprecated
        .as_ref()
        .map(|deprecation| deprecation.by);
    [
        Some(version.author),
        Some(version.created_by),
        deprecated_by,
    ]
    .into_iter()
    .flatten()
}

/// A version as a message, without its content.
fn shown(version: Version, project: &str, application: &str, names: &Names) -> proto::Version {
    let (size, content_type) = version
        .content
        .map(|content| (content.size, content.media_type.into()))
        .unzip();
    proto::Version {
        version_id: version.id.to_string(),
        project: project.to_owned(),
        application: application.to_owned(),
        identifier: version.identifier.into(),
        digest: version.digest.map(show::digest).unwrap_or_default(),
        content_size_bytes: size.map(u64::cast_signed),
        content_type: content_type.unwrap_or_default(),
        content: bytes::Bytes::new(),
        dependencies: version
            .dependencies
            .into_iter()
            .map(|dependency| proto::Dependency {
                application: dependency.application.into(),
                requirement: dependency.requirement.into(),
            })
            .collect(),
        attributes: version.attributes.into(),
        notes: version.notes.into(),
        author: Some(names.principal(version.author)),
        created_by: Some(names.principal(version.created_by)),
        created_time: Some(show::time(version.created_at)),
        deprecation: version.deprecated.map(|deprecation| proto::Deprecation {
            deprecated_time: Some(show::time(deprecation.at)),
            deprecated_by: Some(names.principal(deprecation.by)),
            reason: deprecation.reason.into(),
        }),
    }
}
