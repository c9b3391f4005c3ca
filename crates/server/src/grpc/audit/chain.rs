//! Chains: their heads, and whether they are as they were written.

use slipway_api::audit::v1 as proto;
use slipway_application::audit::{export_checkpoint, verify_audit_trail};
use slipway_audit::chain::FORM;
use slipway_audit::{BreakKind, Checkpoint, Verification};
use slipway_kernel::{Sha256, Slug, Timestamp};

use super::events::admit;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, count};

pub(super) async fn verify(
    api: &Api,
    session: &mut Session,
    message: proto::VerifyAuditTrailRequest,
) -> Result<proto::VerifyAuditTrailResponse, Refusal> {
    admit(session, &message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.optional("project", &message.project);
    let mut inner = Fields::within("checkpoint");
    let checkpoint = message
        .checkpoint
        .and_then(|checkpoint| parse(&mut inner, &checkpoint, &message.project));
    fields.absorb(inner);
    let checkpoint = fields.finish(|| Some(checkpoint))?;
    let call = session.call("");
    let found = verify_audit_trail(&api.context, &call, project.as_ref(), checkpoint).await?;
    let now = api.context.clock.now();
    Ok(proto::VerifyAuditTrailResponse {
        verification: Some(verified(found, project.as_ref(), now)),
    })
}

pub(super) async fn checkpoint(
    api: &Api,
    session: &mut Session,
    message: proto::ExportCheckpointRequest,
) -> Result<proto::ExportCheckpointResponse, Refusal> {
    admit(session, &message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.optional("project", &message.project);
    fields.finish(|| Some(()))?;
    let checkpoint = export_checkpoint(&api.context, &session.call(""), project.as_ref()).await?;
    Ok(proto::ExportCheckpointResponse {
        checkpoint: Some(shown(&checkpoint, project.as_ref())),
    })
}

/// The position and the hash of a checkpoint of this project's chain.
fn parse(fields: &mut Fields, message: &proto::Checkpoint, project: &str) -> Option<(i64, Sha256)> {
    if message.project != project {
        fields.refuse("project", "is of another chain than the one to verify");
    }
    if message.form != FORM {
        fields.refuse(
            "form",
            format_args!("is not {FORM}, the form that this server's chains are hashed in"),
        );
    }
    if message.position < 1 {
        fields.refuse("position", "must be at least 1");
    }
    let digits = message.hash.strip_prefix("sha256:").unwrap_or_default();
    let hash: Option<Sha256> = digits.parse().ok();
    if hash.is_none() {
        fields.refuse("hash", "must be `sha256:` and 64 hexadecimal digits");
    }
    fields.time("checkpoint_time", message.checkpoint_time);
    Some((message.position, hash?))
}

/// A checkpoint as a message.
pub(super) fn shown(checkpoint: &Checkpoint, project: Option<&Slug>) -> proto::Checkpoint {
    proto::Checkpoint {
        project: project.map(ToString::to_string).unwrap_or_default(),
        position: checkpoint.position,
        hash: show::digest(checkpoint.hash),
        checkpoint_time: Some(show::time(checkpoint.taken_at)),
        form: FORM.to_owned(),
    }
}

fn verified(found: Verification, project: Option<&Slug>, now: Timestamp) -> proto::Verification {
    let head = found.head.map(|head| Checkpoint::of(&head, now));
    proto::Verification {
        verified: found.first_break.is_none(),
        event_count: count(found.events),
        fact_count: count(found.facts),
        unchained_event_count: count(found.unchained),
        first_break: found.first_break.map(|found| proto::ChainBreak {
            position: found.position,
            event_id: found
                .event
                .map(|event| event.to_string())
                .unwrap_or_default(),
            kind: break_kind(found.kind).into(),
            explanation: found.explanation,
        }),
        head: head.map(|head| shown(&head, project)),
    }
}

fn break_kind(kind: BreakKind) -> proto::ChainBreakKind {
    match kind {
        BreakKind::EventMissing => proto::ChainBreakKind::EventMissing,
        BreakKind::EventChanged => proto::ChainBreakKind::EventChanged,
        BreakKind::EventMisplaced => proto::ChainBreakKind::EventMisplaced,
        BreakKind::FactMissing => proto::ChainBreakKind::FactMissing,
        BreakKind::FactChanged => proto::ChainBreakKind::FactChanged,
        BreakKind::FactUnaccounted => proto::ChainBreakKind::FactUnaccounted,
        BreakKind::ChainCut => proto::ChainBreakKind::ChainCut,
        BreakKind::CheckpointDiffers => proto::ChainBreakKind::CheckpointDiffers,
        BreakKind::Unreadable => proto::ChainBreakKind::Unreadable,
    }
}
