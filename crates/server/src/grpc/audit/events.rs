//! Events: who did, or was refused, what.

use slipway_api::audit::v1 as proto;
use slipway_application::audit::list_audit_events;
use slipway_audit::{Event, EventFilter, EventPlace, Link, ListedEvent, Outcome};
use slipway_kernel::{Slug, Text};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

/// How long the name of a command or of a sort of resource may be, in bytes.
const MAX_WORD: usize = 128;
/// How long the name of a resource may be, in bytes: a version's is two keys and a space.
const MAX_NAME: usize = 512;

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListAuditEventsRequest,
) -> Result<proto::ListAuditEventsResponse, Refusal> {
    let filter = message.filter.unwrap_or_default();
    admit(session, &filter.project).await?;
    let mut fields = Fields::default();
    let size = fields.page_size(message.page_size);
    let mut inner = Fields::within("filter");
    let (project, filter) = parse(&mut inner, filter);
    fields.absorb(inner);
    let size = fields.finish(|| Some(size))?;
    let list = List::of("ListAuditEvents", &(&project, &filter))?;
    let after = list.place(&message.page_token)?;

    let call = session.call("");
    let page =
        list_audit_events(&api.context, &call, project.as_ref(), &filter, after, size).await?;
    let mentioned = page.items.iter().map(|listed| listed.event.principal);
    let names = Names(api.context.display_names(mentioned).await?);
    let place = |listed: &ListedEvent| -> EventPlace { listed.event.place() };
    let page = fitting(page, api.max_page_bytes, place, |listed| {
        shown(listed.event, listed.link, project.as_ref(), &names)
    });
    Ok(proto::ListAuditEventsResponse {
        events: page.items,
        next_page_token: list.token(page.next)?,
    })
}

/// Passes where the caller may see the chain: a project's, or the installation's where none is named.
pub(super) async fn admit(session: &mut Session, project: &str) -> Result<(), Refusal> {
    if project.is_empty() {
        session.admit_to_installation()
    } else {
        session.admit(project).await
    }
}

/// Which chain, and which of its events.
pub(super) fn parse(
    fields: &mut Fields,
    message: proto::AuditEventFilter,
) -> (Option<Slug>, EventFilter) {
    if !message.resource_name.is_empty() && message.resource_type.is_empty() {
        fields.refuse("resource_name", "needs `resource_type`: name the type too");
    }
    let project = fields.optional("project", &message.project);
    let command: Option<Text<MAX_WORD>> = fields.optional_text("command", message.command);
    let kind: Option<Text<MAX_WORD>> = fields.optional_text("resource_type", message.resource_type);
    let name: Option<Text<MAX_NAME>> = fields.optional_text("resource_name", message.resource_name);
    let filter = EventFilter {
        command: command.map(String::from),
        principal: fields.optional("principal_id", &message.principal_id),
        refused: fields.choice("outcome", message.outcome, |outcome| match outcome {
            proto::AuditOutcome::Unspecified => None,
            proto::AuditOutcome::Allowed => Some(false),
            proto::AuditOutcome::Refused => Some(true),
        }),
        resource_kind: kind.map(String::from),
        resource_name: name.map(String::from),
        from: fields.time("from_time", message.from_time),
        to: fields.time("to_time", message.to_time),
    };
    (project, filter)
}

/// An event as a message.
pub(super) fn shown(
    event: Event,
    link: Option<Link>,
    project: Option<&Slug>,
    names: &Names,
) -> proto::AuditEvent {
    let (outcome, refusal_reason) = match event.outcome {
        Outcome::Allowed => (proto::AuditOutcome::Allowed, String::new()),
        Outcome::Refused { reason } => (proto::AuditOutcome::Refused, reason),
    };
    let json = |value: Option<serde_json::Value>| value.map(|v| v.to_string()).unwrap_or_default();
    proto::AuditEvent {
        event_id: event.id.to_string(),
        project: project.map(ToString::to_string).unwrap_or_default(),
        position: link.map_or(0, |link| link.position),
        hash: link.map(|link| show::digest(link.hash)).unwrap_or_default(),
        event_time: Some(show::time(event.at)),
        principal: Some(names.principal(event.principal)),
        command: event.command,
        outcome: outcome.into(),
        refusal_reason,
        resource: Some(proto::AuditResource {
            r#type: event.resource.kind,
            name: event.resource.name,
        }),
        before_json: json(event.before),
        after_json: json(event.after),
        correlation_id: event.correlation_id,
        facts: event
            .facts
            .into_iter()
            .map(|fact| proto::AuditFact {
                r#type: fact.kind.as_str().to_owned(),
                id: fact.record.to_string(),
                digest: show::digest(fact.digest),
            })
            .collect(),
        repeat_count: event.repeat_count,
    }
}
