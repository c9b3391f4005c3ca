//! Workflows in snapshots.

use prost::Message;
use slipway_api::snapshots::v1 as proto;
use slipway_application::snapshots::{KeptWorkflow, get_snapshot_workflow};
use slipway_kernel::{Key, Slug, SnapshotId};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

/// The most bytes of a document in an answer: as many as a version's content has, which fit into what clients take.
const MAX_CONTENT: usize = 3 * 1024 * 1024;
/// The most tags that stand beside a document, and the most characters of its description: all of both are in it.
const MAX_TAGS: usize = 1_000;
const MAX_DESCRIPTION: usize = 10_000;

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetSnapshotWorkflowRequest,
) -> Result<proto::GetSnapshotWorkflowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let snapshot: Option<SnapshotId> = fields.required("snapshot_id", &message.snapshot_id);
    let key: Option<Key> = fields.required("application", &message.application);
    let (project, snapshot, key) = fields.finish(|| Some((project?, snapshot?, key?)))?;
    let call = session.call("");
    let kept = get_snapshot_workflow(&api.context, &call, &project, snapshot, &key).await?;
    Ok(proto::GetSnapshotWorkflowResponse {
        workflow: Some(shown(key, kept, api.max_page_bytes)),
    })
}

fn shown(key: Key, kept: KeptWorkflow, limit: usize) -> proto::SnapshotWorkflow {
    use proto::SnapshotContentState as State;
    let mut shown = proto::SnapshotWorkflow {
        snapshot_id: kept.snapshot.id.to_string(),
        application: key.into(),
        display_name: kept.name,
        workflow_id: kept.workflow.0,
        archived: kept.archived,
        content_state: State::Unreadable.into(),
        ..Default::default()
    };
    let Some(document) = kept.document else {
        return shown;
    };
    shown.active = document.workflow.active;
    shown.tags = document.workflow.tags.into_iter().take(MAX_TAGS).collect();
    let description = document.workflow.description.chars();
    shown.description = description.take(MAX_DESCRIPTION).collect();
    shown.document_hash = document.document_hash.to_string();
    shown.state_hash = document.state_hash.to_string();
    shown.content_size = show::count(document.text.len() as u64);
    shown.file = Some(proto::SnapshotFile {
        git_commit_sha: kept.snapshot.commit.into(),
        path: kept.path,
        repository: kept.repository.unwrap_or_default(),
    });
    if document.text.len() <= MAX_CONTENT && document.text.len() + shown.encoded_len() <= limit {
        shown.content = document.text;
        shown.content_state = State::Included.into();
    } else {
        shown.content_state = State::TooLarge.into();
    }
    shown
}
