//! The current state.

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{Moment, get_current_state, list_current_state};
use slipway_kernel::{Key, Slug, Timestamp};
use slipway_ledger::{Cell, CellFilter, Freshness};

use crate::grpc::Api;
use crate::grpc::catalog::words::{shown_application_kind, shown_tier};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetCurrentStateRequest,
) -> Result<proto::GetCurrentStateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let application: Option<Key> = fields.required("application", &message.application);
    let environment: Option<Slug> = fields.required("environment", &message.environment);
    let moment = moment(&mut fields, message.as_of_time, message.known_at_time);
    let (project, application, environment) =
        fields.finish(|| Some((project?, application?, environment?)))?;
    let found = get_current_state(
        &api.context,
        &session.call(""),
        &project,
        &application,
        &environment,
        moment,
    )
    .await?;
    Ok(proto::GetCurrentStateResponse {
        state: found.cell.map(|cell| shown(cell, found.as_of)),
        as_of_time: Some(show::time(found.as_of)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListCurrentStateRequest,
) -> Result<proto::ListCurrentStateResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let moment = moment(&mut fields, message.as_of_time, message.known_at_time);
    let filter = CellFilter {
        application: fields.optional("application", &message.application),
        environment: fields.optional("environment", &message.environment),
        include_archived: message.include_archived,
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListCurrentState", &(&project, &filter, moment))?;
    let cursor = list.place(&message.page_token)?;
    let found = list_current_state(
        &api.context,
        &session.call(""),
        &project,
        &filter,
        moment,
        cursor.as_ref(),
        size,
    )
    .await?;
    let page = found.page.map(|cell| shown(cell, found.as_of));
    Ok(proto::ListCurrentStateResponse {
        states: page.items,
        as_of_time: Some(show::time(found.as_of)),
        next_page_token: list.token(page.next)?,
    })
}

/// Which moment a request asks about.
pub(super) fn moment(
    fields: &mut Fields,
    as_of: Option<prost_types::Timestamp>,
    known_at: Option<prost_types::Timestamp>,
) -> Moment {
    Moment {
        as_of: fields.time("as_of_time", as_of),
        known_at: fields.time("known_at_time", known_at),
    }
}

/// A filled cell as a message, seen at `now`.
pub(super) fn shown(cell: Cell, now: Timestamp) -> proto::CurrentState {
    proto::CurrentState {
        freshness: match cell.freshness(now) {
            Freshness::Fresh => proto::Freshness::Fresh,
            Freshness::Aging => proto::Freshness::Aging,
            Freshness::Stale => proto::Freshness::Stale,
        }
        .into(),
        application: cell.application.into(),
        application_display_name: cell.application_name,
        application_kind: shown_application_kind(cell.application_kind).into(),
        environment: cell.environment.into(),
        environment_display_name: cell.environment_name,
        environment_tier: shown_tier(cell.environment_tier).into(),
        version: cell.version.into(),
        deployed_time: Some(show::time(cell.deployed_at)),
        deployed_by: cell.deployed_by.unwrap_or_default(),
        record_id: cell.record.to_string(),
    }
}
