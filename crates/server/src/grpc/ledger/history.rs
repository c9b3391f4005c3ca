//! The history, and taking back what is wrong in it.

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{
    RetractRecord, get_deployment_record, list_deployment_records, retract_deployment_record,
};
use slipway_kernel::{RecordId, Slug};
use slipway_ledger::{Record, RecordFilter, RecordPlace};

use super::record::{principals, shown};
use super::report::record_kind;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::Names;

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetDeploymentRecordRequest,
) -> Result<proto::GetDeploymentRecordResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let id: Option<RecordId> = fields.required("record_id", &message.record_id);
    let (project, id) = fields.finish(|| Some((project?, id?)))?;
    let record = get_deployment_record(&api.context, &session.call(""), &project, id).await?;
    Ok(proto::GetDeploymentRecordResponse {
        record: Some(named(api, record, &message.project).await?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListDeploymentRecordsRequest,
) -> Result<proto::ListDeploymentRecordsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    if !message.version.is_empty() && message.application.is_empty() {
        fields.refuse("version", "needs `application`: name the application too");
    }
    let filter = RecordFilter {
        application: fields.optional("application", &message.application),
        environment: fields.optional("environment", &message.environment),
        version: fields.optional("version", &message.version),
        from: fields.time("from_time", message.from_time),
        to: fields.time("to_time", message.to_time),
        deployed_by: fields.optional_text("deployed_by", message.deployed_by),
        kind: fields.choice("kind", message.kind, record_kind),
        include_retracted: message.include_retracted,
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListDeploymentRecords", &(&project, &filter))?;
    let after = list.place(&message.page_token)?;

    let call = session.call("");
    let page = list_deployment_records(&api.context, &call, &project, &filter, after, size).await?;
    let mentioned = page.items.iter().flat_map(principals);
    let names = Names(api.context.display_names(mentioned).await?);
    let place = |record: &Record| -> RecordPlace { record.place() };
    let page = fitting(page, api.max_page_bytes, place, |record| {
        shown(record, project.as_str(), &names)
    });
    Ok(proto::ListDeploymentRecordsResponse {
        records: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn retract(
    api: &Api,
    session: &mut Session,
    message: proto::RetractDeploymentRecordRequest,
) -> Result<proto::RetractDeploymentRecordResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let record = fields.required("record_id", &message.record_id);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(RetractRecord {
            project: project?,
            record: record?,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let record = retract_deployment_record(&api.context, &call, command).await?;
    Ok(proto::RetractDeploymentRecordResponse {
        record: Some(named(api, record, &message.project).await?),
    })
}

async fn named(
    api: &Api,
    record: Record,
    project: &str,
) -> Result<proto::DeploymentRecord, Refusal> {
    let names = Names(api.context.display_names(principals(&record)).await?);
    Ok(shown(record, project, &names))
}
