//! Workflow documents in the object store: what a deployment found and what it brings, kept until it is carried out.

use slipway_deployments::Problem;
use slipway_kernel::{Sha256, object::ObjectError};
use slipway_workflows::Workflow;

use super::executor::problem;
use crate::Context;

/// Keeps a document, and answers with its digest.
pub(super) async fn keep(context: &Context, workflow: &Workflow) -> Result<Sha256, ObjectError> {
    context.objects.put(workflow.to_pretty_json().into()).await
}

/// A document that was kept.
pub(super) async fn read(
    context: &Context,
    digest: Option<Sha256>,
) -> Result<Option<Workflow>, Problem> {
    let Some(digest) = digest else {
        return Ok(None);
    };
    let bytes = context
        .objects
        .get(digest)
        .await
        .map_err(|error| problem("OBJECTS_UNAVAILABLE", error.to_string()))?;
    let bytes = bytes.ok_or_else(|| {
        problem(
            "DOCUMENT_LOST",
            format!("the object store has no document {digest} any more"),
        )
    })?;
    Workflow::from_json(&bytes, "").map(Some).map_err(|error| {
        problem(
            "DOCUMENT_DAMAGED",
            format!("the document {digest}: {error}"),
        )
    })
}
