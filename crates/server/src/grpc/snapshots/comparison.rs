//! Comparisons of snapshots with each other and with environments.

use prost::Message;
use slipway_api::snapshots::v1 as proto;
use slipway_application::snapshots::{Compared, WorkflowChange, compare_snapshots, detect_drift};
use slipway_kernel::{Key, Slug, SnapshotId};
use slipway_snapshots::Became;

use super::backups::shown as shown_snapshot;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;

pub(super) async fn compare(
    api: &Api,
    session: &mut Session,
    message: proto::CompareSnapshotsRequest,
) -> Result<proto::CompareSnapshotsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let earlier: Option<SnapshotId> =
        fields.required("earlier_snapshot_id", &message.earlier_snapshot_id);
    let later: Option<SnapshotId> =
        fields.required("later_snapshot_id", &message.later_snapshot_id);
    let size = fields.page_size(message.page_size);
    let (project, pair) = fields.finish(|| Some((project?, (earlier?, later?))))?;
    let list = List::of("CompareSnapshots", &(&project, pair))?;
    let after: Option<Key> = list.place(&message.page_token)?;
    let call = session.call("");
    let compared = compare_snapshots(&api.context, &call, &project, pair, after.as_ref(), size);
    let (comparison, next) = shown(api, compared.await?);
    Ok(proto::CompareSnapshotsResponse {
        comparison: Some(comparison),
        next_page_token: list.token(next)?,
    })
}

pub(super) async fn drift(
    api: &Api,
    session: &mut Session,
    message: proto::DetectDriftRequest,
) -> Result<proto::DetectDriftResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let environment: Option<Slug> = fields.required("environment", &message.environment);
    let size = fields.page_size(message.page_size);
    let (project, environment) = fields.finish(|| Some((project?, environment?)))?;
    let list = List::of("DetectDrift", &(&project, &environment))?;
    let after: Option<Key> = list.place(&message.page_token)?;
    let call = session.call("");
    let (snapshot, compared) = detect_drift(
        &api.context,
        &call,
        &project,
        &environment,
        after.as_ref(),
        size,
    )
    .await?;
    let in_sync = compared.is_same();
    let (comparison, next) = shown(api, compared);
    Ok(proto::DetectDriftResponse {
        snapshot: Some(shown_snapshot(
            snapshot,
            message.project,
            message.environment,
        )),
        in_sync,
        comparison: Some(comparison),
        next_page_token: list.token(next)?,
    })
}

/// A page of a comparison, and what it goes on behind.
fn shown(api: &Api, compared: Compared) -> (proto::WorkflowComparison, Option<Key>) {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let page = fitting(
        compared.changes,
        api.max_page_bytes,
        |change| change.key.clone(),
        |change| shown_change(change, api.max_page_bytes),
    );
    let comparison = proto::WorkflowComparison {
        changes: page.items,
        added_count: count(compared.added),
        removed_count: count(compared.removed),
        changed_count: count(compared.changed),
        unchanged_count: count(compared.unchanged),
        unreadable_count: count(compared.unreadable),
    };
    (comparison, page.next)
}

fn shown_change(change: WorkflowChange, limit: usize) -> proto::WorkflowChange {
    let difference = change.difference();
    let mut shown = proto::WorkflowChange {
        application: change.key.into(),
        display_name: change.name,
        r#type: match change.became {
            Became::Added => proto::WorkflowChangeType::Added,
            Became::Removed => proto::WorkflowChangeType::Removed,
            Became::Changed => proto::WorkflowChangeType::Changed,
        }
        .into(),
        active_before: change.active_before,
        active_after: change.active_after,
        difference_json: difference
            .and_then(|difference| serde_json::to_string(&difference).ok())
            .unwrap_or_default(),
        difference_omitted: proto::DifferenceOmitted::Unspecified.into(),
    };
    if change.unreadable {
        shown.difference_omitted = proto::DifferenceOmitted::Unreadable.into();
    }
    if shown.encoded_len() > limit {
        shown.difference_json = String::new();
        shown.difference_omitted = proto::DifferenceOmitted::TooLarge.into();
    }
    shown
}
