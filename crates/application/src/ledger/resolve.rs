use bytes::Bytes;
use slipway_identity::Command;
use slipway_kernel::{Key, Slug};
use slipway_ledger::Resolved;

use super::{LedgerError, names::Names};
use crate::{Call, Context};

/// Which version is wanted, and what the caller has already.
#[derive(Debug, Clone)]
pub struct ResolveVersion {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
    /// The application.
    pub application: Key,
    /// The etag of the answer that the caller has.
    pub if_none_match: Option<String>,
    /// Whether the content is wanted too.
    pub include_content: bool,
}

/// The version that is current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The one that the caller has already.
    Unchanged {
        /// The etag it has.
        etag: String,
    },
    /// Another one.
    Current {
        /// Changes whenever another record becomes the current one.
        etag: String,
        /// The version.
        version: Box<Resolved>,
        /// Its content; `None` where it was not asked for or there is none.
        content: Option<Bytes>,
    },
}

/// The version of an application that is current in an environment: one statement, and a read from the object store
/// where the content is wanted.
pub async fn resolve_version(
    context: &Context,
    call: &Call<'_>,
    query: &ResolveVersion,
) -> Result<Resolution, LedgerError> {
    let project = context
        .authorise_in(call, Command::ResolveVersion, &query.project)
        .await?;
    let resolved = context
        .reader()
        .resolve(project, &query.application, &query.environment)
        .await?;
    let Some(version) = resolved else {
        let names = Names {
            application: Some(&query.application),
            environment: Some(&query.environment),
            ..Names::default()
        };
        names.must_exist(context, project).await?;
        return Err(LedgerError::NothingDeployed {
            application: query.application.clone(),
            environment: query.environment.clone(),
        });
    };
    let etag = version.record.uuid().simple().to_string();
    if query.if_none_match.as_ref() == Some(&etag) {
        return Ok(Resolution::Unchanged { etag });
    }
    let bytes = match (query.include_content, &version.media_type, version.digest) {
        (true, Some(_), Some(digest)) => {
            let bytes = context.objects.get(digest).await?;
            Some(bytes.ok_or(LedgerError::ContentMissing { digest })?)
        }
        _ => None,
    };
    Ok(Resolution::Current {
        etag,
        version: Box::new(version),
        content: bytes,
    })
}
