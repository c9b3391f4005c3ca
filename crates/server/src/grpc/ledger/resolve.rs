//! The hot path: which version is current?

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{Resolution, ResolveVersion, resolve_version};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn resolve(
    api: &Api,
    session: &mut Session,
    message: proto::ResolveVersionRequest,
) -> Result<proto::ResolveVersionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let application = fields.required("application", &message.application);
    let query = fields.finish(|| {
        Some(ResolveVersion {
            project: project?,
            environment: environment?,
            application: application?,
            if_none_match: Some(message.if_none_match).filter(|etag| !etag.is_empty()),
            include_content: message.include_content,
        })
    })?;
    let resolution = resolve_version(&api.context, &session.call(""), &query).await?;
    Ok(match resolution {
        Resolution::Unchanged { etag } => proto::ResolveVersionResponse {
            unchanged: true,
            etag,
            ..proto::ResolveVersionResponse::default()
        },
        Resolution::Current {
            etag,
            version,
            content,
        } => proto::ResolveVersionResponse {
            unchanged: false,
            etag,
            version: version.identifier.into(),
            digest: version.digest.map(show::digest).unwrap_or_default(),
            record_id: version.record.to_string(),
            deployed_time: Some(show::time(version.deployed_at)),
            content_type: version.media_type.map(String::from).unwrap_or_default(),
            content,
        },
    })
}
