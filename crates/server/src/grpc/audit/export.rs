//! The whole trail, as a stream.

use slipway_api::audit::v1 as proto;
use slipway_api::audit::v1::export_audit_events_response::Message;
use slipway_application::audit::{AuditExport, ExportItem};
use slipway_audit::Checkpoint;
use slipway_kernel::Slug;

use super::chain;
use super::events::{admit, parse, shown};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names, count};
use crate::grpc::stream::{Ended, Source};

/// An export in progress.
pub(super) struct Export {
    project: Option<Slug>,
    export: AuditExport,
}

pub(super) async fn start(
    session: &mut Session,
    message: proto::ExportAuditEventsRequest,
) -> Result<Export, Refusal> {
    let filter = message.filter.unwrap_or_default();
    admit(session, &filter.project).await?;
    let mut fields = Fields::within("filter");
    let (project, filter) = parse(&mut fields, filter);
    fields.finish(|| Some(()))?;
    let call = session.call("");
    let export = AuditExport::start(session.context(), &call, project.as_ref(), filter).await?;
    Ok(Export { project, export })
}

impl Source for Export {
    type Answer = proto::ExportAuditEventsResponse;

    async fn next(&mut self, session: &mut Session) -> Result<Option<Self::Answer>, Ended> {
        let item = self.export.next().await.map_err(Refusal::from)?;
        let project = self.project.as_ref();
        let message = match item {
            None => return Ok(None),
            Some(ExportItem::Event { link, event }) => {
                let names = session.context().display_names([event.principal]).await;
                let names = Names(names.map_err(Refusal::from)?);
                Message::Event(shown(*event, Some(link), project, &names))
            }
            Some(ExportItem::Summary(summary)) => {
                let now = session.context().clock.now();
                let head = summary.head.map(|head| Checkpoint::of(&head, now));
                Message::Summary(proto::ExportSummary {
                    event_count: count(summary.events),
                    digest: show::digest(summary.digest),
                    head: head.map(|head| chain::shown(&head, project)),
                    unchained_event_count: count(summary.unchained),
                })
            }
        };
        Ok(Some(proto::ExportAuditEventsResponse {
            message: Some(message),
        }))
    }
}
