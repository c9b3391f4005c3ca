//! Snapshots.

use slipway_api::snapshots::v1 as proto;
use slipway_application::snapshots::{
    CreateSnapshot, ListSnapshots, RestoreSnapshot, create_snapshot, get_snapshot, list_snapshots,
    plan_restore, restore_snapshot,
};
use slipway_kernel::{Slug, SnapshotId};
use slipway_snapshots::{Snapshot, SnapshotKind, SnapshotPlace};

use crate::grpc::Api;
use crate::grpc::deployments::{shown as shown_deployment, shown_plan};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Environments};

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateSnapshotRequest,
) -> Result<proto::CreateSnapshotResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let notes = fields.text("notes", message.notes);
    let command = fields.finish(|| {
        Some(CreateSnapshot {
            project: project?,
            environment: environment?,
            notes,
        })
    })?;
    let call = session.call(&message.request_id);
    let snapshot = create_snapshot(&api.context, &call, command).await?;
    Ok(proto::CreateSnapshotResponse {
        snapshot: Some(shown(snapshot, message.project, message.environment)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetSnapshotRequest,
) -> Result<proto::GetSnapshotResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let id: Option<SnapshotId> = fields.required("snapshot_id", &message.snapshot_id);
    let (project, id) = fields.finish(|| Some((project?, id?)))?;
    let snapshot = get_snapshot(&api.context, &session.call(""), &project, id).await?;
    let environment = api.context.environment_slug(snapshot.environment).await?;
    Ok(proto::GetSnapshotResponse {
        snapshot: Some(shown(snapshot, message.project, environment.into())),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListSnapshotsRequest,
) -> Result<proto::ListSnapshotsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let wanted = ListSnapshots {
        environment: fields.optional("environment", &message.environment),
        kind: fields.choice("type", message.r#type, kind),
        from: fields.time("from_time", message.from_time),
        to: fields.time("to_time", message.to_time),
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListSnapshots", &(&project, &wanted))?;
    let after: Option<SnapshotPlace> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_snapshots(&api.context, &call, &project, wanted, after, size).await?;
    let ids = page.items.iter().map(|snapshot| snapshot.environment);
    let environments = Environments::of(&api.context, ids).await?;
    let place = |snapshot: &Snapshot| SnapshotPlace {
        created_at: snapshot.created_at,
        id: snapshot.id,
    };
    let page = fitting(page, api.max_page_bytes, place, |snapshot| {
        let environment = environments.slug(snapshot.environment);
        shown(snapshot, project.to_string(), environment)
    });
    Ok(proto::ListSnapshotsResponse {
        snapshots: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn restore(
    api: &Api,
    session: &mut Session,
    message: proto::RestoreSnapshotRequest,
) -> Result<proto::RestoreSnapshotResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let snapshot = fields.required("snapshot_id", &message.snapshot_id);
    let command = fields.finish(|| {
        Some(RestoreSnapshot {
            project: project?,
            snapshot: snapshot?,
        })
    })?;
    let call = session.call(&message.request_id);
    if message.validate_only {
        let (target, plan) = plan_restore(&api.context, &call, &command).await?;
        return Ok(proto::RestoreSnapshotResponse {
            deployment: None,
            plan: Some(shown_plan(api, plan, target.into())),
        });
    }
    let deployment = restore_snapshot(&api.context, &call, command).await?;
    Ok(proto::RestoreSnapshotResponse {
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
        plan: None,
    })
}

pub(super) fn shown(snapshot: Snapshot, project: String, environment: String) -> proto::Snapshot {
    proto::Snapshot {
        snapshot_id: snapshot.id.to_string(),
        project,
        environment,
        git_commit_sha: snapshot.commit.into(),
        content_hash: snapshot.content_hash.to_string(),
        r#type: shown_kind(snapshot.kind).into(),
        created_time: Some(show::time(snapshot.created_at)),
        created_by: snapshot
            .created_by
            .map(|id| id.to_string())
            .unwrap_or_default(),
        deployment_id: snapshot
            .deployment
            .map(|id| id.to_string())
            .unwrap_or_default(),
        notes: snapshot.notes.into(),
        workflow_count: i32::try_from(snapshot.workflows).unwrap_or(i32::MAX),
    }
}

fn kind(word: proto::SnapshotType) -> Option<SnapshotKind> {
    match word {
        proto::SnapshotType::Unspecified => None,
        proto::SnapshotType::AutoBackup => Some(SnapshotKind::AutoBackup),
        proto::SnapshotType::PrePromotion => Some(SnapshotKind::PrePromotion),
        proto::SnapshotType::PostPromotion => Some(SnapshotKind::PostPromotion),
        proto::SnapshotType::ManualBackup => Some(SnapshotKind::ManualBackup),
        proto::SnapshotType::PreRestore => Some(SnapshotKind::PreRestore),
        proto::SnapshotType::PostRestore => Some(SnapshotKind::PostRestore),
    }
}

fn shown_kind(kind: SnapshotKind) -> proto::SnapshotType {
    match kind {
        SnapshotKind::AutoBackup => proto::SnapshotType::AutoBackup,
        SnapshotKind::PrePromotion => proto::SnapshotType::PrePromotion,
        SnapshotKind::PostPromotion => proto::SnapshotType::PostPromotion,
        SnapshotKind::ManualBackup => proto::SnapshotType::ManualBackup,
        SnapshotKind::PreRestore => proto::SnapshotType::PreRestore,
        SnapshotKind::PostRestore => proto::SnapshotType::PostRestore,
    }
}
